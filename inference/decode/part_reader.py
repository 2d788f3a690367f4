"""Free answers about texts of any length: asked whole or in parts, what the parts say put together.

A text that is too long is asked in windows of whole sentences that share some; a model that reads
sentence by sentence is asked each of them, equal ones of the texts at hand once. A part whose
answer does not come to its end is divided at a sentence border, and both halves are asked. What
stands before a text in its prompt stands before each of its parts, and is never asked about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from inference.prompts import Refusal
from labelwright.checkpoint import REPORT
from labelwright.label_set import LabelSet
from labelwright.labelers.base import Ask
from labelwright.records import Answer, Span
from labelwright.tasks import kind_of
from labelwright.tasks.base import Part
from labelwright.text.sentences import sentence_spans


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

    def ask(self, asks: Sequence[Ask]) -> list[Said | Refusal]:
        """One answer or refusal each, in order."""
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

    ask: Ask
    first: Sequence[Span]
    parts: list[tuple[Span, Said]] = field(default_factory=list)
    refusal: Refusal | None = None
    spent: list[Said] = field(default_factory=list)


class PartReader:
    """Answers texts of any length.

    Args:
        long: ``windows``, or ``reject`` for no answer to a text that is too long.
        unit: what is asked first: a ``report``, or each ``sentence`` by itself.
    """

    def __init__(self, label_set: LabelSet, asker: Asker, *, long: str, unit: str = REPORT) -> None:
        self._label_set = label_set
        self._kind = kind_of(label_set)
        self._asker = asker
        self._long = long
        self._unit = unit

    def read(self, asks: Sequence[Ask]) -> list[Answer | Refusal]:
        """One answer or refusal each, in order."""
        every = [_Asked(ask, self._first(ask.text)) for ask in asks]
        open_ = [(asked, span) for asked in every for span in asked.first]
        while open_:
            outcomes = self._ask(
                [Ask(asked.ask.text[start:end], asked.ask.lead) for asked, (start, end) in open_]
            )
            following: list[tuple[_Asked, Span]] = []
            for (asked, span), outcome in zip(open_, outcomes, strict=True):
                following += [(asked, part) for part in self._settle(asked, span, outcome)]
            open_ = [(asked, span) for asked, span in following if asked.refusal is None]
        return [asked.refusal or self._answer(asked) for asked in every]

    def _first(self, text: str) -> Sequence[Span]:
        sentences = sentence_spans(text) if self._unit != REPORT else []
        return sentences or [(0, len(text))]

    def _ask(self, asks: Sequence[Ask]) -> Iterator[Said | Refusal]:
        """One outcome each; of equal ones, the first bears time and cost."""
        wanted = dict.fromkeys(asks)
        outcomes = dict(zip(wanted, self._asker.ask(list(wanted)), strict=True))
        for ask in asks:
            outcome = outcomes[ask]
            yield outcome
            if isinstance(outcome, Said):
                outcomes[ask] = replace(outcome, seconds=0.0, usage=None)

    def _settle(self, asked: _Asked, span: Span, outcome: Said | Refusal) -> list[Span]:
        """Keep an answer, or say what to ask instead."""
        start, end = span
        text = asked.ask.text[start:end]
        if isinstance(outcome, Said):
            halves = halves_of(text) if outcome.ended is False else None
            if halves is None:
                asked.parts.append((span, outcome))
                return []
            asked.spent.append(outcome)
            return [(start + a, start + b) for a, b in halves]
        # Where something stands before the text, the caller can do with less of it.
        if not outcome.too_long or self._long != "windows" or asked.ask.lead:
            asked.refusal = outcome
            return []
        parts = self._asker.parts(text)
        if isinstance(parts, Refusal):
            asked.refusal = parts
            return []
        return [(start + a, start + b) for a, b in parts]

    def _answer(self, asked: _Asked) -> Answer:
        parts = sorted(asked.parts, key=lambda part: part[0])
        found = self._kind.merge(
            self._label_set,
            [self._part(asked.ask.text, span, said) for span, said in parts],
            length=len(asked.ask.text),
            sentences=self._unit != REPORT,
        )
        notes = dict.fromkeys(note for _, said in parts for note in said.notes)
        notes |= dict.fromkeys(found.notes)
        if len(parts) != len(asked.first):
            notes[f"parts: {len(parts)}"] = None
        every = [*(said for _, said in parts), *asked.spent]
        return replace(
            found,
            notes=tuple(notes),
            seconds=sum(one.seconds for one in every),
            usage=total(one.usage for one in every),
        )

    def _part(self, text: str, span: Span, said: Said) -> Part:
        start, end = span
        parsed = self._kind.parse(
            self._label_set, said.raw, text[start:end], ended=said.ended, probs=said.probs
        )
        told = Answer(
            value=parsed.value, raw=said.raw, problems=parsed.problems, notes=parsed.notes
        )
        return Part((span,), told)


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
