"""Bad input in one table: every way of answering says the same of it, and nothing is lost.

A value that nobody can read keeps its words, has no value, and is named in the problems, whether
rules found it, a model wrote it (lines, an object, a list), or it was chosen in one pass.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from baselines.rules.fields import FieldRules
from labelwright.errors import InputError
from labelwright.label_set import LabelSet
from labelwright.records import Report
from labelwright.tasks import kind_of
from labelwright.tasks.fields.schema import fields_of
from labelwright.tasks.fields.values import Fields, Status

LABELS = LabelSet.from_text(
    """name: letters
version: "1"
task: fields
language: it
instruction: "{fields}"
fields:
  - {name: Admitted, key: AD, type: date, patterns: ['Ricovero: (.+)']}
  - {name: Left, key: LE, type: date, range: [2000-01-01, 2030-12-31]}
  - {name: Creatinine, key: CR, type: number, unit: mg/dl, units: {g/l: 100}, range: [0.1, 20]}
  - {name: Age, key: AG, type: number, unit: anni}
  - {name: Smoking, key: SM, type: categorical, values: [mai, {value: ex, word: ex}]}
  - {name: Diagnosis, key: DX, type: text, most: 20, patterns: ['Diagnosi: (.+)']}
examples:
  - {text: "Left: 1/2/2003", fields: {Left: 1/2/2003}}
