"""What the tests of entity scores share: mentions from short notations, random reports."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from labelwright.records import Entity

TYPES = ("A", "B", "C")


def e(kind: str, *spans: tuple[int, int]) -> Entity:
    """A mention at ``spans``; its text does not matter to scores."""
    return Entity(kind, tuple(spans), "x")


def from_tags(tags: Sequence[str]) -> list[Entity]:
    """Mentions of a BIO sequence, one character per tag; every I continues a mention."""
    found: list[Entity] = []
    start = 0
    for place, tag in enumerate([*tags, "O"]):
        if place and tags[place - 1] != "O" and not tag.startswith("I"):
            found.append(e(tags[place - 1][2:], (start, place)))
        if tag.startswith("B"):
            start = place
    return found


@st.composite
def tag_sequences(draw: st.DrawFn, length: int) -> list[str]:
    """A well-formed BIO sequence over :data:`TYPES`."""
    tags: list[str] = []
    while len(tags) < length:
        kind = draw(st.sampled_from(("O", "O", *TYPES)))
        if kind == "O":
            tags.append("O")
            continue
        size = draw(st.integers(1, 4))
        tags += [f"B-{kind}", *[f"I-{kind}"] * (size - 1)]
    return tags[:length]


@st.composite
def tag_pairs(draw: st.DrawFn) -> tuple[list[list[str]], list[list[str]]]:
    """Gold and predicted tags of a few sentences."""
    lengths = draw(st.lists(st.integers(1, 24), min_size=1, max_size=4))
    gold = [draw(tag_sequences(n)) for n in lengths]
    return gold, [draw(tag_sequences(n)) for n in lengths]


spans = st.builds(lambda s, n: (s, s + n), st.integers(0, 14), st.integers(1, 6))


@st.composite
def places(draw: st.DrawFn) -> tuple[tuple[int, int], ...]:
    """One or two ranges apart from each other."""
    first = draw(spans)
    if draw(st.integers(0, 3)):
        return (first,)
    start = first[1] + draw(st.integers(1, 4))
    return (first, (start, start + draw(st.integers(1, 4))))


mentions = st.builds(Entity, st.sampled_from(TYPES), places(), st.just("x"))
"""Nested, overlapping, discontinuous, twice the same: all may happen."""

answers = st.one_of(mentions, mentions, mentions, st.builds(e, st.sampled_from(TYPES)))
"""The same, now and then without a place."""
