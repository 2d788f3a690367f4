"""Bounds and ranges: `< 0,5` is no 0.5, and `5-10 mg` is neither 5 nor 10."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from eval.kinds.fields.asked import asked_of
from eval.kinds.fields.equality import matched
from labelwright.errors import InputError
from labelwright.label_set import LabelSet
from labelwright.records import Prediction
from labelwright.tasks.fields.branches import copies
from labelwright.tasks.fields.kind import KIND
from labelwright.tasks.fields.normalise import candidates, read_value
from labelwright.tasks.fields.schema import fields_of
from labelwright.tasks.fields.values import Fields, from_json, to_json

LABELS = LabelSet.from_text(
    "name: a\nversion: '1'\ntask: fields\nlanguage: it\ninstruction: '{fields}'\nfields:\n"
    "  - {name: PCR, key: PC, type: number, unit: mg/dl, units: {mg/l: 0.1},"
    " codes: {loinc: 1988-5}}\n"
    "  - {name: Dose, key: DO, type: number, unit: mg, many: true}\n"
    "  - {name: Ratio, key: RA, type: number, derived: {rule: ratio, from: [PCR, eGFR]}}\n"
    "  - {name: eGFR, key: GF, type: number, unit: ml/min}\n"
)
OWN = fields_of(LABELS)
CRP, DOSE = OWN.by_name["PCR"], OWN.by_name["Dose"]


def read(answer: str, text: str) -> Fields:
    value = KIND.parse(LABELS, answer, text, ended=True).value
    assert value is not None
    return value


@pytest.mark.parametrize(
    ("raw", "meaning"),
    [
        ("<0,5 mg/dl", ("<", 0.5)),
        ("< 5 mg/l", ("<", 0.5)),
        ("≤0,5", ("<=", 0.5)),
        ("=< 0,5", ("<=", 0.5)),
        ("> 0,5", (">", 0.5)),
        (">=0,5", (">=", 0.5)),
        ("inferiore a 0,5 mg/dl", ("<", 0.5)),
        ("SUPÉRIEUR À 0,5", (">", 0.5)),
        ("at least 0,5", (">=", 0.5)),
        ("-> 0,5", ("", 0.5)),
        ("=> 0,5", ("", 0.5)),
        ("0,5", ("", 0.5)),
        ("-0,5", ("", -0.5)),
        ("< -0,5", ("<", -0.5)),
    ],
)
def test_a_bound_is_read_with_its_sign(raw: str, meaning: tuple[str, float]) -> None:
    found = read_value(OWN, CRP, raw)
    assert (found.comparator, found.value) == meaning


@pytest.mark.parametrize("raw", ["5-10 mg", "5 – 10 mg", "5 mg - 10 mg", "da 5 a 10 mg", "5÷10"])
def test_a_range_is_not_one_of_its_ends(raw: str) -> None:
    found = read_value(OWN, DOSE, raw)
    assert (found.value, found.wrong) == (None, "two numbers")


def test_candidates_hold_signs_whole_ranges_and_units_that_the_field_lacks() -> None:
    text = "PCR <0,5 mg/dl, era 12 > 10 mg/l; eGFR >90 ml/min. Bisoprololo 5-10 mg, poi 2 mg."
    assert copies(CRP, text) == [
        "<0,5 mg/dl", "12", "10 mg/l", ">90 ml/min", "5-10 mg", "2 mg",
    ]  # fmt: skip
    assert copies(DOSE, text) == ["<0,5 mg/dl", "12", "10 mg/l", ">90 ml/min", "5-10 mg", "2 mg"]
    text = "V.N. > 60; 12 mg > 10 mg"
    assert [text[a:b] for a, b in candidates(DOSE, text)] == ["> 60", "12 mg", "10 mg"]


def test_a_sign_that_an_answer_leaves_out_is_named() -> None:
    text = "PCR <0,5 mg/dl, eGFR >90 ml/min."
    parsed = KIND.parse(LABELS, "PC 0,5 mg/dl\nGF >90 ml/min", text, ended=True)
    assert parsed.problems == ("sign left out: PCR",)
    assert parsed.value is not None
    assert parsed.value["PCR"].items[0].spans == ((5, 14),)
    assert parsed.value["eGFR"].items[0].spans == ((21, 31),)


def test_nothing_is_computed_from_a_bound() -> None:
    text = "PCR <0,5 mg/dl, eGFR 90 ml/min."
    assert read("PC <0,5 mg/dl\nGF 90 ml/min", text)["Ratio"].value is None
    assert read("PC 0,9\nGF 90 ml/min", "PCR 0,9 eGFR 90 ml/min")["Ratio"].value == 0.01


def test_files_keep_the_sign(tmp_path: Path) -> None:
    text = "PCR <0,5 mg/dl; 5 mg, >10 mg"
    value = read("PC <0,5 mg/dl\nDO 5 mg\nDO >10 mg", text)
    again = from_json(json.loads(json.dumps(to_json(value, many=OWN.many))))
    assert again == value
    for table in KIND.tables(LABELS):
        with open(tmp_path / table.file, "w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(["id", *table.columns])
            writer.writerows(["a", *row] for row in table.rows(value))
        ((_, name, known),) = KIND.read_gold(tmp_path / table.file, LABELS)
        assert name == "a"
        assert known["PCR"].items[0].meaning == ("<", 0.5)
        assert [item.meaning for item in known["Dose"].items] == [("", 5.0), (">", 10.0)]
    assert "<0.5" in (tmp_path / "fields.csv").read_text(encoding="utf-8")
    (found,) = KIND.observed(
        LABELS, Prediction(id="a", model="m", task="fields", value=value, raw="")
    )
    assert (found.comparator, found.value) == ("<", 0.5)
    answers = {one["linkId"]: one.get("answer") for one in KIND.replies(LABELS, value)}
    assert [one["valueQuantity"].get("comparator") for one in answers["DO"]] == [None, ">"]


def test_gold_takes_the_sign_from_its_words(tmp_path: Path) -> None:
    rows = [
        {"value": 0.5, "raw": "<0,5"},
        {"value": 0.5, "comparator": "<"},
        {"value": "<0,5"},
        {"value": 0.5},
    ]
    lines = [json.dumps({"id": str(i), "fields": {"PCR": row}}) for i, row in enumerate(rows)]
    (tmp_path / "gold.jsonl").write_text("\n".join(lines), encoding="utf-8")
    known = [
        value["PCR"].items[0] for _, _, value in KIND.read_gold(tmp_path / "gold.jsonl", LABELS)
    ]
    assert [item.meaning for item in known] == [("<", 0.5)] * 3 + [("", 0.5)]
    sameness = asked_of(LABELS)[0].sameness
    assert matched(sameness, known[:1], known[1:2]) == [(0, 0)]
    assert matched(sameness, known[:1], known[3:]) == []


def test_a_part_of_a_number_is_no_place_of_another() -> None:
    parsed = KIND.parse(LABELS, "PC 1", "PCR 1e10 mg/dl, poi 0,1", ended=True)
    assert parsed.problems == ("no evidence: PCR",)


def test_fields_that_are_given_up_are_named_as_fields_are(tmp_path: Path) -> None:
    row = {"id": "a", "fields": {"PCR": 3, "dose": None}, "not_scored": ["pc"]}
    (tmp_path / "gold.jsonl").write_text(json.dumps(row), encoding="utf-8")
    ((_, _, known),) = KIND.read_gold(tmp_path / "gold.jsonl", LABELS)
    assert set(known) == {"Dose"}
    row["not_scored"] = ["CRP"]
    (tmp_path / "gold.jsonl").write_text(json.dumps(row), encoding="utf-8")
    with pytest.raises(InputError, match="no field CRP"):
        list(KIND.read_gold(tmp_path / "gold.jsonl", LABELS))
