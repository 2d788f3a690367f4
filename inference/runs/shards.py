"""Shards: a fixed number of input rows, labeled together, stored in one file or not at all.

A part's file appears by an atomic rename after its bytes are on disk, so its existence
means that its rows are done. It holds, in input order, the finished lines of
``predictions.jsonl`` and ``rejects.jsonl``; a prediction that leaves an observation
undetermined is followed by its reject.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import cast

from inference.runs.ask import Result, ask
from inference.runs.repeats import Repeats, own
from labelwright import kinds
from labelwright.io.jsonl import atomic_write, dumps
from labelwright.labelers.base import ReportLabeler, key_of
from labelwright.records import Prediction, Reject, Report

Item = Report | Reject
_COUNT = re.compile(r" \(\d+\)$")


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


def label_shard(
    labeler: ReportLabeler, shard: Shard, repeats: Repeats | None = None
) -> list[Result]:
    """Label the reports of a shard; one result per item, in order.

    Reports with the same text are labeled once. Their copies bear zero seconds, so that
    times still add up.

    Args:
        repeats: results of earlier shards, which it uses and adds to.

    Raises:
        LabelwrightError: the labeler failed; the message names rows, never text.
    """
    known = Repeats(0) if repeats is None else repeats
    answers: dict[bytes, Result | None] = {}
    keys: list[bytes | None] = []
    asked: dict[bytes, Report] = {}
    for item in shard.items:
        if isinstance(item, Reject):
            keys.append(None)
            continue
        key = key_of(labeler, item)
        keys.append(key)
        if key not in answers:
            answers[key] = known.get(key)
            if answers[key] is None:
                asked[key] = item
    if asked:
        rows = f"rows {shard.start + 1} to {shard.start + len(shard.items)}"
        for key, answer in zip(asked, ask(labeler, [*asked.values()], rows), strict=True):
            answers[key] = answer
            known.put(key, answer)
    results: list[Result] = []
    for item, place in zip(shard.items, keys, strict=True):
        if isinstance(item, Reject) or place is None:
            results.append(cast(Reject, item))
        else:
            answer = cast(Result, answers[place])
            answer = answer if asked.get(place) is item else own(answer, item)
            results.append(_noted(answer, item))
    return results


def _noted(result: Result, report: Report) -> Result:
    """A prediction with what the report's reader was not sure of; answers are shared by texts."""
    if isinstance(result, Reject) or not report.notes:
        return result
    return replace(result, notes=(*report.notes, *result.notes))


def write_part(folder: Path, shard: Shard, results: Sequence[Result]) -> None:
    """Store a labeled shard, whole or not at all.

    Raises:
        OutputError: the part cannot be written.
    """
    with atomic_write(part_path(folder, shard.index)) as handle:
        handle.writelines(lines_for(shard.items, results))


def lines_for(items: Sequence[Item], results: Sequence[Result]) -> Iterator[str]:
    """The lines of a part: what came of each row."""
    for item, result in zip(items, results, strict=True):
        yield dumps(result.to_json()) + "\n"
        if isinstance(result, Prediction) and not result.complete:
            yield dumps(_undetermined(item, result).to_json()) + "\n"


def sort_of(problem: str) -> str:
    """A problem or note without what it is about and how often: ``chatter`` of ``chatter (3)``."""
    return _COUNT.sub("", problem.partition(":")[0])


def _undetermined(item: Item, prediction: Prediction) -> Reject:
    """Problems by kind only: what follows the colon stays in ``predictions.jsonl``."""
    sorts = dict.fromkeys(map(sort_of, prediction.problems))
    what = kinds.load(prediction.task).open_reason
    reason = f"{what} ({', '.join(sorts) or 'no problem named'})"
    return Reject(prediction.id, item.source, item.row, reason)
