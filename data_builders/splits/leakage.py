"""What leaks from the held-out splits into training: shared patients, equal and similar texts.

Near duplicates are found exactly: two texts are near duplicates if the Jaccard similarity of
their sets of word trigrams is at least :data:`THRESHOLD`. Sets so similar differ in at most
``d = (1 - t) / (1 + t) * (a + b)`` trigrams, ``a`` and ``b`` their sizes, so of ``d + 1`` buckets
that trigrams fall into by their hash at least one is the same in both (PartEnum: Arasu, Ganti &
Kaushik 2006). Only texts that share a whole bucket are compared in full. Unlike a shared rare
trigram, a shared bucket stays rare in reports made of the same stock sentences.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from data_builders.splits.split import SPLITS, SplitItem, words

THRESHOLD = 0.9
"""Least Jaccard similarity of two near duplicates."""

WIDTH = 3
"""Words per shingle."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """What one report shares with a split that is held out from its own.

    Attributes:
        kind: ``patient`` or ``text``.
        index: the report, by its place among the items.
        held_out: the split that has the other one.
    """

    kind: str
    index: int
    held_out: str


def overlaps(items: Sequence[SplitItem], splits: Sequence[str | None]) -> Iterator[Overlap]:
    """The reports whose patient or text also stands in a later split (train < validation < test).

    A report is named once for each later split and kind. ``None`` splits are left out.
    """
    for kind in ("patient", "text"):
        homes: dict[str | bytes, set[str]] = {}
        keys = [item.patient if kind == "patient" else item.text for item in items]
        for key, split in zip(keys, splits, strict=True):
            if key is not None and split is not None:
                homes.setdefault(key, set()).add(split)
        for index, (key, split) in enumerate(zip(keys, splits, strict=True)):
            if key is None or split is None:
                continue
            for later in SPLITS[SPLITS.index(split) + 1 :]:
                if later in homes[key]:
                    yield Overlap(kind, index, later)


def shingles(text: str) -> frozenset[int]:
    """64-bit hashes of the word trigrams of a text; a shorter text is one shingle."""
    found = words(text)
    last = max(len(found) - WIDTH, 0) + 1
    grams = {" ".join(found[i : i + WIDTH]) for i in range(last)} - {""}
    return frozenset(
        int.from_bytes(hashlib.blake2b(gram.encode(), digest_size=8).digest(), "big")
        for gram in grams
    )


def jaccard(one: frozenset[int], other: frozenset[int]) -> float:
    """Shared part of the union of two sets; 0 if both are empty."""
    shared = len(one & other)
    union = len(one) + len(other) - shared
    return shared / union if union else 0.0


class NearDuplicates:
    """The texts of held-out splits, to be asked for near duplicates."""

    def __init__(self, texts: Iterable[tuple[str, str]]) -> None:
        """Index ``(split, text)`` pairs; equal texts of one split take no further memory."""
        seen: dict[tuple[str, tuple[int, ...]], None] = {}
        for split, text in texts:
            if found := shingles(text):
                seen[split, tuple(sorted(found))] = None
        self._sets = [(split, array("Q", found)) for split, found in seen]
        self._splits = {split for split, _ in self._sets}
        self._index: dict[int, list[int]] = {}
        for number, (_, held) in enumerate(self._sets):
            for bucket in _buckets(held):
                self._index.setdefault(bucket, []).append(number)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to ask for."""
        return not self._sets

    def find(self, text: str) -> set[str]:
        """The held-out splits that have a near duplicate of ``text``."""
        asked = shingles(text)
        hits: set[str] = set()
        tried: set[int] = set()
        for bucket in _buckets(asked):
            for number in self._index.get(bucket, ()):
                split, found = self._sets[number]
                if split in hits or number in tried:
                    continue
                tried.add(number)
                if min(len(asked), len(found)) < THRESHOLD * max(len(asked), len(found)):
                    continue
                if jaccard(asked, frozenset(found)) >= THRESHOLD:
                    hits.add(split)
                    if hits == self._splits:
                        return hits
        return hits


def _buckets(grams: Collection[int]) -> Iterator[int]:
    """Keys of the buckets of a set; sets that are similar enough share one.

    Sizes fall into classes such that similar sets are of the same class or of neighbours. Each
    class and the next have their own number of buckets; a set is in those of its class and of
    the one before.
    """
    if not grams:
        return
    number = _size_class(len(grams))
    for scheme in (number - 1, number):
        if scheme < 0:
            continue
        count = _bucket_count(scheme)
        sums = [0] * count
        for gram in grams:
            sums[gram % count] += gram
        for place, total in enumerate(sums):
            yield hash((scheme, place, total))


@lru_cache(maxsize=4096)
def _size_class(size: int) -> int:
    number = 0
    while _largest(number) < size:
        number += 1
    return number


@lru_cache(maxsize=4096)
def _largest(number: int) -> int:
    """The largest size of a class; the first holds single trigrams only."""
    least = 1 if number == 0 else _largest(number - 1) + 1
    # rounding: 9 / 0.9 is a little less than 10 in some binary quotients
    return math.floor(round(least / THRESHOLD, 9))


@lru_cache(maxsize=4096)
def _bucket_count(number: int) -> int:
    most = _largest(number) + _largest(number + 1)
    return math.floor(round((1 - THRESHOLD) / (1 + THRESHOLD) * most, 9)) + 1
