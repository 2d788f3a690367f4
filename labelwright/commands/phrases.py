"""``labelwright phrases``: documents in, their lines or sentences out, each a report of its own.

A teacher labels them (``labelwright label``), and ``labelwright build --silver`` makes records of
what it said.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labelwright.commands.input_flags import ReadingOptions
from labelwright.options import flag
from labelwright.records import Span
from labelwright.text.amounts import amount
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


@dataclass(frozen=True, kw_only=True)
class PhraseOptions(ReadingOptions):
    """What is cut, and how."""

    by: str = flag("what a phrase is (default: a line)", default=LINE, choices=WAYS)
    out: Path = flag("the phrases, as JSON lines", required=True, type=Path, metavar="FILE")


OPTIONS = PhraseOptions


def run(options: PhraseOptions) -> int:
    """Write a row per phrase: id, text, the document as its patient where it names none."""
    from labelwright.io.jsonl import atomic_write, dumps
    from labelwright.readers import read_reports
    from labelwright.records import Reject

    documents = phrases = rejected = 0
    with atomic_write(options.out) as handle:
        for item in read_reports(options.files, options.reading):
            if isinstance(item, Reject):
                rejected += 1
                continue
            documents += 1
            for number, (start, end) in enumerate(phrase_spans(item.text, options.by), 1):
                phrases += 1
                row = {
                    "id": f"{item.id}#{number}",
                    "text": item.text[start:end],
                    "patient": item.patient or item.id,
                }
                handle.write(dumps(row) + "\n")
    told = f", {rejected:,} rejected" if rejected else ""
    sys.stdout.write(
        f"{amount(documents, 'document')}{told}, {amount(phrases, 'phrase')} -> {options.out}\n"
    )
    return 0
