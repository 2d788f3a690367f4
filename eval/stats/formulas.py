"""Formulas of the scores on summed counts; every array may have leading resample axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eval.stats.counts import Bools, Counts, Floats, TaskCounts, task_counts


def ratio(part: Counts, whole: Counts, otherwise: float) -> Floats:
    """``part / whole``, and ``otherwise`` where the whole is 0."""
    top = np.asarray(part, dtype=np.float64)
    bottom = np.asarray(whole, dtype=np.float64)
    out = np.full(np.broadcast_shapes(top.shape, bottom.shape), otherwise)
    np.divide(top, bottom, out=out, where=bottom > 0)
    return out


def f1(task: TaskCounts, otherwise: float = 0.0) -> Floats:
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
    return ratio(inside * f1(task) + outside * rest, inside + outside, 0.0)


def paper_f1(counts: Counts, tasks: Sequence[str]) -> Floats:
    """Plain mean over the tasks of the weighted F1 per observation (Abdullah & Kim 2025)."""
    result: Floats = np.mean([weighted_f1(task_counts(counts, t)) for t in tasks], axis=0)
    return result


def chexbert_f1(counts: Counts, tasks: Sequence[str], otherwise: float = 0.0) -> Floats:
    """F1 of the tasks averaged by their gold support per observation (Smit et al. 2020)."""
    tables = [task_counts(counts, t) for t in tasks]
    support = np.stack([t.support for t in tables])
    scores = np.stack([f1(t) for t in tables])
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


def mean(values: Floats, kept: Bools) -> Floats:
    """Mean over the last axis of the values that are ``kept``; 0 where none is."""
    shown = np.broadcast_to(kept, values.shape)
    return ratio(np.where(shown, values, 0.0).sum(axis=-1), shown.sum(axis=-1), 0.0)


def _hits(counts: Counts) -> Counts:
    result: Counts = np.trace(counts, axis1=-2, axis2=-1)
    return result


def _expected(counts: Counts) -> Floats:
    table = np.asarray(counts, dtype=np.float64)
    size = table.sum(axis=(-2, -1))
    gold = table.sum(axis=-1)
    answers = table.sum(axis=-2)[..., :4]
    return ratio((gold * answers).sum(axis=-1), size * size, 0.0)
