"""Equal texts are labeled once: the results of the latest texts, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from inference.runs.ask import Result, memory_shaped
from labelwright.records import Prediction, Reject, Report

ENTRIES = 4096
"""Texts remembered. A result with probabilities of 14 observations takes some 7 kB, so at most
about 30 MB; the texts themselves are not kept."""


class Repeats:
    """From text to result, for the ``entries`` texts that were asked for last.

    Results that lack of memory shaped are not remembered.
    """

    def __init__(self, entries: int = ENTRIES) -> None:
        self.entries = entries
        self._results: OrderedDict[bytes, Result] = OrderedDict()

    def get(self, key: bytes) -> Result | None:
        """The result of an equal text, if it is still remembered."""
        found = self._results.get(key)
        if found is not None:
            self._results.move_to_end(key)
        return found

    def put(self, key: bytes, result: Result) -> None:
        """Remember a result; the one that was not asked for the longest time gives way."""
        if memory_shaped(result) or not self.entries:
            return
        self._results[key] = result
        if len(self._results) > self.entries:
            self._results.popitem(last=False)


def own(answer: Result, item: Report) -> Result:
    """The answer to an equal text as that of ``item``; it took no time of its own."""
    if isinstance(answer, Reject):
        return Reject(item.id, item.source, item.row, answer.reason)
    return _renamed(answer, item.id)


def _renamed(answer: Prediction, identifier: str) -> Prediction:
    seconds = None if answer.seconds is None else 0.0
    return replace(answer, id=identifier, seconds=seconds, usage=None)
