"""Paired randomization and bootstrap over reports, for any score of summed counts.

Both draw whole clusters (patients, or single reports), never single labels: the labels of a
report fail together, and reports of a patient resemble each other. All resamples are one
matrix product of swaps or draws with counts; float32 holds whole numbers exactly up to 2**24,
so a result depends on the seed alone and not on block size or threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from eval.stats.counts import Counts, Floats

Score = Callable[[Counts], Floats]
"""Summed counts ``[..., shape of one report]`` to scores ``[..., parts]``."""

BLOCK = 512
BLOCK_CELLS = 2**24
"""Resamples per matrix product: at most :data:`BLOCK`, fewer where reports are very many."""

EXACT_FLOAT32 = 2**24
TIE = 1e-12
"""Differences nearer than this are equal: float64 rounding must not decide a P value."""


@dataclass(frozen=True, eq=False)
class Randomization:
    """Paired approximate (or exact) randomization test, two-sided.

    Attributes:
        difference: score of a minus score of b, ``[parts]``.
        p: P value, ``[parts]``.
        permutations: swaps tried; all of them when ``exact``.
        clusters: clusters in all; ``differing``: those where the labelers' counts differ.
        method: one phrase for a methods section.
    """

    difference: Floats
    p: Floats
    permutations: int
    exact: bool
    clusters: int
    differing: int
    seed: int
    method: str

    def take(self, parts: slice) -> Randomization:
        """The same test for some of the parts."""
        return replace(self, difference=self.difference[parts], p=self.p[parts])


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """BCa bootstrap of one quantity (a score, or a difference of two), ``[parts]`` each.

    ``draws`` is ``[resamples, parts]``; ``bias`` (z0) and ``acceleration`` shape the interval.
    ``flat`` marks parts that are the same in all resamples: their interval is one point.
    """

    estimate: Floats
    low: Floats
    high: Floats
    standard_error: Floats
    level: float
    draws: Floats
    bias: Floats
    acceleration: Floats
    flat: NDArray[np.bool_]
    resamples: int
    clusters: int
    seed: int
    method: str

    def interval(self, level: float) -> tuple[Floats, Floats]:
        """The BCa interval at another level, from the same draws."""
        return bca_interval(self.draws, self.estimate, self.bias, self.acceleration, level)

    def take(self, parts: slice) -> Bootstrap:
        """The same bootstrap for some of the parts."""
        kept = {
            name: getattr(self, name)[..., parts]
            for name in (
                "estimate",
                "low",
                "high",
                "standard_error",
                "draws",
                "bias",
                "acceleration",
                "flat",
            )
        }
        return replace(self, **kept)


def randomization(
    a: Counts, b: Counts, score: Score, *, permutations: int = 10_000, seed: int = 0
) -> Randomization:
    """Test that two labelers' names are exchangeable within each cluster.

    Clusters are swapped by fair coins and the scores of both sides recomputed; P is the share
    of swaps with a difference at least as large as the one seen, the one seen included
    ((hits + 1) / (permutations + 1); Noreen 1989, Phipson & Smyth 2010). Clusters with equal
    counts cannot matter and are left out; when the rest allow no more than ``permutations``
    swaps, all are tried and P is exact.

    Args:
        a, b: counts per cluster, ``[clusters, ...]``.
        score: of summed counts.
    """
    total_a, total_b = _total(a), _total(b)
    observed = score(total_a) - score(total_b)
    shape = a.shape[1:]
    delta = (b - a).reshape(len(a), -1)
    delta = delta[(delta != 0).any(axis=1)]
    kept = np.flatnonzero((delta != 0).any(axis=0))
    differing = len(delta)
    exact = differing < 63 and 2**differing <= permutations
    hits = np.zeros(observed.shape, dtype=np.int64)
    tried = 0
    matrix = _exact(delta[:, kept])
    for swaps in _all_swaps(differing) if exact else _random_swaps(differing, permutations, seed):
        moved = np.zeros((len(swaps), delta.shape[1]))
        moved[:, kept] = swaps.astype(matrix.dtype) @ matrix
        moved = moved.reshape(len(swaps), *shape)
        change = score(total_a + moved) - score(total_b - moved)
        hits += (np.abs(change) >= np.abs(observed) - TIE).sum(axis=0)
        tried += len(swaps)
    p = hits / tried if exact else (hits + 1) / (tried + 1)
    how = f"exact, all {tried}" if exact else f"{tried} random"
    return Randomization(
        difference=observed,
        p=np.asarray(p, dtype=np.float64),
        permutations=tried,
        exact=exact,
        clusters=len(a),
        differing=differing,
        seed=seed,
        method=f"paired randomization over clusters of reports, {how} swaps, two-sided",
    )


def bootstrap_difference(
    a: Counts,
    b: Counts,
    score: Score,
    *,
    resamples: int = 2_000,
    level: float = 0.95,
    seed: int = 0,
) -> Bootstrap:
    """BCa interval of ``score(a) - score(b)``: clusters are drawn, both labelers together."""

    axis = -a.ndim

    def difference(sums: Counts) -> Floats:
        return score(sums.take(0, axis=axis)) - score(sums.take(1, axis=axis))

    return _bootstrap(np.stack([a, b], axis=1), difference, resamples, level, seed)


def bootstrap_score(
    counts: Counts, score: Score, *, resamples: int = 2_000, level: float = 0.95, seed: int = 0
) -> Bootstrap:
    """BCa interval of one labeler's score; clusters are drawn with replacement."""
    return _bootstrap(counts, score, resamples, level, seed)


