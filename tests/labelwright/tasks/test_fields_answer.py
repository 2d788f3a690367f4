"""Answers of fields: lines, JSON, places, relations, parts, tables and gold files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelwright.errors import InputError
from labelwright.label_set import LabelSet
from labelwright.records import Answer
from labelwright.tasks import kind_of
from labelwright.tasks.fields import gold
from labelwright.tasks.fields.schema import fields_of
from labelwright.tasks.fields.values import Fields, Item, Status
from labelwright.tasks.shapes import Part

LABELS = LabelSet.from_text(
    """name: letters
version: "1"
task: fields
language: it
instruction: "Read {fields}."
fields:
  - {name: Admitted, key: AD, type: date}
  - {name: Left, key: LE, type: date}
  - {name: Stay, type: number, derived: {rule: days, from: [Admitted, Left]}}
  - {name: Creatinine, key: CR, type: number, unit: mg/dl, range: [0.1, 20]}
  - name: Smoking
    key: SM
    type: categorical
    values: [{value: "0", word: mai, synonyms: [non fumatore]}, {value: "1", word: ex}, attivo]
  - {name: Pack years, key: PY, type: number, asked_if: {field: Smoking, is: ["1", attivo]}}
  - {name: Angina, key: AN, type: boolean}
  - {name: Diagnosis, key: DX, type: text, most: 60}
  - {name: Drugs, key: DR, type: text, many: true}
