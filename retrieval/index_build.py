"""Building an index, and adding to one: reports in, shards out, safe against interruption.

Rows are embedded in groups; a group's files appear whole or not at all. A build that was
stopped, however hard, goes on with the same command: finished groups are kept. The manifest is
written last.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from labelwright.errors import InputError, OutputError
from labelwright.jsonl import atomic_write, dumps, read_jsonl, write_json, writing
from labelwright.label_set import LabelSet
from labelwright.lock import locked
from labelwright.manifest import versions
from labelwright.records import Reject
from retrieval.index import Index, open_shards
from retrieval.index_ann import check_parameters, write_ann
from retrieval.index_files import (
    JOB,
    LABEL_SET,
    MANIFEST,
    PART,
    REJECTS,
    STATE,
    TABLE,
    File,
    Manifest,
    Shard,
    commit,
    next_number,
    refuse_strange,
    remove_unnamed,
)
from retrieval.index_shards import Entry, shard_facts, write_shard

if TYPE_CHECKING:
    from retrieval.embed import Embedder

SHARD_ROWS = 8192
Item = Entry | Reject
Items = Callable[[], Iterable[Item]]
"""Gives the same items in the same order at every call."""


@runtime_checkable
class Learner(Protocol):
    """An embedder that learns from the reports of the index before it makes vectors."""

    def fit(self, texts: Iterable[str]) -> None:
        """Learn from all texts."""

    def state(self) -> Mapping[str, NDArray[Any]]:
        """What was learned."""


@dataclass(frozen=True)
class Plan:
    """What an index is built from and how.

    Attributes:
        source: what is read, with SHA-256 of the inputs and all choices that shape the rows.
        kind: ``flat``, ``hnsw`` or ``ivfpq``.
        parameters: of the kind, see :mod:`retrieval.index_ann`.
        shard_rows: rows stored together, and lost by a kill; a resumed build keeps its own.
        total: rows to come, for the progress bar.
    """

    source: Mapping[str, Any]
    label_set: LabelSet | None = None
    kind: str = "flat"
    parameters: Mapping[str, int] = field(default_factory=dict)
    shard_rows: int = SHARD_ROWS
    total: int | None = None


def build_index(out: Path, items: Items, embedder: Embedder, plan: Plan) -> Manifest:
    """Build an index in the folder ``out``, or go on where an earlier build stopped.

    A build that is already finished there is left as it is.

    Raises:
        ConfigError: the kind or its parameters make no sense.
        InputError: no report can be indexed.
        OutputError: the folder holds something else, or cannot be written.
    """
    parameters = check_parameters(plan.kind, plan.parameters)
    job = _job(embedder, plan, parameters)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    with locked(out):
        if (out / MANIFEST).exists():
            return _finished(out, job)
        rows = _claim(out, job, plan.shard_rows, 0)
        if plan.label_set is not None:
            with atomic_write(out / LABEL_SET, mode=0o644) as handle:
                handle.write(plan.label_set.text)
        state = _learn(out, embedder, items)
        written = _write(out, items, embedder, rows, plan.total)
        if not written.splits:
            raise InputError(
                f"none of the {written.rejected} rows can be indexed",
                remedy=f"see {out / REJECTS}" if _rejects(out, 0, written) else "check the input",
            )
        made = Manifest(
            generation=1,
            embedder=json.loads(json.dumps(dict(embedder.describe()))),
            dimension=embedder.dimension,
            kind=plan.kind,
            parameters=parameters,
            label_set={}
            if plan.label_set is None
            else {"name": plan.label_set.name, "sha256": plan.label_set.fingerprint},
            sources=[{**plan.source, "job": job, "counts": written.counts}],
            counts={**written.counts, "deleted": 0},
            splits=dict(sorted(written.splits.items())),
            patients_unknown=written.unknown,
            shards=written.shards,
            deleted=None,
            ann=None,
            state=state,
            rejects_bytes=_rejects(out, 0, written),
            shard_rows=rows,
            versions=dict(versions()),
            changed=now(),
        )
        return finish(out, made)


def add_to_index(out: Path, items: Items, embedder: Embedder, plan: Plan) -> Manifest:
    """Add reports to an index, or go on where an earlier addition of the same stopped.

    Ids that the index already holds are rejects.

    Raises:
        CheckpointError: the embedder is not the index's own.
        InputError: ``out`` holds no index, other labels are asked for, or nothing can be added.
        OutputError: another addition was begun there, or the folder cannot be written.
    """
    with locked(Index.open(out).path):
        index = Index.open(out)
        old = index.manifest
        index.check(embedder)
        _same_labels(old, plan.label_set, out)
        job = _job(embedder, plan, old.parameters)
        rows = _claim(out, job, old.shard_rows, old.generation)
        first = int(_read_job(out)["first"])

        def fresh() -> Iterator[Item]:
            for item in items():
                if isinstance(item, Entry) and index.row_of(item.report.id) is not None:
                    report = item.report
                    reason = "the index already holds a report of this id"
                    yield Reject(report.id, report.source, report.row, reason)
                else:
                    yield item

        written = _write(out, fresh, embedder, rows, plan.total, first)
        if not written.splits:
            remove_unnamed(out, [file.name for file in old.files])
            (out / JOB).unlink(missing_ok=True)
            raise InputError(
                f"none of the {written.rejected} rows can be added",
                remedy="check the input; ids that the index holds must be deleted first",
            )
        counts = Counter(old.counts) + Counter(written.counts)
        made = replace(
            old,
            generation=old.generation + 1,
            sources=[*old.sources, {**plan.source, "job": job, "counts": written.counts}],
            counts={name: counts[name] for name in old.counts},
            splits=dict(sorted((Counter(old.splits) + Counter(written.splits)).items())),
            patients_unknown=old.patients_unknown + written.unknown,
            shards=[*old.shards, *written.shards],
            rejects_bytes=_rejects(out, old.rejects_bytes, written),
            versions=dict(versions()),
            changed=now(),
        )
        return finish(out, made)


def finish(out: Path, manifest: Manifest) -> Manifest:
    """Write the approximate search's file, if the kind has one, and make the change count."""
    vectors = Index(out, manifest, open_shards(out, manifest)).vectors
    made = replace(manifest, ann=write_ann(out, manifest, vectors))
    commit(out, made)
    return made


