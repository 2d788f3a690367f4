"""Copies of training reports with rare classes, until these are nearly as frequent as the average.

Two rules. ``paper`` is that of the released code of the benchmark of de Almeida et al.
(github.com/GRUPOMED4U/clinical_ner_benchmark_paper, ``adaptive_oversample``), which draws only
among reports with two or more rare classes: a class that is the only rare one of its reports is
never copied. ``rare`` takes every report with a rare class, and copies none too often.
"""

from __future__ import annotations

import heapq
import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from data_builders.collect import Collected
from data_builders.folder import TRAIN
from data_builders.splits.split_plan import Plan

RULES = ("paper", "rare")
SHARE = 0.8
"""Of the average number of reports per class: what a rare class shall reach (as released)."""
MOST_ROUNDS = 15
"""Rounds of drawing of the rule ``paper`` (as released)."""
MOST_COPIES = 9
"""Copies of one report under the rule ``rare``: it then stands ten times in training."""

Classes = tuple[str, ...]


@dataclass(frozen=True)
class Oversampling:
    """How many copies of each row to write, and what the manifest says of them."""

    copies: Mapping[int, int]
    facts: Mapping[str, Any]


def oversampling(rule: str, collected: Collected, plan: Plan, *, seed: int) -> Oversampling:
    """Choose the copies for the training reports of a plan; the same input gives the same."""
    rows = [index for index, split in plan.kept() if split == TRAIN]
    known = {index: _classes(collected, index) for index in rows}
    every = sorted({name for index, _ in plan.kept() for name in _classes(collected, index)})
    before = Counter(name for classes in known.values() for name in classes)
    target = int(SHARE * before.total() / len(every)) if every else 0
    falling = sorted(every, key=lambda name: (-before[name], name))
    rare = {name: target - before[name] for name in falling if before[name] < target}
    choose = _paper if rule == "paper" else _evenly
    copies = choose({i: c for i, c in known.items() if rare.keys() & set(c)}, rare, seed)
    after = Counter(before)
    for index, count in copies.items():
        for name in known[index]:
            after[name] += count
    return Oversampling(
        {index: count for index, count in sorted(copies.items()) if count},
        {
            "rule": rule,
            "reports_per_class_aimed_at": target,
            "reports_copied": sum(count > 0 for count in copies.values()),
            "copies": sum(copies.values()),
            "reports_with_class": {
                name: {"before": before[name], "after": after[name]} for name in every
            },
        },
    )


def _classes(collected: Collected, index: int) -> Classes:
    """What a report has: types, or observations with a certainty other than blank."""
    known = collected.rows[index].known_in(TRAIN)
    return () if isinstance(known, str) else known  # known for the test split only


def _paper(known: Mapping[int, Classes], rare: Mapping[str, int], seed: int) -> Counter[int]:
    """The released rule: roulette among reports with two or more rare classes."""
    chance = random.Random(seed)
    least = [
        (index, [name for name in classes if name in rare]) for index, classes in known.items()
    ]
    weights: list[tuple[float, int, list[str]]] = []
    weights += [(3.0, index, few) for index, few in least if len(few) >= 3]
    pairs = [(index, few) for index, few in least if len(few) == 2]
    weights += [(1.5, index, few) for index, few in pairs if len(known[index]) >= 5]
    weights += [(1.0, index, few) for index, few in pairs if len(known[index]) < 5]
    copies: Counter[int] = Counter()
    missing = dict(rare)
    if not weights:
        return copies

    def draw(
        among: Sequence[tuple[float, int, list[str]]], times: int
    ) -> list[tuple[int, list[str]]]:
        sums = list(accumulate(weight for weight, _, _ in among))
        spins = (bisect_left(sums, chance.random() * sums[-1]) for _ in range(times))
        return [among[min(spin, len(among) - 1)][1:] for spin in spins]

    for _ in range(MOST_ROUNDS):
        open_places = sum(missing.values())
        for index, few in draw(weights, min(open_places, 2 * len(weights))):
            if any(missing[name] > 0 for name in few):
                copies[index] += 1
                for name in few:
                    missing[name] = max(0, missing[name] - 1)
    for name in [name for name, count in missing.items() if count > len(weights) // 2]:
        among = [entry for entry in weights if name in entry[2]]
        for index, _ in draw(among, missing[name]) if among else ():
            copies[index] += 1
    return copies


def _evenly(known: Mapping[int, Classes], rare: Mapping[str, int], seed: int) -> Counter[int]:
    """Rarest class first; of its reports the least copied, with the fewest frequent classes."""
    chance = random.Random(seed)
    order = {index: chance.random() for index in known}
    copies: Counter[int] = Counter()
    missing = Counter(rare)
    for name in sorted(rare, key=lambda name: (-rare[name], name)):
        heap = [
            (copies[index], sum(missing[other] <= 0 for other in classes), order[index], index)
            for index, classes in known.items()
            if name in classes
        ]
        heapq.heapify(heap)
        while missing[name] > 0 and heap and heap[0][0] < MOST_COPIES:
            count, common, place, index = heapq.heappop(heap)
            copies[index] = count + 1
            missing.subtract(known[index])
            heapq.heappush(heap, (count + 1, common, place, index))
    return copies
