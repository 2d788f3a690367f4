"""Scores of certainty labels: counts per report, formulas on their sums, one comparison's numbers.

One report × observation is one cell of a 4 × 5 table: gold certainty (positive, negative,
uncertain, blank) × answer (the same, then undetermined). Tables of any set of reports add up,
so that a resample is a weighted sum and nothing is ever scored report by report. An undetermined
or missing answer is in no class: it is missed where the gold has the class, and earns no credit
as a true negative elsewhere, which is scikit-learn's result when the answer is a class of its own
that is not among ``labels``. All arrays may have leading resample axes.

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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache, partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from eval.kinds.certainty import METRICS
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
from eval.stats.paired import mcnemar
from eval.stats.significance import CompareSettings, Counted
from eval.stats.tested import Tested
from labelwright.records import Certainty
from labelwright.tasks.shapes import Statistic

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


def report_counts(gold: NDArray[np.int8], pred: NDArray[np.int8]) -> NDArray[np.int8]:
    """One table per report × observation: int8 ``[reports, observations, 4, 5]``, one 1 each."""
    number = (gold * ANSWERS + np.where(pred < 0, UNDETERMINED, pred)).astype(np.int8)
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
    return ratio(np.trace(counts, axis1=-2, axis2=-1), counts.sum(axis=(-2, -1)), 0.0)


def kappa(counts: Counts, otherwise: float = 0.0) -> Floats:
    """Cohen's κ per observation; undetermined answers are a class that the gold never has."""
    observed, expected = accuracy(counts), _expected(counts)
    return ratio(observed - expected, 1.0 - expected, otherwise)


def kappa_undefined(counts: Counts) -> Bools:
    """Where gold and answers are all of one and the same class."""
    return _expected(counts) >= 1.0


def _expected(counts: Counts) -> Floats:
    table = np.asarray(counts, dtype=np.float64)
    size = table.sum(axis=(-2, -1))
    gold = table.sum(axis=-1)
    answers = table.sum(axis=-2)[..., :4]
    return ratio((gold * answers).sum(axis=-1), size * size, 0.0)


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
        tasks: by name, see :data:`TASKS`.
        chexbert: CheXbert's weighted F1 by level (``all``, ``posneg``).
        paper: the paper's weighted F1 by level: its Table 1 and Table 2.
        kappa: Cohen's κ over the four certainties, undetermined answers as a fifth.
        accuracy: share of reports with the gold's certainty, ``[observations]`` and mean.
        exact_match: share of reports with every observation right.
        confusion: gold × answer, int64 ``[observations, 4, 5]``; last column undetermined.
    """

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
    """Gold reports per observation and certainty, int64 ``[observations, 4]``."""
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


SHOWN = ("paper_all", "paper_posneg", *(f"macro_f1_{task}" for task in TASKS))
"""What the page shows besides the metric of the verdict."""


@dataclass(frozen=True, eq=False)
class Analysis(Tested):
    """All numbers of one comparison of labels of certainty.

    Attributes:
        metric: one of :data:`eval.kinds.certainty.METRICS`.
        scores: point scores per labeler.
    """

    comparison: Comparison
    scores: Mapping[str, Scores]

    unit: ClassVar[tuple[str, str]] = ("observation", "observations")

    @property
    def parts(self) -> tuple[str, ...]:
        """The observations."""
        return self.comparison.observations

    @property
    def short(self) -> str:
        """The metric per observation in two or three words."""
        return METRICS[self.metric][0]

    @property
    def definition(self) -> str:
        """What the metric is, without a full stop."""
        return METRICS[self.metric][1]

    @property
    def headline(self) -> str:
        """The metric over all observations: always a mean."""
        return f"mean {self.short}"

    @property
    def unscored(self) -> tuple[str, ...]:
        """Observations that the gold has no column for."""
        return self.comparison.unscored

    @property
    def measurable(self) -> bool:
        """Whether the gold has a case that the metric is about."""
        gold = gold_counts(self.comparison) > 0
        if self.metric == "kappa":
            return bool((gold.sum(axis=1) > 1).any())
        family, _, part = self.metric.rpartition("_")
        if family not in ("chexbert", "macro_f1"):
            return True
        wanted = LEVELS.get(part, (part,)) if part != MENTION else LEVELS["all"]
        return bool(gold[:, [CLASSES.index(Certainty(c)) for c in wanted]].any())

    def hidden(self, labeler: str, statistic: str) -> Bools:
        """Observations where the statistic follows the rule for undefined scores, not the data."""
        scores = self.scores[labeler]
        family, _, part = statistic.rpartition("_")
        if family == "macro_f1":
            return scores.tasks[part].undefined | ~applicable(self.comparison, part)
        if family == "chexbert":
            return scores.chexbert[part].undefined
        if statistic == "kappa":
            return scores.kappa.undefined
        return np.zeros(len(self.parts), dtype=bool)


def counted(comparison: Comparison, settings: CompareSettings, metric: str) -> Counted:
    """Count the cells of every report: :meth:`eval.kinds.base.KindView.counted`."""
    gold, pred, undefined = comparison.gold, comparison.pred, settings.undefined
    counts = {name: report_counts(gold, codes) for name, codes in pred.items()}
    scores = {n: score(comparison, n, undefined=undefined, counts=c) for n, c in counts.items()}
    return Counted(
        lambda tests: Analysis(comparison, metric, tests, scores),
        counts,
        statistics(comparison, undefined=undefined),
        shown=SHOWN,
        right=lambda a, b: mcnemar(comparison.observations, gold, pred[a], pred[b]),
    )
