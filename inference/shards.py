"""Shards: a fixed number of input rows, labeled together, stored in one file or not at all.

A part's file appears by an atomic rename after its bytes are on disk, so its existence
means that its rows are done. It holds, in input order, the finished lines of
``predictions.jsonl`` and ``rejects.jsonl``; a prediction that leaves an observation
undetermined is followed by its reject.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from labelwright.errors import LabelwrightError
from labelwright.jsonl import atomic_write, dumps
from labelwright.labeler import ReportLabeler
from labelwright.records import Prediction, Reject, Report

Item = Report | Reject
Result = Prediction | Reject


@dataclass(frozen=True)
class Shard:
    """Rows ``start`` (counted from 0) and following; ``index`` names its part file."""

    index: int
    start: int
    items: Sequence[Item]


def cut(items: Iterable[Item], rows: int) -> Iterator[Shard]:
    """Cut a stream into shards of ``rows``; the last may be shorter."""
    stream = iter(items)
    index = 0
    while block := list(islice(stream, rows)):
        yield Shard(index, index * rows, block)
        index += 1


def part_path(folder: Path, index: int) -> Path:
    """Where the shard's rows are stored."""
    return folder / f"{index:08d}.jsonl"


def label_shard(labeler: ReportLabeler, shard: Shard) -> list[Result]:
    """Label the reports of a shard; one result per item, in order.

    Reports with the same text are labeled once. Their copies bear zero seconds, so that
    times still add up.

    Raises:
        LabelwrightError: the labeler failed; the message names rows, never text.
    """
    first: dict[object, int] = {}
    reports: list[Report] = []
    place: list[tuple[Item, int]] = []
    for item in shard.items:
        if isinstance(item, Reject):
            place.append((item, -1))
            continue
        known = first.setdefault((item.text, item.sections), len(reports))
        if known == len(reports):
            reports.append(item)
        place.append((item, known))
    answers = _ask(labeler, reports, shard) if reports else []
    return [
        item if isinstance(item, Reject) else _own(answers[known], reports[known], item)
        for item, known in place
    ]


def write_part(folder: Path, shard: Shard, results: Sequence[Result]) -> None:
    """Store a labeled shard, whole or not at all.

    Raises:
        OutputError: the part cannot be written.
    """
    with atomic_write(part_path(folder, shard.index)) as handle:
        for item, result in zip(shard.items, results, strict=True):
            handle.write(dumps(result.to_json()) + "\n")
            if isinstance(result, Prediction) and not result.complete:
                handle.write(dumps(_undetermined(item, result).to_json()) + "\n")


def _ask(labeler: ReportLabeler, reports: list[Report], shard: Shard) -> list[Result]:
    rows = f"rows {shard.start + 1} to {shard.start + len(shard.items)}"
    try:
        answers = labeler.label_reports(reports)
    except LabelwrightError:
        raise
    except Exception as error:  # its message may quote a report: only its type is shown
        out_of_memory = isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__
        raise LabelwrightError(
            f"{labeler.name} failed on {rows} with {type(error).__name__}",
            remedy="run the same command again with a smaller --batch-size"
            if out_of_memory
            else "finished rows are kept; --debug shows where (it may show report text)",
        ) from error
    if [answer.id for answer in answers] != [report.id for report in reports]:
        raise LabelwrightError(
            f"{labeler.name} did not answer every report of {rows} once and in order",
            remedy="mend the labeler: label_reports returns one result per report",
        )
    return answers


def _own(answer: Result, asked: Report, item: Report) -> Result:
    if asked is item:
        return answer
    if isinstance(answer, Reject):
        return replace(answer, id=item.id, source=item.source, row=item.row)
    return replace(answer, id=item.id, seconds=None if answer.seconds is None else 0.0)


def _undetermined(item: Item, prediction: Prediction) -> Reject:
    """Problems by kind only: what follows the colon stays in ``predictions.jsonl``."""
    kinds = dict.fromkeys(problem.partition(":")[0] for problem in prediction.problems)
    reason = f"not every observation is determined ({', '.join(kinds) or 'no problem named'})"
    return Reject(prediction.id, item.source, item.row, reason)
