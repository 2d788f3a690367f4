"""Rules for fields on the forty notes that come along, and expressions from a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from baselines.rules.fields import FieldRules
from labelwright.cli import main
from labelwright.errors import LabelSetError
from labelwright.label_set import LabelSet
from labelwright.records import Prediction, Report
from labelwright.tasks import kind_of
from labelwright.tasks.fields.schema import fields_of
from labelwright.tasks.fields.values import Fields

EXAMPLES = Path(__file__).parents[2] / "examples"
VISITS = LabelSet.load(EXAMPLES / "visits.yaml")


def said(rules: FieldRules, text: str) -> Fields:
    (found,) = rules.label_reports([Report("a", text, "notes", 1)])
    assert isinstance(found, Prediction)
    value: Fields = found.value
    return value


def test_the_notes_that_come_along(tmp_path: Path) -> None:
    notes, out = EXAMPLES / "visits.jsonl", tmp_path / "out"
    asked = ["--model", "rules", "--label-set", str(EXAMPLES / "visits.yaml")]
    assert main(["label", str(notes), *asked, "--out", str(out)]) == 0
    kind = kind_of(VISITS)
    gold = kind.values(EXAMPLES / "visits.fields.jsonl", VISITS)
    found = {}
    for line in (out / "predictions.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found[row["id"]] = kind.from_json(VISITS, row["fields"])
    assert len(found) == 40
    texts = {
        row["id"]: row["text"]
        for row in map(json.loads, notes.read_text(encoding="utf-8").splitlines())
    }
    right = dict.fromkeys(VISITS.names, 0)
    for name, value in found.items():
        for field in fields_of(VISITS).fields:
            same = value[field.name].values == gold[name][field.name].values
            near = field.name == "Age" and value["Age"].value == pytest.approx(
                gold[name]["Age"].value, abs=field.tolerance
            )
            right[field.name] += same or near
            for item in value[field.name].items:
                ((start, end),) = item.spans
                assert texts[name][start:end] == item.raw
    assert right["Sex"] == right["Penicillin allergy"] == right["Cigarettes"] == 40
    assert right["Smoking"] == 40
    assert 34 <= right["Visit date"] < 40
    assert 34 <= right["Next visit"] < 40


def test_a_field_without_expressions_is_found_by_its_name() -> None:
    label_set = LabelSet.from_text(
        "name: a\nversion: '1'\ntask: fields\ninstruction: '{fields}'\nfields:\n"
        "  - {name: Angina, type: boolean}\n  - {name: Stroke, type: boolean}\n"
        "  - {name: Creatinine, type: number, unit: mg/dl}\n  - {name: Admitted, type: date}\n"
        "  - {name: Diagnosis, type: text}\n  - {name: Ward, type: categorical, values: [A, B1]}\n"
    )
    rules = FieldRules.for_label_set(label_set)
    text = "Admitted 3/4/2020 to ward B1. Diagnosis: mitral valve\nDenies angina; stroke in 2001. "
    value = said(rules, text + "Creatinine was 1.4 mg/dl.")
    assert {name: one.value for name, one in value.items()} == {
        "Angina": False, "Stroke": True, "Creatinine": 1.4, "Admitted": "2020-04-03",
        "Diagnosis": "mitral valve", "Ward": "B1",
    }  # fmt: skip
    assert all(one.value is None for one in said(rules, "Nothing of it.").values())


def test_expressions_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("Complaint: ['came (?:for|with) ([^.]+)']\n", encoding="utf-8")
    rules = FieldRules.for_label_set(VISITS, path)
    assert said(rules, "He came with a cough. 3/4/2020")["Complaint"].value == "a cough"
    assert rules.describe()["rules_sha256"] is not None
    path.write_text("Complaints: ['a']\nSex: ['(']\n", encoding="utf-8")
    with pytest.raises(LabelSetError) as caught:
        FieldRules.for_label_set(VISITS, path)
    lines = [one.partition(":")[2] for one in caught.value.problems]
    assert lines[0].startswith("1: 'Complaints' is no field of visits")
    assert lines[1].startswith("2: patterns of categorical fields are a mapping")


def test_a_frame_has_a_row_for_each_value() -> None:
    import labelwright

    labeler = labelwright.load("rules", label_set=str(EXAMPLES / "visits.yaml"))
    frame = labelwright.label(["27-year-old woman, never smoked. 3/4/2023."], labeler)
    assert list(frame.columns[:3]) == ["field", "value", "raw"]
    values = dict(zip(frame["field"], frame["value"], strict=True))
    assert (values["Age"], values["Sex"], values["Visit date"]) == (27.0, "F", "2023-04-03")
    assert values["Drugs"] is None