"""
)
KIND = kind_of(LABELS)
OWN = fields_of(LABELS)
RULES = FieldRules.for_label_set(LABELS)
Said = tuple[Fields, tuple[str, ...]]


def by_rules(field: str, words: str) -> Said:
    """Of a text that says it, as the rules read it."""
    (found,) = RULES.label_reports([_report(text_of(field, words))])
    assert found.value is not None  # type: ignore[union-attr]
    return found.value, found.problems  # type: ignore[union-attr]


def in_one_pass(field: str, words: str) -> Said:
    """With the option that is these words chosen; none where the text does not offer it."""
    text = text_of(field, words)
    slots = KIND.choices_in(LABELS, text).slots
    if words not in next(slot for slot in slots if slot.label == field).options:
        pytest.skip("no option")
    probs = {
        slot.label: {
            option: float(option == (words if slot.label == field else slot.silent))
            for option in slot.options
        }
        for slot in slots
    }
    found = KIND.picked_in(LABELS, text, probs, {})
    assert found.value is not None
    return found.value, found.problems


def as_answer(form: Callable[[str, str], str]) -> Callable[[str, str], Said]:
    """As a model writes it in some form."""

    def read(field: str, words: str) -> Said:
        parsed = KIND.parse(LABELS, form(field, words), text_of(field, words), ended=True)
        assert parsed.value is not None
        return parsed.value, parsed.problems

    return read


WAYS = {
    "rules": by_rules,
    "one pass": in_one_pass,
    "lines": as_answer(lambda field, words: f"{OWN.by_name[field].key} {words}"),
    "object": as_answer(lambda field, words: json.dumps({field: words})),
    "list": as_answer(lambda field, words: json.dumps([{"entity": field, "value": words}])),
}
HEADS = {"Admitted": "Ricovero", "Diagnosis": "Diagnosi"}


def text_of(field: str, words: str) -> str:
    return f"{HEADS.get(field, field)}: {words}\nEsami nella norma."


def _report(text: str) -> Report:
    return Report(id="a", text=text, patient="a", source="x", row=1)


TABLE: list[tuple[str, str, str | float | None, tuple[str, ...]]] = [
    *(
        ("Admitted", words, None, ("no such date: Admitted",))
        for words in (
            "2024-13-02", "31/02/2023", "31.02.23", "14/14/2014", "00/00/0000", "45 marzo 2020",
            "27 agosto", "12/05/3024", "2024-1-32", "1/5/202", "l2/05/2024", "12/O5/2024",
            "27/08/2O19", "??/05/2024", "xx.05.2024", "l2 maggio 2024",
        )
    ),
    *(
        ("Admitted", words, None, ("no date: Admitted",))
        for words in ("26708/2017", "20241302", "31022023", "13/2024")
    ),
    ("Admitted", "17/05/18", "2018-05-17", ()),
    ("Admitted", "17/05/54", "1954-05-17", ()),
    ("Admitted", "08/2019", "2019-08", ("partial date: Admitted",)),
    ("Left", "17/05/1988", "1988-05-17", ("out of range: Left",)),
    *(
        ("Creatinine", words, None, ("no number: Creatinine",))
        for words in ("1O mg/dl", "l,2 mg/dl", "1,2,3 mg/dl", "1..2", "1;2 mg/dl", "1e400",
                      "1 , 2 mg/dl", "2,O")
    ),
    *(
        ("Creatinine", words, None, ("unknown unit: Creatinine",))
        for words in ("106 µmol/l", "1,2 mmol", "1,2 mg", "2 cpr", "12 %", "5 IU")
    ),
    ("Creatinine", "1,2-1,4 mg/dl", None, ("two numbers: Creatinine",)),
    ("Creatinine", "2,64", 2.64, ()),
    ("Creatinine", "2.64 mg/dl", 2.64, ()),
    ("Creatinine", "0,01 g/l", 1.0, ()),
    ("Creatinine", "1e10", 1e10, ("out of range: Creatinine",)),
    ("Creatinine", "264 mg/dl", 264.0, ("out of range: Creatinine",)),
    ("Age", "70 years", 70.0, ()),
    ("Age", "70 mg", None, ("unknown unit: Age",)),
    ("Smoking", "EX", "ex", ()),
    ("Diagnosis", "una diagnosi che non finisce più", "una diagnosi che non finisce più",
     ("too long: Diagnosis",)),
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("field", "words", "value", "problems"), TABLE)
def test_bad_input_is_named_and_its_words_stay(
    way: str, field: str, words: str, value: str | float | None, problems: tuple[str, ...]
) -> None:
    found, told = WAYS[way](field, words)
    one = found[field]
    assert one.value == value
    assert one.status is (Status.UNREADABLE if value is None else Status.STATED)
    assert [item.raw for item in one.items] == [words]
    assert one.items[0].spans or field == "Smoking"
    assert told == problems


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Creatinine: O2, dopo 3 giorni 1,1 mg/dl", "1,1 mg/dl"),
        ("|Creatinine|1,1|mg/dl|", "1,1"),
        ("Creatinine 1 l di acqua, 1,1 mg/dl", "1 l"),
        ("Age: 70, 80 anni", "70"),
    ],
)
def test_names_and_tables_are_no_garbled_figures(text: str, said: str) -> None:
    (found,) = RULES.label_reports([_report(text)])
    (one,) = (v for v in found.value.values() if v.items)  # type: ignore[union-attr]
    assert one.items[0].raw == said


@pytest.mark.parametrize(
    ("answer", "ended", "problems", "stated"),
    [
        ('{"AD": "17/05/2018", "AD": "18/05/2018"}', True, ("two values: Admitted",), 2),
        ('{"AD": "17/05/2018", "Admitted": "17/05/2018"}', True, (), 1),
        ("AD 17/05/2018\nLE 18/05/20", False, ("cut off",), 1),
        ('{"AD": "17/05/2018", "LE": "18/05/20', True, ("cut off",), 1),
        ("LE 1/2/2003", True, ("no evidence: Left", "copied from an example: Left"), 1),
        ("AD 17/05/2018\nGiorno 18/05/2018", True, ("unknown field",), 1),
        ("SM moderato", True, ("outside the values: Smoking",), 1),
        ("AD " + "1" * 100_000, True, ("no date: Admitted", "no evidence: Admitted"), 1),
    ],
)
def test_bad_answers(answer: str, ended: bool, problems: tuple[str, ...], stated: int) -> None:
    parsed = KIND.parse(LABELS, answer, "Ricovero 17/05/2018, 18/05/2018.", ended=ended)
    assert parsed.problems == problems
    assert sum(len(one.items) for one in (parsed.value or {}).values()) == stated


def test_a_letter_of_a_megabyte_is_read_to_its_end() -> None:
    text = "Controllo, paziente stabile. " * 36_000 + "Ricovero: 31/02/2023. Creatinine 1O mg/dl"
    (found,) = RULES.label_reports([_report(text)])
    assert found.problems == (  # type: ignore[union-attr]
        "no such date: Admitted",
        "no number: Creatinine",
    )


def test_fields_that_gold_renames_or_lacks(tmp_path: Path) -> None:
    path = tmp_path / "gold.jsonl"
    path.write_text('{"id": "a", "fields": {"admitted": "31/02/2023", "LE": null}}\n')
    ((_, _, known),) = KIND.read_gold(path, LABELS)
    assert {name: one.status for name, one in known.items()} == {
        "Admitted": Status.UNREADABLE,
        "Left": Status.NOT_MENTIONED,
    }
    path.write_text('{"id": "a", "fields": {"Admission": "17/05/2018"}}\n')
    with pytest.raises(InputError, match="no field Admission in label set letters"):
        list(KIND.read_gold(path, LABELS))


LISTS = LabelSet.from_text(
    """name: lists
version: "1"
task: fields
instruction: "{fields}"
fields:
  - {name: Drugs, key: DR, type: text, many: true}
  - {name: Dose, key: DO, type: number, unit: mg}
"""
)


@pytest.mark.parametrize("line", ["DR aspirin", "DO 2.64 mg"])
def test_a_line_repeated_without_end_costs_as_much_as_it_is_long(line: str) -> None:
    """Each time the words may stand at their next place: twice the lines, twice the time."""

    def cost(count: int) -> float:
        text = f"{line[3:]}. " * count
        began = time.process_time()
        found = kind_of(LISTS).parse(LISTS, f"{line}\n" * count, text, ended=True).value
        took = time.process_time() - began
        assert found is not None
        items = found["Drugs" if line.startswith("DR") else "Dose"].items
        assert len({item.spans for item in items}) == (count if line.startswith("DR") else 1)
        return took

    cost(200)
    assert cost(3_200) < 12 * cost(800)  # 4 where it is linear, 16 where it is quadratic
