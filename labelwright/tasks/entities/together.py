"""The entities of a text from those of its parts.

Every mention is found in the part that the model read, so its place is one of the whole text.
Where parts overlap, the part decides in which the mention is more central: what another part
says of that place does not count.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from labelwright.label_set import LabelSet
from labelwright.records import Answer, Entity, Span, in_order
from labelwright.tasks.base import Part
from labelwright.tasks.entities.answer import shifted

ELSEWHERE = "not in the text"


def together(label_set: LabelSet, parts: Sequence[Part], length: int) -> Answer:
    """One answer from those of a report's parts."""
    spans = [part.places[0] for part in parts]
    answers = [part.answer for part in parts]
    entities = merged(label_set, length, spans, [answer.value or () for answer in answers])
    readable = any(answer.value is not None for answer in answers)
    return Answer(
        value=entities if readable else None,
        raw="\n".join(answer.raw for answer in answers),
        problems=_problems(answers, entities),
        notes=tuple(dict.fromkeys(note for answer in answers for note in answer.notes)),
    )


def _problems(answers: Sequence[Answer], entities: Sequence[Entity]) -> tuple[str, ...]:
    """Those of all parts; mentions that are not in the text are counted anew."""
    kinds = dict.fromkeys(
        problem for one in answers for problem in one.problems if not problem.startswith(ELSEWHERE)
    )
    for kind, count in Counter(e.type for e in entities if not e.spans).items():
        kinds[f"{ELSEWHERE}: {kind}" + (f" ({count})" if count > 1 else "")] = None
    return tuple(kinds)


def merged(
    label_set: LabelSet, length: int, spans: Sequence[Span], said: Sequence[Sequence[Entity]]
) -> tuple[Entity, ...]:
    """The entities of a text of ``length`` characters from those of its parts, sorted."""
    if len(spans) == 1:
        start, _ = spans[0]
        return tuple(_placed(said[0], start))
    reach = list(accumulate((end for _, end in spans), max))
    found: list[tuple[float, int, Entity]] = []
    elsewhere: list[Entity] = []
    for number, (part, one) in enumerate(zip(spans, said, strict=True)):
        for entity in _placed(one, part[0]):
            if not entity.spans:
                elsewhere.append(entity)
                continue
            low = high = number
            while low and reach[low - 1] > entity.start:
                low -= 1
            while high + 1 < len(spans) and spans[high + 1][0] < entity.end:
                high += 1
            own = _room(entity, part, length)
            if own >= max(_room(entity, span, length) for span in spans[low : high + 1]):
                found.append((own, number, entity))
    kept = KeptEntities(nesting=label_set.nesting)
    found.sort(key=lambda item: (-item[0], item[1], item[2].start))
    return (*in_order(e for _, _, e in found if kept.takes(e)), *elsewhere)


def _placed(entities: Iterable[Entity], start: int) -> Iterator[Entity]:
    return (shifted(entity, start) for entity in entities)


def _room(entity: Entity, span: Span, length: int) -> float:
    """Characters between a mention and the nearer border of a part; -1 where it is not whole.

    The text's own ends are no borders.
    """
    start, end = span
    if entity.start < start or entity.end > end:
        return -1
    left = entity.start - start if start else math.inf
    right = end - entity.end if end < length else math.inf
    return min(left, right)


class KeptEntities:
    """Entities that do not stand in each other's way."""

    def __init__(self, *, nesting: bool) -> None:
        self._nesting = nesting
        self._known: set[tuple[str, tuple[Span, ...]]] = set()
        self._taken: list[Span] = []

    def takes(self, entity: Entity) -> bool:
        """Keep an entity, unless it is known or overlaps another where none may."""
        key = (entity.type, entity.spans)
        if key in self._known:
            return False
        if not self._nesting:
            if any(self._overlaps(span) for span in entity.spans):
                return False
            for span in entity.spans:
                self._taken.insert(bisect_right(self._taken, span), span)
        self._known.add(key)
        return True

    def _overlaps(self, span: Span) -> bool:
        at = bisect_right(self._taken, span)
        near = self._taken[max(at - 1, 0) : at + 1]
        return any(start < span[1] and span[0] < end for start, end in near)
