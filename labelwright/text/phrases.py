"""The phrases of a document: its lines, or its sentences."""

from __future__ import annotations

from collections.abc import Iterator

from labelwright.records import Span
from labelwright.text.sentences import sentence_spans

LINE, SENTENCE = WAYS = ("newline", "sentence")


def phrase_spans(text: str, by: str) -> Iterator[Span]:
    """Where the phrases stand, without white space at their edges; empty ones are none.

    Args:
        by: one of :data:`WAYS`.
    """
    if by == SENTENCE:
        yield from sentence_spans(text)
        return
    at = 0
    for line in text.splitlines(keepends=True):
        body = line.strip()
        if body:
            start = at + line.index(body)
            yield start, start + len(body)
        at += len(line)
