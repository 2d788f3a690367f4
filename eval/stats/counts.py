"""Counts, the common currency: every score, interval and test is a function of summed counts.

One report × observation is one cell of a 4 × 5 table: gold certainty (positive, negative,
uncertain, blank) × answer (the same, then undetermined). Tables of any set of reports add up,
so that a resample is a weighted sum and nothing is ever scored report by report.

An undetermined or missing answer is in no class: it is missed where the gold has the class,
and earns no credit as a true negative elsewhere. This is scikit-learn's result when the answer
is a class of its own that is not among ``labels``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelwright.records import Certainty

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Counts = NDArray[Any]
"""Whole numbers ``[..., observations, 4, 5]``, integer or float dtype."""

CLASSES = tuple(Certainty)
GOLD, ANSWERS = 4, 5
UNDETERMINED = 4
MENTION = "mention"
TASKS = ("positive", "negative", "uncertain", MENTION)
"""The extraction tasks: one certainty against the rest; ``mention`` is all but blank."""


@dataclass(frozen=True, eq=False)
class TaskCounts:
    """One task as a 2 × 3 table: gold in the class or not × answer in, not in, undetermined.

    Each array is ``[..., observations]``. ``fn`` contains ``missed``: class members whose
    answer is undetermined. ``void``: the others whose answer is undetermined; no part of
    ``fp`` or ``tn``.
    """

    tp: Counts
    fp: Counts
    fn: Counts
    tn: Counts
    missed: Counts
    void: Counts

    @property
    def support(self) -> Counts:
        """Reports whose gold is in the class."""
        result: Counts = self.tp + self.fn
        return result

    @property
    def predicted(self) -> Counts:
        """Reports whose answer is in the class."""
        result: Counts = self.tp + self.fp
        return result


def cells(gold: NDArray[np.int8], pred: NDArray[np.int8]) -> NDArray[np.int8]:
    """Cell number ``gold * 5 + answer`` per report × observation; both ``[reports, obs]``."""
    answer = np.where(pred < 0, UNDETERMINED, pred)
    return (gold * ANSWERS + answer).astype(np.int8)


def report_counts(gold: NDArray[np.int8], pred: NDArray[np.int8]) -> NDArray[np.int32]:
    """One table per report × observation: int32 ``[reports, observations, 4, 5]``, one 1 each."""
    number = cells(gold, pred)
    one_hot = number[..., None] == np.arange(GOLD * ANSWERS, dtype=np.int8)
    table: NDArray[np.int32] = one_hot.astype(np.int32).reshape(*number.shape, GOLD, ANSWERS)
    return table


def cluster_counts(counts: Counts, clusters: NDArray[np.int64]) -> Counts:
    """Sum of the reports of each cluster: ``[clusters, ...]`` of ``[reports, ...]``.

    ``clusters`` are numbers from 0 without gaps, ``[reports]``.
    """
    size = int(clusters.max(initial=-1)) + 1
    if size == len(clusters):
        return counts
    summed = np.zeros((size, *counts.shape[1:]), dtype=counts.dtype)
    np.add.at(summed, clusters, counts)
    return summed


def task_counts(counts: Counts, task: str) -> TaskCounts:
    """The table of one of :data:`TASKS` from certainty tables ``[..., obs, 4, 5]``."""
    flat = counts.reshape(*counts.shape[:-2], GOLD * ANSWERS)
    summed = flat @ _membership(task).astype(counts.dtype)
    return TaskCounts(*(summed[..., i] for i in range(summed.shape[-1])))


@lru_cache(maxsize=len(TASKS))
def _membership(task: str) -> NDArray[np.int64]:
    """Which cells belong to each array of :class:`TaskCounts`, 0/1 ``[20, 6]``."""
    if task == MENTION:
        inside = [i for i, c in enumerate(CLASSES) if c is not Certainty.BLANK]
    else:
        inside = [CLASSES.index(Certainty(task))]
    outside = [i for i in range(GOLD) if i not in inside]
    parts = (
        (inside, inside),
        (outside, inside),
        (inside, [*outside, UNDETERMINED]),
        (outside, outside),
        (inside, [UNDETERMINED]),
        (outside, [UNDETERMINED]),
    )
    table = np.zeros((GOLD, ANSWERS, len(parts)), dtype=np.int64)
    for column, (gold, answers) in enumerate(parts):
        table[np.ix_(gold, answers, [column])] = 1
    return table.reshape(GOLD * ANSWERS, len(parts))
