"""Scores of certainty labels, all from summed counts (:mod:`eval.kinds.certainty.counts`).

Three F1 means stand side by side because the literature uses all three:

``f1``
    F1 of one extraction task, as in the CheXpert paper: the certainty is the class, all else
    is not; macro is the unweighted mean over observations, micro pools the counts.
``chexbert``
    CheXbert's weighted F1 per observation: the F1 of negative, uncertain and positive
    extraction, averaged with weights equal to the number of gold reports of each certainty
    (blank has none), then the unweighted mean over observations. Source: the evaluation code
    in github.com/stanfordmlgroup/CheXbert (``get_weighted_f1_weights`` and ``weighted_avg``;
    Smit et al. 2020, doi:10.18653/v1/2020.emnlp-main.117). Weights come from the gold that is
    scored. An F1 without gold and answers of the class counts 0, with weight 0.
``paper``
    The weighted F1 of Abdullah & Kim 2025 (doi:10.2196/68618): each task is a binary problem
    whose class F1 and rest F1 are averaged by their share of the gold (scikit-learn's
    ``average="weighted"``), then the plain mean over the tasks of the table, then over the
    observations. The paper does not spell this out. We read it so because its own tables fit
    nothing else: with ``t = positive + negative + uncertain`` a Table 1 value is ``t / 3`` and
    a Table 2 value ``(positive + negative) / 2``; ``3 * T1 - 2 * T2`` is then the uncertain
    task alone, which comes out as 1 (to rounding) for No Finding, never uncertain, in all
    three labelers. Negative extraction of No Finding counts 1 likewise, so the high values
    of rare certainties lift this mean; read it beside the other two.

**Undefined F1.** Without gold and without answers of the class, F1 is 0/0. The rule is a
parameter: ``zero`` (default, scikit-learn's) counts it as 0, ``one`` as 1, ``skip`` leaves it
out of the means. Whatever the rule, ``undefined`` marks the places; no score is ever NaN.
Precision (no answers) and recall (no gold) alone follow the same rule. A task that the
observation cannot take in the label set (negative for No Finding) is not ``applicable`` and
never part of a task's macro or micro mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
from numpy.typing import NDArray

from eval.kinds.certainty.counts import (
    CLASSES,
    MENTION,
    TASKS,
    TaskCounts,
    accuracy,
    chexbert_f1,
    chexbert_undefined,
    f1_of,
    f1_undefined,
    kappa,
    kappa_undefined,
    paper_f1,
    report_counts,
    task_counts,
)
from eval.kinds.certainty.read import Comparison
from eval.stats.counts import (
    FILL,
    Bools,
    Counts,
    Floats,
    Prf,
    Undefined,
    mean_of,
    ratio,
)
from labelwright.tasks.shapes import Statistic

LEVELS: Mapping[str, tuple[str, ...]] = {
    "all": ("positive", "negative", "uncertain"),
    "posneg": ("positive", "negative"),
}
"""The certainties of the paper's two tables: all levels, positive and negative only."""


@dataclass(frozen=True, eq=False)
class TaskScores:
    """One extraction task; arrays are ``[observations]``.

    ``support`` counts gold, ``predicted`` answers of the class; ``undefined`` marks an F1
    that follows the rule instead of the data.
    """

    task: str
    precision: Floats
    recall: Floats
    f1: Floats
    support: NDArray[np.int64]
    predicted: NDArray[np.int64]
    applicable: Bools
    undefined: Bools
    macro: Prf
    micro: Prf


@dataclass(frozen=True, eq=False)
class Averaged:
    """A score per observation ``[observations]`` and its mean; ``undefined`` as in the rule."""

    per_observation: Floats
    mean: float
    undefined: Bools


@dataclass(frozen=True, eq=False)
class Scores:
    """All scores of one labeler.

    Attributes:
        tasks: by name, see :data:`eval.stats.counts.TASKS`.
        chexbert: CheXbert's weighted F1 by level (``all``, ``posneg``).
        paper: the paper's weighted F1 by level: its Table 1 and Table 2.
        kappa: Cohen's κ over the four certainties, undetermined answers as a fifth.
        accuracy: share of reports with the gold's certainty, ``[observations]`` and mean.
        exact_match: share of reports with every observation right.
        confusion: gold × answer, int64 ``[observations, 4, 5]``; last column undetermined.
    """

    labeler: str
    observations: tuple[str, ...]
    reports: int
    undefined_rule: Undefined
    tasks: Mapping[str, TaskScores]
    chexbert: Mapping[str, Averaged]
    paper: Mapping[str, Averaged]
    kappa: Averaged
    accuracy: Averaged
    exact_match: float
    confusion: NDArray[np.int64]


