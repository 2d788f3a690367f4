"""Exports of typed fields: FHIR form, responses and Observations, NOTE_NLP, Parquet, the page."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from batch_tools import jsonl
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.questionnaire import Questionnaire
from fhir.resources.R4B.questionnaireresponse import QuestionnaireResponse

from eval.page.evidence_page import collect, html
from inference.exports.export import export
from inference.runs.batch import run
from labelwright.label_set import LabelSet
from labelwright.records import Prediction, Reject, Report
from labelwright.tasks import kind_of
from labelwright.text.ucum import coding

LETTERS = LabelSet.from_text(
    """
name: letters
version: "1.0"
task: fields
language: it
instruction: "Read {fields}."
groups:
  - {name: header, fields: [Admitted, Redo year]}
fields:
  - {name: Admitted, key: AD, type: date, codes: {loinc: "8656-1"}}
  - {name: Redo year, key: RY, type: date, precision: year}
  - name: Creatinine
    key: CR
    type: number
    unit: mg/dl
    codes: {loinc: "2160-0", omop: "3016723"}
  - name: Smoking
    key: SM
    type: categorical
    codes: {loinc: "72166-2"}
    values:
      - {value: "0", word: mai, meaning: never smoked}
      - {value: "1", word: ex, synonyms: [ex fumatore]}
  - {name: Pack years, key: PY, type: number, asked_if: {field: Smoking, is: ["1"]}}
  - {name: Dialysis, key: DI, type: boolean, no_means: closed-world, codes: {snomed: "265764009"}}
  - {name: Angina, key: AN, type: boolean, evidence: none}
  - {name: Diagnosis, key: DX, type: text}
  - {name: Drugs, key: DR, type: text, many: true, codes: {loinc: "10160-0"}}
"""
)
TEXT = (
    "Ricovero 17/05/2018, REDO nel 2011. Ex fumatore. Creatinina 2,64 mg/dl. =Stenosi. "
    "Bisoprololo, ASA."
)
ANSWERS = {
    "a": "AD 17/05/2018\nRY 2011\nCR 2,64 mg/dl\nSM Ex fumatore\nAN no\nDX =Stenosi\n"
    "DR Bisoprololo\nDR ASA",
    "b": "SM moderato\nAD 31/02/2018",
    "c": "",
}


URN = "urn:labelwright:letters"


class Reader:
    """Answers with what stands above, through the kind's own parser."""

    name = "reader"
    label_set = LETTERS

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "stub"}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        kind, found = kind_of(LETTERS), []
        for report in reports:
            parsed = kind.parse(LETTERS, ANSWERS[report.id], report.text, ended=True)
            found.append(
                Prediction(
                    id=report.id,
                    model=self.name,
                    task="fields",
                    value=parsed.value,
                    problems=parsed.problems,
                )
            )
        return found


def reports() -> Iterator[Report | Reject]:
    texts = {"a": TEXT, "b": "Fumo moderato. Ricovero 31/02/2018.", "c": "Nulla."}
    for row, (name, text) in enumerate(texts.items(), 1):
        yield Report(name, text, "in.csv", row, patient=f"Patient/{name}")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("letters")
    run(Reader(), reports(), path, inputs=[], options={"sections": "full"})
    names = ("parquet", "omop", "fhir", "questionnaire")
    export(path, names, label_set=LETTERS, reports=reports)
    return path


def test_the_form_is_valid_and_asks_every_field(out: Path) -> None:
    (form,) = jsonl(out / "questionnaire" / "Questionnaire.ndjson")
    Questionnaire.model_validate(form)
    header, creatinine, smoking, pack_years, *_, drugs = form["item"]
    assert [item["linkId"] for item in header["item"]] == ["AD", "RY"]
    assert creatinine["extension"][0]["valueCoding"] == {
        "system": "http://unitsofmeasure.org",
        "code": "mg/dL",
        "display": "mg/dl",
    }
    assert [o["valueCoding"]["display"] for o in smoking["answerOption"]] == ["never smoked", "ex"]
    assert pack_years["enableWhen"][0]["answerCoding"]["code"] == "1"
    assert drugs["repeats"] is True


def test_responses_are_valid_and_keep_silence_apart_from_no(out: Path) -> None:
    (form,) = jsonl(out / "questionnaire" / "Questionnaire.ndjson")
    first, second, *rest = jsonl(out / "questionnaire" / "QuestionnaireResponse.ndjson")
    for made in (first, second, *rest):
        QuestionnaireResponse.model_validate(made)
        assert made["questionnaire"] == f"{form['url']}|{form['version']}"
    answers = {item["linkId"]: item.get("answer") for item in _flat(first["item"])}
    assert answers == {
        "AD": [{"valueDate": "2018-05-17"}],
        "RY": [{"valueDate": "2011"}],
        "CR": [
            {
                "valueQuantity": {
                    "value": 2.64,
                    "unit": "mg/dl",
                    "system": "http://unitsofmeasure.org",
                    "code": "mg/dL",
                }
            }
        ],
        "SM": [{"valueCoding": {"system": f"{URN}:SM", "code": "1", "display": "ex"}}],
        "PY": None,
        # Silence is no where the label set says so, and silence elsewhere.
        "DI": [{"valueBoolean": False}],
        "AN": [{"valueBoolean": False}],
        "DX": [{"valueString": "=Stenosi"}],
        "DR": [{"valueString": "Bisoprololo"}, {"valueString": "ASA"}],
    }  # fmt: skip
    unread = {item["linkId"]: item for item in _flat(second["item"])}
    assert unread["SM"]["extension"][0]["valueCode"] == "error"
    assert "answer" not in unread["AN"]
    assert "extension" not in unread["AN"]


