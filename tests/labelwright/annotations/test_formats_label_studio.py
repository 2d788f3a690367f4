"""Label Studio's exports: regions, certainties, offsets of all versions, JSON-MIN."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from reading_tools import PLAIN, failure, read, saved

from labelwright.readers import ReadOptions
from labelwright.records import Certainty, Entity, Reject, Report

TEXT = "😀 No lung cancer.\r\nLiver clear."
LUNG = Entity.of(TEXT, "Organ", (5, 9))
CANCER = Entity.of(TEXT, "Disease", (5, 16), certainty=Certainty.NEGATIVE)
LIVER = Entity.of(TEXT, "Organ", (19, 24))
POINTS, UNITS = (ReadOptions(offset_unit=unit) for unit in ("characters", "utf-16"))
DROP = ReadOptions(bad_annotations="drop")
OUT = "offsets outside the text, empty or out of order"


def only(items: list[Report | Reject]) -> Report:
    (report,) = items
    assert isinstance(report, Report), report
    return report


def region(start: int, end: int, words: str | None = None, *labels: str, **more: Any) -> Any:
    value = {"start": start, "end": end, "labels": list(labels) or ["Organ"]}
    if words is not None:
        value["text"] = words
    return {"from_name": "l", "to_name": "t", "type": "labels", "value": value, **more}


def tasks(folder: Path, *results: Any, **more: Any) -> Path:
    task = {"id": 5, "data": {"text": TEXT}, "annotations": [{"result": list(results)}], **more}
    return saved(folder, "a.json", json.dumps([task]))


def test_regions_and_certainties(tmp_path: Path) -> None:
    choice = {"id": "r", "from_name": "Assertion", "to_name": "t", "type": "choices"}
    path = tasks(
        tmp_path,
        choice | {"value": {"start": 5, "end": 16, "choices": ["Negated"]}},
        region(5, 16, "lung cancer", "Disease", id="r"),
        region(5, 9, "lung", "Organ", "Site", id="s"),
        region(19, 24),
        {"type": "relation", "from_id": "r", "to_id": "s", "direction": "right"},
        {"type": "choices", "from_name": "quality", "value": {"choices": ["good"]}},
    )
    report, passed = read(path)
    assert isinstance(report, Report)
    assert (report.id, report.text) == ("5", TEXT)
    assert report.entities == (CANCER, LUNG, Entity.of(TEXT, "Site", (5, 9)), LIVER)
    reason = "other annotations passed over; 1 choices, 1 relation"
    assert passed == Reject(None, str(path), 1, reason)


def test_offsets_of_older_versions(tmp_path: Path) -> None:
    """Before 2022 Label Studio counted UTF-16 units; the words tell which are meant."""
    path = tasks(tmp_path, region(6, 10, "lung"), region(20, 25, "Liver"))
    assert only(read(path)).entities == (LUNG, LIVER)
    path = tasks(tmp_path, region(5, 24, "lung cancer.\\r\\nLiver".replace("\\r", "")))
    assert only(read(path)).entities == (Entity.of(TEXT, "Organ", (5, 24)),)


def test_offsets_whose_unit_nothing_tells(tmp_path: Path) -> None:
    """Behind a character of two units a region without words could stand at two places."""
    late = {"data": {"text": f"No lung. {TEXT}"}}
    before = Entity.of(late["data"]["text"], "Organ", (3, 7))
    path = tasks(tmp_path, region(3, 7), region(15, 19), **late)
    (rejected,) = read(path)
    assert isinstance(rejected, Reject)
    assert rejected.reason == (
        "1 annotation that cannot be used; first at a.json:1, result 2: characters of two code "
        "units stand before it and nothing tells what its offsets count; give --offset-unit"
    )
    report, counted = read(path, DROP)
    assert isinstance(report, Report)
    assert report.entities == (before,)
    assert isinstance(counted, Reject)
    assert only(read(tasks(tmp_path, region(3, 7), **late))).entities == (before,)
    assert only(read(tasks(tmp_path, region(6, 10)), UNITS)).entities == (LUNG,)
    assert only(read(tasks(tmp_path, region(5, 9)), POINTS)).entities == (LUNG,)


def test_one_region_tells_the_unit_of_all(tmp_path: Path) -> None:
    """Words tell it, and an offset that one of the ways of counting has no place for."""
    for tells, place in [
        (region(5, 16, "lung cancer"), (19, 24)),
        (region(6, 17, "lung cancer"), (20, 25)),
        (region(0, 1), (19, 24)),  # half of the first character in code units
        (region(31, len(TEXT) + 1), (20, 25)),  # one behind the end in characters
    ]:
        report = only(read(tasks(tmp_path, tells, region(*place))))
        assert LIVER in (report.entities or ())


def test_which_of_several_annotations_counts(tmp_path: Path) -> None:
    skipped = {"was_cancelled": True, "result": [region(0, 1)]}
    mine = {"result": [region(5, 9, "lung")]}
    truth = {"result": [region(19, 24, "Liver")], "ground_truth": True}
    several = "several annotations; mark one of them as ground truth"
    for given, wanted in [
        ([skipped, mine], (LUNG,)),
        ([mine, truth], (LIVER,)),
        ([mine, mine], several),
        ([truth, truth], several),
        ([skipped], None),
        ([], None),
        ([{"result": []}], ()),
        ({}, "the annotations are no list of objects"),
        ([{}], "the result of the annotation is not a list"),
    ]:
        (item,) = read(tasks(tmp_path, annotations=given), ReadOptions(format="label-studio"))
        assert (item.entities if isinstance(item, Report) else item.reason) == wanted


def test_json_min_and_ids(tmp_path: Path) -> None:
    flat = {"id": 5, "note": TEXT, "label": [region(5, 9, "lung")["value"]], "annotator": 1}
    path = saved(tmp_path, "a.json", json.dumps([{"id": 4, "note": "No."}, flat]))
    first, second = read(path)
    assert isinstance(first, Report)
    assert isinstance(second, Report)
    assert [(r.id, r.entities) for r in (first, second)] == [("4", None), ("5", (LUNG,))]
    data = {"note_id": "n", "subject_id": 3, "report": TEXT, "ward": "x"}
    report = only(
        read(tasks(tmp_path, region(5, 9, "lung"), data=data), ReadOptions(meta_columns=("ward",)))
    )
    assert (report.id, report.patient, report.meta) == ("n", "3", {"ward": "x"})
    unclear = tasks(tmp_path, region(5, 9, "lung"), data={"a": TEXT, "b": TEXT})
    (rejected,) = read(unclear)
    assert isinstance(rejected, Reject)
    assert rejected.reason == "the key of the text cannot be told; --text-columns names it"
    assert only(read(unclear, ReadOptions(text_columns=("b",)))).entities == (LUNG,)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (7, "no object"),
        (region(5, 9, "Lung"), "the text is not what the offsets cover"),
        (region(5, 99), OUT),
        ({"type": "labels"}, "a region without a value"),
        ({"type": "labels", "value": {"start": 1, "end": 2}}, "a region without a label"),
        (
            {"type": "hypertextlabels", "value": {"start": "/p[1]", "end": "/p[1]"}},
            "a region of something else than plain text",
        ),
    ],
)
def test_bad_regions(tmp_path: Path, result: Any, reason: str) -> None:
    path = tasks(tmp_path, region(5, 9, "lung"), result)
    (rejected,) = read(path)
    assert isinstance(rejected, Reject)
    where = f"first at a.json:1, result 2: {reason}"
    assert rejected.reason == f"1 annotation that cannot be used; {where}"
    kept = read(path, DROP)[0]
    assert isinstance(kept, Report)
    assert kept.entities == (LUNG,)


def test_label_studio_is_told_from_fhir(tmp_path: Path) -> None:
    fhir = {
        "resourceType": "DiagnosticReport",
        "id": "f",
        "status": "final",
        "conclusion": "Clear.",
    }
    assert only(read(saved(tmp_path, "f.json", json.dumps(fhir)))).entities is None
    assert only(read(tasks(tmp_path, region(5, 9, "lung")))).entities == (LUNG,)
    torn = saved(tmp_path, "t.json", json.dumps([{"data": {"text": "x"}, "annotations": []}])[:-1])
    assert "not valid JSON" in failure(torn).line()


def test_folder_of_exports(tmp_path: Path) -> None:
    tasks(tmp_path, region(5, 9, "lung"))
    saved(tmp_path, "b.json", '[{"id": 6, "data": {"text": "x"}, "annotations": []}, 7]')
    saved(tmp_path, "c.json", "[")
    items = read(tmp_path, ReadOptions(format="label-studio"))
    assert [i.entities for i in items if isinstance(i, Report)] == [(LUNG,), None]
    assert [i.reason for i in items if isinstance(i, Reject)] == [
        "JSON but no task; b.json:2",
        "the file cannot be read on; c.json after row 0: not valid JSON in the value that starts "
        "at character 2",
    ]


def test_no_text_in_reasons(tmp_path: Path) -> None:
    path = tasks(tmp_path, region(0, 3, "CANARY", "CANARY"), {"type": "CANARY-7"})
    for options in (PLAIN, DROP):
        reasons = [i.reason for i in read(path, options) if isinstance(i, Reject)]
        assert reasons
        assert not any("CANARY" in reason for reason in reasons)