order: [[Admitted, Left]]
"""
)
KIND = kind_of(LABELS)
TEXT = (
    "Ricovero 17/05/18, dimesso il 27 maggio 2018. Ex fumatore. Nega angina. "
    "Creatinina 2,64 mg/dl. Insufficienza car-\ndiaca. Bisoprololo, Furosemide, Bisoprololo."
)
ANSWER = (
    "AD 17/05/18\nLE 27 maggio 2018\nCR 2,64 mg/dl\nSM ex\nAN no\nDX Insufficienza cardiaca\n"
    "DR Bisoprololo\nDR Furosemide"
)


def read(answer: str, text: str = TEXT, *, ended: bool | None = True) -> Fields:
    value = KIND.parse(LABELS, answer, text, ended=ended).value
    assert value is not None
    return value


def problems(answer: str, text: str = TEXT, *, ended: bool | None = True) -> tuple[str, ...]:
    return KIND.parse(LABELS, answer, text, ended=ended).problems


def words(item: Item) -> str:
    return " ".join(TEXT[start:end] for start, end in item.spans)


def test_lines() -> None:
    parsed = KIND.parse(LABELS, ANSWER, TEXT, ended=True)
    assert (parsed.problems, parsed.notes) == ((), ())
    value = parsed.value
    assert list(value) == list(LABELS.names)
    assert {name: one.value for name, one in value.items()} == {
        "Admitted": "2018-05-17", "Left": "2018-05-27", "Stay": 10.0, "Creatinine": 2.64,
        "Smoking": "1", "Pack years": None, "Angina": False,
        "Diagnosis": "Insufficienza cardiaca", "Drugs": "Bisoprololo",
    }  # fmt: skip
    assert value["Pack years"].status is Status.NOT_MENTIONED
    assert value["Creatinine"].items[0].unit == "mg/dl"
    assert words(value["Creatinine"].items[0]) == "2,64 mg/dl"
    assert words(value["Diagnosis"].items[0]) == "Insufficienza car-\ndiaca"
    assert [words(item) for item in value["Drugs"].items] == ["Bisoprololo", "Furosemide"]
    assert value["Smoking"].items[0].spans == ()
    assert KIND.render(LABELS, value) == ANSWER


def test_json_says_the_same() -> None:
    given = {
        "Admitted": "17/05/18", "LE": "27 maggio 2018", "creatinine": "2,64 mg/dl",
        "Smoking": "1", "AN": False, "DX": {"value": "Insufficienza cardiaca"},
        "Drugs": ["Bisoprololo", "Furosemide"], "PY": None,
    }  # fmt: skip
    value = read(ANSWER)
    said = read(json.dumps(given))
    assert {k: v.values for k, v in said.items()} == {k: v.values for k, v in value.items()}
    fenced = read(f"```json\n{json.dumps(given, indent=1)}\n```")
    assert fenced == said
    pairs = [
        {"entity": name, "value": each}
        for name, one in given.items()
        for each in (one if isinstance(one, list) else [one])
    ]
    assert read(json.dumps(pairs)) == said
    assert read(json.dumps({"entities": pairs})) == said
    cut = KIND.parse(LABELS, json.dumps(pairs)[:-40], TEXT)
    assert cut.problems == ("cut off",)
    assert cut.value["Smoking"].value == "1"
    assert cut.value["Drugs"].values == ("Bisoprololo",)


def test_what_is_wrong_is_named_and_nothing_is_lost() -> None:
    said = {
        "AD 31/02/2018": "no such date: Admitted", "AD ieri": "no date: Admitted",
        "SM Moderato": "outside the values: Smoking", "CR 264 mg/dl": "out of range: Creatinine",
        "CR 2,64 IU": "unknown unit: Creatinine", "AN forse": "neither yes nor no: Angina",
        "AD 17/05/18\nLE 16/5/18": "order of dates: Admitted / Left",
        "SM mai\nPY 20": "not asked: Pack years", "Weight 80": "unknown field",
        "AD 17/05/18\nAD 18/05/18": "two values: Admitted",
        "DX Polmonite": "no evidence: Diagnosis",
        "": "empty answer", "DX " + "parola " * 20: "too long: Diagnosis",
    }  # fmt: skip
    for answer, problem in said.items():
        assert problem in problems(answer), answer
    one = read("AD 31/02/2018")["Admitted"]
    assert (one.status, one.value, one.items[0].raw) == (Status.UNREADABLE, None, "31/02/2018")
    two = read("AD 17/05/18\nAD 18/05/18")["Admitted"]
    assert two.values == ("2018-05-17", "2018-05-18")
    assert KIND.parse(LABELS, "", TEXT).value is None
    assert KIND.parse(LABELS, "Sure! here you are, all that I found in it", TEXT).value is None


def test_an_answer_that_was_cut_off_loses_its_last_line() -> None:
    parsed = KIND.parse(LABELS, "AD 17/05/18\nLE 27 mag", TEXT, ended=False)
    assert parsed.problems == ("cut off",)
    assert parsed.value["Left"].status is Status.NOT_MENTIONED


def test_nothing_is_mentioned() -> None:
    for answer in ("none", "None.", "AD -\nSM null", "{}", '{"AD": null}'):
        parsed = KIND.parse(LABELS, answer, TEXT, ended=True)
        assert not parsed.problems
        assert all(one.status is Status.NOT_MENTIONED for one in parsed.value.values())
    assert KIND.render(LABELS, read("none")) == "none"


def test_other_writings_are_noted() -> None:
    said = KIND.parse(LABELS, "- **Admitted**: 17/05/18\nSmoking = EX\npack years: 20", TEXT)
    assert said.notes == ("written otherwise (3)",)
    assert said.value["Pack years"].value == 20
    assert said.value["Smoking"].value == "1"


def test_numbers_are_not_found_inside_others() -> None:
    assert problems("PY 18\nSM ex") == ("no evidence: Pack years",)
    at = TEXT.index("2,64")
    assert read("CR 2,64")["Creatinine"].items[0].spans == ((at, at + 4),)
    assert problems("CR 64") == ("out of range: Creatinine", "no evidence: Creatinine")


def test_a_value_of_an_example_that_leaks_is_named() -> None:
    shown = LabelSet.from_text(
        LABELS.text + "examples: [{text: Entra il 1/2/2003., fields: {Admitted: 1/2/2003}}]\n"
    )
    told = KIND.parse(shown, "AD 1/2/2003", TEXT).problems
    assert told == ("no evidence: Admitted", "copied from an example: Admitted")
    assert KIND.parse(shown, "AD 1/2/2004", TEXT).problems == ("no evidence: Admitted",)


def test_probabilities_are_those_of_the_lines() -> None:
    value = KIND.parse(
        LABELS, "AD 17/05/18\nDR Furosemide\nPY -", TEXT, probs=[0.5, 0.25, 0.75]
    ).value
    assert [value[n].prob for n in ("Admitted", "Drugs", "Pack years")] == [0.5, 0.25, 0.75]


def test_parts() -> None:
    half = TEXT.index("Creatinina")
    told = [
        Part(((0, half),), Answer(value=read("AD 17/05/18\nSM ex", TEXT[:half]), raw="a")),
        Part(
            ((half, len(TEXT)),),
            Answer(value=read("CR 2,64 mg/dl\nSM mai\nDR Furosemide", TEXT[half:]), raw="b"),
        ),
    ]
    whole = KIND.merge(LABELS, told, length=len(TEXT))
    assert whole.value["Smoking"].value == "1"
    assert whole.notes == ("parts differ: Smoking",)
    assert words(whole.value["Creatinine"].items[0]) == "2,64 mg/dl"
    assert words(whole.value["Drugs"].items[0]) == "Furosemide"
    nothing = KIND.merge(LABELS, [Part(((0, 9),), Answer(value=None, raw=""))], length=9)
    assert nothing.value is None


def test_tables_hold_no_formula() -> None:
    text = "=HYPERLINK(1) Left 3/4/2018"
    value = read("DX =HYPERLINK(1)\nLE 3/4/2018", text)
    wide, long = KIND.tables(LABELS)
    cells = dict(zip(wide.columns, next(iter(wide.rows(value))), strict=True))
    assert (cells["Diagnosis"], cells["Left"], cells["Angina"]) == (
        "'=HYPERLINK(1)", "2018-04-03", "",
    )  # fmt: skip
    rows = {row[0]: row[1:] for row in long.rows(value)}
    assert rows["Left"] == ["2018-04-03", "3/4/2018", "", "", "19", "27", "", "stated"]
    assert rows["Angina"] == ["", "", "", "", "", "", "", "not mentioned"]


def test_gold_files_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "gold.jsonl").write_text(
        json.dumps({"id": "a", "fields": {
            "Admitted": "17/05/2018", "Left": {"value": "2018-05-27", "raw": "27 maggio 2018",
            "spans": [30, 44]}, "Creatinine": 2.64, "Angina": False, "Smoking": None,
            "Drugs": ["Bisoprololo", "Furosemide"]}}) + "\n"
        + json.dumps({"id": "b", "not_scored": ["Angina"], "fields": {
            "Admitted": {"value": None, "raw": "31/02/50", "status": "unparseable"},
            "Angina": True}}) + "\n",
        encoding="utf-8",
    )  # fmt: skip
    (tmp_path / "wide.csv").write_text(
        "id,Admitted,LE,Creatinine,Angina,Smoking,Drugs\n"
        "a,2018-05-17,2018-05-27,2.64,false,,Bisoprololo | Furosemide\n",
        encoding="utf-8",
    )
    (tmp_path / "long.csv").write_text(
        "id,field,value,raw\na,Admitted,2018-05-17,\na,Left,2018-05-27,27 maggio 2018\n"
        "a,Creatinine,2.64,\na,Angina,no,\na,Smoking,,\na,Drugs,Bisoprololo,\na,Drugs,Furosemide,\n"
        "b,Admitted,,31/02/50\n",
        encoding="utf-8",
    )
    known = {
        n: list(gold.read(tmp_path / n, LABELS)) for n in ("gold.jsonl", "wide.csv", "long.csv")
    }
    first = [found[0][2] for found in known.values()]
    for one in first:
        assert {name: value.values for name, value in one.items()} == {
            "Admitted": ("2018-05-17",), "Left": ("2018-05-27",), "Stay": (10.0,),
            "Creatinine": (2.64,), "Angina": (False,), "Smoking": (),
            "Drugs": ("Bisoprololo", "Furosemide"),
        }  # fmt: skip
    second = known["gold.jsonl"][1][2]
    assert list(second) == ["Admitted"]
    assert second["Admitted"].status is Status.UNREADABLE
    assert known["long.csv"][1][2]["Admitted"] == second["Admitted"]
    with open(tmp_path / "out.jsonl", "w", encoding="utf-8") as handle:
        KIND.gold_writer(handle, LABELS)("a", first[0])
    assert [v for _, _, v in KIND.read_gold(tmp_path / "out.jsonl", LABELS)] == [first[0]]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"Smoking": "Moderato"}, "outside the values: a value of field Smoking"),
        ({"Weight": 80}, "no field Weight in label set letters"),
        ({"Admitted": ["1/2/2018", "3/2/2018"]}, "field Admitted has several values"),
        ({"Creatinine": True}, "no number: a value of field Creatinine"),
    ],
)
def test_gold_that_does_not_fit_is_refused(
    tmp_path: Path, fields: dict[str, object], why: str
) -> None:
    path = tmp_path / "gold.jsonl"
    path.write_text(json.dumps({"id": "a", "fields": fields}) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=why) as caught:
        list(gold.read(path, LABELS))
    assert caught.value.row == 1


def test_the_instruction_names_every_field() -> None:
    told = KIND.instruction(LABELS)
    assert told.startswith("Read AD Admitted (date); LE Left (date); CR Creatinine (number, mg/dl)")
    assert "SM Smoking (mai/ex/attivo)" in told
    assert "Stay" not in told
    told = KIND.describe(LABELS)
    assert told == "9 fields (2 date, 3 number, 1 categorical, 1 boolean, 2 text)"


LINES = st.lists(
    st.sampled_from(["AD", "CR", "SM", "AN", "DX", "DR", "XX", "none", "{", "["]).flatmap(
        lambda key: st.text(max_size=20).map(lambda words: f"{key} {words}")
    ),
    max_size=6,
)


@given(LINES, st.text(max_size=40))
def test_no_answer_breaks_the_parser(lines: list[str], text: str) -> None:
    parsed = KIND.parse(LABELS, "\n".join(lines), text)
    value = parsed.value
    if value is not None:
        assert list(value) == list(LABELS.names)
        again = KIND.from_json(LABELS, json.loads(json.dumps(KIND.to_json(value))))
        assert again == value
        for one in value.values():
            for item in one.items:
                assert all(0 <= start < end <= len(text) for start, end in item.spans)
        for table in KIND.tables(LABELS):
            rows = [list(row) for row in table.rows(value)]
            assert all(len(row) == len(table.columns) for row in rows)
    assert fields_of(LABELS).many == {"Drugs"}
