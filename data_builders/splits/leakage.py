"""What leaks from the held-out splits into training: shared patients, equal and similar texts.

Near duplicates are found exactly: two texts are near duplicates if the Jaccard similarity of
their sets of word trigrams is at least :data:`THRESHOLD`. Prefix filtering (Chaudhuri et al.
2006; Bayardo et al. 2007) makes that fast: in any fixed order of all trigrams, two sets that
similar share one of the first ``n - ceil(THRESHOLD * n) + 1`` trigrams of either, so only
those are looked up, the rarest first, and every candidate is then compared in full.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from data_builders.splits.split import SPLITS, Item, words

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


def overlaps(items: Sequence[Item], splits: Sequence[str | None]) -> Iterator[Overlap]:
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
        self._counts = Counter(gram for _, found in self._sets for gram in found)
        self._index: dict[int, list[int]] = {}
        for number, (_, held) in enumerate(self._sets):
            for gram in self._prefix(held):
                self._index.setdefault(gram, []).append(number)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to ask for."""
        return not self._sets

    def find(self, text: str) -> set[str]:
        """The held-out splits that have a near duplicate of ``text``."""
        asked = shingles(text)
        hits: set[str] = set()
        tried: set[int] = set()
        for gram in self._prefix(asked):
            for number in self._index.get(gram, ()):
                split, found = self._sets[number]
                if split in hits or number in tried:
                    continue
                tried.add(number)
                if min(len(asked), len(found)) < THRESHOLD * max(len(asked), len(found)):
                    continue
                if jaccard(asked, frozenset(found)) >= THRESHOLD:
                    hits.add(split)
        return hits

    def _prefix(self, grams: Iterable[int]) -> list[int]:
        ordered = sorted(grams, key=lambda gram: (self._counts.get(gram, 0), gram))
        # rounding before ceil: 0.9 * 10 is a little more than 9 in some binary products
        needed = math.ceil(round(THRESHOLD * len(ordered), 9))
        return ordered[: len(ordered) - needed + 1]
