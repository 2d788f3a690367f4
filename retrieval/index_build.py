"""Building an index, and adding to one: reports in, shards out, safe against interruption.

Rows are embedded in groups; a group's files appear whole or not at all. A build that was
stopped, however hard, goes on with the same command: finished groups are kept. The manifest is
written last.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from labelwright.errors import InputError, OutputError
from labelwright.io.jsonl import atomic_write, write_json, writing
from labelwright.io.lock import locked
from labelwright.io.manifest import versions
from labelwright.label_set import LabelSet
from labelwright.records import Reject
from labelwright.text.amounts import amount
from retrieval.index import Index, open_shards
from retrieval.index_ann import check_parameters, write_ann
from retrieval.index_files import (
    JOB,
    LABEL_SET,
    MANIFEST,
    REJECTS,
    STATE,
    File,
    Manifest,
    commit,
    next_number,
    refuse_strange,
    remove_unnamed,
)
from retrieval.index_groups import Item, Items, list_rejects, write_groups
from retrieval.index_shards import Entry

if TYPE_CHECKING:
    from retrieval.embed import Embedder

SHARD_ROWS = 8192


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
        written = write_groups(out, items, embedder, rows, plan.total)
        rejects_bytes = list_rejects(out, 0, written)
        if not written.splits:
            _drop(out, [])
            raise InputError(
                f"none of {amount(written.rejected, 'row')} can be indexed",
                remedy=f"see {out / REJECTS}" if rejects_bytes else "check the input",
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
            sources=[{**plan.source, "job": job, "generation": 1, "counts": written.counts}],
            counts={**written.counts, "deleted": 0},
            splits=dict(sorted(written.splits.items())),
            patients_unknown=written.unknown,
            shards=written.shards,
            ann=None,
            state=state,
            rejects_bytes=rejects_bytes,
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
        last = old.sources[-1]
        if last["job"] == job and last["generation"] == old.generation:
            return old
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

        written = write_groups(out, fresh, embedder, rows, plan.total, first)
        if not written.splits:
            _drop(out, old.files)
            raise InputError(
                f"none of {amount(written.rejected, 'row')} can be added",
                remedy="check the input; ids that the index holds must be deleted first",
            )
        counts = Counter(old.counts) + Counter(written.counts)
        mine = {"job": job, "generation": old.generation + 1, "counts": written.counts}
        made = replace(
            old,
            generation=old.generation + 1,
            sources=[*old.sources, {**plan.source, **mine}],
            counts={name: counts[name] for name in old.counts},
            splits=dict(sorted((Counter(old.splits) + Counter(written.splits)).items())),
            patients_unknown=old.patients_unknown + written.unknown,
            shards=[*old.shards, *written.shards],
            rejects_bytes=list_rejects(out, old.rejects_bytes, written),
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


def unfinished(out: Path, generation: int) -> bool:
    """Whether an addition to this generation of the index was begun and is not finished."""
    return (out / JOB).exists() and _read_job(out).get("generation") == generation


def _claim(out: Path, job: str, shard_rows: int, generation: int) -> int:
    """Begin the job, or go on with it; return the rows per group."""
    if unfinished(out, generation):
        state = _read_job(out)
        if state.get("job") != job:
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
    else:
        remove_unnamed(out, (file.name for file in Manifest.read(out).files))
    first = next_number(out)
    begun = {"job": job, "generation": generation, "shard_rows": shard_rows, "first": first}
    write_json(out / JOB, begun)
    return shard_rows


def _drop(out: Path, kept: Iterable[File]) -> None:
    """Give a job up: remove what it wrote."""
    with writing(out):
        (out / JOB).unlink(missing_ok=True)
    remove_unnamed(out, (file.name for file in kept))


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
