"""What the page of certainties is made from: scores, intervals and tests of one comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from eval.kinds.certainty.counts import CLASSES, MENTION, TASKS, report_counts
from eval.kinds.certainty.metrics import METRICS
from eval.kinds.certainty.read import Comparison
from eval.kinds.certainty.scores import LEVELS, Scores, applicable, gold_counts, score, statistics
from eval.stats.counts import Bools
from eval.stats.paired import mcnemar
from eval.stats.significance import CompareSettings
from eval.stats.tested import Counted, Tested
from labelwright.records import Certainty

SHOWN = ("paper_all", "paper_posneg", *(f"macro_f1_{task}" for task in TASKS))
"""What the page shows besides the metric of the verdict."""


@dataclass(frozen=True, eq=False)
class Analysis(Tested):
    """All numbers of one comparison of labels of certainty.

    Attributes:
        metric: one of :data:`eval.kinds.certainty.metrics.METRICS`.
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
