"""What the page is made from: scores, intervals and tests of one comparison, ready to be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

import labelwright
from eval.certainty import LEVELS, Scores, applicable, gold_counts, score
from eval.counts import CLASSES, MENTION, TASKS, Bools
from eval.equivalence import Equivalence
from eval.load import Comparison
from eval.plots import Estimate
from eval.significance import Difference, Interval, Pair, Settings, Several, Significance, compare
from labelwright.errors import ConfigError
from labelwright.records import Certainty

METRICS: Mapping[str, tuple[str, str]] = {
    "chexbert_all": (
        "weighted F1",
        "per observation the F1 of positive, negative and uncertain extraction, weighted by how "
        "often the gold has each (CheXbert's definition, Smit et al. 2020)",
    ),
    "chexbert_posneg": (
        "weighted F1 (positive, negative)",
        "per observation the F1 of positive and negative extraction, weighted by how often the "
        "gold has each (CheXbert's definition, Smit et al. 2020)",
    ),
    "paper_all": (
        "task-weighted F1",
        "per observation the mean over positive, negative and uncertain extraction of the F1 "
        "of the certainty and of the rest, weighted by their share (Abdullah & Kim 2025)",
    ),
    "paper_posneg": (
        "task-weighted F1 (positive, negative)",
        "per observation the mean over positive and negative extraction of the F1 of the "
        "certainty and of the rest, weighted by their share (Abdullah & Kim 2025)",
    ),
    "macro_f1_positive": ("F1 of positive", "F1 of positive extraction per observation"),
    "macro_f1_negative": ("F1 of negative", "F1 of negative extraction per observation"),
    "macro_f1_uncertain": ("F1 of uncertain", "F1 of uncertain extraction per observation"),
    "macro_f1_mention": ("F1 of mention", "F1 of anything but blank per observation"),
    "kappa": ("Cohen's κ", "Cohen's κ over the certainties per observation"),
    "accuracy": ("accuracy", "share of reports with the gold's certainty per observation"),
}
"""The scores that a verdict can be about, with a short name and a definition; each is a mean
over the observations."""

SHOWN = ("paper_all", "paper_posneg", *(f"macro_f1_{task}" for task in TASKS))
"""What the page shows besides the metric of the verdict."""

FEW_CLUSTERS = 30
"""Below this the bootstrap's intervals are too narrow to be taken at their word."""

Marks = tuple[Estimate | None, ...]
"""The mean over observations, then one value per observation; ``None``: not defined."""


