"""How long do 10,000 permutations take, beside a plain Python loop, and all intervals at once?

Random labels of 5,000 reports × 14 observations by three labelers; all three pairs are tested
with the macro positive F1. The labelers disagree in every report, which is the slowest case:
reports with equal answers cost nothing. The plain loop swaps and counts label by label on a
small part; its time is scaled by permutations × reports, in which it is linear. Then the
bootstrap of all labelers and pairs from one set of resamples, beside one after the other.

    OMP_NUM_THREADS=1 python benchmarks/scoring/resampling_speed.py
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from eval.kinds.certainty.read import Comparison
from eval.kinds.certainty.scores import report_counts, statistics
from eval.stats.resampling import (
    bootstrap_difference,
    bootstrap_score,
    bootstraps,
    randomization,
)
from labelwright.label_set import LabelSet
from labelwright.tasks.shapes import Statistic

POSITIVE = 0
STATISTIC = "macro_f1_positive"
Codes = NDArray[np.int8]


def make(reports: int, labelers: int, seed: int) -> Comparison:
    """Random gold, and labelers that get 80 % of the labels right."""
    generator = np.random.default_rng(seed)
    label_set = LabelSet.load("chexpert-14")
    shape = (reports, len(label_set.names))
    gold = generator.choice(4, size=shape, p=[0.15, 0.15, 0.05, 0.65]).astype(np.int8)
    pred = {}
    for number in range(labelers):
        wrong = generator.random(shape) > 0.8
        noise = generator.integers(0, 4, size=shape, dtype=np.int8)
        pred[f"labeler {number + 1}"] = np.where(wrong, noise, gold)
    return Comparison(
        label_set=label_set,
        observations=label_set.names,
        ids=tuple(str(i) for i in range(reports)),
        clusters=None,
        gold=gold,
        pred=pred,
        coverage={},
    )


def fast(comparison: Comparison, statistic: Statistic, permutations: int) -> dict[str, float]:
    """P value of every pair by the product of swaps and counts."""
    counts = {n: report_counts(comparison.gold, c) for n, c in comparison.pred.items()}
    return {
        f"{a} / {b}": float(
            randomization(counts[a], counts[b], statistic.of, permutations=permutations).p[0]
        )
        for a, b in combinations(counts, 2)
    }


def together(comparison: Comparison, statistic: Statistic, resamples: int) -> tuple[float, float]:
    """CPU seconds of all intervals from one set of resamples, and of one after the other."""
    counts = {n: report_counts(comparison.gold, c) for n, c in comparison.pred.items()}
    pairs = list(combinations(counts, 2))
    start = time.process_time()
    bootstraps(counts, pairs, statistic.of, resamples=resamples)
    middle = time.process_time()
    for table in counts.values():
        bootstrap_score(table, statistic.of, resamples=resamples)
    for a, b in pairs:
        bootstrap_difference(counts[a], counts[b], statistic.of, resamples=resamples)
    return middle - start, time.process_time() - middle


def plain(gold: Codes, first: Codes, second: Codes, permutations: int) -> float:
    """The same test as one would write it down: a loop over swaps, reports and observations."""
    truth, a, b = gold.tolist(), first.tolist(), second.tolist()
    observed = abs(_macro(truth, a) - _macro(truth, b))
    flip = random.Random(0)
    hits = 0
    for _ in range(permutations):
        left, right = [], []
        for one, two in zip(a, b, strict=True):
            swapped = flip.random() < 0.5
            left.append(two if swapped else one)
            right.append(one if swapped else two)
        hits += abs(_macro(truth, left) - _macro(truth, right)) >= observed - 1e-12
    return (hits + 1) / (permutations + 1)


def _macro(gold: list[list[int]], pred: list[list[int]]) -> float:
    scores = []
    for column in range(len(gold[0])):
        tp = fp = fn = 0
        for truth, answer in zip(gold, pred, strict=True):
            tp += truth[column] == POSITIVE == answer[column]
            fp += truth[column] != POSITIVE == answer[column]
            fn += truth[column] == POSITIVE != answer[column]
        scores.append(2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0.0)
    return sum(scores) / len(scores)


def main() -> None:
    """Print both times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--reports", type=int, default=5_000)
    parser.add_argument("--labelers", type=int, default=3)
    parser.add_argument("--permutations", type=int, default=10_000)
    parser.add_argument("--plain-reports", type=int, default=500)
    parser.add_argument("--plain-permutations", type=int, default=20)
    options = parser.parse_args()

    comparison = make(options.reports, options.labelers, seed=0)
    statistic = statistics(comparison)[STATISTIC]
    start, cpu = time.perf_counter(), time.process_time()
    values = fast(comparison, statistic, options.permutations)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu

    part = options.plain_reports
    first, second = list(comparison.pred.values())[:2]
    start = time.perf_counter()
    plain(comparison.gold[:part], first[:part], second[:part], options.plain_permutations)
    small = time.perf_counter() - start
    scale = (options.permutations / options.plain_permutations) * (options.reports / part)
    whole = small * scale * len(values)

    size = f"{options.permutations} permutations × {options.reports} reports × 14 observations"
    print(f"{size} × {options.labelers} labelers ({len(values)} pairs), {STATISTIC}")
    print(f"matrix product: {wall:.1f} s wall, {cpu:.1f} s CPU")
    print(
        f"plain Python:   {small:.2f} s for {options.plain_permutations} permutations × "
        f"{part} reports × 1 pair; scaled linearly {whole:,.0f} s"
    )
    print(f"ratio:          {whole / wall:,.0f}")
    once, apart = together(comparison, statistic, options.permutations)
    print(
        f"bootstrap of {options.labelers} labelers and {len(values)} pairs, "
        f"{options.permutations} resamples: {once:.1f} s CPU from one set of resamples, "
        f"{apart:.1f} s one after the other; ratio {apart / once:.1f}"
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"most memory of this process: {peak:,.0f} MiB")
    for pair, p in values.items():
        print(f"{pair}: p = {p:.4f}")


if __name__ == "__main__":
    main()
