"""Three and more labelers over the same observations: ANOVA, Tukey, Friedman, ranks.

All take ``{labeler: score per observation}``, arrays of equal length. They stand on the same
ground as the paired tests over observations (:func:`eval.stats.paired.over_labels_caveat`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from scipy import stats

from eval.stats.counts import Floats
from eval.stats.paired import DECIMALS, adjusted, wilcoxon
from labelwright.errors import ConfigError

ScoresByLabeler = Mapping[str, Floats]
NO_SPREAD = 10.0 ** (-2 * DECIMALS)
"""Sums of squares up to this are float noise: a test that divides by them would mean nothing."""


@dataclass(frozen=True)
class Anova:
    """An F test. ``p_corrected``: by Greenhouse–Geisser's ``epsilon``, repeated measures only."""

    name: str
    f: float | None
    df: tuple[float, float]
    p: float | None
    epsilon: float | None = None
    p_corrected: float | None = None
    note: str = ""


@dataclass(frozen=True)
class TukeyPair:
    """One pair of Tukey's honestly significant differences with its 95 % interval."""

    a: str
    b: str
    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class RankPair:
    """One pair after Friedman: Wilcoxon with Holm's adjustment over pairs, and Nemenyi."""

    a: str
    b: str
    p: float
    p_holm: float
    p_nemenyi: float


@dataclass(frozen=True)
class Ranks:
    """Friedman test and what a critical-difference diagram shows (Demšar 2006).

    ``mean_ranks``: rank 1 is the best score. ``groups``: labelers whose mean ranks differ by
    less than ``critical_difference`` (Nemenyi at ``alpha``), best first, at least two each.
    """

    statistic: float
    p: float
    mean_ranks: Mapping[str, float]
    critical_difference: float
    alpha: float
    groups: tuple[tuple[str, ...], ...]
    pairs: tuple[RankPair, ...]


@dataclass(frozen=True, eq=False)
class Several:
    """Tests of three and more labelers over the observations of one statistic."""

    statistic: str
    one_way: Anova
    repeated: Anova
    tukey: tuple[TukeyPair, ...]
    ranks: Ranks


def several(statistic: str, scores: ScoresByLabeler, *, alpha: float = 0.05) -> Several:
    """All tests of this module.

    Raises:
        ConfigError: fewer than three labelers.
    """
    return Several(
        statistic=statistic,
        one_way=one_way_anova(scores),
        repeated=repeated_measures_anova(scores),
        tukey=tukey_hsd(scores),
        ranks=ranks(scores, alpha=alpha),
    )


def one_way_anova(scores: ScoresByLabeler) -> Anova:
    """One-way ANOVA of labelers (``scipy.stats.f_oneway``); ignores that observations pair.

    Labelers may have different numbers of scores.
    """
    groups = _groups_of(scores)
    df = float(len(groups) - 1), float(sum(map(len, groups)) - len(groups))
    if len(groups) < 2 or not _spread(groups):
        return Anova("one-way ANOVA", None, df, None, note="no spread within labelers")
    # Float noise can make the F of equal means a negative zero, whose P value is NaN.
    f = max(float(stats.f_oneway(*groups).statistic), 0.0)
    return Anova("one-way ANOVA", f, df, float(stats.f.sf(f, *df)))


def repeated_measures_anova(scores: ScoresByLabeler) -> Anova:
    """Repeated-measures ANOVA: labelers within observations, with Greenhouse–Geisser's epsilon.

    F and P equal statsmodels' ``AnovaRM``; epsilon is that of the double-centred covariance of
    the labelers (Greenhouse & Geisser 1959).
    """
    table = _table(scores, at_least=2)
    n, k = table.shape
    df = (float(k - 1), float((k - 1) * (n - 1)))
    rows, columns = table.mean(axis=1, keepdims=True), table.mean(axis=0)
    error = ((table - rows - columns + table.mean()) ** 2).sum()
    if n < 2 or error <= NO_SPREAD:
        return Anova("repeated-measures ANOVA", None, df, None, note="no spread besides the means")
    between = n * ((columns - table.mean()) ** 2).sum()
    f = float((between / df[0]) / (error / df[1]))
    covariance = np.atleast_2d(np.cov(table.T))
    centred = covariance - covariance.mean(axis=0) - covariance.mean(axis=1)[:, None]
    centred += covariance.mean()
    epsilon = float(np.trace(centred) ** 2 / ((k - 1) * (centred**2).sum()))
    return Anova(
        "repeated-measures ANOVA",
        f,
        df,
        float(stats.f.sf(f, *df)),
        epsilon=epsilon,
        p_corrected=float(stats.f.sf(f, df[0] * epsilon, df[1] * epsilon)),
    )


