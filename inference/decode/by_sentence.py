"""Reading reports sentence by sentence: short prompts for small models, their answers put together.

A small model tells soon what one sentence says, and late what sixty words say together. So each
sentence is asked by itself, as rule-based labelers do, and the answers are put together as if
sentences were independent, where positive outweighs uncertain, uncertain outweighs negative, and
any of them blank:

    P(positive) = 1 - prod(1 - p_positive)
    P(positive or uncertain) = 1 - prod(1 - p_positive - p_uncertain)
    P(blank) = prod(p_blank)

An observation that heads an exclusive rule of the label set ("No Finding") is the reverse: it is
positive only if every sentence says so. The label is the likeliest certainty that obeys the label
set's rules. A sentence that stands twice in a report counts once: the second says nothing new.

Each label brings its evidence, the sentences that say it. Reports repeat each other's sentences,
and a sentence that was read before is not read again.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

from inference.answer import Answer, Decoder
from inference.prompts import PromptWriter, Refusal
from inference.windows import TextReader, merge
from labelwright.label_set import LabelSet
from labelwright.labelers.nothing import NO_WORDS, nothing_said, told
from labelwright.records import Certainty, Section
from labelwright.tasks.certainty.answer import render
from labelwright.tasks.certainty.rules import settle
from labelwright.text.sentences import sentence_spans

REMEMBERED = 10_000
"""Sentences whose answers are kept, those used last."""
LONGEST_REMEMBERED = 500
"""Characters of a sentence that may come again."""
MOST_SENTENCES = 1000
"""A text that has more is no report."""

_MARK = re.compile(r"(?:(?:\(?\d{1,2}[.):]|[-*•–])\s+)+")
"""The number or mark of a list item."""

Span = tuple[int, int]
_POSITIVE, _UNCERTAIN, _BLANK = (
    c.value for c in (Certainty.POSITIVE, Certainty.UNCERTAIN, Certainty.BLANK)
)
_OTHERS = tuple(c for c in Certainty if c is not Certainty.POSITIVE)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the model answered to each sentence of a report, and all places where it stands."""

    places: Sequence[Sequence[Span]]
    answers: Sequence[Answer]


class SentenceReader:
    """Answers whole reports by asking their sentences.

    Args:
        long: ``windows`` reads a sentence beyond the context in parts, ``reject`` refuses it.
    """

    def __init__(
        self, label_set: LabelSet, writer: PromptWriter, decoder: Decoder, *, long: str
    ) -> None:
        self._label_set = label_set
        self._reader = TextReader(label_set, writer, decoder, long=long)
        self._known: OrderedDict[str, Answer | Refusal] = OrderedDict()

    def read(
        self, texts: Sequence[str], sections: Sequence[Sequence[Section]]
    ) -> list[Answer | Refusal]:
        """One answer or refusal per report, in order.

        Args:
            sections: of each report where they are known, else empty.
        """
        asked = [sentences(text, own) for text, own in zip(texts, sections, strict=True)]
        wanted = dict.fromkeys(
            sentence for own in asked if not isinstance(own, Refusal) for sentence in own
        )
        unknown = [sentence for sentence in wanted if sentence not in self._known]
        fresh = dict(zip(unknown, self._reader.read(unknown), strict=True))
        found = {**{s: self._known[s] for s in wanted if s in self._known}, **fresh}
        times = {s: a.seconds for s, a in fresh.items() if isinstance(a, Answer)}
        self._remember(found)
        return [
            own if isinstance(own, Refusal) else self._report(own, found, times) for own in asked
        ]

    def _remember(self, found: Mapping[str, Answer | Refusal]) -> None:
        for sentence, answer in found.items():
            if len(sentence) > LONGEST_REMEMBERED:
                continue
            self._known[sentence] = answer
            self._known.move_to_end(sentence)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _report(
        self,
        own: Mapping[str, Sequence[Span]],
        found: Mapping[str, Answer | Refusal],
        times: dict[str, float],
    ) -> Answer | Refusal:
        answers = []
        seconds = 0.0
        for sentence in own:
            answer = found[sentence]
            if isinstance(answer, Refusal):
                return answer
            answers.append(answer)
            seconds += times.pop(sentence, 0.0)
        asked = Asked(list(own.values()), answers)
        return replace(together(self._label_set, asked), seconds=seconds)