def _flat(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        yield from _flat(item["item"]) if "item" in item else [item]


def test_observations_are_those_with_codes(out: Path) -> None:
    found = jsonl(out / "observations.ndjson")
    for each in found:
        Observation.model_validate(each)
    assert len({each["id"] for each in found}) == len(found)
    of_a = [each for each in found if each["derivedFrom"][0]["identifier"]["value"] == "a"]
    assert [each["code"]["text"] for each in of_a] == [
        *("Admitted", "Creatinine", "Smoking", "Dialysis", "Drugs", "Drugs")
    ]
    assert of_a[0]["valueDateTime"] == "2018-05-17"
    assert of_a[1]["valueQuantity"] == {
        "value": 2.64,
        "unit": "mg/dl",
        "system": "http://unitsofmeasure.org",
        "code": "mg/dL",
    }
    assert of_a[2]["valueCodeableConcept"] == {"text": "1"}
    assert of_a[3]["valueBoolean"] is False
    of_b = {
        each["code"]["text"]: each.get("dataAbsentReason", {}).get("coding", [{}])[0].get("code")
        for each in found
        if each["derivedFrom"][0]["identifier"]["value"] == "b"
    }
    # Words that are no category and no date; never mentioned; and a plain no.
    assert of_b == {
        "Admitted": "error",
        "Creatinine": "unknown",
        "Smoking": "error",
        "Dialysis": None,
        "Drugs": "unknown",
    }


def test_note_nlp_has_values_with_a_place_and_no_words(out: Path) -> None:
    with open(out / "note_nlp.csv", newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    by_field = {row["lexical_variant"]: row for row in rows if row["note_id"] == "a"}
    assert [*by_field][:4] == ["Admitted", "Redo year", "Creatinine", "Smoking"]
    assert by_field["Creatinine"]["offset"] == str(TEXT.index("2,64"))
    assert by_field["Creatinine"]["note_nlp_concept_id"] == "3016723"
    assert by_field["Creatinine"]["term_modifiers"] == "field=Creatinine;loinc=2160-0"
    assert by_field["Smoking"]["term_modifiers"] == "field=Smoking;value=1;loinc=72166-2"
    # "no" stands nowhere in the letter, so that it has no place and no row.
    assert "Angina" not in by_field
    whole = (out / "note_nlp.csv").read_text(encoding="utf-8")
    assert "2,64" not in whole
    assert "Stenosi" not in whole
    made = export(out, ("omop",), label_set=LETTERS, reports=reports, text=True)
    assert [path.name for path in made] == ["note_nlp.csv"]
    with open(out / "note_nlp.csv", newline="", encoding="utf-8") as handle:
        again = {r["term_modifiers"]: r["lexical_variant"] for r in csv.DictReader(handle)}
    assert again["field=Creatinine;value=2.64;unit=mg/dl;loinc=2160-0"] == "2,64 mg/dl"
    # A spreadsheet would run a cell that begins with an equals sign.
    assert again["field=Diagnosis;value==Stenosi"] == "'=Stenosi"


def test_parquet_has_columns_of_the_types(out: Path) -> None:
    rows = pq.read_table(out / "predictions.parquet").to_pylist()
    fields = rows[0]["fields"]
    assert fields["Creatinine"]["value"] == 2.64
    assert fields["Creatinine"]["raw"] == "2,64 mg/dl"
    assert fields["Admitted"]["date"] == date(2018, 5, 17)
    assert (fields["Redo year"]["value"], fields["Redo year"]["date"]) == ("2011", None)
    assert fields["Angina"]["value"] is False
    assert fields["Drugs"]["value"] == ["Bisoprololo", "ASA"]
    start = TEXT.index("ASA")
    assert fields["Drugs"]["spans"][1] == [{"start": start, "end": start + 3}]
    assert fields["Pack years"]["status"] == "not mentioned"
    assert rows[1]["fields"]["Admitted"]["value"] is None
    assert rows[1]["fields"]["Admitted"]["raw"] == "31/02/2018"


def test_the_page_of_places_shows_values(out: Path) -> None:
    data = collect(out / "predictions.jsonl", reports())
    assert (data.values, len(data.observations)) == (True, 9)
    assert "values stated" in data.facts()
    found = re.search(r'id="data">(.*?)</script>', html(data, title="T"), re.DOTALL)
    assert found is not None
    row = json.loads(found[1])["rows"][0]
    names = json.loads(found[1])["observations"]
    said = [(names[label[0]], label[1], label[6], label[3]) for label in row["l"]]
    start = TEXT.index("2,64")
    assert ("Creatinine", "p", "2.64 (2,64 mg/dl)", [[start, start + 10]]) in said
    assert ("Angina", "n", "no", []) in said
    assert [value for name, _, value, _ in said if name == "Drugs"] == ["Bisoprololo", "ASA"]


@pytest.mark.parametrize(
    ("unit", "code"),
    [("mg/dl", "mg/dL"), ("mmHg", "mm[Hg]"), ("\u00b5mol/L", "umol/L"), ("\u03bcg", "ug"),
     ("mg/die", "mg/d"), ("years", "a"), ("cups", None), ("", None)],
)  # fmt: skip
def test_units_of_letters_as_ucum(unit: str, code: str | None) -> None:
    found = coding(unit)
    assert (found and found["code"]) == code
