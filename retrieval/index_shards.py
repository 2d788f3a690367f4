"""Shards of an index: vectors as a NumPy file, their rows as an Arrow file, both mapped.

A row that was deleted has no id, no text and no labels, and a vector of zeros.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelwright.io.jsonl import atomic_write
from labelwright.records import Report
from retrieval.index_files import TABLE, VECTORS, File, Shard, damaged
from retrieval.leakage import digest, patient_digest, text_digest

DIGESTS = ("id_digest", "patient_digest", "text_digest")


@dataclass(frozen=True, slots=True)
class Entry:
    """A report on its way into an index.

    Attributes:
        split: the split it belongs to.
        labels: as JSON has them, ``{observation: certainty}``; ``None`` without labels.
        image: the file that the vector comes from, for embedders of images.
    """

    report: Report
    split: str
    labels: Mapping[str, Any] | None = None
    image: Path | None = None


@dataclass(frozen=True, slots=True)
class OpenShard:
    """A mapped shard: ``vectors[i]`` belongs to row ``i`` of ``table`` (a ``pyarrow.Table``)."""

    vectors: NDArray[np.float32]
    table: Any


def schema() -> Any:
    """The columns of a shard's table."""
    import pyarrow as pa

    text = [(name, pa.string()) for name in ("id", "patient", "split")]
    long = [(name, pa.large_string()) for name in ("text", "labels")]
    return pa.schema([*text, *long, *((name, pa.uint64()) for name in DIGESTS)])


def write_shard(
    folder: Path, number: int, entries: Sequence[Entry], vectors: NDArray[np.float32]
) -> None:
    """Store the rows of a shard; its table is written last, so it stands for the whole.

    Raises:
        OutputError: a file cannot be written.
    """
    import pyarrow as pa

    write_vectors(folder / f"{number:08d}{VECTORS}", vectors)
    reports = [entry.report for entry in entries]
    columns = {
        "id": [report.id for report in reports],
        "patient": [(report.patient or "").strip() or None for report in reports],
        "split": [entry.split for entry in entries],
        "text": [report.text for report in reports],
        "labels": [None if e.labels is None else json.dumps(e.labels) for e in entries],
        "id_digest": [digest(report.id) for report in reports],
        "patient_digest": [patient_digest(report.patient) for report in reports],
        "text_digest": [text_digest(report.text) for report in reports],
    }
    write_table(folder / f"{number:08d}{TABLE}", pa.table(columns, schema=schema()))


def write_vectors(path: Path, vectors: NDArray[np.float32]) -> None:
    """Write a NumPy file, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_write(path, binary=True) as handle:
        np.lib.format.write_array(handle, np.ascontiguousarray(vectors), allow_pickle=False)


def write_table(path: Path, table: Any) -> None:
    """Write an Arrow file, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    import pyarrow as pa

    with atomic_write(path, binary=True) as handle, pa.ipc.new_file(handle, table.schema) as out:
        out.write_table(table)


def shard_facts(folder: Path, number: int) -> Shard:
    """What the manifest says of a shard that stands on disk.

    Raises:
        InputError: one of its files cannot be read.
    """
    vectors, table = folder / f"{number:08d}{VECTORS}", folder / f"{number:08d}{TABLE}"
    return Shard(_table(table).num_rows, File.of(vectors), File.of(table))


def open_shard(folder: Path, shard: Shard, dimension: int) -> OpenShard:
    """Map a shard's files.

    Raises:
        InputError: they cannot be read, or disagree with each other or the manifest.
    """
    path = folder / shard.vectors.name
    try:
        vectors = np.load(path, mmap_mode="r" if shard.rows else None, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise damaged(path, "cannot be read") from None
    if vectors.shape != (shard.rows, dimension) or vectors.dtype != np.float32:
        raise damaged(path, "holds other vectors than the manifest says")
    table = _table(folder / shard.table.name)
    if table.num_rows != shard.rows or table.schema != schema():
        raise damaged(folder / shard.table.name, "holds other rows than the manifest says")
    return OpenShard(vectors, table)


def _table(path: Path) -> Any:
    import pyarrow as pa

    try:
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (OSError, pa.ArrowException):
        raise damaged(path, "cannot be read") from None
