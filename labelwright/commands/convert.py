"""``labelwright convert``: annotated reports in, the same in another format out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from labelwright.annotations.formats import WRITERS
from labelwright.annotations.tags import SCHEMES
from labelwright.commands.input_flags import add_reading_flags, read_options
from labelwright.readers.formats import FORMATS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    add_reading_flags(parser)
    parser.add_argument(
        "--from",
        dest="input_format",
        choices=tuple(FORMATS),
        help="the same as --input-format",
    )
    parser.add_argument("--to", required=True, choices=tuple(WRITERS), help="format to write")
    parser.add_argument(
        "--scheme",
        choices=SCHEMES,
        help="of tags, for --to conll (default: as it was read; bio for other formats)",
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="new folder for the result"
    )


def run(arguments: argparse.Namespace) -> int:
    """Convert and say what was left out."""
    from labelwright.annotations.convert import REJECTS, convert, reasons

    done = convert(
        arguments.files,
        read_options(arguments),
        arguments.out,
        arguments.to,
        scheme=arguments.scheme,
    )
    counts = done.counts
    lines = [
        f"{counts['reports_written']:,} of {counts['reports']:,} reports, "
        f"{counts['entities_written']:,} of {counts['entities']:,} entities -> {done.path}"
    ]
    if counts["entities_left_out"]:
        lines.append(f"entities left out: {reasons(counts['entities_left_out'])}")
    if counts["written_otherwise"]:
        lines.append(f"written otherwise: {reasons(counts['written_otherwise'])}")
    if counts["rejects"]:
        lines.append(f"{counts['rejects']:,} rejects: {arguments.out / REJECTS}")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
