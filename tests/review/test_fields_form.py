"""Fields in the review app: values from marks, from writing and from options."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from review_tools import Worker, project, take_in

from labelwright.io.jsonl import write_jsonl
from labelwright.label_set import LabelSet
from review.exporting import export
from review.store import order, runs
from review.store.work import RefusedError

FIELDS = """
name: three-fields
version: "1"
task: fields
language: en
instruction: "Read {fields}."
fields:
  - {name: Ejection fraction, type: number, unit: "%"}
  - {name: Smoker, type: boolean}
  - {name: Drug, type: text, many: true}
"""
TEXT = "Smoker. Ejection fraction 55 %, later 48 %. Aspirin and ramipril."


@pytest.fixture
def anna(tmp_path: Path) -> Worker:
    store = project(tmp_path / "p", LabelSet.from_text(FIELDS))
    take_in(store, {"d1": TEXT})
    place = [TEXT.index("55 %"), TEXT.index("55 %") + 4]
    fields = {
        "Ejection fraction": {"value": 55, "raw": "55 %", "spans": [place], "unit": "%",
                              "prob": 0.8, "status": "stated"},
        "Smoker": {"value": None, "status": "not mentioned"},
        "Drug": {"value": None, "status": "not mentioned"},
    }  # fmt: skip
    row = {"id": "d1", "fields": fields, "model": "m", "raw": "", "labels": {}}
    write_jsonl(tmp_path / "pred.jsonl", [row])
    runs.add_run(store, tmp_path / "pred.jsonl")
    order.arrange(store)
    worker = Worker(store)
    worker.take("d1")
    return worker


def root(worker: Worker, name: str) -> int:
    return next(each.root for each in worker.placed() if each.item.name == name)


def test_values_come_from_words_writing_and_options(anna: Worker, tmp_path: Path) -> None:
    later = anna.number("48")
    anna.do("change", item=root(anna, "Ejection fraction"), words=[[later, later + 1]])
    anna.do("change", item=root(anna, "Smoker"), said="true")
    for word in ("Aspirin", "ramipril"):
        at = anna.number(word)
        anna.do("add", name="Drug", words=[[at, at]])
    anna.finish()
    export(anna.store, tmp_path / "out")
    [line] = (tmp_path / "out" / "train.fields.jsonl").read_text().splitlines()
    said = json.loads(line)["fields"]
    place = TEXT.index("48 %")
    assert said["Ejection fraction"]["value"] == 48
    assert said["Ejection fraction"]["spans"] == [[place, place + 4]]
    assert said["Smoker"]["value"] is True
    assert said["Drug"]["value"] == ["Aspirin", "ramipril"]


def test_a_written_value_is_read_as_a_labelers_and_found_in_the_text(anna: Worker) -> None:
    number = root(anna, "Ejection fraction")
    assert anna.do("change", item=number, value={"raw": "48 %"}).said == "Ejection fraction stated"
    [item] = [each.item for each in anna.placed() if each.root == number]
    assert item.value == {"raw": "48 %", "value": 48.0, "unit": "%"}
    assert item.spans == ((TEXT.index("48 %"), TEXT.index("48 %") + 4),)
    assert item.prob is None
    anna.do("change", item=number, value={"raw": "< 30 %"})
    [item] = [each.item for each in anna.placed() if each.root == number]
    assert (item.value["comparator"], item.value["value"]) == ("<", 30.0)
    anna.do("change", item=number, value={"raw": "some"})
    [item] = [each.item for each in anna.placed() if each.root == number]
    assert (item.said, item.value["value"]) == ("unreadable", None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"value": {"raw": "  "}}, "write a value"),
        ({"said": "maybe"}, "cannot be said so"),
        ({"value": 7}, "write a value"),
        ({"name": "Smoker"}, "a label stays what it is"),
    ],
)
def test_what_is_no_value_is_refused(anna: Worker, given: dict[str, object], said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        anna.do("change", item=root(anna, "Ejection fraction"), **given)


def test_a_field_that_takes_one_value_has_one_at_the_end(anna: Worker) -> None:
    at = anna.number("48")
    anna.do("add", name="Ejection fraction", words=[[at, at + 1]])
    found = [e for e in anna.placed() if e.item.name == "Ejection fraction"]
    assert [each.item.value["value"] for each in found] == [48.0]
    anna.do("delete", item=root(anna, "Ejection fraction"))
    anna.finish()
    assert anna.desk().state == "done"
