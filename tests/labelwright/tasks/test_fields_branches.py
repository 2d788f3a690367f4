"""Options of each text: whatever a model prefers, dates and numbers are those of the text."""

from __future__ import annotations

import random

from hypothesis import example, given
from hypothesis import strategies as st

from labelwright.label_set import LabelSet
from labelwright.tasks.fields.branches import MOST_CANDIDATES, choices_in, picked_in
from labelwright.tasks.fields.checks import EMPTY
from labelwright.tasks.shapes import Probabilities

LABELS = LabelSet.from_text(
    "name: a\nversion: '1'\ntask: fields\nlanguage: it\ninstruction: '{fields}'\nfields:\n"
    "  - {name: Day, type: date}\n  - {name: Dose, type: number, unit: mg/die, units: {mg: 1}}\n"
    "  - {name: Angina, type: boolean}\n  - {name: Class, type: categorical, values: [I, II]}\n"
)
LETTER = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "25 mg x 2/die",
                "12/03/2021",
                "4-8/3/2019",
                "1e9",
                "½",
                "\0",
                "\u202e",
                "-",
                "\n",
                "9" * 50,
            ]
        ),
        st.text(max_size=6),
        st.integers(-99, 99999).map(str),
    ),
    max_size=12,
).map(" ".join)


def preferences(text: str, seed: int) -> Probabilities:
    """What a model with any taste would say, never *not mentioned* if it can."""
    draw = random.Random(seed)
    return {
        slot.label: {
            option: 0.0 if option == EMPTY and len(slot.options) > 1 else draw.random()
            for option in slot.options
        }
        for slot in choices_in(LABELS, text).slots
    }


@example("25 mg x 2/die 25 mg x 2/die 4-8/3/2019 25 mg x 2/die :A3", 4)
@given(LETTER, st.integers(0, 9))
def test_no_date_or_number_is_invented(text: str, seed: int) -> None:
    value = picked_in(LABELS, text, preferences(text, seed), {}).value
    plain = " ".join(text.split())
    for name in ("Day", "Dose"):
        for item in value[name].items:
            assert item.raw in plain
            ((start, end),) = item.spans
            assert " ".join(text[start:end].split()) == item.raw


def test_a_letter_without_dates_and_numbers_has_none() -> None:
    value = picked_in(LABELS, "Nega angina.", preferences("Nega angina.", 1), {}).value
    assert not value["Day"].items
    assert not value["Dose"].items


def test_options_are_bounded_and_those_left_out_are_named() -> None:
    for count, problems in ((300, ()), (5000, ("4700 candidates left out: Dose",))):
        text = "\n".join(f"{n} mg" for n in range(10_000, 10_000 + count))
        slots = {slot.label: slot for slot in choices_in(LABELS, text).slots}
        assert len(slots["Dose"].options) == MOST_CANDIDATES + 1
        assert picked_in(LABELS, text, preferences(text, 2), {}).problems == problems