def sentences(text: str, sections: Sequence[Section] = ()) -> dict[str, list[Span]] | Refusal:
    """What to ask of a report and where it stands in it, or why there is nothing to ask.

    Headings, list numbers and sections that say nothing of the images are left out, and white
    space (the line ends of wrapped text) is one space each.

    Args:
        sections: of the report where they are known; else they are found by their headings.
    """
    parts = told(text, sections)
    found: dict[str, list[Span]] = {}
    count = 0
    for begin, stop in parts:
        for start, end in sentence_spans(text[begin:stop]):
            first, last = begin + start, begin + end
            mark = _MARK.match(text, first, last)
            first = first if mark is None else mark.end()
            if any(char.isalpha() for char in text[first:last]):
                found.setdefault(" ".join(text[first:last].split()), []).append((first, last))
                count += 1
        if count > MOST_SENTENCES:
            return Refusal(f"more than {MOST_SENTENCES:,} sentences")
    if found:
        return found
    return Refusal(nothing_said(text, parts) or NO_WORDS)


def together(label_set: LabelSet, asked: Asked) -> Answer:
    """One answer from those of a report's sentences, by the rules at the top of this file."""
    answers = asked.answers
    heads = {rule.label for rule in label_set.exclusive}
    if any(answer.probs is None for answer in answers):
        whole = merge(label_set, answers)
        evidence = _evidence(asked, whole.labels, heads)
        return replace(whole, notes=whole.notes[:-1], evidence=evidence)  # the last: windows
    probs = {
        name: _combined([a.probs[name] for a in answers if a.probs], every=name in heads)
        for name in label_set.names
    }
    allowed = {label.name: label.certainties for label in label_set.labels}
    kept = {name: {c: given[c] for c in allowed[name]} for name, given in probs.items()}
    labels, changed = settle(label_set, kept)
    notes = dict.fromkeys(note for a in answers for note in a.notes if not note.startswith("rule:"))
    return Answer(
        labels=labels,
        raw=render(label_set, labels),
        problems=(),
        notes=(*notes, *(f"rule: {name}" for name in changed)),
        seconds=sum(answer.seconds for answer in answers),
        probs={
            name: {certainty.value: round(value, 6) for certainty, value in given.items()}
            for name, given in kept.items()
        },
        evidence=_evidence(asked, labels, heads),
    )


def _combined(given: Sequence[Mapping[str, float]], *, every: bool) -> dict[Certainty, float]:
    """The distribution over certainties of a whole report."""
    if every:
        sure = math.prod(row.get(_POSITIVE, 0.0) for row in given)
        rest = {c: sum(row.get(c.value, 0.0) for row in given) for c in _OTHERS}
        total = sum(rest.values()) or 1.0
        found = {c: (1 - sure) * value / total for c, value in rest.items()}
        return {Certainty.POSITIVE: sure} | found
    no_positive = neither = nothing_said = 1.0
    for row in given:
        positive = row.get(_POSITIVE, 0.0)
        no_positive *= 1 - positive
        neither *= max(1 - positive - row.get(_UNCERTAIN, 0.0), 0.0)
        nothing_said *= row.get(_BLANK, 0.0)
    return {
        Certainty.POSITIVE: 1 - no_positive,
        Certainty.UNCERTAIN: max(no_positive - neither, 0.0),
        Certainty.NEGATIVE: max(neither - nothing_said, 0.0),
        Certainty.BLANK: nothing_said,
    }


def _evidence(
    asked: Asked, labels: Mapping[str, Certainty | None], heads: Set[str]
) -> dict[str, list[list[int]]]:
    """The sentences that say a label; where none does by itself, the one nearest to it.

    ``heads`` ("No Finding") are said by no sentence, but by all that is not said.
    """
    found: dict[str, list[list[int]]] = {}
    for name, label in labels.items():
        if label is None or label is Certainty.BLANK or name in heads:
            continue
        pairs = list(zip(asked.places, asked.answers, strict=True))
        saying = [places for places, answer in pairs if answer.labels[name] is label]
        if not saying:
            best = max(pairs, key=lambda pair: (pair[1].probs or {}).get(name, {}).get(label, 0.0))
            saying = [best[0]]
        found[name] = [list(span) for span in sorted(span for places in saying for span in places)]
    return found
