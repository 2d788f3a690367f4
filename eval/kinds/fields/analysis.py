"""What the page of fields is made from: scores, errors, intervals and tests of one comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from eval.kinds.base import RunScores
from eval.kinds.fields import METRICS
from eval.kinds.fields.asked import names_of
from eval.kinds.fields.counts import Count, FieldCounts, field_counts, pointed
from eval.kinds.fields.errors import Error, Judge
from eval.kinds.fields.read import FieldComparison
from eval.kinds.fields.scores import FieldScores, points_of, score, statistics
from eval.stats.counts import Bools
from eval.stats.paired import McNemar, mcnemar
from eval.stats.significance import CompareSettings, Counted
from eval.stats.tested import Tested
from labelwright.errors import ConfigError

TESTED = Count.LIKE_OF + 1
"""Columns that the tested scores are made of."""
_WHOLE = {"macro_f1": "Mean", "micro_f1": "All (micro)", "weighted_f1": "Weighted", "exact": "All"}


@dataclass(frozen=True, eq=False)
class FieldAnalysis(Tested):
    """All numbers of one comparison of fields with gold.

    Attributes:
        metric: one of :data:`eval.kinds.fields.METRICS`.
        scores: point scores per labeler; ``counts``: per labeler, one table per document.
        errors: per labeler the errors of every document.
    """

    comparison: FieldComparison
    scores: Mapping[str, FieldScores]
    counts: Mapping[str, FieldCounts]
    errors: Mapping[str, Sequence[Sequence[Error]]]

    unit: ClassVar[tuple[str, str]] = ("field", "fields")

    @property
    def parts(self) -> tuple[str, ...]:
        """The fields."""
        return names_of(self.comparison.asked)

    @property
    def short(self) -> str:
        """The metric per field in a few words."""
        return METRICS[self.metric][0]

    @property
    def headline(self) -> str:
        """The metric over all fields."""
        return METRICS[self.metric][1]

    @property
    def whole(self) -> str:
        """Name of the score over all fields in tables."""
        return _WHOLE.get(self.metric, "Mean")

    @property
    def definition(self) -> str:
        """What the metric is."""
        return METRICS[self.metric][2]

    @property
    def unscored(self) -> tuple[str, ...]:
        """Fields that the gold leaves out in every document."""
        scored = self.scores[self.reference].total[:-1, Count.SCORED]
        return tuple(f.name for f, n in zip(self.comparison.asked, scored, strict=True) if not n)

    @property
    def measurable(self) -> bool:
        """Whether the gold has a case that the metric is about."""
        gold = self.scores[self.reference].total[:-1]
        column = {"exact": Count.SCORED, "presence": Count.SCORED, "specificity": Count.NULL}
        return bool(gold[:, column.get(self.metric, Count.GOLD)].any())

    def hidden(self, labeler: str, statistic: str) -> Bools:
        """Fields that have no case of the statistic."""
        return self.scores[labeler].undefined(statistic)


def counted(comparison: FieldComparison, settings: CompareSettings, metric: str) -> Counted:
    """Count the values of every document: :meth:`eval.kinds.base.KindView.counted`.

    Raises:
        ConfigError: the metric means nothing for the label set.
    """
    asked, known = comparison.asked, statistics(comparison.asked, undefined=settings.undefined)
    if metric not in known:
        raise ConfigError(
            f"no {metric}, since the label set has no text fields", remedy="choose another --metric"
        )
    counts, errors, scores = {}, {}, {}
    for name, said in comparison.pred.items():
        table, wrong = field_counts(asked, comparison.truth, said)
        judged = pointed(
            asked, said, table, texts=comparison.texts, unknown=comparison.unknown[name]
        )
        judge = Judge(asked, judged)
        texts = comparison.texts or (None,) * len(comparison.ids)
        errors[name] = [
            judge.errors(*each) for each in zip(wrong, comparison.truth, said, texts, strict=True)
        ]
        counts[name] = table
        scores[name] = score(
            table,
            undefined=settings.undefined,
            points=points_of(
                table,
                documents=sum(each is not None for each in said),
                values=sum(len(v.items) for each in said if each for v in each.values()),
                judged=judged,
            ),
        )
    return Counted(
        lambda tests: FieldAnalysis(comparison, metric, tests, scores, counts, errors),
        {name: table[..., :TESTED] for name, table in counts.items()},
        known,
        shown=known,
        right=lambda a, b: _mcnemar(names_of(asked), counts[a], counts[b]),
    )


def _mcnemar(names: tuple[str, ...], a: FieldCounts, b: FieldCounts) -> McNemar:
    """The exact test per field; a document whose gold does not score the field is right twice."""
    scored = a[:, :-1, Count.SCORED]
    right = [np.where(scored, table[:, :-1, Count.WHOLE], 1).astype(np.int8) for table in (a, b)]
    return mcnemar(names, np.ones_like(right[0]), *right)


def run_scores(comparison: FieldComparison) -> RunScores:
    """The point scores of a comparison's only labeler, for tables of many runs."""
    (name,) = comparison.names
    table, _ = field_counts(comparison.asked, comparison.truth, comparison.pred[name])
    total = table.sum(axis=0, dtype=np.int64).astype(np.float64)
    known = statistics(comparison.asked, undefined="zero")
    scores = {METRICS[metric][1]: float(found.of(total)[0]) for metric, found in known.items()}
    each = known[next(iter(METRICS))].of(total)[1:].tolist()
    return RunScores(scores, dict(zip(names_of(comparison.asked), each, strict=True)))
