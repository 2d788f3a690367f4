"""Scores of entities, all from summed counts (:mod:`eval.kinds.entities.counts`).

For every scheme of counting (:mod:`eval.kinds.entities.matching`), ``P`` is the share of the
answer's mentions that are right, ``R`` the share of the gold's mentions that are found, ``F1 = 2 P
R / (P + R)``. Per type, the answer's mentions count under the type answered and the gold's under
their own; for ``exact`` and ``partial``, which ignore the type, a mention earns its credit under
its own type. ``micro`` pools the types, ``macro`` is the unweighted mean over the types of the
label set. ``certainty`` is ``strict`` with the certainty right too.

``words`` asks of every word which types mark it; ``words_o`` adds the words of no type (O) as a
class of their own to the macro mean, as token-level papers do. As nearly all words are O, accuracy
is near 1 for a labeler that finds nothing. Marks have no beginning or inside here (no B or I).

**Undefined F1.** A type that neither gold nor answer has is 0/0 and follows the same rule as in
:data:`eval.stats.counts.Undefined`: ``zero`` (default), ``one``, or ``skip`` (left out of the mean,
as seqeval and nervaluate do, which know only the types that occur). P without answers and R without
gold follow the rule too, but count 0 in an F1 that has the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from eval.kinds.base import RunScores
from eval.kinds.entities import (
    ACCURACY,
    CERTAINTY,
    METRICS,
    RUN_SCORES,
    SCHEME_TEXT,
    SCHEMES,
    WORDS,
    WORDS_O,
)
from eval.kinds.entities.counts import Column, SpanCounts, borders, span_counts
from eval.kinds.entities.errors import Wrong, wrong_mentions
from eval.kinds.entities.read import SpanComparison
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
from eval.stats.significance import CompareSettings, Counted
from eval.stats.tested import Tested
from labelwright.errors import ConfigError
from labelwright.tasks.shapes import Statistic

_HITS: Mapping[str, tuple[tuple[Column, ...], tuple[Column, ...], float]] = {
    "strict": ((Column.STRICT,), (Column.STRICT,), 1.0),
    "exact": ((Column.EXACT_GOLD,), (Column.EXACT_PRED,), 1.0),
    "partial": (
        (Column.EXACT_GOLD, Column.PAIR_GOLD),
        (Column.EXACT_PRED, Column.PAIR_PRED),
        0.5,
    ),
    "type": ((Column.TYPE,), (Column.TYPE,), 1.0),
    "overlap": ((Column.OVERLAP_GOLD,), (Column.OVERLAP_PRED,), 1.0),
    CERTAINTY: ((Column.CERTAIN,), (Column.CERTAIN,), 1.0),
    WORDS: ((Column.WORDS_BOTH,), (Column.WORDS_BOTH,), 1.0),
}


@dataclass(frozen=True, eq=False)
class Sides:
    """Right and all mentions (or words) of both sides, ``[..., rows]`` each."""

    found: Floats
    gold: Floats
    right: Floats
    pred: Floats

    def pooled(self) -> Sides:
        """The same over all rows, ``[...]``."""
        return Sides(*(x.sum(axis=-1) for x in (self.found, self.gold, self.right, self.pred)))

    def precision(self, otherwise: float) -> Floats:
        """Share of the answer that is right."""
        return ratio(self.right, self.pred, otherwise)

    def recall(self, otherwise: float) -> Floats:
        """Share of the gold that is found."""
        return ratio(self.found, self.gold, otherwise)

    def f1(self, otherwise: float) -> Floats:
        """Harmonic mean of the two; ``otherwise`` where there is neither gold nor answer."""
        p, r = self.precision(0.0), self.recall(0.0)
        return np.where(self.undefined, otherwise, ratio(2 * p * r, p + r, 0.0))

    @property
    def undefined(self) -> Bools:
        """Where there is neither gold nor answer."""
        result: Bools = (self.gold + self.pred) == 0
        return result


@dataclass(frozen=True)
class Tally:
    """SemEval-2013's five outcomes of one scheme: mentions, those of pairs counted once."""

    correct: int
    incorrect: int
    partial: int
    missed: int
    spurious: int


