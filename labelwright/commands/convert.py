"""``labelwright convert``: annotated reports in, the same in another format out.

Nothing is lost unnoticed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labelwright.annotations.formats import WRITERS
from labelwright.annotations.tags import SCHEMES
from labelwright.annotations.writing import TRIMMED, Writer, Written, renamed
from labelwright.commands.input_flags import ReadingOptions
from labelwright.errors import ConfigError, OutputError
from labelwright.io import manifest
from labelwright.io.jsonl import atomic_write, dumps, write_json, writing
from labelwright.io.lock import LOCK_FILE, locked
from labelwright.options import flag
from labelwright.readers import ReadOptions, read_reports, scan
from labelwright.readers.formats import FORMATS
from labelwright.records import Reject
from labelwright.text.amounts import amount

REJECTS, MANIFEST = "rejects.jsonl", "manifest.json"


@dataclass(frozen=True, slots=True)
class Converted:
    """What came of a conversion; ``counts`` are those of the manifest."""

    path: Path
    counts: dict[str, Any]


def convert(
    files: Sequence[Path],
    options: ReadOptions,
    out: Path,
    to: str,
    *,
    scheme: str | None = None,
) -> Converted:
    """Write all reports of ``files`` into the folder ``out``, the manifest last.

    Mentions that the format cannot hold are left out, with a reject for their report.

    Args:
        to: one of :data:`labelwright.annotations.formats.WRITERS`.
        scheme: of tags, for CoNLL.

    Raises:
        ConfigError: a scheme for another format, or an output inside an input.
        OutputError: the folder holds something already, or cannot be written.
        InputError: an input cannot be read.
    """
    if scheme is not None and to != "conll":
        raise ConfigError("--scheme is for --to conll", remedy="remove it")
    for path in files:
        if path.is_dir() and out.resolve().is_relative_to(path.resolve()):
            raise ConfigError("--out lies in an input folder", remedy="choose another folder")
    started = _now()
    seen = scan(files, options)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    with locked(out):
        _clear(out)
        form = WRITERS[to]
        job = _Job(files, replace(options, keep_layout=True))
        with (
            atomic_write(out / REJECTS) as rejects,
            form.open(out / form.name, scheme=scheme) as writer,
        ):
            for reject in job.run(writer):
                rejects.write(dumps(reject.to_json()) + "\n")
        counts = job.counts(writer.written)
        made = {
            "command": "convert",
            "inputs": seen.inputs,
            "options": {"format": options.format, "encoding": options.encoding}
            | options.annotations(),
            "to": to,
            "scheme": scheme,
            "outputs": [form.name, REJECTS],
            "counts": counts,
            "types_renamed": renamed(writer.written),
            "versions": dict(manifest.versions()),
            "started": started,
            "finished": _now(),
        }
        write_json(out / MANIFEST, made)
    return Converted(out / form.name, counts)


class _Job:
    """Passes the reports on to a writer and counts them."""

    def __init__(self, files: Sequence[Path], options: ReadOptions) -> None:
        self._files = files
        self._options = options
        self._reports = 0
        self._entities = 0
        self._rejects = 0

    def run(self, writer: Writer) -> Iterator[Reject]:
        for reject in self._written(writer):
            self._rejects += 1
            yield reject

    def _written(self, writer: Writer) -> Iterator[Reject]:
        for item in read_reports(self._files, self._options):
            if isinstance(item, Reject):
                yield item
                continue
            self._reports += 1
            self._entities += len(item.entities or ())
            if item.trimmed:
                writer.written.changed[TRIMMED] += item.trimmed
            if left := writer.write(item, item.entities):
                reason = f"{_entities(left.total())} left out; {reasons(left)}"
                yield Reject(item.id, item.source, item.row, reason)

    def counts(self, written: Written) -> dict[str, Any]:
        left = dict(sorted(written.left_out.items()))
        return {
            "reports": self._reports,
            "reports_written": written.reports,
            "entities": self._entities,
            "entities_written": written.entities,
            "entities_left_out": left,
            "written_otherwise": dict(sorted(written.changed.items())),
            "rejects": self._rejects,
        }


def reasons(counted: Counter[str] | dict[str, int]) -> str:
    """Reasons with their numbers, as one line."""
    return ", ".join(f"{reason} ({number})" for reason, number in sorted(counted.items()))


def _entities(count: int) -> str:
    return "1 entity" if count == 1 else f"{count} entities"


def _clear(out: Path) -> None:
    """Remove what a killed conversion left.

    Raises:
        OutputError: there is anything else.
    """
    with writing(out):
        for path in out.iterdir():
            if path.name.startswith(".") and path.name.endswith(".tmp"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            elif path.name != LOCK_FILE:
                raise OutputError(
                    "the folder is not empty", remedy="choose another --out", source=out
                )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


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
