"""Adds files to a finished folder, with or after the run that made it; nothing is labeled again.

Each file is written whole or not at all, and the manifest that lists it afterwards. A file
that is listed under ``also`` but not under ``outputs`` (its run was killed, or the rejects
were tried again since) is made by the next call.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO, Any

from inference.exports import note_nlp, observations, questionnaire_folder
from inference.exports.rows import Context, Row, escaped
from inference.runs.job import FURTHER, MANIFEST, PREDICTIONS, remove_torn_files
from inference.runs.merge import lines_of
from inference.runs.retry import beside
from inference.runs.shards import Item
from labelwright.annotations.formats import write as write_annotations
from labelwright.errors import ConfigError, OutputError
from labelwright.io.jsonl import atomic_write, write_json, writing
from labelwright.io.lock import locked
from labelwright.io.manifest import sha256_file, sha256_folder
from labelwright.label_set import LabelSet
from labelwright.records import Entity, Prediction, Report
from labelwright.tasks import kind_of
from labelwright.version import __version__

GROUP_ROWS = 8192
"""Rows of a Parquet row group: what is in memory at a time."""
_TEXT = ("id", "raw", "model")


def write_parquet(handle: IO[bytes], rows: Iterable[Row], context: Context) -> None:
    """Write all predictions, those with open ends too (``null``), group by group."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    form, kind = schema(context.label_set), kind_of(context.label_set)
    stream = iter(rows)
    with pq.ParquetWriter(handle, form, compression="zstd") as writer:
        while block := [
            _parquet_row(row) | kind.arrow_row(context.label_set, row.prediction)
            for row in islice(stream, GROUP_ROWS)
        ]:
            writer.write_table(pa.Table.from_pylist(block, schema=form))


def schema(label_set: LabelSet) -> Any:
    """Columns of the table: those of the task's values between id and answer."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            *kind_of(label_set).arrow_fields(label_set),
            pa.field("raw", pa.string()),
            pa.field("problems", pa.list_(pa.string())),
            pa.field("notes", pa.list_(pa.string())),
            pa.field("model", pa.string()),
            pa.field("seconds", pa.float64()),
        ]
    )


def _parquet_row(row: Row) -> dict[str, Any]:
    prediction = row.prediction
    return {
        **{name: escaped(prediction[name]) for name in _TEXT},
        **{name: prediction.get(name) for name in ("problems", "notes", "seconds")},
    }


def write_brat(path: Path, rows: Iterable[Row], context: Context) -> None:
    """Write the folder anew; a text whose answer was not readable stands there without mentions.

    Mentions that the text does not hold cannot be written; the manifest counts them.
    """
    with writing(path):
        if path.is_dir():
            shutil.rmtree(path)
    write_annotations(path, "brat", _annotated(rows, context.label_set))


def _annotated(
    rows: Iterable[Row], label_set: LabelSet
) -> Iterator[tuple[Report, tuple[Entity, ...] | None]]:
    for row in rows:
        if row.report is None:
            continue
        text = row.report.text.encode("utf-8", "replace").decode()  # as long as before
        found = Prediction.from_json(row.prediction, label_set).entities
        if found is not None and text != row.report.text:
            found = tuple(_said(text, entity) for entity in found)
        # What an input file said of entities is not what was found.
        plain = replace(row.report, id=escaped(row.report.id), text=text, entities=None, meta={})
        yield plain, found


def _said(text: str, entity: Entity) -> Entity:
    if not entity.spans:
        return entity
    return replace(entity, text=" ".join(text[start:end] for start, end in entity.spans))


WRITERS: Mapping[str, Callable[[IO[Any], Iterable[Row], Context], None]] = {
    "parquet": write_parquet,
    "omop": note_nlp.write,
    "fhir": observations.write,
}
BINARY = {"parquet"}
FOLDERS: Mapping[str, Callable[[Path, Iterable[Row], Context], None]] = {
    "brat": write_brat,
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
