"""Deleting reports from an index, and rebuilding it: without deleted rows, or of another kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelwright.errors import InputError, OutputError
from labelwright.io.lock import locked
from labelwright.io.manifest import versions
from retrieval.index import Index
from retrieval.index_ann import check_parameters
from retrieval.index_build import finish, now, unfinished
from retrieval.index_files import TABLE, VECTORS, Manifest, Shard, commit, next_number
from retrieval.index_shards import (
    DIGESTS,
    OpenShard,
    schema,
    shard_facts,
    write_table,
    write_vectors,
)


def delete(folder: Path, ids: Sequence[str]) -> Manifest:
    """Take reports out of an index, texts, labels and vectors too, and count the rows as deleted.

    Rows keep their numbers, so nothing else changes. The file of an approximate search keeps
    what it knows of the vectors until the index is rebuilt, but finds the rows no longer.

    Raises:
        InputError: there is no index, or it does not hold one of the ids; nothing is deleted.
        OutputError: an addition to it is unfinished, or the folder cannot be written.
    """
    with locked(Index.open(folder).path):
        index = Index.open(folder)
        old = index.manifest
        if unfinished(folder, old.generation):
            raise OutputError(
                "an unfinished addition is in the folder",
                remedy="finish it, or drop it with labelwright index rebuild",
                source=folder,
            )
        asked = list(dict.fromkeys(ids))
        rows = {identifier: index.row_of(identifier) for identifier in asked}
        if missing := [identifier for identifier, row in rows.items() if row is None]:
            shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
            raise InputError(
                f"the index holds no report {shown} ({len(missing)} of {len(asked)} ids)",
                remedy="check the ids; nothing was deleted",
                source=folder,
            )
        gone = np.array(sorted(row for row in rows.values() if row is not None), np.int64)
        found = [index.get(identifier) for identifier in asked]
        splits = Counter(old.splits)
        splits.subtract(n.split for n in found if n is not None)
        counts = dict(old.counts)
        counts["indexed"] -= len(gone)
        counts["deleted"] += len(gone)
        made = replace(
            old,
            generation=old.generation + 1,
            counts=counts,
            splits=dict(sorted(splits.items())),
            patients_unknown=old.patients_unknown
            - sum(n.patient is None for n in found if n is not None),
            shards=_without(index, gone),
            versions=dict(versions()),
            changed=now(),
        )
        commit(folder, made)
    return made


def rebuild(
    folder: Path, kind: str | None = None, parameters: Mapping[str, int] | None = None
) -> Manifest:
    """Write an index anew from its vectors: without deleted rows, with a new file of its kind.

    An unfinished addition is dropped.

    Args:
        kind: another kind; ``None`` keeps it.
        parameters: of the kind; those of the index count where the kind stays.

    Raises:
        ConfigError: the kind or its parameters make no sense.
        InputError: there is no index.
        OutputError: the folder cannot be written.
    """
    with locked(Index.open(folder, only_rows=True).path):
        index = Index.open(folder, only_rows=True)
        old = index.manifest
        new_kind = kind or old.kind
        kept = old.parameters if new_kind == old.kind else {}
        made = replace(
            old,
            generation=old.generation + 1,
            kind=new_kind,
            parameters=check_parameters(new_kind, {**kept, **(parameters or {})}),
            shards=_compacted(index),
            ann=None,
            versions=dict(versions()),
            changed=now(),
        )
        return finish(folder, made)


def _without(index: Index, gone: NDArray[np.int64]) -> list[Shard]:
    """The shards with some rows emptied; those that hold none of them stay as they are."""
    number = next_number(index.path)
    shards: list[Shard] = []
    start = 0
    for facts, shard in zip(index.manifest.shards, index.shards, strict=True):
        mine = gone[(gone >= start) & (gone < start + facts.rows)] - start
        start += facts.rows
        if len(mine):
            _empty_rows(index.path, number, shard, mine)
            facts = shard_facts(index.path, number)
            number += 1
        shards.append(facts)
    return shards


def _empty_rows(folder: Path, number: int, shard: OpenShard, rows: NDArray[np.int64]) -> None:
    import pyarrow as pa

    columns: dict[str, list[Any]] = {}
    for name in shard.table.column_names:
        # cell by cell: Arrow's own functions may keep the bytes of what they set to null
        columns[name] = shard.table[name].to_pylist()
        for row in rows.tolist():
            columns[name][row] = 0 if name in DIGESTS else None
    vectors = np.array(shard.vectors)
    vectors[rows] = 0
    write_vectors(folder / f"{number:08d}{VECTORS}", vectors)
    write_table(folder / f"{number:08d}{TABLE}", pa.table(columns, schema=schema()))


def _compacted(index: Index) -> list[Shard]:
    """The shards without emptied rows; at least one, which may hold none."""
    number = next_number(index.path)
    shards: list[Shard] = []
    for facts, shard in zip(index.manifest.shards, index.shards, strict=True):
        kept = shard.table["id"].is_valid()
        if shard.table["id"].null_count:
            table = shard.table.filter(kept)
            if not table.num_rows and (shards or facts is not index.manifest.shards[-1]):
                continue
            vectors = np.array(shard.vectors)[kept.to_numpy()]
            write_vectors(index.path / f"{number:08d}{VECTORS}", vectors)
            write_table(index.path / f"{number:08d}{TABLE}", table)
            facts = shard_facts(index.path, number)
            number += 1
        shards.append(facts)
    return shards
