"""Paired randomization and bootstrap over reports, for any score of summed counts.

Both draw whole clusters (patients, or single reports), never single labels: the labels of a
report fail together, and reports of a patient resemble each other. All resamples are one
matrix product of swaps or draws with counts; float32 holds whole numbers exactly up to 2**24,
so a result depends on the seed alone and not on block size or threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from eval.stats.counts import Counts, Floats
from eval.stats.estimates import Interval

Score = Callable[[Counts], Floats]
"""Summed counts ``[..., shape of one report]`` to scores ``[..., parts]``."""

BLOCK = 512
BLOCK_CELLS = 2**25
"""Resamples per matrix product: at most :data:`BLOCK`, fewer where reports are very many."""
CHUNK = 4096
"""Clusters that are turned into floats at a time: they and their weights stay in the cache."""

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
    a: Counts, b: Counts, score: Score, *, permutations: int = 10_000, seed: int = 13
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
    delta = (b - a).reshape(len(a), math.prod(shape))
    delta = delta[delta.any(axis=1)]
    sums = Sums(delta.reshape(-1, *shape))
    del delta
    differing = len(sums.matrix)
    exact = differing < 63 and 2**differing <= permutations
    hits = np.zeros(observed.shape, dtype=np.int64)
    tried = 0
    for swaps in _all_swaps(differing) if exact else _random_swaps(differing, permutations, seed):
        moved = sums.of(swaps)
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
    seed: int = 13,
) -> Bootstrap:
    """BCa interval of ``score(a) - score(b)``: clusters are drawn, both labelers together."""
    drawn = bootstraps(
        {"a": a, "b": b}, [("a", "b")], score, resamples=resamples, level=level, seed=seed
    )
    return drawn.paired["a", "b"]


def bootstrap_score(
    counts: Counts, score: Score, *, resamples: int = 2_000, level: float = 0.95, seed: int = 13
) -> Bootstrap:
    """BCa interval of one labeler's score; clusters are drawn with replacement."""
    drawn = bootstraps({"": counts}, [], score, resamples=resamples, level=level, seed=seed)
    return drawn.single[""]


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


@dataclass(frozen=True, eq=False)
class Bootstraps:
    """What one set of resamples says of several tables over the same clusters.

    Attributes:
        single: of each table's score.
        paired: of the difference of two tables' scores.
    """

    single: Mapping[str, Bootstrap]
    paired: Mapping[tuple[str, str], Bootstrap]


def bootstraps(
    tables: Mapping[str, Counts],
    pairs: Sequence[tuple[str, str]],
    score: Score,
    *,
    resamples: int = 2_000,
    level: float = 0.95,
    seed: int = 13,
) -> Bootstraps:
    """BCa intervals of every table's score and of the difference of every pair.

    All come from the same resamples, drawn and summed once; the results are those of
    :func:`bootstrap_score` and :func:`bootstrap_difference` with the same seed.

    Args:
        tables: counts per cluster by name, ``[clusters, ...]`` each.
        pairs: names of a and b; the difference is a minus b.
    """
    names = list(tables)
    sums = [Sums(table) for table in tables.values()]
    size = len(sums[0].matrix)
    drawn: list[list[Floats]] = [[] for _ in names]
    for weights in _draws(size, resamples, seed):
        for each, table in zip(drawn, sums, strict=True):
            each.append(score(table.of(weights)))
    draws = {name: np.concatenate(each) for name, each in zip(names, drawn, strict=True)}
    estimate = {name: score(_total(table)) for name, table in tables.items()}
    alone, apart = _accelerations(tables, pairs, estimate, score)

    def made(values: Floats, at: Floats, acceleration: Floats) -> Bootstrap:
        bias = _bias(values, at)
        low, high = bca_interval(values, at, bias, acceleration, level)
        return Bootstrap(
            estimate=at,
            low=low,
            high=high,
            standard_error=values.std(axis=0, ddof=1),
            level=level,
            draws=values,
            bias=bias,
            acceleration=acceleration,
            flat=np.ptp(values, axis=0) <= TIE,
            resamples=resamples,
            clusters=size,
            seed=seed,
            method=f"BCa bootstrap over clusters of reports, {resamples} resamples",
        )

    return Bootstraps(
        single={name: made(draws[name], estimate[name], alone[name]) for name in names},
        paired={
            (a, b): made(draws[a] - draws[b], estimate[a] - estimate[b], apart[a, b])
            for a, b in pairs
        },
    )


