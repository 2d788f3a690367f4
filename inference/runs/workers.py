"""What a worker process is, wherever it runs: a labeler loaded once, shards in, results out.

Workers return their failures as values: an exception would take its traceback, which may quote a
report, into a log.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from inference.runs.shards import Repeats, Result, Shard, label_shard
from labelwright.errors import LabelwrightError
from labelwright.label_set import LabelSet
from labelwright.labelers.base import ReportLabeler
from labelwright.runtime.threads import quick_products, rare_collections, wait_asleep

Factory = Callable[[], tuple[ReportLabeler, str, int]]
"""Loads a labeler in a worker; also the sections it reads and the rows to store together."""
AHEAD = 2
"""Shards per worker on their way, so that none waits for the next."""


@dataclass(frozen=True)
class Failure:
    """What went wrong in a worker, as the line for the user; never with report text."""

    what: str
    remedy: str

    def error(self) -> LabelwrightError:
        """The same as an exception."""
        return LabelwrightError(self.what, remedy=self.remedy)


@dataclass(frozen=True)
class Introduction:
    """What a worker says of its labeler once that is loaded."""

    name: str
    label_set: LabelSet
    sections: str
    shard_rows: int
    description: Mapping[str, Any]
    machine: str


class Worker:
    """Runs in a process of its own, with a labeler that is loaded once.

    Args:
        flag: the flag without which the user sees more of an error.
    """

    def __init__(self, make: Factory, flag: str) -> None:
        # a cluster's workers do not inherit the environment of the command
        wait_asleep()
        quick_products()
        rare_collections()
        self._make = make
        self._flag = flag
        self._labeler: ReportLabeler | None = None
        self._repeats = Repeats()

    @property
    def ready(self) -> bool:
        """Whether the labeler is loaded."""
        return self._labeler is not None

    def introduce(self) -> Introduction | Failure:
        """Load the labeler and say what it is."""
        try:
            labeler, sections, shard_rows = self._make()
        except Exception as error:  # noqa: BLE001 - it would go into a log
            return self._failure(error, "a worker cannot load the labeler")
        self._labeler = labeler
        return Introduction(
            name=labeler.name,
            label_set=labeler.label_set,
            sections=sections,
            shard_rows=shard_rows,
            description=labeler.describe(),
            machine=platform.node(),
        )

    def label(self, shard: Shard) -> list[Result] | Failure:
        """Label one shard, as the batch runner does in one process."""
        try:
            if self._labeler is None:
                raise ValueError("not introduced")
            return label_shard(self._labeler, shard, self._repeats)
        except Exception as error:  # noqa: BLE001 - it would go into a log
            return self._failure(error, f"a worker failed on {rows_of(shard)}")

    def _failure(self, error: Exception, where: str) -> Failure:
        """Our own errors as they are; of others the type only, since they may quote a report."""
        if isinstance(error, LabelwrightError):
            source = "" if error.source is None else f"{error.source}: "
            return Failure(source + error.what, error.remedy)
        return Failure(
            f"{where} ({type(error).__name__})", f"run it without {self._flag} to see more"
        )


def rows_of(shard: Shard) -> str:
    """The shard's rows in words."""
    return f"rows {shard.start + 1} to {shard.start + len(shard.items)}"