def now() -> str:
    """The time, for a manifest."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass
class _Written:
    """What the groups of one run hold."""

    shards: list[Shard] = field(default_factory=list)
    rejects: list[Path] = field(default_factory=list)
    splits: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    unknown: int = 0

    @property
    def counts(self) -> dict[str, int]:
        indexed = self.splits.total()
        return {"in": indexed + self.rejected, "indexed": indexed, "rejected": self.rejected}


def _write(
    out: Path,
    items: Items,
    embedder: Embedder,
    rows: int,
    total: int | None,
    first: int = 0,
) -> _Written:
    stream = iter(items())
    number = first
    written = _Written()
    with tqdm(total=total, unit="report", desc=embedder.name, disable=None) as bar:
        while group := list(islice(stream, rows)):
            if not (out / f"{number:08d}{TABLE}").exists():
                _write_group(out, number, group, embedder)
            _count(out, number, len(group), written)
            bar.update(len(group))
            number += 1
    return written


def _write_group(out: Path, number: int, group: Sequence[Item], embedder: Embedder) -> None:
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


def _count(out: Path, number: int, rows: int, written: _Written) -> None:
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


def _rejects(out: Path, kept: int, written: _Written) -> int:
    """Put the rejects behind the first ``kept`` bytes of the list; return its new size."""
    path = out / REJECTS
    before = path.read_bytes()[:kept] if path.is_file() else b""
    with atomic_write(path, binary=True) as handle:
        handle.write(before)
        for part in written.rejects:
            handle.write(part.read_bytes())
    return path.stat().st_size


def _learn(out: Path, embedder: Embedder, items: Items) -> File | None:
    """Let the embedder learn from all reports, if it is of that kind, and store what it learned."""
    if not isinstance(embedder, Learner):
        return None
    from safetensors.numpy import save

    embedder.fit(item.report.text for item in items() if isinstance(item, Entry))
    with atomic_write(out / STATE, binary=True) as handle:
        handle.write(save({name: np.asarray(a) for name, a in embedder.state().items()}))
    return File.of(out / STATE)


def _job(embedder: Embedder, plan: Plan, parameters: Mapping[str, int]) -> str:
    """SHA-256 of all that two builds must share to be the same; where files lie is not part."""
    parts = {
        "embedder": {k: v for k, v in embedder.describe().items() if k != "name"},
        "source": _without_paths(plan.source),
        "label_set": plan.label_set and plan.label_set.fingerprint,
        "kind": plan.kind,
        "parameters": dict(parameters),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _without_paths(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_paths(v) for k, v in value.items() if k != "path"}
    if isinstance(value, (list, tuple)):
        return [_without_paths(part) for part in value]
    return value


def _claim(out: Path, job: str, shard_rows: int, generation: int) -> int:
    """Begin the job, or go on with it; return the rows per group."""
    if (out / JOB).exists():
        state = _read_job(out)
        if state.get("job") != job or state.get("generation") != generation:
            raise OutputError(
                "an unfinished job with other reports or settings is in the folder",
                remedy="give its command again, or drop it with labelwright index rebuild"
                if generation
                else "give its command again, choose another --out, or delete the folder",
                source=out,
            )
        return int(state["shard_rows"])
    if not generation:
        refuse_strange(out)
    first = next_number(out)
    begun = {"job": job, "generation": generation, "shard_rows": shard_rows, "first": first}
    write_json(out / JOB, begun)
    return shard_rows


def _read_job(out: Path) -> dict[str, Any]:
    try:
        value = json.loads((out / JOB).read_text(encoding="utf-8"))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise OutputError(
            "job.json is damaged", remedy="delete it and give the command again", source=out
        )
    return value


def _finished(out: Path, job: str) -> Manifest:
    found = Manifest.read(out)
    if found.sources[0].get("job") != job:
        raise OutputError(
            "the folder holds an index of other reports or settings",
            remedy="choose another --out, or add to it with labelwright index add",
            source=out,
        )
    return found


def _same_labels(old: Manifest, label_set: LabelSet | None, out: Path) -> None:
    found = None if label_set is None else label_set.fingerprint
    if found is not None and found != old.label_set.get("sha256"):
        raise InputError(
            "the labels to add are of another label set than those of the index"
            if old.label_set
            else "the index was built without labels, and those to add have some",
            remedy="build an index of its own for them",
            source=out,
        )