@dataclass(frozen=True, eq=False)
class SchemeScores:
    """One scheme; arrays are ``[types]`` (with O as the last where it is counted).

    ``undefined`` marks an F1 that follows the rule instead of the data; ``tally`` is ``None``
    where a scheme does not pair mentions.
    """

    scheme: str
    precision: Floats
    recall: Floats
    f1: Floats
    gold: NDArray[np.int64]
    pred: NDArray[np.int64]
    undefined: Bools
    micro: Prf
    macro: Prf
    tally: Tally | None


@dataclass(frozen=True, eq=False)
class SpanScores:
    """All scores of one labeler.

    Attributes:
        schemes: by name; ``certainty`` where the label set asks for it, ``words``, and
            ``words_o`` where the texts are known.
        accuracy: share of words whose types are all right, O included; ``None`` without texts.
        certainty_accuracy: share of strict pairs with the right certainty.
        perfect: share of reports without any error (strict).
    """

    types: tuple[str, ...]
    schemes: Mapping[str, SchemeScores]
    accuracy: float | None
    certainty_accuracy: float | None
    perfect: float


def sides(counts: Counts, scheme: str) -> Sides:
    """Right and all, per type, of counts ``[..., types + 1, columns]``; ``words_o`` adds O."""
    kept = counts if scheme == WORDS_O else counts[..., :-1, :]
    base = WORDS if scheme == WORDS_O else scheme
    in_gold, in_pred, unit = _HITS[base]
    of_words = base == WORDS
    return Sides(
        found=_sum(kept, in_gold) * unit,
        gold=_sum(kept, (Column.WORDS_GOLD if of_words else Column.GOLD,)),
        right=_sum(kept, in_pred) * unit,
        pred=_sum(kept, (Column.WORDS_PRED if of_words else Column.PRED,)),
    )


def schemes_of(*, certainties: bool, texts: bool) -> tuple[str, ...]:
    """The schemes that gold and label set allow."""
    return (*SCHEMES, *([CERTAINTY] if certainties else []), WORDS, *([WORDS_O] if texts else []))


def span_scores(
    counts: Counts,
    types: Sequence[str],
    *,
    schemes: Sequence[str],
    undefined: Undefined = "zero",
) -> SpanScores:
    """All scores of one labeler from its counts per report, ``[reports, types + 1, columns]``."""
    total = counts.sum(axis=0, dtype=np.int64)
    words, right = (int(total[-1, c]) for c in (Column.WORDS_ALL, Column.WORDS_RIGHT))
    strict, certain = (int(total[:, c].sum()) for c in (Column.STRICT, Column.CERTAIN))
    each = counts.sum(axis=1)
    fine = (each[:, Column.STRICT] == each[:, Column.GOLD]) & (
        each[:, Column.STRICT] == each[:, Column.PRED]
    )
    return SpanScores(
        types=tuple(types),
        schemes={name: _scheme(total, name, undefined) for name in schemes},
        accuracy=right / words if words else None,
        certainty_accuracy=certain / strict if CERTAINTY in schemes and strict else None,
        perfect=float(fine.mean()) if len(fine) else 0.0,
    )


def span_statistics(
    types: Sequence[str], *, schemes: Sequence[str], undefined: Undefined = "zero"
) -> dict[str, Statistic]:
    """The scores that intervals and tests can be asked for, by name.

    ``micro_f1_<scheme>`` and ``macro_f1_<scheme>``; their parts are the score itself, then F1 per
    type. Of ``words_o`` the part of O is in the mean, but not among the types.
    """
    found = {}
    for scheme in schemes:
        for average in ("micro", "macro"):
            name = f"{average}_f1_{scheme}"
            found[name] = Statistic(
                name,
                ("pooled" if average == "micro" else "mean", *types),
                np.ones(len(types), dtype=bool),
                _f1_of(scheme, len(types), undefined, pooled=average == "micro"),
            )
    return found


