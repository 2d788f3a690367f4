"""Shards: a fixed number of input rows, labeled together, stored in one file or not at all.

Equal texts are labeled once. Where memory does not do for a block of reports, halves of it are
asked for.

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

from inference.decode.memory import free_memory, out_of_memory
from labelwright import kinds
from labelwright.errors import LabelwrightError
from labelwright.io.jsonl import atomic_write, dumps
from labelwright.labelers.base import ReportLabeler, key_of
from labelwright.labelers.recent import Recent
from labelwright.records import Prediction, Reject, Report

Item = Report | Reject
_COUNT = re.compile(r" \(\d+\)$")
Result = Prediction | Reject

HALVED = "out of memory: labeled in a smaller block"
"""Note of a prediction that came only when its block was halved."""
ALONE = "out of memory, even alone"
"""Reason of a report that the memory does not do for although it does for others."""
ENTRIES = 4096
"""Texts remembered. A result with probabilities of 14 observations takes some 7 kB, so at most
about 30 MB; the texts themselves are not kept."""


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


def ask(labeler: ReportLabeler, reports: Sequence[Report], rows: str) -> list[Result]:
    """One result per report, in order.

    A block that the memory does not do for is halved until it does; the predictions bear the
    note :data:`HALVED`, and a report that does not pass even alone is rejected.

    Args:
        rows: where the reports stand, for messages, e.g. ``rows 1 to 32``.

    Raises:
        LabelwrightError: the labeler failed, or not one report passed; never shows text.
    """
    results = _answers(labeler, reports, rows)
    if all(isinstance(result, Reject) and result.reason == ALONE for result in results):
        raise _failed(labeler, rows, "lack of memory", "with a smaller --batch-size")
    return results


def memory_shaped(result: Result) -> bool:
    """Whether lack of memory left its mark on a result, so that another try may be better."""
    if isinstance(result, Reject):
        return result.reason == ALONE
    return HALVED in result.notes


def _answers(labeler: ReportLabeler, reports: Sequence[Report], rows: str) -> list[Result]:
    try:
        answers = list(labeler.label_reports(reports))
    except LabelwrightError:
        raise
    except Exception as error:  # its message may quote a report: only its type is shown
        if not out_of_memory(error):
            raise _failed(labeler, rows, type(error).__name__) from error
    else:
        if [answer.id for answer in answers] != [report.id for report in reports]:
            raise LabelwrightError(
                f"{labeler.name} did not answer every report of {rows} once and in order",
                remedy="fix the labeler: label_reports returns one result per report",
            )
        return answers
    free_memory()  # only here is the error gone, and with it what its frames held
    if len(reports) == 1:
        return [Reject(reports[0].id, reports[0].source, reports[0].row, ALONE)]
    middle = len(reports) // 2
    halves = _answers(labeler, reports[:middle], rows) + _answers(labeler, reports[middle:], rows)
    return [_as_halved(result) for result in halves]


def _as_halved(result: Result) -> Result:
    if isinstance(result, Reject) or HALVED in result.notes:
        return result
    return replace(result, notes=(*result.notes, HALVED))


def _failed(
    labeler: ReportLabeler, rows: str, what: str, again: str | None = None
) -> LabelwrightError:
    return LabelwrightError(
        f"{labeler.name} failed on {rows} with {what}",
        remedy=f"run the same command again {again}"
        if again
        else "finished rows are kept; --debug shows where (it may show report text)",
    )


class Repeats:
    """From text to result, for the ``entries`` texts that were asked for last.

    Results that lack of memory shaped are not remembered.
    """

    def __init__(self, entries: int = ENTRIES) -> None:
        self.entries = entries
        self._results: Recent[Result] = Recent(entries)

    def get(self, key: bytes) -> Result | None:
        """The result of an equal text, if it is still remembered."""
        return self._results.get(key)

    def put(self, key: bytes, result: Result) -> None:
        """Remember a result."""
        if not memory_shaped(result):
            self._results.put(key, result)


def own(answer: Result, item: Report) -> Result:
    """The answer to an equal text as that of ``item``; it took no time of its own."""
    if isinstance(answer, Reject):
        return Reject(item.id, item.source, item.row, answer.reason)
    return _renamed(answer, item.id)


def _renamed(answer: Prediction, identifier: str) -> Prediction:
    seconds = None if answer.seconds is None else 0.0
    return replace(answer, id=identifier, seconds=seconds, usage=None)
