"""``labelwright evidence``: predictions and their reports in, a page with marked sentences out."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from labelwright.commands.flags import positive
from labelwright.commands.input_flags import add_reading_flags, read_options
from labelwright.errors import ConfigError, InputError
from labelwright.text.sections import SECTION_CHOICES

PREDICTIONS, MANIFEST = "predictions.jsonl", "manifest.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    add_reading_flags(parser)
    parser.add_argument(
        "--pred",
        required=True,
        type=Path,
        metavar="DIR|FILE",
        help="folder that labelwright label wrote, or its predictions.jsonl",
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="FILE.html", help="where the page goes"
    )
    parser.add_argument(
        "--sections",
        choices=SECTION_CHOICES,
        help="what of a report was labeled (default: as the manifest beside the predictions says)",
    )
    parser.add_argument(
        "--limit",
        type=positive,
        metavar="N",
        help="reports in the page at most (default: 5000)",
    )
    parser.add_argument("--title", help="title of the page")


def run(arguments: argparse.Namespace) -> int:
    """Write the page."""
    from eval.page.evidence_page import MOST, collect, write_page
    from inference.cut import SectionCut, left_to_cut
    from labelwright.readers import read_reports
    from labelwright.readers.formats import ANNOTATION_FLAGS

    file = arguments.pred / PREDICTIONS if arguments.pred.is_dir() else arguments.pred
    if arguments.out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError("--out names no HTML file", remedy="give a name such as evidence.html")
    if arguments.out.is_dir():
        raise ConfigError("--out is a folder", remedy="give a file such as evidence.html")
    if not file.is_file():
        raise InputError(
            "no such file", remedy="give the folder that labelwright label wrote", source=file
        )
    known = _options(file.parent)
    reading = read_options(arguments)
    reading = replace(
        reading,
        text_columns=reading.text_columns or tuple(known.get("text_columns") or ()),
        encoding=reading.encoding or known.get("encoding"),
        format=reading.format or known.get("format"),
        **{k: known[k] for k in ANNOTATION_FLAGS if k in known and k not in reading.annotations()},
    )
    sections = arguments.sections or known.get("sections") or "full"
    cut = SectionCut(left_to_cut(arguments.files, sections))
    reports = cut.stream(read_reports(arguments.files, reading))
    data = collect(file, reports, most=arguments.limit or MOST)
    write_page(data, arguments.out, title=arguments.title or f"Evidence of {data.model}")
    sys.stdout.write(f"{data.facts()}\n{arguments.out}\n")
    return 0


def _options(folder: Path) -> dict[str, Any]:
    """How the reports were read when they were labeled; empty without a manifest."""
    try:
        value = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    options = value.get("options") if isinstance(value, dict) else None
    return options if isinstance(options, dict) else {}
