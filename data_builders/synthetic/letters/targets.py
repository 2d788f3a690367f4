"""What a letter says of its fields, as mentions of one type: what a tagger learns to find."""

from __future__ import annotations

from dataclasses import replace

from data_builders.synthetic.letters.writer import Letter, sections_of
from labelwright.label_set import LabelSet
from labelwright.records import Entity, Report, Span

TARGET = "Target"


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
