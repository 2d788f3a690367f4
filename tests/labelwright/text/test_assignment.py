"""Places of mentions that an answer does not name in their order."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelwright.text.assignment import MOST_PAIRS, Wanted, assigned
from labelwright.text.grounding import Grounder, Mention, Place


def placed(text: str, *mentions: str, nesting: bool = False) -> list[str]:
    """Each mention with its place, ``!`` where it is out of order, ``-`` where it has none."""
    grounder = Grounder(text, nesting=nesting)
    found = grounder.place_all([Mention(f"T{nesting and m}", (m,)) for m in mentions])
    return [
        f"{mention} {spans[0][0] if spans else '-'}{'' if in_order else '!'}"
        for mention, (spans, in_order) in zip(mentions, found, strict=True)
    ]


#       0      7    12    18     25     32      40
TEXT = "nodule left mass; nodule right; nodule, mass."
LATE = [
    # In order, as far as it goes: each at the first place behind the one before.
    (("nodule", "mass", "nodule"), ["nodule 0", "mass 12", "nodule 18"]),
    # "right" is named too early. What follows is not moved behind it.
    (("right", "nodule", "left", "mass"), ["right 25!", "nodule 0", "left 7", "mass 12"]),
    (
        ("right", "nodule", "left", "mass", "nodule"),
        ["right 25!", "nodule 0", "left 7", "mass 12", "nodule 18"],
    ),
    # The first is named last: its repetitions stay where they are.
    (("left", "nodule", "nodule", "nodule"), ["left 7", "nodule 18", "nodule 32", "nodule 0!"]),
    # Backwards from end to beginning: one of them is "in order", all have their places.
    (("right", "mass", "left"), ["right 25", "mass 40", "left 7!"]),
    # More often than the text has it.
    (("mass", "mass", "nodule", "mass"), ["mass 12", "mass -", "nodule 18", "mass 40"]),
]


@pytest.mark.parametrize(("mentions", "wanted"), LATE)
def test_what_is_named_too_late_or_too_early(mentions: tuple[str, ...], wanted: list[str]) -> None:
    assert placed(TEXT, *mentions) == wanted


def test_a_place_that_is_taken_is_freed_where_another_fits() -> None:
    """ "b c" must leave the first place to "a b", which has no other."""
    assert placed("a b c x y b c", "b c", "y", "a b") == ["b c 10!", "y 8", "a b 0!"]


def test_types_may_share_a_place_only_with_nesting() -> None:
    text = "end of lung cancer"
    assert placed(text, "cancer", "lung cancer", nesting=True) == ["cancer 12!", "lung cancer 7"]
    assert placed(text, "cancer", "lung cancer") == ["cancer 12", "lung cancer -"]


def test_more_than_can_be_compared_is_left_to_the_order() -> None:
    places: list[Place] = [((at, at + 1),) for at in range(1_000)]
    assert assigned([Wanted("X", places)] * (MOST_PAIRS // 1_000 + 1), nesting=False) is None


WORDS = ("a", "b", "a b", "b a", "c")


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8), st.randoms())
def test_a_complete_answer_has_the_same_places_in_any_order(names: list[str], draw: object) -> None:
    """Where every stretch between full stops is one mention, no order of lines moves any."""
    text, gold = "", []
    for name in names:
        gold.append((name, (len(text), len(text) + len(name))))
        text += f"{name}. "
    shuffled = list(names)
    draw.shuffle(shuffled)  # type: ignore[attr-defined]
    grounder = Grounder(text)
    found = grounder.place_all([Mention("X", (name,)) for name in shuffled])
    longest_first = sorted(names, key=len, reverse=True) == sorted(names)
    spans = [place for place, _ in found if place]
    assert len({span for place in spans for span in place}) == len(spans)
    if not any(" " in name for name in names) or longest_first:
        assert Counter((n, p[0]) for n, (p, _) in zip(shuffled, found, strict=True)) == Counter(
            gold
        )


@settings(deadline=None, max_examples=200)
@given(st.text("ab. ", max_size=30), st.lists(st.sampled_from(WORDS), max_size=8), st.booleans())
def test_never_fewer_places_than_in_order_and_never_a_wrong_one(
    text: str, names: list[str], nesting: bool
) -> None:
    """Also an oracle for what may not happen: overlaps, other words, one place twice."""
    found = Grounder(text, nesting=nesting).place_all([Mention(n, (n,)) for n in names])
    one_by_one = Grounder(text, nesting=nesting)
    simple = [one_by_one.place(n, n)[0] for n in names]
    assert sum(map(bool, (p for p, _ in found))) >= sum(map(bool, simple))
    spans = sorted(place[0] for place, _ in found if place)
    for name, (place, _) in zip(names, found, strict=True):
        if place:
            assert text[slice(*place[0])].split() == name.split()
    if not nesting:
        assert all(one[1] <= other[0] for one, other in pairwise(spans))
