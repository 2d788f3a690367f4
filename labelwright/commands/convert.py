"""``labelwright convert``: annotated reports in, the same in another format out."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from labelwright.annotations.formats import WRITERS
from labelwright.annotations.tags import SCHEMES
from labelwright.commands.input_flags import ReadingOptions
from labelwright.options import flag
from labelwright.readers.formats import FORMATS
from labelwright.text.amounts import amount


@dataclass(frozen=True, kw_only=True)
class ConvertOptions(ReadingOptions):
    """What is converted, and into what."""

    to: str = flag("format to write", required=True, choices=tuple(WRITERS))
    scheme: str | None = flag(
        "of tags, for --to conll (default: as it was read; bio for other formats)",
        choices=SCHEMES,
    )
    out: Path = flag("new folder for the result", required=True, type=Path, metavar="DIR")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    ConvertOptions.add_flags(parser)
    parser.add_argument(
        "--from",
        dest="input_format",
        choices=tuple(FORMATS),
        help="the same as --input-format",
    )


def run(arguments: argparse.Namespace) -> int:
    """Convert and say what was left out."""
    from labelwright.annotations.convert import REJECTS, convert, reasons

    options = ConvertOptions.from_flags(arguments)
    done = convert(options.files, options.reading, options.out, options.to, scheme=options.scheme)
    counts = done.counts
    lines = [
        f"{counts['reports_written']:,} of {amount(counts['reports'], 'report')}, "
        f"{counts['entities_written']:,} of {amount(counts['entities'], 'entity')} -> {done.path}"
    ]
    if counts["entities_left_out"]:
        lines.append(f"entities left out: {reasons(counts['entities_left_out'])}")
    if counts["written_otherwise"]:
        lines.append(f"written otherwise: {reasons(counts['written_otherwise'])}")
    if counts["rejects"]:
        lines.append(f"{counts['rejects']:,} rejects: {options.out / REJECTS}")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
