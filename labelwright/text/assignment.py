"""Which place each mention takes where an answer does not name its mentions in order.

As many mentions as possible keep the order of the answer: a longest common subsequence of answer
and text, found as Hunt and Szymanski (1977) do, with the earliest places. The others take the first
free places, and where there is none left, one that another mention can leave for a further place
(augmenting paths as in bipartite matching).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from labelwright.records import Span

Place = tuple[Span, ...]
"""One span, or the spans of a discontinuous mention."""
MOST_PAIRS = 200_000
"""Mentions times places that are compared; answers with more stay as their order has them."""
MOST_MOVES = 1_000
"""Places that are tried to find one for a mention that has none."""
DEEPEST = 100
"""Mentions that are moved to find one."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A mention of an answer: its type, and the places where it could stand, sorted."""

    kind: str
    places: Sequence[Place]


@dataclass(slots=True)
class Taken:
    """The places that are taken, and by which mention.

    Without ``nesting`` no two mentions overlap; with it, only two of the same type at the same
    place exclude each other.
    """

    nesting: bool
    _spans: list[Span] = field(default_factory=list)
    _owners: dict[Span, int] = field(default_factory=dict)
    _same: dict[tuple[str, Place], int] = field(default_factory=dict)

    def by(self, kind: str, place: Place) -> set[int]:
        """The mentions that exclude this one from a place."""
        if self.nesting:
            return {self._same[kind, place]} if (kind, place) in self._same else set()
        return {owner for span in place for owner in self._overlapping(span)}

    def put(self, number: int, kind: str, place: Place) -> None:
        """Take a free place."""
        if self.nesting:
            self._same[kind, place] = number
            return
        for span in place:
            self._spans.insert(bisect_left(self._spans, span), span)
            self._owners[span] = number

    def leave(self, kind: str, place: Place) -> None:
        """Free a place."""
        if self.nesting:
            del self._same[kind, place]
            return
        for span in place:
            del self._spans[bisect_left(self._spans, span)]
            del self._owners[span]

    def _overlapping(self, span: Span) -> Iterator[int]:
        at = bisect_left(self._spans, (span[1], 0))
        while at and self._spans[at - 1][1] > span[0]:
            at -= 1
            yield self._owners[self._spans[at]]


def assigned(wanted: Sequence[Wanted], *, nesting: bool) -> list[tuple[Place, bool]] | None:
    """The place of each mention, empty where it has none, and whether it stands in order.

    Returns:
        ``None`` if there are more than :data:`MOST_PAIRS` to compare.
    """
    if sum(len(each.places) for each in wanted) > MOST_PAIRS:
        return None
    work = _Assignment(wanted, Taken(nesting))
    in_order = work.in_order()
    for number, each in enumerate(wanted):
        if each.places and number not in work.found:
            work.first_free(number)
    for number, each in enumerate(wanted):
        if each.places and number not in work.found:
            work.augment(number)
    # A mention that was moved, or that has no place at all, is in order if its neighbours allow it.
    return [
        (work.found[number], in_order.get(number) == work.found[number])
        if number in work.found
        else ((), True)
        for number in range(len(wanted))
    ]


@dataclass(slots=True)
class _Assignment:
    wanted: Sequence[Wanted]
    taken: Taken
    found: dict[int, Place] = field(default_factory=dict)

    def in_order(self) -> dict[int, Place]:
        """Place the mentions of a longest sequence in order, each at its first free place."""
        cursor = 0
        for number in _longest(self.wanted, nesting=self.taken.nesting):
            each = self.wanted[number]
            first = bisect_left(each.places, ((cursor, 0),))
            for place in each.places[first:]:
                if not self.taken.by(each.kind, place):
                    self._put(number, place)
                    cursor = place[0][0]
                    break
        return dict(self.found)

    def first_free(self, number: int) -> None:
        """Place a mention at the first place that is free, if any is."""
        each = self.wanted[number]
        for place in each.places:
            if not self.taken.by(each.kind, place):
                self._put(number, place)
                return

    def augment(self, number: int) -> bool:
        """Place a mention by moving others, if that can be."""
        return self._moved(number, set(), 0)

    def _moved(self, number: int, tried: set[Place], depth: int) -> bool:
        each = self.wanted[number]
        for place in each.places:
            if place in tried or len(tried) >= MOST_MOVES or depth >= DEEPEST:
                continue
            tried.add(place)
            others = self.taken.by(each.kind, place)
            if len(others) > 1:
                continue
            if not others:
                self._put(number, place)
                return True
            (other,) = others
            before = self.found[other]
            self._leave(other)
            self._put(number, place)
            if self._moved(other, tried, depth + 1):
                return True
            self._leave(number)
            self._put(other, before)
        return False

    def _put(self, number: int, place: Place) -> None:
        self.taken.put(number, self.wanted[number].kind, place)
        self.found[number] = place

    def _leave(self, number: int) -> None:
        self.taken.leave(self.wanted[number].kind, self.found.pop(number))


def _longest(wanted: Sequence[Wanted], *, nesting: bool) -> list[int]:
    """The mentions of a longest sequence whose places can stand in the order of the answer."""
    tails: list[int] = []  # where the best sequence of each length ends (begins, with nesting)
    last: list[int] = []  # and its last step
    steps: list[tuple[int, int]] = []  # mention, and the step before it
    for number, each in enumerate(wanted):
        for place in reversed(each.places):
            start, end = place[0]
            length = bisect_right(tails, start)
            tail = start if nesting else end
            if length < len(tails) and tail >= tails[length]:
                continue
            steps.append((number, last[length - 1] if length else -1))
            tails[length : length + 1] = [tail]
            last[length : length + 1] = [len(steps) - 1]
    found: dict[int, None] = {}
    step = last[-1] if last else -1
    while step >= 0:
        number, step = steps[step]
        found[number] = None
    return sorted(found)
