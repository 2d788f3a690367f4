"""Entities of texts of any length: asked whole or in parts, what the parts say put together.

A text that is too long is asked in windows of whole sentences that share some; a model that reads
sentence by sentence is asked each of them, equal ones of the texts at hand once. A part whose
answer does not come to its end is divided at a sentence border, and both halves are asked.
Every mention is found in the part that the model read, so its place is one of the whole text.
Where parts overlap, the part decides in which the mention is more central: what another part
says of that place does not count.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Protocol

from inference.answer import Answer
from inference.prompts import Refusal
from labelwright.checkpoint import REPORT, SENTENCE
from labelwright.label_set import LabelSet
from labelwright.records import Entity, Span
from labelwright.tasks.entities.answer import ParsedEntities, in_order, parse, shifted
from labelwright.text.sentences import sentence_spans

ELSEWHERE = "not in the text"


@dataclass(frozen=True, slots=True)
class Said:
    """What a model answered to one text.

    Attributes:
        ended: whether it came to its end; ``None`` where that is not known.
        probs: how sure the model was of each line of ``raw.split("\\n")``.
        usage: tokens and cost, where a server tells them.
    """

    raw: str
    ended: bool | None
    seconds: float
    probs: Sequence[float] | None = None
    notes: tuple[str, ...] = ()
    usage: Mapping[str, float] | None = None


class Asker(Protocol):
    """Something that can be asked about texts: a model here, or a server."""

    def ask(self, texts: Sequence[str]) -> list[Said | Refusal]:
        """One answer or refusal per text, in order."""
        ...

    def parts(self, text: str) -> list[Span] | Refusal:
        """What to ask instead of a text that is too long."""
        ...


@dataclass
class _Asked:
    """How far one text is.

    Attributes:
        first: the parts that were asked first.
        spent: seconds and usage of answers that did not come to their end.
    """

    text: str
    first: Sequence[Span]
    parts: list[tuple[Span, Said]] = field(default_factory=list)
    refusal: Refusal | None = None
    spent: list[Said] = field(default_factory=list)


class EntityReader:
    """Answers texts with their entities.

    Args:
        long: ``windows``, or ``reject`` for no answer to a text that is too long.
        unit: what is asked first: a ``report``, or each ``sentence`` by itself.
    """

    def __init__(self, label_set: LabelSet, asker: Asker, *, long: str, unit: str = REPORT) -> None:
        self._label_set = label_set
        self._asker = asker
        self._long = long
        self._unit = unit

    def read(self, texts: Sequence[str]) -> list[Answer | Refusal]:
        """One answer or refusal per text, in order."""
        every = [_Asked(text, self._first(text)) for text in texts]
        open_ = [(asked, span) for asked in every for span in asked.first]
        while open_:
            outcomes = self._ask([asked.text[start:end] for asked, (start, end) in open_])
            following: list[tuple[_Asked, Span]] = []
            for (asked, span), outcome in zip(open_, outcomes, strict=True):
                following += [(asked, part) for part in self._settle(asked, span, outcome)]
            open_ = [(asked, span) for asked, span in following if asked.refusal is None]
        return [asked.refusal or self._answer(asked) for asked in every]

    def _first(self, text: str) -> Sequence[Span]:
        sentences = sentence_spans(text) if self._unit == SENTENCE else []
        return sentences or [(0, len(text))]

    def _ask(self, texts: Sequence[str]) -> Iterator[Said | Refusal]:
        """One outcome per text; of equal texts, the first bears time and cost."""
        wanted = dict.fromkeys(texts)
        outcomes = dict(zip(wanted, self._asker.ask(list(wanted)), strict=True))
        for text in texts:
            outcome = outcomes[text]
            yield outcome
            if isinstance(outcome, Said):
                outcomes[text] = replace(outcome, seconds=0.0, usage=None)

    def _settle(self, asked: _Asked, span: Span, outcome: Said | Refusal) -> list[Span]:
        """Keep an answer, or say what to ask instead."""
        start, end = span
        text = asked.text[start:end]
        if isinstance(outcome, Said):
            halves = halves_of(text) if outcome.ended is False else None
            if halves is None:
                asked.parts.append((span, outcome))
                return []
            asked.spent.append(outcome)
            return [(start + a, start + b) for a, b in halves]
        if not outcome.too_long or self._long != "windows":
            asked.refusal = outcome
            return []
        parts = self._asker.parts(text)
        if isinstance(parts, Refusal):
            asked.refusal = parts
            return []
        return [(start + a, start + b) for a, b in parts]

    def _answer(self, asked: _Asked) -> Answer:
        parts = sorted(asked.parts, key=lambda part: part[0])
        parsed = [
            parse(
                self._label_set,
                said.raw,
                asked.text[start:end],
                ended=said.ended,
                probs=said.probs,
            )
            for (start, end), said in parts
        ]
        spans = [span for span, _ in parts]
        said = [said for _, said in parts]
        notes = dict.fromkeys(note for one in said for note in one.notes)
        notes |= dict.fromkeys(note for one in parsed for note in one.notes)
        if len(parts) != len(asked.first):
            notes[f"parts: {len(parts)}"] = None
        readable = any(one.readable for one in parsed)
        entities = merged(self._label_set, len(asked.text), spans, parsed)
        every = [*said, *asked.spent]
        return Answer(
            labels={},
            raw="\n".join(one.raw for one in said),
            problems=_problems(parsed, entities),
            notes=tuple(notes),
            seconds=sum(one.seconds for one in every),
            entities=entities if readable else None,
            usage=total(one.usage for one in every),
        )


def _problems(parsed: Sequence[ParsedEntities], entities: Sequence[Entity]) -> tuple[str, ...]:
    """Those of all parts; mentions that are not in the text are counted anew."""
    kinds = dict.fromkeys(
        problem for one in parsed for problem in one.problems if not problem.startswith(ELSEWHERE)
    )
    for kind, count in Counter(e.type for e in entities if not e.spans).items():
        kinds[f"{ELSEWHERE}: {kind}" + (f" ({count})" if count > 1 else "")] = None
    return tuple(kinds)


def total(usages: Iterable[Mapping[str, float] | None]) -> dict[str, float] | None:
    """The sum of what several answers took; ``None`` where none tells it."""
    found: dict[str, float] = {}
    for usage in usages:
        for name, amount in (usage or {}).items():
            found[name] = found.get(name, 0) + amount
    return found or None


def halves_of(text: str) -> list[Span] | None:
    """The two halves of a text, at the sentence border next to its middle; ``None`` for one
    sentence."""
    spans = sentence_spans(text)
    if len(spans) < 2:
        return None
    middle = (spans[0][0] + spans[-1][1]) / 2
    second = min(range(1, len(spans)), key=lambda i: abs(spans[i][0] - middle))
    return [(spans[0][0], spans[second - 1][1]), (spans[second][0], spans[-1][1])]


def merged(
    label_set: LabelSet, length: int, spans: Sequence[Span], parsed: Sequence[ParsedEntities]
) -> tuple[Entity, ...]:
    """The entities of a text of ``length`` characters from those of its parts, sorted."""
    if len(spans) == 1:
        start, _ = spans[0]
        return tuple(_placed(parsed[0].entities, start))
    reach = list(accumulate((end for _, end in spans), max))
    found: list[tuple[float, int, Entity]] = []
    elsewhere: list[Entity] = []
    for number, (part, one) in enumerate(zip(spans, parsed, strict=True)):
        for entity in _placed(one.entities, part[0]):
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
    kept = Kept(nesting=label_set.nesting)
    found.sort(key=lambda item: (-item[0], item[1], item[2].start))
    return (*in_order(e for _, _, e in found if kept.takes(e)), *elsewhere)


def _placed(entities: Sequence[Entity], start: int) -> Iterator[Entity]:
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


class Kept:
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
