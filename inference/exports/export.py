"""Adds files to a finished folder, with or after the run that made it; nothing is labeled again.

Each file is written whole or not at all, and the manifest that lists it afterwards. A file
that is listed under ``also`` but not under ``outputs`` (its run was killed, or the rejects
were tried again since) is made by the next call.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from inference.exports import (
    brat_folder,
    note_nlp,
    observations,
    parquet_table,
    questionnaire_folder,
)
from inference.exports.rows import Context, Row
from inference.runs.job import FURTHER, MANIFEST, PREDICTIONS, remove_torn_files
from inference.runs.merge import lines_of
from inference.runs.retry import beside
from inference.runs.shards import Item
from labelwright.errors import ConfigError, OutputError
from labelwright.io.jsonl import atomic_write, write_json
from labelwright.io.lock import locked
from labelwright.io.manifest import sha256_file, sha256_folder
from labelwright.label_set import LabelSet
from labelwright.records import Report
from labelwright.tasks import kind_of
from labelwright.version import __version__

WRITERS: Mapping[str, Callable[[IO[Any], Iterable[Row], Context], None]] = {
    "parquet": parquet_table.write,
    "omop": note_nlp.write,
    "fhir": observations.write,
}
BINARY = {"parquet"}
FOLDERS: Mapping[str, Callable[[Path, Iterable[Row], Context], None]] = {
    "brat": brat_folder.write,
    "questionnaire": questionnaire_folder.write,
}


def export(
    out: Path,
    names: Sequence[str],
    *,
    label_set: LabelSet,
    reports: Callable[[], Iterable[Item]],
    text: bool = False,
) -> list[Path]:
    """Write the files ``names`` of the finished folder ``out``, and those that it lacks.

    Args:
        names: of :data:`inference.runs.job.FURTHER`.
        reports: opens the stream of reports, in input order; read where a file needs
            patients or text.
        text: whether ``omop`` holds words of the reports.

    Returns:
        the files that were written; those that were there already are left alone.

    Raises:
        OutputError: the folder was changed, or a file cannot be written.
        InputError: the inputs do not hold the rows of the result.
    """
    with locked(out):
        remove_torn_files(out)
        manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        before: dict[str, Any] = manifest.get("also", {})
        also = before | {name: {"text": text} if name == "omop" else {} for name in names}
        there = {n for n, file in FURTHER.items() if file in manifest["outputs"]}
        to_do = [
            name
            for name in also
            if name not in there
            or also[name] != before[name]
            or (name in names and not (out / FURTHER[name]).exists())
        ]
        if not to_do:
            return []
        _check(out, manifest)
        for name in to_do:
            context = Context(
                label_set=label_set,
                finished=manifest["finished"],
                system=f"labelwright {__version__}",
                text=bool(also[name].get("text")),
                whole=manifest["options"].get("sections") == "full",
            )
            needs = name in ("fhir", "brat", "questionnaire") or context.text
            rows = _with_reports(out, reports()) if needs else _rows(out)
            path = out / FURTHER[name]
            if name in FOLDERS:
                FOLDERS[name](path, rows, context)
                manifest["outputs"][path.name] = sha256_folder(path)
                continue
            with atomic_write(path, binary=name in BINARY) as handle:
                WRITERS[name](handle, rows, context)
            manifest["outputs"][path.name] = sha256_file(path)
        write_json(out / MANIFEST, manifest | {"also": also})
    return [out / FURTHER[name] for name in to_do]


def check_also(names: Sequence[str], label_set: LabelSet) -> None:
    """Refuse files that cannot say what the label set's task asks.

    Raises:
        ConfigError: there are such among ``names``.
    """
    able = kind_of(label_set).exports
    for name in names:
        if name not in able:
            raise ConfigError(
                f"--also {name} is not for label sets of task {label_set.task!r}",
                remedy=f"choose from: {', '.join(n for n in FURTHER if n in able)}",
            )


def _rows(out: Path) -> Iterator[Row]:
    for _, row in lines_of(out / PREDICTIONS):
        yield Row(row)


def _with_reports(out: Path, items: Iterable[Item]) -> Iterator[Row]:
    for item, line in beside(items, out / PREDICTIONS):
        if line is not None and isinstance(item, Report):
            yield Row(line[1], item)


def _check(out: Path, manifest: Mapping[str, Any]) -> None:
    if sha256_file(out / PREDICTIONS) != manifest["outputs"].get(PREDICTIONS):
        raise OutputError(
            f"{PREDICTIONS} is not what the run wrote",
            remedy="restore it, or label again into another --out",
            source=out,
        )
