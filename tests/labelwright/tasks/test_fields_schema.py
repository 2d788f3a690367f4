"""Label sets of fields: what their YAML means, and a line and a remedy for every mistake."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labelwright import kinds
from labelwright.errors import LabelSetError
from labelwright.io.yaml_lines import YamlFile
from labelwright.label_set import LabelSet
from labelwright.tasks.fields.schema import (
    AskedIf,
    Category,
    Condition,
    Dates,
    Derived,
    FieldType,
    Unit,
    fields_of,
    read,
)
from labelwright.tasks.fields.values import (
    NOT_MENTIONED,
    FieldValue,
    Item,
    Status,
    from_json,
    stated,
    to_json,
)

HEAD = "name: notes\nversion: '1'\ntask: fields\ninstruction: 'Read {fields}.'\n"
WHOLE = (
    HEAD
    + """language: it
dates: {order: mdy, century: 1950}
decimals: ","
fields:
  - {name: Admitted, key: AD, type: date}
  - {name: Left, key: LE, type: date, range: ["1990-01-01", null]}
  - {name: Days, type: number, derived: {rule: days, from: [Admitted, Left]}}
  - name: Furosemide dose
    type: number
    unit: mg
    units: {g: 1000, drops: {factor: 2, offset: 1}}
    range: [5, 1000]
    tolerance: {relative: 0.05}
    epsilon: 4
    asked_if: {field: Furosemide, is: true}
    synonyms: [Lasix]
  - {name: Furosemide, key: FU, type: boolean, no_means: closed-world}
  - name: Smoking
    key: SM
    type: categorical
    values:
      - {value: "0", word: mai, meaning: never smoked, synonyms: [non fumatore]}
      - attivo
    patterns: {"0": mai fumato, attivo: [fuma, "20 al giorno"]}
  - {name: Diagnosis, key: DX, type: text, most: 80, codes: {loinc: 29308-4}}
  - {name: Bleeding, key: BL, type: boolean, patterns: {true: emorragia, false: [non sanguina]}}
groups:
  - {name: stay, fields: [Admitted, Left], sections: [header]}
order:
  - [Admitted, Left]
exclusive:
  - [Furosemide, {field: Smoking, is: attivo}]
examples:
  - text: Ricoverato il 3/4/20. Mai fumato.
    fields: {Admitted: 3/4/20, Smoking: mai, Diagnosis: null}
