"""``labelwright phrases``: documents in, their lines or sentences out, each a report of its own.

A teacher labels them (``labelwright label``), and ``labelwright build --silver`` makes records of
what it said.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from labelwright.commands.input_flags import add_reading_flags, read_options
from labelwright.text.phrases import LINE, WAYS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    add_reading_flags(parser)
    parser.add_argument(
        "--by", choices=WAYS, default=LINE, help="what a phrase is (default: a line)"
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="FILE", help="the phrases, as JSON lines"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write a row per phrase: id, text, the document as its patient where it names none."""
    from labelwright.io.jsonl import atomic_write, dumps
    from labelwright.readers import read_reports
    from labelwright.records import Reject
    from labelwright.text.phrases import phrase_spans

    documents = phrases = rejected = 0
    with atomic_write(arguments.out) as handle:
        for item in read_reports(arguments.files, read_options(arguments)):
            if isinstance(item, Reject):
                rejected += 1
                continue
            documents += 1
            for number, (start, end) in enumerate(phrase_spans(item.text, arguments.by), 1):
                phrases += 1
                row = {
                    "id": f"{item.id}#{number}",
                    "text": item.text[start:end],
                    "patient": item.patient or item.id,
                }
                handle.write(dumps(row) + "\n")
    told = f", {rejected:,} rejected" if rejected else ""
    sys.stdout.write(f"{documents:,} documents{told}, {phrases:,} phrases -> {arguments.out}\n")
    return 0
