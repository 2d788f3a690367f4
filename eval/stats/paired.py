"""Paired tests and effect sizes of two labelers, over observations and over reports.

Where data allow no test (one observation, differences all equal) the P value is ``None`` and
``note`` says why; nothing is ever NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from eval.stats.counts import Floats

DECIMALS = 12
"""Differences are rounded here, so that float noise neither breaks ties nor hides zeros."""

EXACT_PAIRS = 200
"""Wilcoxon's test counts all signs of up to so many pairs."""


def over_labels_caveat(units: str = "observations") -> str:
    """What must be known of tests over the parts of a score, observations or types."""
    return (
        f"The paired t test and the Wilcoxon test take the {units} as independent. They are "
        f"labels of the same reports: where whole reports fail, all {units} move together and "
        "these tests call too many differences significant. Read the randomization test over "
        "reports first."
    )


@dataclass(frozen=True)
class PairedTest:
    """A two-sided test of paired differences ``a - b``.

    ``n`` counts pairs, ``zeros`` differences of exactly 0. ``effect`` is Cohen's dz (t test)
    or the rank-biserial correlation (Wilcoxon). ``low`` and ``high``: 95 % t interval of the
    mean difference. ``method`` states variant and handling of zeros.
    """

    name: str
    statistic: float | None
    p: float | None
    n: int
    zeros: int
    mean_difference: float
    low: float | None
    high: float | None
    effect: float | None
    effect_name: str
    method: str
    note: str = ""


@dataclass(frozen=True, eq=False)
class McNemar:
    """Exact McNemar test per observation of right against wrong certainties, ``[obs]`` each.

    ``a_only``: reports that a labels rightly and b does not; ``h`` is Cohen's h of the two
    accuracies. ``p_holm`` and ``p_bh`` are adjusted over the observations.
    """

    observations: tuple[str, ...]
    a_only: NDArray[np.int64]
    b_only: NDArray[np.int64]
    p: Floats
    p_holm: Floats
    p_bh: Floats
    h: Floats
    method: str = "exact McNemar over reports, two-sided; takes reports as independent"


def paired_t(a: ArrayLike, b: ArrayLike) -> PairedTest:
    """Student's paired t test over observations (``scipy.stats.ttest_1samp`` of differences)."""
    d = differences(a, b)
    method = f"paired t, {len(d) - 1} degrees of freedom, two-sided; zero differences kept"
    if len(d) < 2 or np.ptp(d) == 0:
        return _no_test("paired t", d, "Cohen's dz", method)
    test = stats.ttest_1samp(d, 0.0)
    effect = float(d.mean() / d.std(ddof=1))
    return _tested("paired t", d, test.statistic, test.pvalue, ("Cohen's dz", effect), method)


def wilcoxon(a: ArrayLike, b: ArrayLike) -> PairedTest:
    """Wilcoxon signed-rank test over observations; zero differences are discarded.

    All signs of the ranks are counted as they are, tied or not; beyond :data:`EXACT_PAIRS` pairs
    it is the normal approximation. (``scipy.stats.wilcoxon`` leaves the exact distribution as
    soon as there is a tie or a zero among more than 13 pairs.)
    """
    d = differences(a, b)
    kept = d[d != 0]
    ranks = stats.rankdata(np.abs(kept))
    plus, minus = float(ranks[kept > 0].sum()), float(ranks[kept < 0].sum())
    exact = len(kept) <= EXACT_PAIRS
    how = "all signs counted" if exact else "normal approximation, no continuity correction"
    ties = ", ranks tied" if len(np.unique(ranks)) < len(ranks) else ""
    method = f"Wilcoxon signed-rank, two-sided, {how}; zero differences discarded{ties}"
    name = "rank-biserial correlation"
    if not len(kept):
        return _no_test("Wilcoxon", d, name, method)
    smaller = min(plus, minus)
    p = _all_signs(ranks, smaller) if exact else stats.wilcoxon(kept, method="asymptotic").pvalue
    # The share of the rank sum in favour of a minus that of b (Kerby 2014).
    effect = (plus - minus) / (plus + minus)
    return _tested("Wilcoxon", d, smaller, p, (name, effect), method)


