"""Hostile answers and files on the whole way of fields: answer, scores, errors, points."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eval.kinds.fields.asked import _folded_document, asked_of
from eval.kinds.fields.counts import Count, field_counts, pointed
from eval.kinds.fields.errors import Judge
from labelwright.cli import main
from labelwright.io.jsonl import write_jsonl
from labelwright.label_set import LabelSet
from labelwright.tasks import kind_of
from labelwright.tasks.fields.values import Fields

YAML = """\
name: hostile
version: "1"
task: fields
language: it
instruction: "Read {fields}."
fields:
  - {name: Day, key: DY, type: date}
  - {name: Crea, key: CR, type: number, unit: mg/dl, units: {g/l: 100}, range: [0.1, 20]}
  - {name: Smoking, key: SM, type: categorical, values: [mai, ex, attivo]}
  - {name: Dx, key: DX, type: text}
  - {name: Drugs, key: DR, type: text, many: true}
"""
LABELS = LabelSet.from_text(YAML)
KIND, ASKED = kind_of(LABELS), asked_of(LABELS)
TEXT = (
    "Ricovero 17/05/2018, nato il 03/04/1950. Crea 2,64 mg/dl. Ex fumatore. Stenosi aortica. ASA."
)
GOLD = {
    "Day": "2018-05-17",
    "Crea": 2.64,
    "Smoking": "ex",
    "Dx": "Stenosi aortica",
    "Drugs": ["ASA"],
}


def gold(given: dict[str, Any]) -> Fields:
    from labelwright.tasks.fields.gold import of_object

    return of_object(LABELS, given)


def read(answer: str, text: str = TEXT, *, ended: bool = True) -> tuple[Fields, tuple[str, ...]]:
    parsed = KIND.parse(LABELS, answer, text, ended=ended)
    assert parsed.value is not None
    return parsed.value, parsed.problems


def kinds(answer: str, field: str, text: str = TEXT) -> list[str]:
    """The kinds of errors of one field of an answer."""
    said, _ = read(answer, text)
    truth = gold(GOLD)
    _, (wrong,) = field_counts(ASKED, [truth], [said])
    found = Judge(ASKED, True).errors(wrong, truth, said, text)
    return [error.kind for error in found if ASKED[error.field].name == field]


@pytest.mark.parametrize(
    ("line", "field", "kind"),
    [
        ("DY 17/05/2018", "Day", []),
        ("DY 31/02/2018", "Day", ["type"]),
        ("DY 00/00/0000", "Day", ["type"]),
        ("DY 18/05/2018", "Day", ["unsupported"]),
        ("DY 03/04/1950", "Day", ["occurrence"]),
        ("CR 2,64", "Crea", []),
        ("CR 2,64 mg/dl", "Crea", []),
        # No number of the text, and out of range besides.
        ("CR 1e10", "Crea", ["type"]),
        ("CR 264", "Crea", ["type"]),
        ("CR 2,65", "Crea", ["unsupported"]),
        ("SM EX", "Smoking", []),
        ("SM moderato", "Smoking", ["type"]),
        ("SM attivo", "Smoking", ["other"]),
        ("DX stenosi  AORTICA", "Dx", []),
        ("DX Stenosi", "Dx", ["length"]),
        ("DX Ex fumatore", "Dx", ["occurrence"]),
        # Words of a worked example, which this text does not hold.
        ("DX Insufficienza mitralica", "Dx", ["unsupported"]),
        ("DR Stenosi aortica", "Drugs", ["field"]),
        ("DR ASA\nDR Bisoprololo", "Drugs", ["unsupported"]),
        ("none", "Dx", ["missed"]),
        # Two answers to one question: one of them is wrong.
        ("DX Stenosi aortica\nDX ASA", "Dx", ["length"]),
    ],
)
def test_every_error_has_its_kind(line: str, field: str, kind: list[str]) -> None:
    assert kinds(line, field) == kind


def test_an_impossible_date_of_the_gold_is_met_by_its_own_words() -> None:
    given = {"value": "2013-02-29", "raw": "29/02/2013", "spans": [[0, 10]]}
    truth = gold({"Day": given})
    assert truth["Day"].items[0].value is None
    for answer, right in (("DY 29/02/2013", 1), ("DY 28/02/2013", 0)):
        said, _ = read(answer, "29/02/2013, 28/02/2013")
        table, _ = field_counts(ASKED, [truth], [said])
        assert table[0, 0, Count.RIGHT] == right


def test_a_unit_that_nobody_knows_gives_no_number() -> None:
    said, problems = read("CR 2,64 cups", TEXT.replace("mg/dl", "cups"))
    assert said["Crea"].value is None
    assert said["Crea"].items[0].raw == "2,64 cups"
    assert "unknown unit: Crea" in problems


def test_keys_that_are_none_and_cut_answers_are_counted() -> None:
    said, problems = read("DY 17/05/2018\nZZ 1\nXX 2\nDX Stenosi aort", ended=False)
    assert "unknown field (2)" in problems
    assert "cut off" in problems
    # What was cut off is not taken for what the document says.
    assert not said["Dx"].items
    table, _ = field_counts(ASKED, [gold(GOLD)], [said])
    assert table[0, :, Count.WHOLE].tolist() == [1, 0, 0, 0, 0, 0]
    assert not pointed(ASKED, [None], table, texts=None, unknown=[2])
    assert table[0, -1, Count.UNKNOWN] == 2


def test_long_letters_are_folded_once() -> None:
    texts = [f"{TEXT} {'Decorso regolare, perché no. ' * n}" for n in (100, 200)]
    answer = "\n".join(f"{field.key} assente nel testo" for field in ASKED)
    said = [read(answer, text)[0] for text in texts]
    table, _ = field_counts(ASKED, [gold(GOLD)] * 2, said)
    _folded_document.cache_clear()
    pointed(ASKED, said, table, texts=texts, unknown=[0, 0])
    # The two texts that are no date and no number, in both documents.
    assert table[..., Count.UNSUPPORTED].sum() == 4
    assert _folded_document.cache_info().misses == 2


def run(folder: Path, *flags: str) -> int:
    few = ["--resamples=100", "--permutations=100", f"--out={folder / 'page'}"]
    label_set = f"--label-set={folder / 'l.yaml'}"
    return main(["eval", label_set, f"--pred=a={folder / 'a.jsonl'}", *few, *flags])


def row(fields: Any) -> dict[str, Any]:
    return {"id": "1", "labels": {}, "fields": fields, "problems": [], "model": "m"}


def test_files_that_do_not_fit_are_refused_and_gaps_are_not_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "l.yaml").write_text(YAML, encoding="utf-8")
    said, _ = read("DY 17/05/2018\nDX altro")
    write_jsonl(tmp_path / "a.jsonl", [row(KIND.to_json(said))])
    write_jsonl(tmp_path / "g.jsonl", [{"id": "1", "fields": {"Day": "2018-05-17"}}])
    assert run(tmp_path, f"--gold={tmp_path / 'g.jsonl'}") == 0
    scores = json.loads((tmp_path / "page" / "scores.json").read_text(encoding="utf-8"))
    # Only Day is in the gold, and it is right: the wrong diagnosis is not scored.
    assert scores["labelers"]["a"]["document_exact"] == 1
    assert scores["labelers"]["a"]["averages"]["micro_f1"]["value"] == 1
    assert any("not scored: Crea, Smoking, Dx, Drugs" in text for text in scores["notices"])
    capsys.readouterr()
    write_jsonl(
        tmp_path / "a.jsonl", [row({"Old name": {"value": None, "status": "not mentioned"}})]
    )
    assert run(tmp_path, f"--gold={tmp_path / 'g.jsonl'}") == 2
    assert "no field Old name" in capsys.readouterr().err.replace("'", "")
    write_jsonl(tmp_path / "a.jsonl", [row(KIND.to_json(said)), row(KIND.to_json(said))])
    assert run(tmp_path) == 2
    assert "an id stands twice" in capsys.readouterr().err
    line = json.dumps(row({"Crea": {"value": 5, "raw": "5", "status": "stated"}}))
    (tmp_path / "a.jsonl").write_text(line.replace('"value": 5', '"value": 1e999'))
    assert run(tmp_path) == 2
    assert "not a prediction of label set hostile" in capsys.readouterr().err
