"""Rows on their way into an index: embedded and stored group by group, each whole or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labelwright.errors import OutputError
from labelwright.io.jsonl import atomic_write, dumps, read_jsonl
from labelwright.readers.id_registry import IdRegistry
from labelwright.records import Reject
from labelwright.runtime.progress import progress_bar
from retrieval.index_files import PART, REJECTS, TABLE, Shard
from retrieval.index_shards import Entry, shard_facts, write_shard

if TYPE_CHECKING:
    from retrieval.embed import Embedder

Item = Entry | Reject
Items = Callable[[], Iterable[Item]]
"""Gives the same items in the same order at every call."""


@dataclass
class WrittenGroups:
    """What the groups of one run hold."""

    shards: list[Shard] = field(default_factory=list)
    rejects: list[Path] = field(default_factory=list)
    splits: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    unknown: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """``in`` = ``indexed`` + ``rejected``."""
        indexed = self.splits.total()
        return {"in": indexed + self.rejected, "indexed": indexed, "rejected": self.rejected}


def write_groups(
    out: Path,
    items: Items,
    embedder: Embedder,
    rows: int,
    total: int | None,
    first: int = 0,
) -> WrittenGroups:
    """Embed and store all rows in groups of ``rows``; groups that stand already are kept.

    Args:
        first: number of the first group.

    Raises:
        OutputError: a group cannot be written, or one that stands is not of these rows.
    """
    stream = _each_once(items())
    number = first
    written = WrittenGroups()
    with progress_bar(total=total, unit="report", desc=embedder.name) as bar:
        while group := list(islice(stream, rows)):
            if not (out / f"{number:08d}{TABLE}").exists():
                _store(out, number, group, embedder)
            _count(out, number, len(group), written)
            bar.update(len(group))
            number += 1
    return written


def _each_once(items: Iterable[Item]) -> Iterator[Item]:
    """The items, with a reject in place of every report whose id came before."""
    seen = IdRegistry()
    for item in items:
        if isinstance(item, Entry) and seen.add(item.report.id, 0, item.report.row):
            report = item.report
            yield Reject(report.id, report.source, report.row, "duplicate id")
        else:
            yield item


def _store(out: Path, number: int, group: Sequence[Item], embedder: Embedder) -> None:
    entries = [item for item in group if isinstance(item, Entry)]
    made = _vectors(entries, embedder)
    rejects = [item for item in group if isinstance(item, Reject)]
    kept: list[Entry] = []
    vectors: list[NDArray[np.float32]] = []
    for entry, vector in zip(entries, made, strict=True):
        if isinstance(vector, str):
            report = entry.report
            rejects.append(Reject(report.id, report.source, report.row, vector))
        else:
            kept.append(entry)
            vectors.append(vector)
    with atomic_write(out / f"{number:08d}{PART}") as handle:
        handle.writelines(dumps(reject.to_json()) + "\n" for reject in rejects)
    matrix = np.stack(vectors) if vectors else np.empty((0, embedder.dimension), np.float32)
    write_shard(out, number, kept, matrix)


def _vectors(entries: Sequence[Entry], embedder: Embedder) -> Sequence[NDArray[np.float32] | str]:
    """One vector per entry, or why it has none; equal texts are embedded once."""
    if any(entry.image is not None for entry in entries):
        from retrieval.embed import ImageEmbedder

        if not isinstance(embedder, ImageEmbedder):
            raise TypeError("the embedder reads no images")
        return embedder.images([entry.image for entry in entries if entry.image is not None])
    places: dict[str, int] = {}
    where = [places.setdefault(entry.report.text, len(places)) for entry in entries]
    if not places:
        return []
    made = np.asarray(embedder.texts(list(places)), dtype=np.float32)
    if made.shape != (len(places), embedder.dimension) or not np.isfinite(made).all():
        raise ValueError("the embedder gave vectors of another shape, or NaN")
    return [made[place] for place in where]


def _count(out: Path, number: int, rows: int, written: WrittenGroups) -> None:
    """Add a stored group to the counts.

    Raises:
        OutputError: it holds another number of rows than the input gives.
    """
    import pyarrow as pa

    shard = shard_facts(out, number)
    part = out / f"{number:08d}{PART}"
    rejected = sum(1 for _ in read_jsonl(part))
    if shard.rows + rejected != rows:
        raise OutputError(
            f"the stored rows {number:08d} are not those of the input",
            remedy="delete the folder and build again",
            source=out,
        )
    with pa.memory_map(str(out / shard.table.name)) as mapped:
        table = pa.ipc.open_file(mapped).read_all()
        written.splits.update(table["split"].to_pylist())
        written.unknown += table["patient"].null_count
        del table
    if shard.rows:
        written.shards.append(shard)
    written.rejects.append(part)
    written.rejected += rejected


def list_rejects(out: Path, kept: int, written: WrittenGroups) -> int:
    """Put the rejects behind the first ``kept`` bytes of the list; return its new size."""
    path = out / REJECTS
    before = path.read_bytes()[:kept] if path.is_file() else b""
    with atomic_write(path, binary=True) as handle:
        handle.write(before)
        for part in written.rejects:
            handle.write(part.read_bytes())
    return path.stat().st_size
