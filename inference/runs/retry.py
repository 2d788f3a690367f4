"""Rejected reports of a finished folder tried again; what is labeled stays as it is, byte for byte.

Inputs, columns, sections, ``--limit`` and label set must be those of the folder; everything
about the labeler may differ (model, decoding, dtype, batch size, …). A row that its reader
rejected (no text, an id used before, no such section) is as it was and is not tried.

The new result is built in ``retry/``, resumable like any run, and moved up when it is whole
(:func:`inference.runs.job.move_up`); until then the old one stands.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inference.runs import job as jobs
from inference.runs.batch import label_all
from inference.runs.merge import (
    Line,
    compare_readers,
    complete,
    lines_of,
    outputs,
    part_lines,
    write_results,
)
from inference.runs.shards import Item
from labelwright.errors import ConfigError, InputError, OutputError
from labelwright.io.jsonl import dumps, write_json, writing
from labelwright.io.lock import locked
from labelwright.io.manifest import sha256_file, versions
from labelwright.label_set import LabelSet
from labelwright.labelers.base import ReportLabeler
from labelwright.records import LABELS, Reject, Report


@dataclass(frozen=True)
class Retried:
    """How a retry ended.

    Attributes:
        tried: rows that were rejected and could be tried again.
        labeled_now: those of them that are labeled now.
        rows: all rows of the folder; always ``labeled + rejected``.
        seconds: time of this run.
    """

    tried: int
    labeled_now: int
    rows: int
    labeled: int
    rejected: int
    seconds: float


def retry(
    labeler: ReportLabeler,
    reports: Callable[[], Iterable[Item]],
    out: Path,
    *,
    inputs: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    id_column: str = "id",
    shard_rows: int,
) -> Retried:
    """Label again what is rejected in the finished folder ``out``.

    Args:
        reports: opens the stream of reports and rejects in input order, as often as asked.
        inputs, options, id_column: as for :func:`inference.runs.batch.run`.
        shard_rows: rows that are stored, and lost by a kill, together.

    Raises:
        ConfigError: there is no finished result.
        OutputError: it is that of another job, was changed since, or cannot be written.
        InputError: the inputs do not hold the rows of the result.
    """
    began = time.monotonic()
    job = jobs.Job(
        labeler=labeler.describe(),
        label_set_sha256=labeler.label_set.fingerprint,
        inputs=inputs,
        options={**options, "id_column": id_column},
    )
    if not out.is_dir():
        raise _nothing(out)
    with locked(out):
        manifest = jobs.finished(out, job, any_labeler=True)
        if manifest is None:
            raise _nothing(out)
        jobs.remove_torn_files(out)
        old = out / jobs.PREDICTIONS
        work = out / jobs.RETRY
        label_set = labeler.label_set
        tried = sum(1 for item, line in beside(reports(), old) if _open(item, line, label_set))
        counts = manifest["counts"]
        if not tried:
            if work.is_dir():
                shutil.rmtree(work)
            return _retried(0, 0, counts, began)
        size = _claim(work, job, manifest, sha256_file(old), shard_rows)
        again = (
            item for item, line in beside(reports(), old) if _open(item, line, label_set)
        )  # opened by the loop, shard by shard
        rows, _ = label_all(labeler, again, work / jobs.PARTS, size, tried)
        parts = part_lines(work / jobs.PARTS, label_set, rows)
        lines = _joined(beside(reports(), old), parts, label_set)
        merged = write_results(work, label_set, lines, id_column=id_column, expected=counts["rows"])
        before = [manifest["labeler"], *(r["labeler"] for r in manifest.get("retries", ()))]
        said = merged.to_json()
        said |= compare_readers(work, label_set, [*before, job.labeler], id_column=id_column)
        new = {
            "rows": counts["rows"],
            "labeled": merged.labeled,
            "rejected": merged.rejected,
            "undetermined": merged.undetermined,
        }
        done = _retried(tried, merged.labeled - counts["labeled"], new, began)
        note = {
            "labeler": job.to_json()["labeler"],
            "rows": done.tried,
            "labeled": done.labeled_now,
            "versions": dict(versions()),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(done.seconds, 3),
        }
        changed = {
            "counts": new,
            **said,
            "outputs": outputs(work, label_set),
            "retries": [*manifest.get("retries", []), note],
        }
        write_json(work / jobs.MANIFEST, manifest | changed)
        jobs.move_up(out)
    return done


def beside(items: Iterable[Item], predictions: Path) -> Iterator[tuple[Item, Line | None]]:
    """Every input row with its line of ``predictions.jsonl``, or ``None`` if it has none.

    Both are in input order, and ids of reports are unique, so one pass over each does.

    Raises:
        InputError: the inputs do not hold the rows of the result.
        OutputError: a line is damaged.
    """
    lines = lines_of(predictions)
    line = next(lines, None)
    for item in items:
        if line is not None and isinstance(item, Report) and item.id == line[1]["id"]:
            yield item, line
            line = next(lines, None)
        else:
            yield item, None
    if line is not None:
        raise InputError(
            "the inputs do not hold the rows of the result, or not in its order",
            remedy="give the inputs and flags that it was made with",
            source=predictions,
        )


def _open(item: Item, line: Line | None, label_set: LabelSet) -> bool:
    """Whether a row can be tried: a report without a whole answer."""
    return isinstance(item, Report) and (line is None or not complete(line[1], label_set))


def _joined(
    rows: Iterable[tuple[Item, Line | None]], again: Iterator[Line], label_set: LabelSet
) -> Iterator[Line]:
    """All lines of the new result: old ones untouched, new ones where rows were tried."""
    for item, line in rows:
        if isinstance(item, Reject):
            value = item.to_json()
            yield dumps(value) + "\n", value
        elif line is not None and complete(line[1], label_set):
            yield line
        else:
            new = next(again)
            yield new
            if LABELS in new[1] and not complete(new[1], label_set):
                yield next(again)


def _claim(
    work: Path, job: jobs.Job, manifest: Mapping[str, Any], predictions: str, shard_rows: int
) -> int:
    """Begin or resume in ``work``; return the rows per shard.

    What an earlier retry left there that this result did not come from is removed.
    """
    if manifest["outputs"].get(jobs.PREDICTIONS) != predictions:
        raise OutputError(
            f"{jobs.PREDICTIONS} is not what {manifest.get('finished')} wrote",
            remedy="restore it, or label again into another --out",
            source=work.parent,
        )
    options = {**job.options, "retry_of": predictions}
    mine = jobs.Job(job.labeler, job.label_set_sha256, job.inputs, options)
    with writing(work):
        if jobs.begun_with(work).get("retry_of") != predictions and work.is_dir():
            shutil.rmtree(work)
        work.mkdir(exist_ok=True)
        size = jobs.begin(work, mine, shard_rows=shard_rows)
        (work / jobs.PARTS).mkdir(exist_ok=True)
        jobs.remove_torn_files(work)
    return size


def _retried(tried: int, now: int, counts: Mapping[str, int], began: float) -> Retried:
    return Retried(
        tried=tried,
        labeled_now=now,
        rows=counts["rows"],
        labeled=counts["labeled"],
        rejected=counts["rejected"],
        seconds=time.monotonic() - began,
    )


def _nothing(out: Path) -> ConfigError:
    return ConfigError(
        "there is no finished result whose rejects could be tried again",
        remedy="run the command without --retry-rejects first",
        source=out,
    )
