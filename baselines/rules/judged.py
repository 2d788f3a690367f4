"""What the findings of a sentence say of each other: alternatives, weak signs, absence."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from baselines.rules.phrases import Match
from baselines.rules.scope import Scope
from labelwright.records import Certainty

Judged = tuple[str, Certainty | None, Match]
_OPPOSITE: dict[Certainty | None, Certainty | None] = {
    Certainty.POSITIVE: Certainty.NEGATIVE,
    Certainty.NEGATIVE: None,
}


def turned(judged: Sequence[Judged], absent: Sequence[Match]) -> list[Judged]:
    """In the order of the text; words of absence say the opposite: "extubated", "not extubated"."""
    row = sorted(judged, key=lambda item: item[2].start)
    spans = {match[:2] for match in absent}
    return [
        (label, _OPPOSITE.get(certainty, certainty) if m[:2] in spans else certainty, m)
        for label, certainty, m in row
    ]


def without_weak(judged: Sequence[Judged], weak: Collection[tuple[int, int]]) -> list[Judged]:
    """Without signs that the sentence itself leaves open: "vessels prominent, perhaps edema"."""
    doubted = {label for label, certainty, _ in judged if certainty is Certainty.UNCERTAIN}
    return [one for one in judged if one[2][:2] not in weak or one[0] not in doubted]


def choices(scope: Scope, judged: Sequence[Judged], signs: Collection[str]) -> list[Judged]:
    """Of stated findings that are joined by "or" each is uncertain: "edema or pneumonia".

    A sign before a comma is what the alternatives explain, and stays: "opacity, edema or scar".
    """
    row = sorted(judged, key=lambda item: item[2].start)
    stated = [i for i, (_, certainty, _) in enumerate(row) if certainty is Certainty.POSITIVE]
    doubted: set[int] = set()
    group: list[int] = []
    joined = False
    for index in stated:
        match = row[index][2]
        if group:
            end = row[group[-1]][2].end
            explained = row[group[-1]][0] in signs and scope.comma(end, match.start)
            if not explained and scope.alternative_between(end, match.start):
                joined = True
            elif match.start < end:
                continue
            elif row[group[-1]][0] in signs or not scope.comma_between(end, match.start):
                doubted.update(_different(row, group) if joined else ())
                group, joined = [], False
        group.append(index)
    doubted.update(_different(row, group) if joined else ())
    return [
        (label, Certainty.UNCERTAIN if index in doubted else certainty, match)
        for index, (label, certainty, match) in enumerate(row)
    ]


def _different(row: Sequence[Judged], group: Sequence[int]) -> Sequence[int]:
    """The group, unless all of it names one observation: "nodule or mass" is one either way."""
    return group if len({row[index][0] for index in group}) > 1 else ()
