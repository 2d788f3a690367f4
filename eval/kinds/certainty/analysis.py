"""What the page of certainties is made from: scores, intervals and tests of one comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from eval.kinds.certainty.counts import CLASSES, MENTION, TASKS, report_counts
from eval.kinds.certainty.metrics import METRICS
from eval.kinds.certainty.read import Comparison
from eval.kinds.certainty.scores import LEVELS, Scores, applicable, gold_counts, score, statistics
from eval.stats.counts import Bools, cluster_counts
from eval.stats.paired import mcnemar
from eval.stats.significance import CompareSettings, compare_counts
from eval.stats.tested import Tested, check_settings, checked_reference
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


def analyse(
    comparison: Comparison,
    settings: CompareSettings,
    *,
    metric: str,
    reference: str | None = None,
    all_pairs: bool = True,
) -> Analysis:
    """Score every labeler and test all pairs: :meth:`eval.kinds.base.KindView.analyse`.

    Raises:
        ConfigError: reference or metric is unknown, the margin is not between 0 and 1, there
            are too few resamples, or no report is left to score.
    """
    check_settings(settings, metric, tuple(METRICS))
    first = checked_reference(comparison, reference)
    ordered = replace(comparison, pred={first: comparison.pred[first], **comparison.pred})
    gold, pred, undefined = ordered.gold, ordered.pred, settings.undefined
    counts = {name: report_counts(gold, codes) for name, codes in pred.items()}
    return Analysis(
        comparison=ordered,
        metric=metric,
        scores={n: score(ordered, n, undefined=undefined, counts=c) for n, c in counts.items()},
        tests=compare_counts(
            {n: cluster_counts(c, ordered.cluster_index) for n, c in counts.items()},
            statistics(ordered, undefined=undefined),
            settings=replace(settings, statistics=tuple(dict.fromkeys((metric, *SHOWN)))),
            clustered=ordered.clusters is not None,
            reference=None if all_pairs else first,
            at_once=(metric,),
            right=lambda a, b: mcnemar(
                ordered.observations, gold, ordered.pred[a], ordered.pred[b]
            ),
        ),
    )
