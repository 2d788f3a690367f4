"""Do a labeler's probabilities mean what they say? Brier score, NLL, calibration error, bins.

Definitions, over decisions (one observation of one report) that have probabilities:

``brier``
    Mean over decisions of the squared differences between the probabilities and 1 for the
    gold's certainty, 0 for the others, summed over the certainties (Brier 1950): 0 is perfect,
    2 the worst. Equals ``sklearn.metrics.brier_score_loss(..., scale_by_half=False)``.
``nll``
    Mean negative natural logarithm of the gold's probability (``sklearn.metrics.log_loss``);
    probabilities below ``FLOOR`` count as that.
``ece``
    Expected calibration error of the confidence, the probability of the certainty given:
    decisions are sorted into bins, and ECE is the mean of |share right - mean confidence| over
    bins, weighted by their decisions (Naeini et al. 2015; 15 bins as in Guo et al. 2017,
    arXiv:1706.04599). ``width``: bins of equal width, closed on the right. ``mass``: bins
    that hold equally many decisions (Nixon et al. 2019, arXiv:1904.01685), cut at the
    quantiles of the confidences; equal confidences always share a bin.
``by certainty``
    The same error of the probability of one certainty against how often the gold has it,
    over all decisions that can have it (Kull et al. 2019, arXiv:1910.12656).

ECE is too high by chance alone when decisions are few. ``by_chance`` is its mean when every
decision is right with exactly the probability stated (simulated): only an ECE well above that
speaks against a labeler.

Intervals are BCa bootstrap intervals over reports (whole patients where known) with the bins
fixed. The sums that they resample are whole numbers of millionths, so that they are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.kinds.certainty.read import INDEX, Codes
from eval.probability.probabilities import Probabilities
from eval.stats.counts import Bools, Counts, Floats, cluster_counts, ratio
from eval.stats.estimates import Estimate, Interval
from eval.stats.resampling import Score, bootstrap_score
from eval.stats.tested import Tested
from labelwright.records import FLOOR

BINS = 15
UNIT = 1_000_000
"""Sums are kept in millionths."""
SIMULATIONS = 200
KINDS = ("width", "mass")
TOP = "answer"
"""The diagram of the certainty given; the others are named after their certainty."""


@dataclass(frozen=True, eq=False)
class Spread(Interval):
    """A score with its interval: pooled over observations first, then each, ``[parts]``.

    ``known`` marks parts that have a decision; the others hold 0 and mean nothing.
    """

    known: Bools

    def known_mark(self, part: int = 0, *, shown: bool = True) -> Estimate | None:
        """One part; ``None`` where it has no decision."""
        return self.mark(part, shown=shown) if self.known[part] else None


@dataclass(frozen=True, eq=False)
class Reliability:
    """One reliability diagram, ``[bins]`` each, empty bins left out.

    ``low`` and ``high``: interval of ``share``, the share right (or of the certainty).
    """

    left: Floats
    right: Floats
    decisions: NDArray[np.int64]
    confidence: Floats
    share: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class Calibration:
    """Everything about one labeler's probabilities.

    Attributes:
        decisions: with probabilities, pooled and per observation, ``[1 + observations]``.
        masked: decisions without, which no figure here counts.
        brier, nll: as defined above, ``[1 + observations]``.
        ece: by kind of bin, ``[1 + observations]``.
        by_chance: ECE to be expected of a perfectly calibrated labeler, by kind, same shape.
        certainties: per certainty its own ECE, pooled, by kind, one part.
        diagrams: by certainty (and :data:`TOP`), then kind.
    """

    observations: tuple[str, ...]
    decisions: NDArray[np.int64]
    masked: int
    brier: Spread
    nll: Spread
    ece: Mapping[str, Spread]
    by_chance: Mapping[str, Floats]
    certainties: Mapping[str, Mapping[str, Spread]]
    diagrams: Mapping[str, Mapping[str, Reliability]]


@dataclass(frozen=True)
class Resampling:
    """How intervals are made: clusters are patients or reports, numbered as in a comparison."""

    clusters: NDArray[np.int64]
    resamples: int
    level: float
    seed: int


def resampling_of(analysis: Tested) -> Resampling:
    """The comparison's own way of making intervals."""
    s = analysis.tests.settings
    return Resampling(analysis.comparison.cluster_index, s.resamples, s.level, s.seed)


def calibration(gold: Codes, given: Probabilities, resampling: Resampling) -> Calibration:
    """Score one labeler's probabilities against the gold, int8 ``[reports, observations]``."""
    return _Scorer(gold, given, resampling).result()