def score(
    comparison: Comparison,
    labeler: str,
    *,
    undefined: Undefined = "zero",
    counts: Counts | None = None,
) -> Scores:
    """All scores of one labeler of a comparison.

    Args:
        counts: those of its reports, where they are known already.
    """
    pred = comparison.pred[labeler]
    every = report_counts(comparison.gold, pred) if counts is None else counts
    total = every.sum(axis=0, dtype=np.int64)
    right = comparison.gold == pred
    fill = FILL[undefined]

    def averaged(values: Floats, open_places: Bools | None = None) -> Averaged:
        places = np.zeros(values.shape, dtype=bool) if open_places is None else open_places
        return Averaged(values, float(mean_of(values, places, undefined)), places)

    return Scores(
        labeler=labeler,
        observations=comparison.observations,
        reports=len(comparison.ids),
        undefined_rule=undefined,
        tasks={
            task: _task_scores(task, total, applicable(comparison, task), undefined)
            for task in TASKS
        },
        chexbert={
            level: averaged(chexbert_f1(total, tasks, fill), chexbert_undefined(total, tasks))
            for level, tasks in LEVELS.items()
        },
        paper={level: averaged(paper_f1(total, tasks)) for level, tasks in LEVELS.items()},
        kappa=averaged(kappa(total, fill), kappa_undefined(total)),
        accuracy=averaged(accuracy(total)),
        exact_match=float(right.all(axis=1).mean()) if len(right) else 0.0,
        confusion=total,
    )


def gold_counts(comparison: Comparison) -> NDArray[np.int64]:
    """Gold reports per observation and certainty, int64 ``[observations, 4]``.

    The columns are positive, negative, uncertain, blank; divided by the number of reports
    they are the prevalences.
    """
    return np.stack([(comparison.gold == c).sum(axis=0) for c in range(len(CLASSES))], axis=1)


def applicable(comparison: Comparison, task: str) -> Bools:
    """Which observations can take the task's certainty in the label set, ``[observations]``."""
    if task == MENTION:
        return np.ones(len(comparison.observations), dtype=bool)
    by_name = comparison.label_set.by_name
    return np.array([task in by_name[name].certainties for name in comparison.observations])


def statistics(comparison: Comparison, *, undefined: Undefined = "zero") -> dict[str, Statistic]:
    """The scores that intervals and tests can be asked for, by name.

    ``macro_f1_<task>`` and ``micro_f1_<task>`` for each extraction task, ``paper_<level>`` and
    ``chexbert_<level>`` for each level, ``kappa``, ``accuracy``. Their values on all reports
    equal those of :func:`score`.
    """
    fill = FILL[undefined]
    found = {
        "kappa": _over_observations(lambda c: kappa(c, fill), kappa_undefined, undefined),
        "accuracy": _over_observations(accuracy, None, undefined),
    }
    for task in TASKS:
        mask = applicable(comparison, task)
        found[f"macro_f1_{task}"] = _task_f1(task, mask, undefined, pooled=False)
        found[f"micro_f1_{task}"] = _task_f1(task, mask, undefined, pooled=True)
    for level, tasks in LEVELS.items():
        found[f"paper_{level}"] = _over_observations(
            partial(paper_f1, tasks=tasks), None, undefined
        )
        found[f"chexbert_{level}"] = _over_observations(
            partial(chexbert_f1, tasks=tasks, otherwise=fill),
            partial(chexbert_undefined, tasks=tasks),
            undefined,
        )
    return {
        name: Statistic(
            name,
            ("pooled" if name.startswith("micro") else "mean", *comparison.observations),
            applicable(comparison, name.rpartition("_")[2] if "_f1_" in name else MENTION),
            of,
        )
        for name, of in found.items()
    }


def _task_scores(task: str, total: Counts, mask: Bools, rule: Undefined) -> TaskScores:
    table = task_counts(total, task)
    fill = FILL[rule]
    precision = ratio(table.tp, table.predicted, fill)
    recall = ratio(table.tp, table.support, fill)
    values = f1_of(table, fill)
    undefined = f1_undefined(table)
    pooled = _pooled(table, mask)
    return TaskScores(
        task=task,
        precision=precision,
        recall=recall,
        f1=values,
        support=table.support,
        predicted=table.predicted,
        applicable=mask,
        undefined=undefined,
        macro=Prf(
            precision=float(mean_of(precision, table.predicted == 0, rule, mask)),
            recall=float(mean_of(recall, table.support == 0, rule, mask)),
            f1=float(mean_of(values, undefined, rule, mask)),
        ),
        micro=Prf(
            precision=float(ratio(pooled.tp, pooled.predicted, fill)),
            recall=float(ratio(pooled.tp, pooled.support, fill)),
            f1=float(f1_of(pooled, fill)),
        ),
    )


def _pooled(table: TaskCounts, mask: Bools) -> TaskCounts:
    return TaskCounts(
        *((getattr(table, part.name) * mask).sum(axis=-1) for part in fields(TaskCounts))
    )


def _task_f1(
    task: str, mask: Bools, rule: Undefined, *, pooled: bool
) -> Callable[[Counts], Floats]:
    def of(counts: Counts) -> Floats:
        table = task_counts(counts, task)
        each = f1_of(table, FILL[rule])
        if pooled:
            first = f1_of(_pooled(table, mask), FILL[rule])
        else:
            first = mean_of(each, f1_undefined(table), rule, mask)
        return np.concatenate([first[..., None], each], axis=-1)

    return of


def _over_observations(
    each: Callable[[Counts], Floats],
    undefined: Callable[[Counts], Bools] | None,
    rule: Undefined,
) -> Callable[[Counts], Floats]:
    def of(counts: Counts) -> Floats:
        values = each(counts)
        places = np.zeros(values.shape, dtype=bool) if undefined is None else undefined(counts)
        return np.concatenate([mean_of(values, places, rule)[..., None], values], axis=-1)

    return of