def bca_interval(
    draws: Floats, estimate: Floats, bias: Floats, acceleration: Floats, level: float
) -> tuple[Floats, Floats]:
    """Bias-corrected and accelerated interval (Efron 1987), ``[parts]`` each.

    A part whose draws are all alike has that value (its estimate) as both ends.
    """
    tail = stats.norm.ppf((1 - level) / 2)
    ends = []
    for z in (tail, -tail):
        shifted = bias + (bias + z) / (1 - acceleration * (bias + z))
        at = stats.norm.cdf(shifted)
        ends.append(np.array([np.quantile(draws[:, i], q) for i, q in enumerate(at)]))
    flat = np.ptp(draws, axis=0) <= TIE
    return np.where(flat, estimate, ends[0]), np.where(flat, estimate, ends[1])


def _bootstrap(counts: Counts, score: Score, resamples: int, level: float, seed: int) -> Bootstrap:
    size, shape = len(counts), counts.shape[1:]
    flat_counts = counts.reshape(size, -1)
    kept = np.flatnonzero(flat_counts.any(axis=0))
    matrix = _exact(flat_counts[:, kept])
    estimate = score(_total(counts))
    drawn = []
    for weights in _draws(size, resamples, seed):
        sums = np.zeros((len(weights), flat_counts.shape[1]))
        sums[:, kept] = weights.astype(matrix.dtype) @ matrix
        drawn.append(score(sums.reshape(len(weights), *shape)))
    draws = np.concatenate(drawn)
    bias, acceleration = _bias(draws, estimate), _acceleration(counts, score)
    low, high = bca_interval(draws, estimate, bias, acceleration, level)
    return Bootstrap(
        estimate=estimate,
        low=low,
        high=high,
        standard_error=draws.std(axis=0, ddof=1),
        level=level,
        draws=draws,
        bias=bias,
        acceleration=acceleration,
        flat=np.ptp(draws, axis=0) <= TIE,
        resamples=resamples,
        clusters=size,
        seed=seed,
        method=f"BCa bootstrap over clusters of reports, {resamples} resamples",
    )


def _bias(draws: Floats, estimate: Floats) -> Floats:
    below = (draws < estimate - TIE).mean(axis=0)
    up_to = (draws <= estimate + TIE).mean(axis=0)
    # Half a draw from the border keeps z0 finite when the estimate is beyond every draw.
    margin = 0.5 / len(draws)
    result: Floats = stats.norm.ppf(np.clip((below + up_to) / 2, margin, 1 - margin))
    return result


def _acceleration(counts: Counts, score: Score) -> Floats:
    total = _total(counts)
    left_out = np.concatenate(
        [score(total - counts[i : i + BLOCK]) for i in range(0, len(counts), BLOCK)]
    )
    influence = left_out.mean(axis=0) - left_out
    spread = (influence**2).sum(axis=0) ** 1.5
    skew = (influence**3).sum(axis=0)
    result: Floats = np.divide(skew, 6 * spread, out=np.zeros_like(skew), where=spread > TIE**1.5)
    return result


def _total(counts: Counts) -> Floats:
    return np.asarray(counts.sum(axis=0, dtype=np.int64), dtype=np.float64)


def _rows(size: int) -> int:
    return max(1, min(BLOCK, BLOCK_CELLS // max(size, 1)))


def _exact(matrix: Counts) -> NDArray[Any]:
    """The smallest float type in which every weighted sum of the rows is a whole number."""
    largest = int(np.abs(matrix).max(initial=0)) * len(matrix)
    return matrix.astype(np.float32 if largest < EXACT_FLOAT32 else np.float64)


def _random_swaps(size: int, permutations: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    generator = np.random.default_rng(seed)
    columns = -(-size // 64)
    for start in range(0, permutations, _rows(size)):
        rows = min(_rows(size), permutations - start)
        drawn = generator.integers(0, 2**64, size=(rows, columns), dtype=np.uint64)
        bits = np.unpackbits(drawn.astype("<u8").view(np.uint8), axis=1)
        yield bits[:, :size]


def _all_swaps(size: int) -> Iterator[NDArray[np.int64]]:
    places = np.arange(size)
    for start in range(0, 2**size, BLOCK):
        numbers = np.arange(start, min(start + BLOCK, 2**size))
        yield (numbers[:, None] >> places) & 1


def _draws(size: int, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, _rows(size)):
        rows = min(_rows(size), resamples - start)
        picked = generator.integers(0, size, size=(rows, size))
        offset = np.arange(rows)[:, None] * size
        yield np.bincount((picked + offset).ravel(), minlength=rows * size).reshape(rows, size)
