"""Rules for fields on the forty notes that come along, and expressions from a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from baselines.rules.fields import FieldRules
from data_builders.synthetic.letters.writer import write_letters
from labelwright.cli import main
from labelwright.errors import LabelSetError
from labelwright.label_set import LabelSet
from labelwright.records import Prediction, Report
from labelwright.tasks import kind_of
from labelwright.tasks.fields.normalise import candidates
from labelwright.tasks.fields.schema import Field, fields_of
from labelwright.tasks.fields.values import Fields

EXAMPLES = Path(__file__).parents[3] / "examples"
VISITS = LabelSet.load(EXAMPLES / "visits.yaml")


def said(rules: FieldRules, text: str) -> Fields:
    (found,) = rules.label_reports([Report("a", text, "notes", 1)])
    assert isinstance(found, Prediction)
    value: Fields = found.value
    return value


@pytest.mark.parametrize(
    ("text", "admitted", "discharged"),
    [
        ("Admitted on 2024-03-02. Discharged on 2024-03-09.", "2024-03-02", "2024-03-09"),
        ("Admission date: 2024/3/2\nDischarge date: 03.09.2024", "2024-03-02", "2024-03-09"),
        ("Admitted on March 2, 2024, discharged 9-Mar-2024.", "2024-03-02", "2024-03-09"),
        (
            "Admitted to the heart ward on 2024-03-02 and discharged home on March 9th 2024.",
            "2024-03-02",
            "2024-03-09",
        ),
        ("Admitted to the ICU on 2024-03-04. Discharged home with review on 3/15/24.", None, None),
        ("Discharged to rehab, review on 2024-03-15. No admission planned.", None, None),
    ],
)
def test_days_of_a_stay(text: str, admitted: str | None, discharged: str | None) -> None:
    found = said(FieldRules.for_label_set(LabelSet.load("discharge-summary-28")), text)
    assert found["admitted"].value == admitted
    assert found["discharged"].value == discharged


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("72-year-old woman with HTN.", {"sex": "F", "age": 72, "hypertension": True}),
        ("A 64 year old man.", {"sex": "M", "age": 64}),
        ("Length of stay: 7 days.", {"stay": 7}),
        ("Furosemide 20 mg daily.", {"furosemide": True, "furosemide dose": 20}),
        ("Furosemide 20 mg twice daily.", {"furosemide": True}),  # no 20 mg a day
        ("Lasix 40mg PO BID.", {"furosemide": True}),
        ("Family history of diabetes.", {}),
        ("No family history of stroke. Known diabetes.", {"diabetes": True}),
    ],
)
def test_plain_words_of_a_discharge_summary(text: str, stated: dict[str, object]) -> None:
    found = said(FieldRules.for_label_set(LabelSet.load("discharge-summary-28")), text)
    values = {name: one.value for name, one in found.items()}
    assert {name: value for name, value in values.items() if value is not None} == stated


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


@pytest.mark.parametrize(
    ("text", "stroke"),
    [
        ("Mother states stroke last year.", True), ("Hit by his brother, stroke in 2001.", True),
        ("Her father had a stroke.", None), ("Mother with hypertension and stroke", None),
        ("Son healthy. Stroke.", True), ("Stroke ruled out.", None), ("Risk of stroke.", None),
        ("No fever, stroke.", None), ("Denies fever, stroke.", False), ("No stroke.", False),
    ],
)  # fmt: skip
def test_whose_it_is_and_whether(text: str, stroke: bool | None) -> None:
    label_set = LabelSet.from_text(
        "name: a\nversion: '1'\ntask: fields\ninstruction: '{fields}'\nfields:\n"
        "  - {name: Stroke, type: boolean}\n"
    )
    assert said(FieldRules.for_label_set(label_set), text)["Stroke"].value is stroke


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("Mujer de 42 años de edad.", 42.0), ("Su mujer de 42 años.", None),
        ("Fillette de 9 ans, sa fille de 2 ans", 9.0), ("Opérée dans son enfance, à 9 ans.", 9.0),
        ("His son had a stroke, 42 years", None), ("Relative hypotension, 42 years.", 42.0),
    ],
)  # fmt: skip
def test_a_woman_is_no_wife(text: str, age: float | None) -> None:
    label_set = LabelSet.from_text(
        "name: a\nversion: '1'\ntask: fields\ninstruction: '{fields}'\nfields:\n"
        "  - {name: Age, type: number, unit: years, units: {años: 1, ans: 1}, bare: false,"
        " patterns: '\\d+ (?:years|años|ans)'}\n"
    )
    assert said(FieldRules.for_label_set(label_set), text)["Age"].value == age


CARDIAC = LabelSet.load("cardiac-discharge-74")
LETTERS: dict[str, dict[str, object]] = {
    "Paziente di 66 anni, non diabete. Il padre è morto d'infarto a 60 anni, madre\ndiabetica.": {
        "eta_intervento": 66.0, "diabete": False,
    },
    "Da valutare impianto di\nICD. Profilassi dell'endocardite. "
    "In caso di bassa portata: IABP.": {},
    "Non noto se diabetico. Dubbia BPCO. Ha sospeso il bisoprololo; allergia al ramipril.": {},
    "Terapia domiciliare: losartan 50 mg; amlodipina sospesa per edemi.\n"
    "Terapia alla dimissione: ASA 100 mg, Lasix 25 mg.": {
        "sartanici": True, "terapia_dimissione": "ASA 100 mg, Lasix 25 mg.",
    },
    "Terapia domiciliare: Lasix 25 mg x 2/die, nessun nitrato": {
        "lasix": True, "lasix_dosaggio": None, "nitrati": False,
    },
    "Terapia domiciliare:\nnessun diuretico\nperindopril 4 mg\nnon sartani, amlodipina 5 mg": {
        "lasix": False, "sartanici": False,
    },
    "Vaccinazione nel 2019. REDO per disfunzione di protesi impiantata nel 2009. NYHA II-III.": {
        "redo": True, "anno_redo": "2009",
    },
    "La moglie, 45 anni, è fumatrice attiva. Il paziente ha diabete. Senza revisione chirurgica.": {
        "diabete": True, "secondo_intervento": False,
    },
    "Familiarità positiva (padre con infarto). Scompenso cardiaco nel 2010, poi stabile.": {
        "familiarita_cardiovascolare": True,
    },
    "Nega angina, ipertensione e dislipidemia. Radioterapia pelvica. Segreteria tel. 040 399486": {
        "angor": False, "ipertensione": False, "dislipidemia": False,
    },
}  # fmt: skip


@pytest.mark.parametrize("text", LETTERS)
def test_letters_are_given_nothing_that_they_do_not_say(text: str) -> None:
    found = said(FieldRules.for_label_set(CARDIAC), text)
    stated = {name: one.value for name, one in found.items() if one.items}
    assert stated == LETTERS[text]


def test_synthetic_letters_are_given_no_value_that_is_not_theirs() -> None:
    rules = FieldRules.for_label_set(CARDIAC)
    right = 0
    for letter in write_letters(CARDIAC, 30, 501):
        (found,) = rules.label_reports([letter.report])
        assert isinstance(found, Prediction)
        for name, one in found.value.items():
            known = letter.fields.get(name)
            assert not one.items or (known is not None and known.items), name
            right += bool(one.items) and known is not None and one.values == known.values
    assert right > 800


def test_every_match_does_not_search_the_whole_letter_again() -> None:
    searched = 0

    def counted(field: Field, text: str) -> list[tuple[int, int]]:
        nonlocal searched
        searched += 1
        return candidates(field, text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("baselines.rules.fields.candidates", counted)
        found = said(FieldRules.for_label_set(CARDIAC), "dimesso il 12/03/2021. " * 1000)
    assert found["data_dimissione_cch"].value == "2021-03-12"
    assert searched == 1