def tally(total: Counts, scheme: str) -> Tally | None:
    """The five outcomes of a scheme; ``None`` for words, which are not paired."""
    sums = {c: int(n) for c, n in zip(Column, total[:-1].sum(axis=0).tolist(), strict=True)}
    gold, pred, pairs = sums[Column.GOLD], sums[Column.PRED], sums[Column.PAIR_GOLD]
    exact, typed = sums[Column.EXACT_GOLD], sums[Column.TYPE]
    paired = {
        "strict": (sums[Column.STRICT], pairs - sums[Column.STRICT], 0),
        "exact": (exact, pairs - exact, 0),
        "partial": (exact, 0, pairs - exact),
        "type": (typed, sums[Column.MISTYPED_GOLD], 0),
        CERTAINTY: (sums[Column.CERTAIN], pairs - sums[Column.CERTAIN], 0),
    }.get(scheme)
    if paired is None:
        return None
    return Tally(*paired, missed=gold - sum(paired), spurious=pred - sum(paired))


def _scheme(total: NDArray[np.int64], scheme: str, rule: Undefined) -> SchemeScores:
    both, fill = sides(total, scheme), FILL[rule]
    precision, recall, f1 = both.precision(fill), both.recall(fill), both.f1(fill)
    pooled = both.pooled()
    return SchemeScores(
        scheme=scheme,
        precision=precision,
        recall=recall,
        f1=f1,
        gold=both.gold.astype(np.int64),
        pred=both.pred.astype(np.int64),
        undefined=both.undefined,
        micro=Prf(
            float(pooled.precision(fill)), float(pooled.recall(fill)), float(pooled.f1(fill))
        ),
        macro=Prf(
            precision=float(mean_of(precision, both.pred == 0, rule)),
            recall=float(mean_of(recall, both.gold == 0, rule)),
            f1=float(mean_of(f1, both.undefined, rule)),
        ),
        tally=tally(total, scheme),
    )


def _f1_of(scheme: str, types: int, rule: Undefined, *, pooled: bool) -> Callable[[Counts], Floats]:
    def of(counts: Counts) -> Floats:
        both = sides(counts, scheme)
        each = both.f1(FILL[rule])
        first = both.pooled().f1(FILL[rule]) if pooled else mean_of(each, both.undefined, rule)
        return np.concatenate([first[..., None], each[..., :types]], axis=-1)

    return of


def _sum(counts: Counts, columns: tuple[Column, ...]) -> Floats:
    summed = counts[..., columns[0]]
    for column in columns[1:]:
        summed = summed + counts[..., column]
    return np.asarray(summed, dtype=np.float64)


def parts_of(metric: str) -> tuple[str, str]:
    """``micro`` or ``macro``, and the scheme."""
    average, _, scheme = metric.partition("_f1_")
    return average, scheme


@dataclass(frozen=True, eq=False)
class SpanAnalysis(Tested):
    """All numbers of one comparison of entities.

    Attributes:
        metric: one of :data:`eval.kinds.entities.METRICS`.
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
        name: span_scores(table, types, schemes=schemes, undefined=settings.undefined)
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


def run_scores(comparison: SpanComparison) -> RunScores:
    """The point scores of a comparison's only labeler, for tables of many runs."""
    (name,) = comparison.names
    counts, _ = matched(comparison)
    schemes = schemes_of_comparison(comparison)
    found = span_scores(counts[name], comparison.types, schemes=schemes)
    whole = {
        score: float(getattr(found.schemes[scheme], average).f1)
        for score, (scheme, average) in RUN_SCORES.items()
        if scheme in found.schemes
    }
    if found.accuracy is not None:
        whole[ACCURACY] = found.accuracy
    strict = found.schemes["strict"].f1.tolist()
    return RunScores(whole, dict(zip(found.types, strict, strict=True)))