@dataclass(frozen=True, eq=False)
class RunsBootstrap:
    """Means over several runs and their differences, with percentile intervals, ``[parts]`` each.

    Attributes:
        single: of each table's mean.
        paired: of the difference of two tables' means.
    """

    single: Mapping[str, Interval]
    paired: Mapping[tuple[str, str], Interval]


def bootstrap_runs(
    tables: Mapping[str, Counts],
    pairs: Sequence[tuple[str, str]],
    score: Score,
    *,
    resamples: int = 2_000,
    level: float = 0.95,
    seed: int = 13,
) -> RunsBootstrap:
    """Intervals of the mean score over runs: clusters are drawn, and runs are drawn.

    One draw of clusters serves all tables and runs; one draw of runs all tables with that number
    of them, so that differences are paired by cluster and by run. The mean of n drawn runs varies
    by (n - 1) / n of what the mean of n new runs would: with two or three, intervals are somewhat
    too narrow.

    Args:
        tables: counts per cluster and run by name, ``[clusters, runs, ...]``; runs may differ in
            number, clusters may not.
        score: of the summed counts of one run.
    """
    sums = {name: Sums(table) for name, table in tables.items()}
    sizes = {name: table.shape[1] for name, table in tables.items()}
    generator = np.random.default_rng([seed, 1])
    drawn: dict[str, list[Floats]] = {name: [] for name in tables}
    for weights in _draws(len(next(iter(tables.values()))), resamples, seed):
        of_runs = {
            size: generator.multinomial(size, [1 / size] * size, size=len(weights)) / size
            for size in sorted(set(sizes.values()))
        }
        for name, table in sums.items():
            each = score(table.of(weights))
            drawn[name].append(np.einsum("rn,rnp->rp", of_runs[sizes[name]], each))
    draws = {name: np.concatenate(each) for name, each in drawn.items()}
    means = {name: score(_total(table)).mean(axis=0) for name, table in tables.items()}
    tails = (1 - level) / 2, (1 + level) / 2

    def made(estimate: Floats, values: Floats) -> Interval:
        low, high = np.quantile(values, tails, axis=0)
        return Interval(estimate, low, high)

    return RunsBootstrap(
        single={name: made(means[name], draws[name]) for name in tables},
        paired={(a, b): made(means[a] - means[b], draws[a] - draws[b]) for a, b in pairs},
    )


def _bias(draws: Floats, estimate: Floats) -> Floats:
    below = (draws < estimate - TIE).mean(axis=0)
    up_to = (draws <= estimate + TIE).mean(axis=0)
    # Half a draw from the border keeps z0 finite when the estimate is beyond every draw.
    margin = 0.5 / len(draws)
    result: Floats = stats.norm.ppf(np.clip((below + up_to) / 2, margin, 1 - margin))
    return result


def _accelerations(
    tables: Mapping[str, Counts],
    pairs: Sequence[tuple[str, str]],
    estimate: Mapping[str, Floats],
    score: Score,
) -> tuple[dict[str, Floats], dict[tuple[str, str], Floats]]:
    """Skewness of what leaving out each cluster changes, in one walk over the clusters.

    Kept as sums of powers around the estimate, so memory does not grow with the clusters.
    """
    totals = {name: _total(table) for name, table in tables.items()}
    alone = {name: _Moments() for name in tables}
    apart = {pair: _Moments() for pair in pairs}
    for start in range(0, len(next(iter(tables.values()))), BLOCK):
        change = {
            name: score(totals[name] - table[start : start + BLOCK]) - estimate[name]
            for name, table in tables.items()
        }
        for name, moments in alone.items():
            moments.add(change[name])
        for (a, b), moments in apart.items():
            moments.add(change[a] - change[b])
    return (
        {name: moments.acceleration() for name, moments in alone.items()},
        {pair: moments.acceleration() for pair, moments in apart.items()},
    )


