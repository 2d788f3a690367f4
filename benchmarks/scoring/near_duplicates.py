"""How does the search for near duplicates grow on reports made of the same stock sentences?

Reports of five to eight out of thirty sentences, a fifth of them held out. Beside the search by
buckets stands the usual prefix filter (Bayardo et al. 2007): texts that share one of their rarest
trigrams are compared in full. Where every sentence is frequent no trigram is rare, and it
compares a constant share of all pairs. Both must name the same reports.

    python benchmarks/scoring/near_duplicates.py
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence

from data_builders.splits.split_plan import THRESHOLD, NearDuplicates, jaccard, shingles


def reports(number: int, seed: int) -> list[str]:
    """Texts of stock sentences in a fixed order."""
    draw = random.Random(seed)
    words = [a + b for a in "abcdefghij" for b in "lmnopqrstuv"]
    stock = [" ".join(draw.choices(words, k=draw.randint(5, 11))) for _ in range(30)]
    return [
        " ".join(stock[i] for i in sorted(draw.sample(range(30), draw.randint(5, 8))))
        for _ in range(number)
    ]


def by_prefix(held: Sequence[str], asked: Sequence[str]) -> list[bool]:
    """Whether each text has a near duplicate, by the prefix filter."""
    sets = list(dict.fromkeys(shingles(text) for text in held))
    counts = Counter(gram for found in sets for gram in found)

    def prefix(grams: Iterable[int]) -> list[int]:
        ordered = sorted(grams, key=lambda gram: (counts.get(gram, 0), gram))
        return ordered[: len(ordered) - math.ceil(round(THRESHOLD * len(ordered), 9)) + 1]

    index: dict[int, list[int]] = {}
    for number, found in enumerate(sets):
        for gram in prefix(found):
            index.setdefault(gram, []).append(number)
    answers = []
    for text in asked:
        mine = shingles(text)
        near = dict.fromkeys(i for gram in prefix(mine) for i in index.get(gram, ()))
        answers.append(
            any(
                min(len(mine), len(sets[i])) >= THRESHOLD * max(len(mine), len(sets[i]))
                and jaccard(mine, sets[i]) >= THRESHOLD
                for i in near
            )
        )
    return answers


def main() -> None:
    """Print CPU seconds of both and their ratio at growing sizes."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--most", type=int, default=20_000)
    options = parser.parse_args()
    size = options.most // 8
    while size <= options.most:
        texts = reports(size, seed=0)
        held, asked = texts[: size // 5], texts[size // 5 :]
        start = time.process_time()
        index = NearDuplicates(("test", text) for text in held)
        found = [bool(index.find(text)) for text in asked]
        middle = time.process_time()
        other = by_prefix(held, asked)
        buckets, prefix = middle - start, time.process_time() - middle
        if found != other:
            raise SystemExit("the two ways name different reports")
        print(
            f"{size:,} reports, {sum(found)} near duplicates: buckets {buckets:.2f} CPU s, "
            f"prefix filter {prefix:.2f}; ratio {prefix / buckets:.1f}"
        )
        size *= 2


if __name__ == "__main__":
    main()