def mcnemar(
    observations: tuple[str, ...],
    gold: NDArray[np.int8],
    a: NDArray[np.int8],
    b: NDArray[np.int8],
) -> McNemar:
    """Exact McNemar test per observation; codes ``[reports, observations]``."""
    right_a, right_b = a == gold, b == gold
    a_only = (right_a & ~right_b).sum(axis=0)
    b_only = (right_b & ~right_a).sum(axis=0)
    p = np.minimum(1.0, 2 * stats.binom.cdf(np.minimum(a_only, b_only), a_only + b_only, 0.5))
    return McNemar(
        observations=observations,
        a_only=a_only,
        b_only=b_only,
        p=p,
        p_holm=adjusted(p, "holm"),
        p_bh=adjusted(p, "bh"),
        h=cohens_h(right_a.mean(axis=0), right_b.mean(axis=0)),
    )


def adjusted(p: Floats, method: Literal["holm", "bh"]) -> Floats:
    """P values adjusted for their number: Holm (family-wise) or Benjamini–Hochberg (FDR)."""
    if method == "bh":
        bh: Floats = stats.false_discovery_control(p) if len(p) else p
        return bh
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    holm = np.empty_like(stepped)
    holm[order] = np.minimum(stepped, 1.0)
    return holm


def differences(a: ArrayLike, b: ArrayLike) -> Floats:
    """``a - b``, rounded to :data:`DECIMALS`."""
    d = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    rounded: Floats = np.round(d, DECIMALS) + 0.0
    return rounded


def cohens_h(a: Floats, b: Floats) -> Floats:
    """Difference of two proportions on the arcsine scale (Cohen 1988)."""
    result: Floats = 2 * np.arcsin(np.sqrt(a)) - 2 * np.arcsin(np.sqrt(b))
    return result


def _all_signs(ranks: Floats, smaller: float) -> float:
    """Two-sided P value of the smaller rank sum over all signs, by adding one rank at a time."""
    doubled = np.round(2 * ranks).astype(int)  # tied ranks are halves
    share = np.zeros(doubled.sum() + 1)
    share[0] = 1.0
    for rank in doubled:
        share[rank:] = (share[rank:] + share[: len(share) - rank]) / 2
        share[:rank] /= 2
    return float(min(1.0, 2 * share[: round(2 * smaller) + 1].sum()))


def _tested(
    name: str, d: Floats, statistic: float, p: float, effect: tuple[str, float], method: str
) -> PairedTest:
    low, high = None, None
    if len(d) > 1 and np.ptp(d):
        interval = stats.ttest_1samp(d, 0.0).confidence_interval(0.95)
        low, high = float(interval.low), float(interval.high)
    return PairedTest(
        name=name,
        statistic=float(statistic),
        p=float(p),
        n=len(d),
        zeros=int((d == 0).sum()),
        mean_difference=float(d.mean()),
        low=low,
        high=high,
        effect=effect[1],
        effect_name=effect[0],
        method=method,
    )


def _no_test(name: str, d: Floats, effect: str, method: str) -> PairedTest:
    if len(d) < 2 and d.any():
        note, p = "one observation allows no test", None
    elif not d.any():
        note, p = "all differences are 0", 1.0
    else:
        note, p = "all differences are the same, so their spread allows no test", None
    return PairedTest(
        name=name,
        statistic=None,
        p=p,
        n=len(d),
        zeros=int((d == 0).sum()),
        mean_difference=float(d.mean()) if len(d) else 0.0,
        low=None,
        high=None,
        effect=None,
        effect_name=effect,
        method=method,
        note=note,
    )
