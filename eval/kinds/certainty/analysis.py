"""What the page is made from: scores, intervals and tests of one comparison, ready to be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from eval.kinds.certainty.load import Comparison
from eval.kinds.certainty.scores import LEVELS, Scores, applicable, gold_counts, score
from eval.stats.counts import CLASSES, MENTION, TASKS, Bools
from eval.stats.significance import Settings, compare
from eval.stats.tested import Tested, check_settings, checked_reference
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


@dataclass(frozen=True, eq=False)
class Analysis(Tested):
    """All numbers of one comparison of labels of certainty.

    Attributes:
        metric: one of :data:`METRICS`.
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
        return _undefined(self.comparison, self.scores[labeler], statistic)


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
        settings: as for :func:`eval.stats.significance.compare`; its statistics are replaced.
        all_pairs: test all pairs, or only the reference against each other labeler.

    Raises:
        ConfigError: reference or metric is unknown, the margin is not between 0 and 1, there
            are too few resamples, or no report is left to score.
    """
    check_settings(settings, metric, tuple(METRICS))
    first = checked_reference(comparison, reference)
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