def brier_scores(values: Floats, gold: Codes) -> Floats:
    """Brier score of each decision; ``values`` is ``[..., 4]``, ``gold`` ``[...]``."""
    return np.asarray(((values - np.eye(len(INDEX))[gold]) ** 2).sum(axis=-1))


def log_losses(values: Floats, gold: Codes) -> Floats:
    """Negative log probability of the gold; ``values`` is ``[..., 4]``, ``gold`` ``[...]``."""
    place = gold.astype(np.int64)[..., None]
    return np.asarray(-np.log(np.maximum(np.take_along_axis(values, place, axis=-1), FLOOR)))[
        ..., 0
    ]


def bin_edges(confidence: Floats, kind: str, *, bins: int = BINS) -> Floats:
    """Inner borders of the bins, ascending; a value equal to a border lies below it.

    Args:
        confidence: of the decisions to be binned, any shape.
        kind: ``width`` or ``mass``.
    """
    if kind == "width":
        return np.arange(1, bins) / bins
    if not confidence.size:
        return np.zeros(0)
    # An observed value as border keeps equal confidences together on its left.
    cuts = np.quantile(confidence, np.arange(1, bins) / bins, method="inverted_cdf")
    return np.asarray(np.unique(cuts[cuts < confidence.max()]))


def bin_index(confidence: Floats, edges: Floats) -> NDArray[np.int64]:
    """The bin of each confidence, same shape."""
    # A float32 a rounding error above a border such as 1/15 belongs to the bin below.
    return np.asarray(np.searchsorted(edges + 1e-7, confidence, side="left"), dtype=np.int64)


def expected_calibration_error(
    confidence: Floats, right: Bools, kind: str = "width", *, bins: int = BINS
) -> float:
    """ECE of one flat list of decisions; 0 where there is none."""
    edges = bin_edges(confidence, kind, bins=bins)
    gaps = np.bincount(bin_index(confidence, edges), weights=right - confidence)
    return float(np.abs(gaps).sum() / max(len(confidence), 1))


