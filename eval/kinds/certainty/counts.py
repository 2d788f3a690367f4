"""Counts of certainties, and the formulas of their scores on summed counts.

One report × observation is one cell of a 4 × 5 table: gold certainty (positive, negative,
uncertain, blank) × answer (the same, then undetermined). Tables of any set of reports add up,
so that a resample is a weighted sum and nothing is ever scored report by report.

An undetermined or missing answer is in no class: it is missed where the gold has the class,
and earns no credit as a true negative elsewhere. This is scikit-learn's result when the answer
is a class of its own that is not among ``labels``. All arrays may have leading resample axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from eval.stats.counts import Bools, Counts, Floats, ratio
from labelwright.records import Certainty

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


def report_counts(gold: NDArray[np.int8], pred: NDArray[np.int8]) -> NDArray[np.int8]:
    """One table per report × observation: int8 ``[reports, observations, 4, 5]``, one 1 each."""
    number = cells(gold, pred)
    one_hot = number[..., None] == np.arange(GOLD * ANSWERS, dtype=np.int8)
    table: NDArray[np.int8] = one_hot.view(np.int8).reshape(*number.shape, GOLD, ANSWERS)
    return table


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


def f1_of(task: TaskCounts, otherwise: float = 0.0) -> Floats:
    """F1 of the class: twice the hits over gold plus answers, ``[..., observations]``."""
    return ratio(2 * task.tp, task.support + task.predicted, otherwise)


def f1_undefined(task: TaskCounts) -> Bools:
    """Where neither gold nor answers have the class."""
    result: Bools = (task.support + task.predicted) == 0
    return result


def weighted_f1(task: TaskCounts) -> Floats:
    """F1 of the class and of the rest, averaged by their share of the gold.

    Equals scikit-learn's ``f1_score(average="weighted", labels=[0, 1])``; an F1 that is
    undefined has no gold and so no weight.
    """
    inside, outside = task.support, task.fp + task.tn + task.void
    rest = ratio(2 * task.tn, outside + task.tn + task.fn - task.missed, 0.0)
    return ratio(inside * f1_of(task) + outside * rest, inside + outside, 0.0)


def paper_f1(counts: Counts, tasks: Sequence[str]) -> Floats:
    """Plain mean over the tasks of the weighted F1 per observation (Abdullah & Kim 2025)."""
    result: Floats = np.mean([weighted_f1(task_counts(counts, t)) for t in tasks], axis=0)
    return result


def chexbert_f1(counts: Counts, tasks: Sequence[str], otherwise: float = 0.0) -> Floats:
    """F1 of the tasks averaged by their gold support per observation (Smit et al. 2020)."""
    tables = [task_counts(counts, t) for t in tasks]
    support = np.stack([t.support for t in tables])
    scores = np.stack([f1_of(t) for t in tables])
    return ratio((support * scores).sum(axis=0), support.sum(axis=0), otherwise)


def chexbert_undefined(counts: Counts, tasks: Sequence[str]) -> Bools:
    """Where the gold has none of the tasks' certainties."""
    result: Bools = np.sum([task_counts(counts, t).support for t in tasks], axis=0) == 0
    return result


def accuracy(counts: Counts) -> Floats:
    """Share of answers that equal the gold, ``[..., observations]``."""
    return ratio(_hits(counts), counts.sum(axis=(-2, -1)), 0.0)


def kappa(counts: Counts, otherwise: float = 0.0) -> Floats:
    """Cohen's κ per observation; undetermined answers are a class that the gold never has."""
    observed, expected = accuracy(counts), _expected(counts)
    return ratio(observed - expected, 1.0 - expected, otherwise)


def kappa_undefined(counts: Counts) -> Bools:
    """Where gold and answers are all of one and the same class."""
    return _expected(counts) >= 1.0


def _hits(counts: Counts) -> Counts:
    result: Counts = np.trace(counts, axis1=-2, axis2=-1)
    return result


def _expected(counts: Counts) -> Floats:
    table = np.asarray(counts, dtype=np.float64)
    size = table.sum(axis=(-2, -1))
    gold = table.sum(axis=-1)
    answers = table.sum(axis=-2)[..., :4]
    return ratio((gold * answers).sum(axis=-1), size * size, 0.0)