def tukey_hsd(scores: ScoresByLabeler) -> tuple[TukeyPair, ...]:
    """Tukey's honestly significant differences of all pairs, with 95 % intervals.

    The numbers of ``scipy.stats.tukey_hsd`` (Tukey–Kramer), which integrates the studentized
    range three times as often. Empty where the scores have no spread within labelers.
    """
    groups = _groups_of(scores)
    if not _spread(groups):
        return ()
    df = sum(map(len, groups)) - len(groups)
    variance = sum(float(((g - g.mean()) ** 2).sum()) for g in groups) / df
    pairs = []
    for (a, x), (b, y) in combinations(zip(scores, groups, strict=True), 2):
        difference = float(x.mean() - y.mean())
        unit = float(np.sqrt(variance / 2 * (1 / len(x) + 1 / len(y))))
        p = float(stats.studentized_range.sf(abs(difference) / unit, len(groups), df))
        reach = unit * _studentized(len(groups), df, 0.05)
        pairs.append(TukeyPair(a, b, difference, difference - reach, difference + reach, p))
    return tuple(pairs)


def ranks(scores: ScoresByLabeler, *, alpha: float = 0.05) -> Ranks:
    """Friedman test, mean ranks, Nemenyi's critical difference, Wilcoxon–Holm pairs.

    Raises:
        ConfigError: fewer than three labelers.
    """
    names = list(scores)
    table = np.round(_table(scores, at_least=3), DECIMALS)
    n, k = table.shape
    ranked = stats.rankdata(-table, axis=1)
    mean = dict(zip(names, ranked.mean(axis=0).tolist(), strict=True))
    if np.ptp(ranked, axis=1).any():
        statistic, p = (float(x) for x in stats.friedmanchisquare(*table.T))
    else:
        statistic, p = 0.0, 1.0
    unit = float(np.sqrt(k * (k + 1) / (6 * n)))
    critical = _studentized(k, np.inf, alpha) / float(np.sqrt(2)) * unit
    pairs = list(combinations(names, 2))
    plain = np.array([_wilcoxon_p(scores[a], scores[b]) for a, b in pairs])
    holm = adjusted(plain, "holm")
    return Ranks(
        statistic=statistic,
        p=p,
        mean_ranks=mean,
        critical_difference=critical,
        alpha=alpha,
        groups=_groups(mean, critical),
        pairs=tuple(
            RankPair(
                a=a,
                b=b,
                p=float(plain[i]),
                p_holm=float(holm[i]),
                p_nemenyi=_nemenyi(abs(mean[a] - mean[b]) / unit, k),
            )
            for i, (a, b) in enumerate(pairs)
        ),
    )


def _table(scores: ScoresByLabeler, *, at_least: int) -> Floats:
    if len(scores) < at_least:
        raise ConfigError(
            f"{len(scores)} labelers, but the test needs {at_least}", remedy="give more --pred"
        )
    return np.stack([np.asarray(v, dtype=np.float64) for v in scores.values()], axis=1)


def _groups_of(scores: ScoresByLabeler) -> list[Floats]:
    return [np.asarray(values, dtype=np.float64) for values in scores.values()]


def _spread(groups: Sequence[Floats]) -> bool:
    """Whether the scores differ within a labeler by more than float noise."""
    return sum(float(((g - g.mean()) ** 2).sum()) for g in groups) > NO_SPREAD


def _wilcoxon_p(a: Floats, b: Floats) -> float:
    p = wilcoxon(a, b).p
    return 1.0 if p is None else p


@lru_cache(maxsize=16)
def _studentized(labelers: int, df: float, alpha: float) -> float:
    """Upper quantile of the studentized range; cached, since it takes most of the time."""
    return float(stats.studentized_range.ppf(1 - alpha, labelers, df))


def _nemenyi(distance: float, labelers: int) -> float:
    return float(stats.studentized_range.sf(distance * np.sqrt(2), labelers, np.inf))


def _groups(mean: Mapping[str, float], critical: float) -> tuple[tuple[str, ...], ...]:
    order = sorted(mean, key=lambda name: mean[name])
    found: list[tuple[str, ...]] = []
    for start, first in enumerate(order):
        group = tuple(n for n in order[start:] if mean[n] - mean[first] < critical)
        if len(group) > 1 and not any(set(group) <= set(other) for other in found):
            found.append(group)
    return tuple(found)