@dataclass(frozen=True, eq=False)
class Analysis:
    """All numbers of one comparison; the reference is the first labeler.

    Attributes:
        metric: the score that the verdict is about, one of :data:`METRICS`.
        scores: point scores per labeler.
        tests: intervals and tests; a pair's differences are its first labeler minus its second.
    """

    comparison: Comparison
    metric: str
    scores: Mapping[str, Scores]
    tests: Significance

    @property
    def reference(self) -> str:
        """The labeler that the others are compared with."""
        return self.comparison.names[0]

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The reference against each other labeler."""
        return tuple(pair for pair in self.tests.pairs if pair.a == self.reference)

    @property
    def several(self) -> Several | None:
        """Tests of three and more labelers; ``None`` with fewer, or a single observation."""
        if len(self.comparison.observations) < 2:
            return None
        return self.tests.several.get(self.metric)

    @property
    def short(self) -> str:
        """The metric per observation in two or three words."""
        return METRICS[self.metric][0]

    @property
    def definition(self) -> str:
        """What the metric is, without a full stop."""
        return METRICS[self.metric][1]

    @property
    def enough(self) -> bool:
        """Whether there are two clusters, without which no interval or test has a meaning."""
        return self.tests.clusters > 1

    @property
    def measurable(self) -> bool:
        """Whether the gold has a case that the metric is about.

        Without one the metric follows the rule for undefined scores, and equal values of two
        labelers say nothing about them.
        """
        gold = gold_counts(self.comparison) > 0
        if self.metric == "kappa":
            return bool((gold.sum(axis=1) > 1).any())
        family, _, part = self.metric.rpartition("_")
        if family not in ("chexbert", "macro_f1"):
            return True
        wanted = LEVELS.get(part, (part,)) if part != MENTION else LEVELS["all"]
        return bool(gold[:, [CLASSES.index(Certainty(c)) for c in wanted]].any())

    def marks(self, labeler: str, statistic: str) -> Marks:
        """A labeler's scores with their intervals."""
        hidden = _undefined(self.comparison, self.scores[labeler], statistic)
        return self._marks(self.tests.intervals[labeler][statistic], hidden)

    def changes(self, pair: Pair, statistic: str) -> Marks:
        """Differences of a pair; ``None`` where the score is defined for neither of them."""
        hidden = [_undefined(self.comparison, self.scores[n], statistic) for n in (pair.a, pair.b)]
        return self._marks(pair.differences[statistic].interval, hidden[0] & hidden[1])

    def mean(self, labeler: str) -> Estimate:
        """A labeler's mean of the metric over the observations."""
        return self.marks(labeler, self.metric)[0] or Estimate(0.0)

    def change(self, pair: Pair) -> Estimate:
        """The difference of a pair's means of the metric."""
        return self.changes(pair, self.metric)[0] or Estimate(0.0)

    def test(self, pair: Pair) -> Difference:
        """The tests of a pair's metric."""
        return pair.differences[self.metric]

    def equivalence(self, pair: Pair) -> Equivalence | None:
        """The tests against the margin; ``None`` where the data cannot bear them."""
        bears = self.measurable and self.tests.clusters >= FEW_CLUSTERS
        return self.test(pair).equivalence if bears else None

    def detectable(self, pair: Pair) -> float | None:
        """The smallest true difference found with 80 % power; ``None`` where nothing varies."""
        return (self.test(pair).detectable or None) if self.enough else None

    def p(self, pair: Pair) -> float:
        """P value of the metric's mean, Holm-adjusted over all pairs of labelers."""
        return self.tests.holm_over_pairs[self.metric][self.tests.pairs.index(pair)]

    def signature(
        self, metric: str | None = None, *, intervals: bool = True, tests: bool = False
    ) -> str:
        """One line that names every choice behind a score, to be quoted beside it."""
        c, s = self.comparison, self.tests.settings
        parts = [
            f"score:{metric or self.metric}",
            f"set:{c.label_set.name}/{c.label_set.version}",
            f"observations:{len(c.observations)}",
            f"n:{len(c.ids)}",
            f"{'patients' if self.tests.clustered else 'reports'}:{self.tests.clusters}",
            f"undefined:{s.undefined}",
            f"missing:{c.missing}",
        ]
        if intervals:
            parts += [f"interval:bca{s.level * 100:g}", f"resamples:{s.resamples}"]
        if tests:
            parts.append(f"permutations:{s.permutations}")
        if intervals or tests:
            parts.append(f"seed:{s.seed}")
        return "|".join([*parts, f"labelwright:{labelwright.__version__}"])

    def _marks(self, interval: Interval, hidden: Bools) -> Marks:
        found: list[Estimate | None] = []
        for value, low, high, gone in zip(
            interval.estimate, interval.low, interval.high, [False, *hidden], strict=True
        ):
            some = (
                Estimate(float(value), float(low), float(high))
                if self.enough
                else Estimate(float(value))
            )
            found.append(None if gone else some)
        return tuple(found)


def analyse(
    comparison: Comparison,
    settings: Settings,
    *,
    metric: str,
    reference: str | None = None,
    all_pairs: bool = True,
) -> Analysis:
    """Score every labeler and test all pairs, the reference (the first by default) in front.

    Args:
        settings: as for :func:`eval.significance.compare`; its statistics are replaced.
        all_pairs: test all pairs, or only the reference against each other labeler.

    Raises:
        ConfigError: reference or metric is unknown, the margin is not between 0 and 1, there
            are too few resamples, or no report is left to score.
    """
    if metric not in METRICS:
        raise ConfigError(f"unknown metric {metric!r}", remedy=f"use one of: {', '.join(METRICS)}")
    if settings.margin is not None and not 0 < settings.margin < 1:
        raise ConfigError(
            f"margin {settings.margin:g} is not between 0 and 1",
            remedy="give the largest loss of the score that is still acceptable, such as 0.02",
        )
    if not comparison.ids:
        raise ConfigError(
            "no report is left to score", remedy="check the ids, or keep --missing error"
        )
    first = comparison.names[0] if reference is None else reference
    if first not in comparison.pred:
        raise ConfigError(
            f"--reference {first!r} is none of the labelers",
            remedy=f"use one of: {', '.join(comparison.names)}",
        )
    ordered = replace(
        comparison,
        pred={first: comparison.pred[first], **comparison.pred},
    )
    shown = tuple(dict.fromkeys((metric, *SHOWN)))
    return Analysis(
        comparison=ordered,
        metric=metric,
        scores={n: score(ordered, n, undefined=settings.undefined) for n in ordered.names},
        tests=compare(
            ordered,
            settings=replace(settings, statistics=shown),
            reference=None if all_pairs else first,
        ),
    )


def _undefined(comparison: Comparison, scores: Scores, statistic: str) -> Bools:
    """Observations where the statistic follows the rule for undefined scores, not the data."""
    family, _, part = statistic.rpartition("_")
    if family == "macro_f1":
        return scores.tasks[part].undefined | ~applicable(comparison, part)
    if family == "chexbert":
        return scores.chexbert[part].undefined
    if statistic == "kappa":
        return scores.kappa.undefined
    return np.zeros(len(comparison.observations), dtype=bool)
