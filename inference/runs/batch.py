"""The batch runner: any labeler over any stream of reports, safe against interruption.

Rows are labeled in shards (:mod:`inference.runs.shards`, :mod:`inference.runs.loop`). A run that
was stopped, however hard, is resumed by the same command: finished shards are skipped, the others
labeled, and the result is the one an uninterrupted run gives. ``manifest.json`` is written
last, so its existence means that the result is whole.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inference.runs import job as jobs
from inference.runs.loop import label_all
from inference.runs.merge import merge, outputs
from inference.runs.readers import compare_readers
from inference.runs.shards import Item
from labelwright.errors import ConfigError
from labelwright.io.jsonl import write_json, writing
from labelwright.io.lock import locked
from labelwright.io.manifest import versions
from labelwright.labelers.base import ReportLabeler

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
