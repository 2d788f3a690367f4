"""The loop of a labeling run: every shard that is not done is labeled and stored, with progress."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from inference.runs.ask import Result
from inference.runs.interrupt import patient
from inference.runs.repeats import Repeats
from inference.runs.shards import Item, Shard, cut, label_shard, part_path, write_part
from labelwright.errors import InputError
from labelwright.labelers.base import ReportLabeler
from labelwright.runtime.progress import heard, progress_bar
from labelwright.text.amounts import amount


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
