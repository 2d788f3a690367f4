"""What the page of entities is made from: scores, intervals and tests of one comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from eval.kinds.entities.counts import SpanCounts, borders, span_counts
from eval.kinds.entities.errors import Wrong, wrong_mentions
from eval.kinds.entities.metrics import CERTAINTY, METRICS, SCHEME_TEXT
from eval.kinds.entities.read import SpanComparison
from eval.kinds.entities.scores import SpanScores, schemes_of, span_scores, span_statistics
from eval.stats.counts import Bools
from eval.stats.significance import CompareSettings
from eval.stats.tested import Counted, Tested
from labelwright.errors import ConfigError


def parts_of(metric: str) -> tuple[str, str]:
    """``micro`` or ``macro``, and the scheme."""
    average, _, scheme = metric.partition("_f1_")
    return average, scheme


@dataclass(frozen=True, eq=False)
class SpanAnalysis(Tested):
    """All numbers of one comparison of entities.

    Attributes:
        metric: one of :data:`eval.kinds.entities.metrics.METRICS`.
        scores: point scores per labeler.
        counts: per labeler, one table per report.
        wrong: per labeler the wrong mentions of every report.
    """

    comparison: SpanComparison
    scores: Mapping[str, SpanScores]
    counts: Mapping[str, SpanCounts]
    wrong: Mapping[str, Sequence[Sequence[Wrong]]]

    unit: ClassVar[tuple[str, str]] = ("type", "types")

    @property
    def parts(self) -> tuple[str, ...]:
        """The types."""
        return self.comparison.types

    @property
    def schemes(self) -> tuple[str, ...]:
        """The schemes that gold and label set allow."""
        return tuple(self.scores[self.reference].schemes)

    @property
    def short(self) -> str:
        """The metric per type in two or three words."""
        return f"{SCHEME_TEXT[parts_of(self.metric)[1]][0]} F1"

    @property
    def headline(self) -> str:
        """The metric over all types."""
        average, scheme = parts_of(self.metric)
        return f"{SCHEME_TEXT[scheme][0]} {average} F1"

    @property
    def whole(self) -> str:
        """Name of the score over all types in tables."""
        return "All (micro)" if parts_of(self.metric)[0] == "micro" else "Mean"

    @property
    def definition(self) -> str:
        """What the metric is, without a full stop."""
        average, scheme = parts_of(self.metric)
        how = "pooled over the types" if average == "micro" else "as a mean over the types"
        return f"F1 of {SCHEME_TEXT[scheme][1]}, {how}"

    @property
    def measurable(self) -> bool:
        """Whether the gold has a mention at all."""
        return any(self.comparison.gold)

    def hidden(self, labeler: str, statistic: str) -> Bools:
        """Types that neither gold nor labeler has."""
        found = self.scores[labeler].schemes[parts_of(statistic)[1]].undefined
        return found[: len(self.parts)]


def counted(comparison: SpanComparison, settings: CompareSettings, metric: str) -> Counted:
    """Count mentions and words of every report: :meth:`eval.kinds.base.KindView.counted`.

    Raises:
        ConfigError: the metric cannot be computed from these files.
    """
    types, schemes = comparison.types, schemes_of_comparison(comparison)
    if parts_of(metric)[1] not in schemes:
        certain = parts_of(metric)[1] == CERTAINTY
        raise ConfigError(
            f"no {metric}, since {'the label set has no certainties' if certain else 'texts lack'}",
            remedy="choose another --metric" if certain else "give the texts with --reports FILE",
        )
    counts, wrong = matched(comparison)
    scores = {
        name: span_scores(table, name, types, schemes=schemes, undefined=settings.undefined)
        for name, table in counts.items()
    }
    return Counted(
        lambda tests: SpanAnalysis(comparison, metric, tests, scores, counts, wrong),
        counts,
        span_statistics(types, schemes=schemes, undefined=settings.undefined),
        shown=[name for name in METRICS if parts_of(name)[1] in schemes],
    )


def schemes_of_comparison(comparison: SpanComparison) -> tuple[str, ...]:
    """The schemes that its gold, texts and label set allow."""
    return schemes_of(certainties=comparison.certainties, texts=comparison.texts is not None)


def matched(
    comparison: SpanComparison,
) -> tuple[dict[str, SpanCounts], dict[str, list[list[Wrong]]]]:
    """Counts and wrong mentions per labeler and report."""
    words = None if comparison.texts is None else [borders(text) for text in comparison.texts]
    counts, wrong = {}, {}
    for name, answers in comparison.pred.items():
        counts[name], matchings = span_counts(
            comparison.gold,
            answers,
            comparison.types,
            words=words,
            certainties=comparison.certainties,
        )
        wrong[name] = [
            wrong_mentions(gold, pred, found)
            for gold, pred, found in zip(comparison.gold, answers, matchings, strict=True)
        ]
    return counts, wrong
