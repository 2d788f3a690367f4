"""What comes along with synthetic letters: their values, or these as mentions of one type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from data_builders.sources.base import Source
from data_builders.synthetic.letters.writer import Letter, sections_of
from labelwright.label_set import LabelSet
from labelwright.records import Entity, Report, Span
from labelwright.tasks.base import Known
from labelwright.tasks.fields.values import Fields

TARGET = "Target"
"""The type of every value: what a tagger learns to find."""


class LetterValues(Source):
    """The values of every letter, kept until they are asked for."""

    name = "letters"

    def __init__(self, letters: Iterable[Letter]) -> None:
        self._letters = letters
        self._waiting: dict[str, Fields] = {}

    def reports(self) -> Iterator[Report]:
        """The letters' texts."""
        for letter in self._letters:
            self._waiting[letter.report.id] = letter.fields
            yield letter.report

    def known(self, reports: Sequence[Report], label_set: LabelSet) -> list[Known[Any] | str]:
        """The values that came with the letters."""
        del label_set
        return [Known(self._waiting.pop(report.id)) for report in reports]

    def describe(self) -> Mapping[str, Any]:
        """Its kind only: how they were drawn stands beside it in the manifest."""
        return {"kind": self.name}


def with_targets(letter: Letter, fields: LabelSet) -> Report:
    """The report with its values marked; of nested ones the outer, whole sections aside."""
    sections = sections_of(fields)
    spans = {
        span
        for name, one in letter.fields.items()
        if name not in sections
        for item in one.items
        for span in item.spans
    }
    text = letter.report.text
    marked = tuple(Entity.of(text, TARGET, span) for span in sorted(_outer(spans)))
    return replace(letter.report, entities=marked)


def _outer(spans: set[Span]) -> list[Span]:
    """Spans that no other one holds; of two that overlap the first."""
    kept: list[Span] = []
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not kept or start >= kept[-1][1]:
            kept.append((start, end))
    return kept