class _Moments:
    """Sums of the first three powers, ``[parts]`` each."""

    def __init__(self) -> None:
        self.size = 0
        self.sums: list[Floats] = []

    def add(self, changes: Floats) -> None:
        square = changes * changes
        new = [x.sum(axis=0) for x in (changes, square, square * changes)]
        self.sums = [a + b for a, b in zip(self.sums, new, strict=True)] if self.sums else new
        self.size += len(changes)

    def acceleration(self) -> Floats:
        first, second, third = self.sums
        mean = first / self.size
        squares = np.maximum(second - self.size * mean**2, 0.0)
        cubes = third - 3 * mean * second + 2 * self.size * mean**3
        spread = squares**1.5
        result: Floats = np.divide(
            -cubes, 6 * spread, out=np.zeros_like(spread), where=spread > TIE**1.5
        )
        return result


class Sums:
    """Weighted sums of a table's rows, as exact whole numbers.

    Columns that hold nothing are left out, and the rest is kept in the smallest integer type; a
    chunk of rows at a time becomes the smallest float type in which every sum is exact. A table
    that has that type and is mostly in use is not copied: it must not change while this is used.
    """

    def __init__(self, counts: Counts) -> None:
        self.shape = counts.shape[1:]
        self.width = math.prod(self.shape)
        flat = counts.reshape(len(counts), self.width)
        self.kept = np.flatnonzero(flat.any(axis=0))
        largest = max(int(flat.max(initial=0)), -int(flat.min(initial=0)))
        exact = largest * len(flat) < EXACT_FLOAT32
        self.float: type[np.floating[Any]] = np.float32 if exact else np.float64
        smallest = np.min_scalar_type(-largest - 1)
        self.whole = flat.dtype == smallest and 2 * len(self.kept) > self.width
        self.matrix = flat if self.whole else flat[:, self.kept].astype(smallest, copy=False)
        self.small = self._floats(slice(None)) if len(flat) <= CHUNK else None

    def of(self, weights: NDArray[Any]) -> Floats:
        """Sums ``[rows, shape of one report]`` for whole weights ``[rows, clusters]``."""
        sums = np.zeros((len(weights), self.width))
        part = np.zeros((len(weights), len(self.kept)))
        for start in range(0, len(self.matrix), CHUNK):
            rows = slice(start, start + CHUNK)
            chunk = self._floats(rows) if self.small is None else self.small
            part += weights[:, rows].astype(self.float, copy=False) @ chunk
        sums[:, self.kept] = part
        return sums.reshape(len(weights), *self.shape)

    def _floats(self, rows: slice) -> NDArray[Any]:
        chunk = self.matrix[rows]
        if self.whole:
            chunk = chunk.take(self.kept, axis=1)
        return chunk.astype(self.float)


def _total(counts: Counts) -> Floats:
    return np.asarray(counts.sum(axis=0, dtype=np.int64), dtype=np.float64)


def _rows(size: int) -> int:
    return max(1, min(BLOCK, BLOCK_CELLS // max(size, 1)))


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


def _draws(size: int, resamples: int, seed: int) -> Iterator[NDArray[Any]]:
    """How often each cluster is drawn, ``[rows, clusters]``, in blocks of resamples."""
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, _rows(size)):
        rows = min(_rows(size), resamples - start)
        # A cluster is drawn once on average; more than 255 times never happens (1 in 10**500).
        weights = np.empty((rows, size), dtype=np.uint8)
        for row in weights:
            row[:] = np.bincount(generator.integers(0, size, size=size), minlength=size)
        # one conversion for all tables, where it is small
        yield weights.astype(np.float32) if size <= CHUNK else weights
