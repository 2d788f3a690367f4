"""``labelwright evidence``: predictions and their reports in, a page with marked sentences out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labelwright.checkpoint import LABEL_SET_FILE
from labelwright.commands.comparing.command import named_label_set
from labelwright.commands.input_flags import ReadingOptions
from labelwright.errors import ConfigError, InputError
from labelwright.label_set import LabelSet, shipped_names
from labelwright.options import flag, positive
from labelwright.readers.options import ReadOptions
from labelwright.results import manifest_beside, predictions_file
from labelwright.text.column_names import ID_COLUMNS
from labelwright.text.sections import SECTION_CHOICES


@dataclass(frozen=True, kw_only=True)
class EvidenceOptions(ReadingOptions):
    """Reports, what was said of them, and the page."""

    pred: Path = flag(
        "folder that labelwright label wrote, or its predictions.jsonl",
        required=True,
        type=Path,
        metavar="DIR|FILE",
    )
    out: Path = flag("where the page goes", required=True, type=Path, metavar="FILE.html")
    sections: str | None = flag(
        "what of a report was labeled (default: as the manifest beside the predictions says)",
        choices=SECTION_CHOICES,
    )
    limit: int | None = flag(
        "reports in the page at most (default: 5000)", type=positive, metavar="N"
    )
    label_set: str | None = flag(
        "what was asked, for the colour of labels that say that nothing was found (default: "
        "that of the run)",
        metavar="NAME|FILE",
    )
    title: str | None = flag("title of the page")


OPTIONS = EvidenceOptions


def run(options: EvidenceOptions) -> int:
    """Write the page."""
    from eval.page.evidence_page import MOST, collect, write_page
    from labelwright.readers import read_reports
    from labelwright.results import left_to_cut
    from labelwright.text.sections import SectionCut

    file = predictions_file(options.pred)
    if options.out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError("--out names no HTML file", remedy="give a name such as evidence.html")
    if options.out.is_dir():
        raise ConfigError("--out is a folder", remedy="give a file such as evidence.html")
    if not file.is_file():
        raise InputError(
            "no such file", remedy="give the folder that labelwright label wrote", source=file
        )
    reading, sections = as_labeled(options.reading, options.files, file.parent)
    sections = options.sections or sections
    cut = SectionCut(left_to_cut(options.files, sections))
    reports = cut.stream(read_reports(options.files, reading))
    label_set = run_label_set(options.label_set, file.parent)
    data = collect(file, reports, most=options.limit or MOST, label_set=label_set)
    write_page(data, options.out, title=options.title or f"Evidence of {data.model}")
    sys.stdout.write(f"{data.facts()}\n{options.out}\n")
    return 0


def as_labeled(
    reading: ReadOptions, given: Sequence[Path], folder: Path
) -> tuple[ReadOptions, str]:
    """How files are read as they were for a run, and which sections of a report the run read.

    Args:
        reading: what the user said, which comes first.
        given: the files.
        folder: of the run.
    """
    from labelwright.readers.formats import READING_FLAGS

    known, files = _labeled(folder)
    reading = replace(
        reading, text_columns=reading.text_columns or tuple(known.get("text_columns") or ())
    )
    if all(_is_one(path, files) for path in given):
        # What was said of the labeled files is not said of others that hold the same reports.
        # An id of a usual name is found again; the manifest has one even where nobody named it.
        named = known.get("id_column")
        reading = replace(
            reading,
            id_column=reading.id_column or (None if named in ID_COLUMNS else named),
            encoding=reading.encoding or known.get("encoding"),
            format=reading.format or known.get("format"),
            **{
                k: known[k]
                for k in READING_FLAGS
                if known.get(k) and k not in reading.annotations()
            },
        )
    return reading, str(known.get("sections") or "full")


def _labeled(folder: Path) -> tuple[dict[str, Any], set[tuple[str, Any]]]:
    """How the reports were read when they were labeled, and from which files.

    Both are empty without a manifest. A file is known by its name and size.
    """
    value = manifest_beside(folder)
    options, inputs = value.get("options"), value.get("inputs")
    files = {
        (Path(str(each.get("path"))).name, each.get("bytes"))
        for each in (inputs if isinstance(inputs, list) else [])
        if isinstance(each, dict)
    }
    return options if isinstance(options, dict) else {}, files


def run_label_set(given: str | None, folder: Path) -> LabelSet | None:
    """The label set that is given, or the shipped one or the model's that the run names.

    ``None`` where the run names none that can be found here.

    Raises:
        LabelSetError: the one that is given has mistakes.
    """
    if given is not None:
        return LabelSet.load(given)
    name, digest = named_label_set(folder)
    for place in (folder / LABEL_SET_FILE, name if name in shipped_names() else None):
        if place is not None and (isinstance(place, str) or place.is_file()):
            found = LabelSet.load(place)
            if found.fingerprint == digest:
                return found
    return None


def _is_one(path: Path, files: set[tuple[str, Any]]) -> bool:
    """Whether a file is one of those that were labeled."""
    if path.is_dir():
        return any(name == path.name for name, _ in files)
    return path.is_file() and (path.name, path.stat().st_size) in files
