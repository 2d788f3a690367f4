"""Several processes of this machine as one labeler, for models that are too small for its cores.

The process that runs the command reads the reports and writes every file; the others label whole
shards. What a run writes does not depend on their number.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any

from inference.runs.shards import Result, Shard
from inference.runs.workers import AHEAD, Factory, Failure, Worker
from labelwright.errors import LabelwrightError
from labelwright.label_set import LabelSet
from labelwright.labelers.base import ReportLabeler
from labelwright.records import Report

FLAG = "--workers"
LEAST_ROWS = 4096
"""Fewer rows are labeled in one process. A second takes 0.4 CPU seconds to start, in which one
reads 50 to 110 reports; the rest is room for sentences that both read, and for cores that get busy.
"""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

_worker: Worker | None = None


def idle_cores(statistics: Path = Path("/proc/stat"), seconds: float = 0.2) -> int:
    """Cores that nobody uses just now, at least one.

    On Linux from what the cores did for a moment; elsewhere from the load of the last minute, which
    counts what has ended since too.
    """
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        before = _times(statistics)
        time.sleep(seconds)
        idle, whole = (
            after - start for after, start in zip(_times(statistics), before, strict=True)
        )
        free = mine * idle / whole
    except (OSError, ValueError, ZeroDivisionError):
        free = mine - (os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0)
    return max(1, round(free))


def fitting_workers(rows: int) -> int:
    """Processes for a labeler that another process may load: at most one per idle core."""
    return min(idle_cores(), rows // (LEAST_ROWS // 2)) if rows >= LEAST_ROWS else 1


def _times(statistics: Path) -> tuple[int, int]:
    """Idle time and all time of all cores together, in the system's ticks."""
    numbers = [int(n) for n in statistics.read_text().splitlines()[0].split()[1:9]]
    return numbers[3] + numbers[4], sum(numbers)


class Processes:
    """Implements ``ReportLabeler`` and the batch runner's ``ShardLabeler``.

    Args:
        own: the labeler of this process, which says what the others are.
        make: loads the same labeler in another process.
    """

    def __init__(self, own: ReportLabeler, make: Factory, workers: int) -> None:
        self._own = own
        self._make = make
        self._workers = workers

    @property
    def name(self) -> str:
        """What stands in ``Prediction.model``."""
        return self._own.name

    @property
    def label_set(self) -> LabelSet:
        """The observations it labels."""
        return self._own.label_set

    def describe(self) -> Mapping[str, Any]:
        """As the labeler itself; the number of processes is a matter of ``runtime`` only."""
        own = self._own.describe()
        return {**own, "runtime": {**own.get("runtime", {}), "workers": self._workers}}

    def label_reports(self, reports: Sequence[Report]) -> list[Result]:
        """Label a few reports in this process."""
        return list(self._own.label_reports(reports))

    def label_shards(self, shards: Iterator[Shard]) -> Iterator[tuple[Shard, Sequence[Result]]]:
        """Give every shard back once, with its results, in the order in which they are done.

        Only shards that a worker is free for are taken, so memory does not grow with their number.

        Raises:
            LabelwrightError: a worker failed or was killed; shards that are done are kept.
        """
        flying: dict[Future[list[Result] | Failure], Shard] = {}
        with _one_thread_each(), self._pool() as pool:
            try:
                for shard in shards:
                    flying[pool.submit(_label, shard)] = shard
                    if len(flying) >= AHEAD * self._workers:
                        yield from _done(flying)
                while flying:
                    yield from _done(flying)
            except BrokenProcessPool:
                raise LabelwrightError(
                    "a worker process was killed, most likely for lack of memory",
                    remedy=f"finished rows are kept: give the same command with a smaller {FLAG}",
                ) from None
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._workers,
            mp_context=get_context("spawn"),
            initializer=_begin,
            initargs=(self._make,),
        )


def _done(
    flying: dict[Future[list[Result] | Failure], Shard],
) -> Iterator[tuple[Shard, list[Result]]]:
    """Wait for the next shards that are done."""
    for future in wait(flying, return_when=FIRST_COMPLETED).done:
        answer = future.result()
        if isinstance(answer, Failure):
            raise answer.error()
        yield flying.pop(future), answer


def _begin(make: Factory) -> None:
    global _worker
    _worker = Worker(make, FLAG)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for reports for ever, its memory full."""
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


def _label(shard: Shard) -> list[Result] | Failure:
    """Runs in a worker; the labeler is loaded for its first shard."""
    assert _worker is not None  # noqa: S101 - the pool has begun it
    if not _worker.ready and isinstance(said := _worker.introduce(), Failure):
        return said
    return _worker.label(shard)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes that start within the block compute with one thread, unless the user said else."""
    mine = [name for name in THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(mine, "1"))
    try:
        yield
    finally:
        for name in mine:
            os.environ.pop(name, None)
