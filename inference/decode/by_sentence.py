"""Reading reports sentence by sentence: short prompts for small models, their answers put together.

A small model tells soon what one sentence says, and late what sixty words say together. So each
sentence is asked by itself, as rule-based labelers do, and the task kind puts the answers together
(:meth:`labelwright.tasks.base.TaskKind.merge`). A sentence that appears twice in a report counts
once: the second says nothing new. Reports repeat each other's sentences, and a sentence that was
read before is not read again: its answer is kept, many thousands in a few megabytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from inference.prompts import Refusal
from labelwright.chances import Chances
from labelwright.label_set import LabelSet
from labelwright.labelers.base import Ask
from labelwright.labelers.nothing import NO_WORDS, nothing_said, told, too_long
from labelwright.labelers.recent import Recent, digest
from labelwright.records import Answer, Section, Span
from labelwright.tasks import kind_of
from labelwright.tasks.base import Part
from labelwright.text.sentences import clause_spans, sentence_spans

LONGEST = 500
"""Characters of a sentence that may come again."""
REMEMBERED = 200_000
"""Sentences whose answers are kept, those used last: some 100 MB where there are that many."""
MOST_SENTENCES = 1000
"""A text that has more is no report."""


class Remembered:
    """The answers to the ``most`` sentences that were asked for last.

    A sentence's text is not kept, only its digest. Answers that say the same share what they say,
    and probabilities are :class:`labelwright.chances.Chances`.
    """

    def __init__(self, most: int) -> None:
        self._kept: Recent[Answer | Refusal] = Recent(most)
        self._values: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, ask: Ask) -> Answer | Refusal | None:
        """What was answered, if it is still known."""
        return self._kept.get(digest(ask.lead, ask.text))

    def put(self, ask: Ask, answer: Answer | Refusal) -> None:
        """Keep an answer."""
        if len(ask.text) + len(ask.lead) <= LONGEST:
            self._kept.put(digest(ask.lead, ask.text), self._packed(answer))

    def _packed(self, answer: Answer | Refusal) -> Answer | Refusal:
        if isinstance(answer, Refusal) or answer.probs is None:
            return answer
        value = answer.value
        if answer.raw and len(self._values) < self._kept.most:
            known = self._values.setdefault(answer.raw, value)
            value = known if known == value else value
        return replace(answer, value=value, probs=Chances.of(answer.probs))


_MARK = re.compile(r"(?:(?:\(?\d{1,2}[.):]|[-*•–])\s+)+")
"""The number or mark of a list item."""


class Reader(Protocol):
    """What answers texts."""

    def read(self, asks: Sequence[Ask]) -> list[Answer | Refusal]:
        """One answer or refusal each, in order."""
        ...


class SentenceReader:
    """Answers whole reports by asking their sentences.

    Args:
        reader: answers a sentence.
        clauses: whether the clauses of a sentence are asked by themselves.
    """

    def __init__(self, label_set: LabelSet, reader: Reader, *, clauses: bool = False) -> None:
        self._label_set = label_set
        self._kind = kind_of(label_set)
        self._reader = reader
        self._clauses = clauses
        self._known = Remembered(REMEMBERED)

    def read(self, asks: Sequence[Ask]) -> list[Answer | Refusal]:
        """One answer or refusal per report, in order."""
        asked = [_sentences_of(ask, clauses=self._clauses) for ask in asks]
        wanted = dict.fromkeys(
            sentence for own in asked if not isinstance(own, Refusal) for sentence in own
        )
        asked_before = {sentence: self._known.get(sentence) for sentence in wanted}
        found = {sentence: said for sentence, said in asked_before.items() if said is not None}
        unknown = [sentence for sentence, said in asked_before.items() if said is None]
        fresh = dict(zip(unknown, self._reader.read(unknown), strict=True))
        found |= fresh
        times = {s: a.seconds or 0.0 for s, a in fresh.items() if isinstance(a, Answer)}
        for sentence, answer in fresh.items():
            self._known.put(sentence, answer)
        return [
            own if isinstance(own, Refusal) else self._report(ask.text, own, found, times)
            for ask, own in zip(asks, asked, strict=True)
        ]

    def _report(
        self,
        text: str,
        own: Mapping[Ask, Sequence[Span]],
        found: Mapping[Ask, Answer | Refusal],
        times: dict[Ask, float],
    ) -> Answer | Refusal:
        parts = []
        seconds = 0.0
        for sentence, places in own.items():
            answer = found[sentence]
            if isinstance(answer, Refusal):
                return answer
            parts.append(Part(places, answer))
            seconds += times.pop(sentence, 0.0)
        whole = self._kind.merge(self._label_set, parts, length=len(text), sentences=True)
        return replace(whole, seconds=seconds)


def _sentences_of(ask: Ask, *, clauses: bool) -> dict[Ask, list[Span]] | Refusal:
    """What to ask about the sentences of a report; what stands before it stands before each."""
    found = sentences(ask.text, ask.sections, clauses=clauses)
    if isinstance(found, Refusal):
        return found
    return {Ask(sentence, ask.lead): places for sentence, places in found.items()}


def sentences(
    text: str, sections: Sequence[Section] = (), *, clauses: bool = False
) -> dict[str, list[Span]] | Refusal:
    """What to ask of a report and where it stands in it, or why there is nothing to ask.

    Headings, list numbers and sections that say nothing of the images are left out, and white
    space (the line ends of wrapped text) is one space each.

    Args:
        sections: of the report where they are known; else they are found by their headings.
        clauses: ask the clauses of a sentence (:mod:`labelwright.text.sentences`), each as if it
            were one, with a capital.
    """
    parts = told(text, sections)
    if reason := too_long(text, parts):
        return Refusal(reason)
    found: dict[str, list[Span]] = {}
    for begin, stop in parts:
        for start, end in sentence_spans(text[begin:stop]):
            first, last = begin + start, begin + end
            mark = _MARK.match(text, first, last)
            first = first if mark is None else mark.end()
            for span in _asked(text, first, last, clauses):
                words = " ".join(text[slice(*span)].split())
                words = words[:1].upper() + words[1:] if clauses else words
                found.setdefault(words, []).append(span)
    if found:
        return found
    return Refusal(nothing_said(text, parts) or NO_WORDS)


def _asked(text: str, start: int, end: int, clauses: bool) -> list[Span]:
    """What of a sentence is asked: its clauses or the whole; nothing of one without letters."""
    spans = clause_spans(text[start:end]) if clauses else [(0, end - start)]
    return [
        (start + first, start + last)
        for first, last in spans
        if any(char.isalpha() for char in text[start + first : start + last])
    ]
