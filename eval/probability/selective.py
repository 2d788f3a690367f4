"""Label what is sure, send the rest to a person: risk–coverage curves and thresholds.

A unit is labeled automatically if its confidence (the probability of the certainty given)
reaches a threshold. There are three ways to share the work (:data:`WAYS`):

``labels``
    each label by itself; a person fills in the labels below the threshold.
``reports``
    whole reports: a person gets every report with any label below; what counts is the share
    of labels that are right in the other reports.
``flawless``
    whole reports again, but a report counts as right only if all its labels are.

A decision without probabilities always goes to a person.

The *plain* threshold is the lowest at which the accuracy of the reports that it is chosen on
meets the wish; by the luck of these reports it may fail on others. The *guaranteed* threshold
comes from a test: with the probability stated (95 %), its accuracy on further reports of the
same kind is at least the one wished. It is found by Learn-then-Test (Angelopoulos et al. 2021,
arXiv:2110.01052): thresholds are tested from strict to lax until one fails, beginning anew at
four coverages that share the error rate and inherit that of an unbroken run before them (the
fallback procedure, Wiens & Dmitrienko 2005). The test of one threshold holds for few reports:

- ``flawless``: the binomial test, so the Clopper–Pearson bound on the share of flawed reports
  (as for selective classification in Geifman & El-Yaniv 2017, arXiv:1705.08500);
- ``labels``, ``reports``: a betting test of the mean over reports of (wrong labels - wish ×
  labels), bounded by the number of observations (Waudby-Smith & Ramdas 2024,
  doi:10.1093/jrsssb/qkad009). The labels of one report fail together, so a binomial test over
  labels would promise too much.

Both take reports as independent: of each patient one report, drawn at random, takes part.
The thresholds tested are quantiles of the confidences in the *scored* reports, which say
nothing about the labels of the calibration reports; so the error rate holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from eval.kinds.certainty.read import Codes
from eval.probability.calibration import Resampling, Spread
from eval.stats.counts import Bools, Counts, Floats, cluster_counts, ratio
from eval.stats.resampling import bootstrap_score

WAYS: Mapping[str, str] = {
    "labels": "label by label",
    "reports": "whole reports, by label",
    "flawless": "whole reports, all right",
}
NEVER = -1.0
"""Confidence of what always goes to a person; no threshold is that low."""
STARTS = (0.25, 0.5, 0.75, 1.0)
"""Coverages at which a sequence of tests begins, strict to lax from each."""
STEPS = 100
PACE = 0.02
"""The P value that stakes aim at; any choice is valid, this one suits an error rate of 5 %."""


@dataclass(frozen=True, eq=False)
class Units:
    """What is accepted or not: ``[units]`` each; ``report`` numbers the report from 0."""

    confidence: Floats
    wrong: Bools
    report: NDArray[np.int64]
    reports: int

    @property
    def per_report(self) -> int:
        """The largest number of units that a report can have."""
        return int(np.bincount(self.report, minlength=1).max(initial=1))

    def of_reports(self, kept: NDArray[np.int64]) -> Units:
        """Only the units of some reports, numbered anew in the order given."""
        number = np.full(self.reports, -1)
        number[kept] = np.arange(len(kept))
        here = number[self.report] >= 0
        return Units(self.confidence[here], self.wrong[here], number[self.report[here]], len(kept))


@dataclass(frozen=True, eq=False)
class Curve:
    """The risk–coverage curve, ``[points]`` from strict to lax, one point per confidence.

    Attributes:
        coverage: share of units labeled automatically.
        risk: share of these that are wrong.
        area: mean risk over all coverages (AURC; Geifman et al. 2019, arXiv:1805.08206); ties
            share their risk. It includes units without probabilities, last of all.
        best_area: the same if all right units were surer than all wrong ones.
        error: share wrong of all units, the area of a confidence that says nothing.
    """

    coverage: Floats
    risk: Floats
    area: float
    best_area: float
    error: float


@dataclass(frozen=True)
class Promise:
    """A guaranteed threshold, ``None`` where none passes.

    ``reports``: independent reports that took part; ``tested``: tests made.
    """

    threshold: float | None
    reports: int
    tested: int


@dataclass(frozen=True, eq=False)
class ThresholdResult:
    """What a threshold does to the scored reports; intervals with the threshold fixed.

    ``coverage`` and ``accuracy`` have one part; accuracy is not known if nothing is accepted.
    ``to_person``: reports of which a person sees anything.
    """

    threshold: float
    coverage: Spread
    accuracy: Spread
    to_person: int


def units(gold: Codes, answers: Codes, confidence: Floats, way: str) -> Units:
    """The units of one way; all ``[reports, observations]``, confidence ``NEVER`` if unknown."""
    wrong = gold != answers
    if way == "flawless":
        numbers = np.arange(len(gold))
        return Units(confidence.min(axis=1), wrong.any(axis=1), numbers, len(gold))
    if way == "reports":
        confidence = np.broadcast_to(confidence.min(axis=1, keepdims=True), wrong.shape)
    report = np.broadcast_to(np.arange(len(gold))[:, None], wrong.shape)
    return Units(confidence.ravel(), wrong.ravel(), report.ravel(), len(gold))


def curve(of: Units) -> Curve:
    """The risk–coverage curve of some units."""
    size = len(of.wrong)
    values, place = np.unique(-of.confidence, return_inverse=True)
    members = np.bincount(place, minlength=len(values))
    mistakes = np.bincount(place, weights=of.wrong, minlength=len(values))
    accepted, wrong = np.cumsum(members), np.cumsum(mistakes)
    # Inside a group of equal confidences the expected number of mistakes grows evenly.
    counts = np.arange(1, size + 1)
    expected = np.interp(counts, [0, *accepted], [0.0, *wrong])
    total = int(of.wrong.sum())
    best = np.maximum(counts - (size - total), 0)
    shown = -values > NEVER
    return Curve(
        coverage=ratio(accepted[shown], np.array(size), 0.0),
        risk=ratio(wrong[shown], accepted[shown], 0.0),
        area=float((expected / counts).mean()) if size else 0.0,
        best_area=float((best / counts).mean()) if size else 0.0,
        error=total / size if size else 0.0,
    )


def plain_threshold(of: Units, accuracy: float) -> float | None:
    """The threshold with the largest coverage whose accuracy on these units meets the wish."""
    values, place = np.unique(-of.confidence, return_inverse=True)
    accepted = np.cumsum(np.bincount(place, minlength=len(values)))
    wrong = np.cumsum(np.bincount(place, weights=of.wrong, minlength=len(values)))
    good = (wrong <= (1 - accuracy) * accepted + 1e-9) & (-values > NEVER)
    return float(-values[good].max()) if good.any() else None


def guaranteed_threshold(
    chosen_on: Units,
    scored: Floats,
    accuracy: float,
    *,
    level: float = 0.95,
    clusters: NDArray[np.int64] | None = None,
    seed: int = 13,
) -> Promise:
    """The laxest threshold whose accuracy is at least ``accuracy`` with probability ``level``.

    Args:
        chosen_on: units of the calibration reports.
        scored: confidences of the scored units, whose quantiles are the thresholds tested.
        clusters: patient of each calibration report, ``[reports]``; one report of each counts.
    """
    generator = np.random.default_rng(seed)
    order = generator.permutation(chosen_on.reports)
    if clusters is not None:
        _, first = np.unique(clusters[order], return_index=True)
        order = order[np.sort(first)]
    sample = chosen_on.of_reports(order)
    grid = _grid(scored)
    passed, tested, rate = -1, 0, 0.0
    for place, (candidate, fresh) in enumerate(zip(grid.threshold, grid.shares, strict=True)):
        rate += fresh * (1 - level)
        if not rate:
            continue
        tested += 1
        if _p_value(sample, float(candidate), 1 - accuracy) <= rate:
            passed = place
        else:
            rate = 0.0
    threshold = float(grid.threshold[passed]) if passed >= 0 else None
    return Promise(threshold=threshold, reports=len(order), tested=tested)


def outcome(of: Units, threshold: float, resampling: Resampling) -> ThresholdResult:
    """Coverage and accuracy of a threshold on some units, with intervals over reports.

    Where nothing accepted is wrong, the accuracy's lower limit is that of Clopper and Pearson
    over the clusters with an accepted unit.
    """
    accepted = of.confidence >= threshold
    sums = np.stack(
        [
            np.bincount(of.report, weights=kept, minlength=of.reports)
            for kept in (np.ones(len(accepted)), accepted, accepted & of.wrong)
        ],
        axis=1,
    ).astype(np.int64)
    total = sums.sum(axis=0)
    exact = 1 - total[2] / total[1] if total[1] else 0.0

    def score(counted: Counts) -> Floats:
        return np.stack(
            [
                ratio(counted[..., 1], counted[..., 0], 0.0),
                # A resample that accepts nothing says nothing about the accuracy.
                1 - ratio(counted[..., 2], counted[..., 1], 1 - exact),
            ],
            axis=-1,
        )

    value = score(total)
    low = high = value
    if resampling.clusters.max(initial=0) > 0:
        drawn = bootstrap_score(
            cluster_counts(sums, resampling.clusters),
            score,
            resamples=resampling.resamples,
            level=resampling.level,
            seed=resampling.seed,
        )
        low, high = drawn.low, drawn.high
        if total[1] and not total[2]:
            # Without a mistake the bootstrap sees no doubt; count independent reports instead.
            seen = len(np.unique(resampling.clusters[sums[:, 1] > 0]))
            low = np.array([low[0], 1 - clopper_pearson(0, seen, (1 - resampling.level) / 2)])
    yes = np.array([True])
    return ThresholdResult(
        threshold=threshold,
        coverage=Spread(value[:1], low[:1], high[:1], yes),
        accuracy=Spread(value[1:], low[1:], high[1:], np.array([bool(total[1])])),
        to_person=int((sums[:, 1] < sums[:, 0]).sum()),
    )


def clopper_pearson(errors: int, accepted: int, rate: float) -> float:
    """Upper limit of an error probability that is exceeded with probability ``rate`` at most."""
    if errors >= accepted:
        return 1.0
    return float(stats.beta.ppf(1 - rate, errors + 1, accepted - errors))


@dataclass(frozen=True, eq=False)
class _Grid:
    """Thresholds from strict to lax, and which share of the error rate begins at each."""

    threshold: Floats
    shares: Floats


def _grid(confidence: Floats) -> _Grid:
    """Thresholds at about every hundredth of coverage of these units."""
    known = np.sort(confidence[confidence > NEVER])[::-1]
    if not len(known):
        return _Grid(np.zeros(0), np.zeros(0))
    places = np.ceil(np.arange(1, STEPS + 1) / STEPS * len(known)).astype(int) - 1
    threshold = np.unique(known[places])[::-1]
    covered = np.searchsorted(-known, -threshold, side="right") / len(known)
    shares = np.zeros(len(threshold))
    np.add.at(shares, np.searchsorted(covered, np.array(STARTS) - 1e-9), 1 / len(STARTS))
    return _Grid(threshold, shares)


def _p_value(of: Units, threshold: float, risk: float) -> float:
    """P value of "at least ``risk`` of the accepted units are wrong"; reports independent."""
    accepted = of.confidence >= threshold
    wrong = accepted & of.wrong
    if of.per_report == 1:
        return float(stats.binom.cdf(wrong.sum(), accepted.sum(), risk))
    excess = wrong - risk * accepted
    per_report = np.bincount(of.report, weights=excess, minlength=of.reports) / of.per_report
    return _betting(per_report + risk, risk)


def _betting(values: Floats, mean: float) -> float:
    """P value of "the mean of ``values`` (0 to 1) is at least ``mean``", by betting against it.

    The stake depends on the values before only, and is the larger the less they spread. If the
    hypothesis holds, the capital does not grow on average, so that 1 over its maximum is a P
    value (Ville's inequality).
    """
    size = len(values)
    if not size:
        return 1.0
    counts = np.arange(1, size + 1)
    means = (0.5 + np.cumsum(values)) / (counts + 1)
    spread = (0.25 + np.cumsum((values - means) ** 2)) / (counts + 1)
    before = np.concatenate([[0.25], spread[:-1]])
    stake = np.minimum(1.0, np.sqrt(2 * np.log(1 / PACE) / (size * before)))
    capital = np.cumsum(np.log1p(-stake * (values - mean)))
    return float(min(1.0, np.exp(-capital.max())))