"""
)


@pytest.fixture(autouse=True)
def known() -> Iterator[None]:
    with kinds.registered("fields", "labelwright.tasks.fields.schema:read"):
        yield


def made(text: str) -> LabelSet:
    return read(YamlFile(text, "notes.yaml"), text)


def mistakes(text: str) -> list[str]:
    with pytest.raises(LabelSetError) as caught:
        made(text)
    return [problem.removeprefix("notes.yaml:") for problem in caught.value.problems]


def test_a_whole_file() -> None:
    label_set = made(WHOLE)
    own = fields_of(label_set)
    assert label_set.names == tuple(own.by_name)
    assert len(own.fields) == 8
    assert (own.yes, own.no) == ("sì", "no")
    admitted, left, days, dose, given, smoking, diagnosis, bleeding = own.fields
    assert admitted.dates == Dates("mdy", 1950)
    assert admitted.group == "stay"
    assert admitted.evidence == "required"
    assert admitted.copied
    assert left.range == ("1990-01-01", None)
    assert days.derived == Derived("days", ("Admitted", "Left"))
    assert days not in own.asked
    assert (dose.key, dose.decimals, dose.relative, dose.epsilon) == (
        "Furosemide_dose", ",", 0.05, 4,
    )  # fmt: skip
    assert dose.units == (Unit("g", 1000), Unit("drops", 2, 1))
    assert dose.range == (5, 1000)
    assert dose.asked_if == AskedIf("Furosemide", (True,))
    assert given.closed_world
    assert given.evidence == "optional"
    assert not given.copied
    assert smoking.values == (
        Category("0", "mai", "never smoked", ("non fumatore",)),
        Category("attivo", "attivo"),
    )
    assert smoking.patterns == {"0": ("mai fumato",), "attivo": ("fuma", "20 al giorno")}
    assert (diagnosis.type, diagnosis.most, diagnosis.codes) == (
        FieldType.TEXT, 80, {"loinc": "29308-4"},
    )  # fmt: skip
    assert bleeding.patterns == {"true": ("emorragia",), "false": ("non sanguina",)}
    assert own.order == (("Admitted", "Left"),)
    assert own.exclusive == ((Condition("Furosemide"), Condition("Smoking", "attivo")),)
    assert own.examples[0][1] == {"Admitted": ("3/4/20",), "Smoking": ("mai",)}


FIELDS = HEAD + "fields:\n"
MISTAKES = {
    "- {name: A, type: money}": "6: type 'money' is none",
    "- {name: A, type: date, unit: mg}": "6: 'unit' is for number fields; delete it",
    "- {name: A, type: number, units: {g: 0}}": "6: unit 'g' needs a factor",
    "- {name: A, type: number, bare: false}": "6: 'bare: false' asks for units",
    "- {name: A, type: number, range: [9, 1]}": "6: the range runs from 9 down to 1",
    "- {name: A, type: date, range: ['2020-13', null]}": "6: the ends of a range of dates are ISO",
    "- {name: A, type: number, tolerance: -1}": "6: tolerance is a number from 0 on",
    "- {name: A, type: text, most: 0}": "6: most is a number of characters",
    "- {name: A, type: date, dates: {order: ydm}}": "6: order cannot be 'ydm'",
    "- {name: A, type: boolean, no_means: guess}": "6: no_means cannot be 'guess'",
    "- {name: A, type: boolean, many: 1.5}": "6: many cannot be 1.5; use one of: true, false",
    "- {name: A, type: categorical}": "6: a categorical field lists its values",
    "- {name: A, type: categorical, values: [no, b]}": "6: a value must be text, not bool",
    "- {name: A, type: categorical, values: [b, B]}": "6: value 'B' means two values",
    "- {name: A, type: text, patterns: ['(']}": "6: no regular expression",
    "- {name: A, type: text, key: a b}": "6: key 'a b' must be one word",
    "- {name: A, type: text, asked_if: {field: B}}": "6: asked_if names 'B', which is no other",
    "- {name: A, type: text, of: Edema}": "6: 'of' names an observation",
    "- {name: A, type: text, parent: A}": "6: fields have no parent",
    "- {name: A, type: number, derived: {rule: guess}}": "6: derived needs a rule",
    "- {name: A, type: number, derived: {rule: days, from: [A, B]}}": "6: 'A' is no other date",
    "- {name: A, typ: text}": "6: unknown key 'typ'; did you mean 'type'?",
    "- {name: a b, type: text}\n  - {name: a_b, type: text}": "7: key 'a_b' stands twice",
    "- {name: A, type: boolean, asked_if: {field: B}}\n"
    "  - {name: B, type: boolean, asked_if: {field: A}}": "6: asked_if goes in a circle",
    "- {name: A, type: text}\norder: [[A, A]]": "7: 'A' is no date field",
    "- {name: A, type: text}\nexclusive: [[A, A]]": "7: 'A' is not boolean",
    "- {name: A, type: text}\ngroups: [{name: g, fields: [B]}]": "7: 'B' is no field",
    "- {name: A, type: text}\nexamples: [{text: x, fields: {A: 3}}]": "7: what A says must be text",
    "- {name: A, type: text}\nlabels: []": "7: unknown key 'labels'",
    "- {name: A, type: text}\ncertainties: [positive]": "7: unknown key 'certainties'",
    "- {name: A, type: text}\nyes_word: yes": "7: yes_word must be one word",
    "- {name: A, type: text}\nobservations: nowhere": "7: no label set 'nowhere'",
}  # fmt: skip


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_have_a_line_and_a_remedy(text: str) -> None:
    found = mistakes(f"{FIELDS}  {text}\n")
    assert any(problem.startswith(MISTAKES[text]) for problem in found), found


def test_values_go_through_json() -> None:
    value = {
        "dose": stated(Item("2,64 mg", 2.64, "mg", ((3, 10),)), prob=0.5),
        "age": stated(Item("61", 61.0)),
        "born": stated(Item("31/02/50", None)),
        "drugs": stated(Item("aspirin", "aspirin"), Item("statin", "statin", "", ((0, 6),))),
        "smoker": NOT_MENTIONED,
        "ill": FieldValue(Status.STATED, (Item("no", False),)),
    }
    rows = to_json(value, many=frozenset({"drugs"}))
    assert rows["dose"] == {
        "value": 2.64, "raw": "2,64 mg", "spans": [[3, 10]], "unit": "mg", "prob": 0.5,
        "status": "stated",
    }  # fmt: skip
    assert rows["age"]["value"] == 61
    assert isinstance(rows["age"]["value"], int)
    assert rows["born"]["status"] == "unreadable"
    assert rows["born"]["raw"] == "31/02/50"
    assert rows["smoker"] == {"value": None, "status": "not mentioned"}
    assert rows["drugs"]["spans"] == [[], [[0, 6]]]
    assert from_json(rows) == value
    with pytest.raises(ValueError, match="not mentioned"):
        from_json({"a": {"value": 1, "status": "not mentioned"}})
