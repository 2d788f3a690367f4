"""The batch runner: any labeler over any stream of reports, safe against interruption.

Rows are labeled in shards (:mod:`inference.runs.shards`). A run that was stopped, however hard, is
resumed by the same command: finished shards are skipped, the others labeled, and the result is the
one an uninterrupted run gives. ``manifest.json`` is written last, so its existence means that the
result is whole.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from inference.runs import job as jobs
from inference.runs.interrupt import patient
from inference.runs.merge import compare_readers, merge, outputs
from inference.runs.shards import (
    Item,
    Repeats,
    Result,
    Shard,
    cut,
    label_shard,
    part_path,
    write_part,
)
from labelwright.errors import ConfigError, InputError
from labelwright.io.jsonl import write_json, writing
from labelwright.io.lock import locked
from labelwright.io.manifest import versions
from labelwright.labelers.base import ReportLabeler
from labelwright.runtime.progress import heard, progress_bar
from labelwright.text.amounts import amount

SHARD_ROWS = 1024


@dataclass(frozen=True)
class Summary:
    """How a run ended.

    Attributes:
        rows: input rows; always ``labeled + rejected``.
        undetermined: those of the rejected whose answer left an observation open.
        labeled_now: rows that this run labeled or rejected itself; the others were done.
        seconds: time of this run.
        finished_before: the folder already held the whole result; nothing was done.
        remarks: predictions per kind of problem and note, and what two readers differ in.
    """

    rows: int
    labeled: int
    rejected: int
    undetermined: int
    labeled_now: int
    seconds: float
    finished_before: bool = False
    remarks: Mapping[str, int] = field(default_factory=dict)


def run(
    labeler: ReportLabeler,
    reports: Iterable[Item],
    out: Path,
    *,
    inputs: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    id_column: str = "id",
    total: int | None = None,
    shard_rows: int = SHARD_ROWS,
) -> Summary:
    """Label ``reports`` into the folder ``out``, or go on where an earlier run stopped.

    Writes the tables of the label set's task (``labels.csv``, ``entities.csv``),
    ``predictions.jsonl``, ``rejects.jsonl`` and ``manifest.json``. Memory does not grow with the
    number of rows.

    Args:
        reports: reports and rejects in input order; the same at every run of the job.
        inputs: path, bytes and SHA-256 per input file; part of the job's fingerprint.
        options: all choices that shape the rows; part of the job's fingerprint.
        id_column: name of the table's id column.
        total: rows to come, counted before; for the progress bar, and checked at the end.
        shard_rows: rows that are stored, and lost by a kill, together.

    Raises:
        InputError: there are no rows, or not as many as counted before.
        OutputError: the folder belongs to another job or run, or cannot be written.
        LabelwrightError: the labeler failed; finished shards are kept.
    """
    if shard_rows < 1:
        raise ConfigError("a shard needs at least one row", remedy="give --shard-rows 1 or more")
    job = jobs.Job(
        labeler=labeler.describe(),
        label_set_sha256=labeler.label_set.fingerprint,
        inputs=inputs,
        options={**options, "id_column": id_column},
    )
    began = time.monotonic()
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    with locked(out):
        if done := jobs.finished(out, job):
            jobs.clear(out)
            jobs.remove_torn_files(out)
            return finished_before(done)
        shard_rows = jobs.begin(out, job, shard_rows=shard_rows)
        with writing(out):
            (out / jobs.PARTS).mkdir(exist_ok=True)
        jobs.remove_torn_files(out)
        rows, now = label_all(labeler, reports, out / jobs.PARTS, shard_rows, total)
        merged = merge(out, labeler.label_set, id_column=id_column, rows=rows)
        said = merged.to_json()
        said |= compare_readers(out, labeler.label_set, [job.labeler], id_column=id_column)
        summary = Summary(
            rows=sum(rows),
            labeled=merged.labeled,
            rejected=merged.rejected,
            undetermined=merged.undetermined,
            labeled_now=now,
            seconds=time.monotonic() - began,
            remarks=_remarks(said),
        )
        write_json(out / jobs.MANIFEST, _manifest(labeler, job, said, summary, out))
        jobs.clear(out)
    return summary


def finished_before(manifest: Mapping[str, Any]) -> Summary:
    """How a run ended that ended earlier, by its manifest."""
    return Summary(
        **manifest["counts"],
        labeled_now=0,
        seconds=0.0,
        finished_before=True,
        remarks=_remarks(manifest),
    )


def _remarks(said: Mapping[str, Any]) -> dict[str, int]:
    """Predictions per kind of problem and note, and the counts of two readers, from a manifest."""
    return {**said.get("problems", {}), **said.get("notes", {}), **said.get("readers", {})}


def _manifest(
    labeler: ReportLabeler, job: jobs.Job, said: Mapping[str, Any], summary: Summary, out: Path
) -> dict[str, Any]:
    counts = ("rows", "labeled", "rejected", "undetermined")
    return {
        "command": "label",
        "label_set": labeler.label_set.name,
        **job.to_json(),
        "counts": {name: getattr(summary, name) for name in counts},
        **said,
        "outputs": outputs(out, labeler.label_set),
        "versions": dict(versions()),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(summary.seconds, 3),
        "rows_of_earlier_runs": summary.rows - summary.labeled_now,
        "job": job.fingerprint(),
    }


@runtime_checkable
class ShardLabeler(Protocol):
    """A labeler that takes whole shards, since it labels several at the same time."""

    def label_shards(self, shards: Iterator[Shard]) -> Iterator[tuple[Shard, Sequence[Result]]]:
        """Give every shard back once, with its results, in any order."""
        ...


def label_all(
    labeler: ReportLabeler, reports: Iterable[Item], parts: Path, shard_rows: int, total: int | None
) -> tuple[list[int], int]:
    """Label the shards that are not done.

    The first Ctrl-C lets the shards at work finish and ends the loop then.

    Args:
        parts: folder of the parts; those that are there are done.
        total: rows to come, counted before.

    Returns:
        the row counts of all shards, and the rows done now.

    Raises:
        InputError: there are no rows, or not as many as counted before.
        KeyboardInterrupt: Ctrl-C.
    """
    before = sum(1 for _ in parts.glob("[0-9]*.jsonl")) * shard_rows
    rows: list[int] = []
    now = 0
    with (
        patient() as stopping,
        progress_bar(
            total=total,
            initial=before if total is None else min(before, total),
            unit="report",
            desc=labeler.name,
        ) as bar,
    ):

        def to_do() -> Iterator[Shard]:
            for shard in cut(reports, shard_rows):
                if stopping():
                    return
                rows.append(len(shard.items))
                if part_path(parts, shard.index).exists():
                    continue
                if not now:
                    bar.unpause()  # else reading over what is done would count as labeling
                yield shard

        shown = _Shown(bar)
        for shard, results in _labeled(labeler, to_do(), shown):
            write_part(parts, shard, results)
            now += len(shard.items)
            shown.whole(shard)
        if stopping():
            raise KeyboardInterrupt
    if not rows:
        raise InputError("the input holds no rows", remedy="check the files and --limit")
    if total is not None and sum(rows) != total:
        raise InputError(
            f"the input gave {amount(sum(rows), 'row')} where {total} were counted before",
            remedy="it changed while it was read; label it again into another --out",
        )
    return rows, now


class _Shown:
    """A bar that moves within a shard as the labeler says how far it is."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._rows = 0

    def part(self, shard: Shard, share: float) -> None:
        """Show a share of the shard that is labeled now."""
        rows = int(share * len(shard.items))
        self._bar.update(rows - self._rows)
        self._rows = rows

    def whole(self, shard: Shard) -> None:
        """Show that a shard is stored."""
        self._bar.update(len(shard.items) - self._rows)
        self._rows = 0


def _labeled(
    labeler: ReportLabeler, shards: Iterator[Shard], shown: _Shown
) -> Iterator[tuple[Shard, Sequence[Result]]]:
    if isinstance(labeler, ShardLabeler):
        yield from labeler.label_shards(shards)
        return
    repeats = Repeats()
    for shard in shards:
        with heard(partial(shown.part, shard)):
            results = label_shard(labeler, shard, repeats)
        yield shard, results