class _Scorer:
    def __init__(self, gold: Codes, given: Probabilities, resampling: Resampling) -> None:
        self.gold = gold
        self.given = given
        self.known = given.known
        self.values = given.values.astype(np.float64)
        self.resampling = resampling
        self.right = (gold == given.answers) & self.known
        self.confidence = np.where(self.known, given.confidence, 0.0)
        self.count = np.concatenate([[self.known.sum()], self.known.sum(axis=0)])

    def result(self) -> Calibration:
        errors = {kind: self._ece(kind) for kind in KINDS}
        certainties: dict[str, dict[str, Spread]] = {}
        diagrams = {TOP: self._diagrams(self.confidence, self.right, self.known)}
        for certainty, index in INDEX.items():
            kept = self.known & self.given.allowed[:, index]
            stated, happened = self.values[..., index], (self.gold == index) & kept
            certainties[certainty.value] = {
                kind: self._pooled_ece(stated, happened, kept, kind) for kind in KINDS
            }
            diagrams[certainty.value] = self._diagrams(stated, happened, kept)
        return Calibration(
            observations=self.given.observations,
            decisions=self.count,
            masked=int((~self.known).sum()),
            brier=self._mean(brier_scores(self.values, self.gold)),
            nll=self._mean(log_losses(self.values, self.gold)),
            ece={kind: spread for kind, (spread, _) in errors.items()},
            by_chance={kind: chance for kind, (_, chance) in errors.items()},
            certainties=certainties,
            diagrams=diagrams,
        )

    def _mean(self, losses: Floats) -> Spread:
        """The mean of a loss ``[reports, observations]`` over known decisions."""
        kept = np.where(self.known, losses, 0.0)
        sums = np.stack([_millionths(kept), self.known.astype(np.int64) * UNIT], axis=2)

        def mean(total: Counts) -> Floats:
            pooled = total.sum(axis=-2, keepdims=True)
            both = np.concatenate([pooled, total], axis=-2)
            return ratio(both[..., 0], both[..., 1], 0.0)

        exact = ratio(np.concatenate([[kept.sum()], kept.sum(axis=0)]), self.count, 0.0)
        return self._spread(sums, mean, exact, self.count > 0)

    def _ece(self, kind: str) -> tuple[Spread, Floats]:
        """ECE pooled and per observation, with its mean by chance."""
        size = len(self.given.observations)
        bins = np.zeros((2, *self.known.shape), dtype=np.int64)
        kept = self.confidence[self.known]
        bins[0] = bin_index(self.confidence, bin_edges(kept, kind))
        for column in range(size):
            each = self.confidence[self.known[:, column], column]
            bins[1][:, column] = bin_index(self.confidence[:, column], bin_edges(each, kind))
        bins[1] += BINS * (1 + np.arange(size))
        known = self.known[None]
        width = BINS * (1 + size)

        def error(right: Bools) -> Floats:
            gaps = np.where(known, right - self.confidence, 0.0)
            both = np.broadcast_to(gaps, bins.shape)
            found = np.bincount(bins.ravel(), weights=both.ravel(), minlength=width)
            return ratio(np.abs(found.reshape(1 + size, BINS)).sum(axis=-1), self.count, 0.0)

        reports = np.arange(len(self.gold))[:, None]
        sums = np.zeros((len(self.gold), width + 1 + size), dtype=np.int64)
        gaps = np.where(self.known, _millionths(self.right - self.confidence), 0)
        np.add.at(sums, (reports, bins[0]), gaps)
        np.add.at(sums, (reports, bins[1]), gaps)
        sums[:, width] = self.known.sum(axis=1) * UNIT
        sums[:, width + 1 :] = self.known * UNIT

        def score(total: Counts) -> Floats:
            found = np.abs(total[..., :width]).reshape(*total.shape[:-1], 1 + size, BINS)
            return ratio(found.sum(axis=-1), total[..., width:], 0.0)

        chance = self._chance(error)
        return self._spread(sums, score, error(self.right), self.count > 0), chance

    def _chance(self, error: Callable[[Bools], Floats]) -> Floats:
        generator = np.random.default_rng(self.resampling.seed)
        total = np.zeros(len(self.count))
        for _ in range(SIMULATIONS):
            total += error(generator.random(self.confidence.shape) < self.confidence)
        return total / SIMULATIONS

    def _pooled_ece(self, stated: Floats, happened: Bools, kept: Bools, kind: str) -> Spread:
        edges = bin_edges(stated[kept], kind)
        place = bin_index(stated, edges)
        sums = np.zeros((len(stated), BINS + 1), dtype=np.int64)
        gaps = np.where(kept, _millionths(happened - stated), 0)
        np.add.at(sums, (np.arange(len(stated))[:, None], place), gaps)
        sums[:, BINS] = kept.sum(axis=1) * UNIT

        def score(total: Counts) -> Floats:
            return ratio(np.abs(total[..., :BINS]).sum(axis=-1), total[..., BINS], 0.0)[..., None]

        exact = expected_calibration_error(stated[kept], happened[kept], kind)
        return self._spread(sums, score, np.array([exact]), np.array([bool(kept.any())]))

    def _diagrams(self, stated: Floats, happened: Bools, kept: Bools) -> dict[str, Reliability]:
        return {kind: self._diagram(stated, happened, kept, kind) for kind in KINDS}

    def _diagram(self, stated: Floats, happened: Bools, kept: Bools, kind: str) -> Reliability:
        edges = bin_edges(stated[kept], kind)
        place = bin_index(stated, edges)
        bins = len(edges) + 1
        reports = np.arange(len(stated))[:, None]
        counts = [np.zeros((len(stated), bins), dtype=np.int64) for _ in range(2)]
        for table, members in zip(counts, (happened & kept, kept), strict=True):
            np.add.at(table, (reports, place), members)
        sums = np.stack(counts, axis=1)
        weight = np.bincount(place[kept], weights=stated[kept], minlength=bins)
        total = sums.sum(axis=0)
        used = total[1] > 0
        sums = sums[..., used]

        value = ratio(total[0, used], total[1, used], 0.0)

        def share(counted: Counts) -> Floats:
            found = ratio(counted[..., 0, :], counted[..., 1, :], 0.0)
            # A resample without any decision of a bin says nothing about its share.
            return np.where(counted[..., 1, :] > 0, found, value)

        spread = self._spread(sums, share, value, np.ones(int(used.sum()), dtype=bool))
        borders = np.concatenate([[0.0], edges, [1.0]])
        return Reliability(
            left=borders[:-1][used],
            right=borders[1:][used],
            decisions=total[1][used],
            confidence=ratio(weight[used], total[1][used], 0.0),
            share=value,
            low=spread.low,
            high=spread.high,
        )

    def _spread(self, sums: NDArray[np.int64], score: Score, exact: Floats, known: Bools) -> Spread:
        if len(sums) == 0 or self.resampling.clusters.max(initial=0) == 0:
            return Spread(exact, exact, exact, known)
        drawn = bootstrap_score(
            cluster_counts(sums, self.resampling.clusters),
            score,
            resamples=self.resampling.resamples,
            level=self.resampling.level,
            seed=self.resampling.seed,
        )
        return Spread(exact, drawn.low, drawn.high, known)


def _millionths(values: Floats) -> NDArray[np.int64]:
    return np.round(values * UNIT).astype(np.int64)
