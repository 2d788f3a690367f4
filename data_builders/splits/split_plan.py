"""Which report goes into which split, and which ones must stay out to keep the splits apart.

Splits given by a table, such as ``mimic-cxr-2.0.0-split.csv.gz``.

What leaks from the held-out splits into training: shared patients, equal and similar texts.

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
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from data_builders.collect import Collected, Row
from data_builders.splits.split import (
    SPLITS,
    SplitItem,
    group_sizes,
    parse_ratios,
    split_items,
    words,
)
from labelwright.errors import ConfigError, InputError
from labelwright.io.delimited import columns, id_columns, no_column, rows

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


WORDS = {
    "train": "train",
    "training": "train",
    "validate": "validation",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
"""How tables write the splits, without case."""


def read_split_file(
    path: str | Path, *, asked: Sequence[str] = (), reports_id: str | None = None
) -> Mapping[str, str]:
    """Split by report id. A report may stand in several rows (one per image) of one split.

    Args:
        asked: the id columns, if not one of the usual names.
        reports_id: the column that was named for the id of the reports, which counts where the
            table has it and no usual one.

    Raises:
        InputError: no column ``split``, an unknown split, or a report in two splits.
    """
    keys = id_columns(path, asked, "--split-id-columns", reports=reports_id)
    column = next((c for c in columns(path) if c.strip().casefold() == "split"), None)
    if column is None:
        raise no_column("split", columns(path), path)
    found: dict[str, str] = {}
    for row, cells in rows(path):
        split = WORDS.get(cells[column].strip().casefold())
        if split is None:
            raise InputError(
                "unknown split", remedy=f"use one of: {', '.join(WORDS)}", source=path, row=row
            )
        identifier = "/".join(cells[key].strip() for key in keys)
        if found.setdefault(identifier, split) != split:
            raise InputError(
                f"report {identifier} is already in the {found[identifier]} split",
                remedy="keep one of the rows",
                source=path,
                row=row,
            )
    return found


@dataclass(frozen=True)
class SplitOptions:
    """How to split.

    Attributes:
        ratios: as :func:`data_builders.splits.split.parse_ratios` reads them.
        table: split by report id instead of ratios.
        duplicates: ``keep``, or ``drop`` all reports but the first with the same text.
        leakage: what to do where a split table puts a patient or a text into two splits:
            ``error``, ``drop`` it from the earlier split (train before validation), or
            ``keep-texts``: an error for patients, but equal texts of different patients stay
            and are counted (stock sentences are whole reports where one section is used).
        near_duplicates: ``keep``, or ``drop`` training reports that nearly repeat another split.
        stratify: ``labels`` shares out rare ones first, ``none`` splits at random.
    """

    ratios: str = "0.8,0.1,0.1"
    table: Mapping[str, str] | None = None
    seed: int = 13
    duplicates: str = "keep"
    leakage: str = "error"
    near_duplicates: str = "keep"
    stratify: str = "labels"


@dataclass
class Plan:
    """The split of each row, ``None`` where it is left out for the reason beside it."""

    splits: list[str | None]
    reasons: dict[int, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def leave_out(self, index: int, reason: str) -> None:
        """Take a row out; its first reason stays."""
        if self.splits[index] is not None:
            self.splits[index] = None
            self.reasons[index] = reason

    def kept(self) -> Iterable[tuple[int, str]]:
        """Index and split of the rows that stay."""
        return ((i, split) for i, split in enumerate(self.splits) if split is not None)


def make_plan(collected: Collected, options: SplitOptions, *, strata: Sequence[str] = ()) -> Plan:
    """Split all collected rows and check the splits against each other.

    Args:
        strata: all classes, in the order in which they are shared out.

    Raises:
        ConfigError: a split stays empty, or a split table leaks and ``leakage`` is ``error``.
    """
    rows = collected.rows
    plan = Plan(["train"] * len(rows))
    _duplicates(plan, rows, options)
    _assign(plan, rows, options, strata)
    for index, split in list(plan.kept()):
        known = rows[index].known_in(split)
        if isinstance(known, str):
            plan.leave_out(index, known if split != "test" else f"{known} (test split)")
    _overlaps(plan, rows, options)
    _near_duplicates(plan, collected, drop=options.near_duplicates == "drop")
    counts = Counter(split for _, split in plan.kept())
    plan.facts["reports"] = {name: counts[name] for name in SPLITS if counts[name]}
    if options.table is None and rows:
        _not_empty(counts, parse_ratios(options.ratios))
    return plan


def _not_empty(counts: Mapping[str, int], asked: Iterable[str]) -> None:
    for name in asked:
        if not counts[name]:
            raise ConfigError(
                f"no report of the {name} split is left: all had no labels, were duplicates or "
                "near duplicates",
                remedy="check the label tables and the ids in them, or ask for fewer drops",
            )


def _duplicates(plan: Plan, rows: Sequence[Row], options: SplitOptions) -> None:
    """Of equal texts the first stays; with a split table the first of the latest split."""
    table = options.table or {}
    rank = {split: -place for place, split in enumerate(SPLITS)}
    order = sorted(range(len(rows)), key=lambda i: rank.get(table.get(rows[i].item.id, ""), 1))
    seen: set[bytes] = set()
    repeated = 0
    for index in order:
        text = rows[index].item.text
        if text in seen:
            repeated += 1
            if options.duplicates == "drop":
                plan.leave_out(index, "same text as another report")
        seen.add(text)
    plan.facts["reports_that_repeat_a_text"] = repeated


def _assign(plan: Plan, rows: Sequence[Row], options: SplitOptions, strata: Sequence[str]) -> None:
    kept = [index for index, _ in plan.kept()]
    items = [rows[index].item for index in kept]
    if options.table is None:
        plan.facts |= group_sizes(items)
        splits = split_items(
            items,
            parse_ratios(options.ratios),
            seed=options.seed,
            stratify=options.stratify != "none",
            strata=strata,
        )
        for index, split in zip(kept, splits, strict=True):
            plan.splits[index] = split
        return
    for index in kept:
        found = options.table.get(rows[index].item.id)
        if found is None:
            plan.leave_out(index, "not in the split table")
        else:
            plan.splits[index] = found


def _overlaps(plan: Plan, rows: Sequence[Row], options: SplitOptions) -> None:
    found = list(overlaps([row.item for row in rows], plan.splits))
    shared = Counter(overlap.kind for overlap in found)
    plan.facts["leakage"] = {
        "reports_whose_patient_is_in_a_later_split": shared["patient"],
        "reports_whose_text_is_in_a_later_split": shared["text"],
        "action": options.leakage if found else "none needed",
    }
    keep_texts = options.leakage == "keep-texts"
    if shared["patient"] if keep_texts else (found and options.leakage == "error"):
        raise ConfigError(
            f"the splits leak: {shared['patient']} reports share their patient and "
            f"{shared['text']} their text with a later split (train, validation, test)",
            remedy="--leakage drop leaves these out of the earlier split, --leakage keep-texts "
            "allows equal texts of different patients; or use --split, which keeps them together",
        )
    for overlap in [] if keep_texts else found:
        plan.leave_out(overlap.index, f"same {overlap.kind} as a report of {overlap.held_out}")


def _near_duplicates(plan: Plan, collected: Collected, *, drop: bool) -> None:
    """Count, and leave out if asked, what nearly repeats a later split; needs two readings."""
    splits = plan.splits
    held_reports = collected.reports("held-out texts")
    held_out = NearDuplicates(
        (split, report["text"])
        for split, report in zip(splits, held_reports, strict=True)
        if split in SPLITS[1:]
    )
    pairs: Counter[str] = Counter()
    if not held_out.empty:
        for index, report in enumerate(collected.reports("near duplicates")):
            split = splits[index]
            if split is None or split == SPLITS[-1]:
                continue
            later = held_out.find(report["text"]) & set(SPLITS[SPLITS.index(split) + 1 :])
            pairs.update(f"{split} like {name}" for name in later)
            if drop and split == "train" and later:
                plan.leave_out(
                    index, f"near duplicate of a report of {' and '.join(sorted(later))}"
                )
    plan.facts["near_duplicates"] = {
        "least_jaccard_of_word_trigrams": THRESHOLD,
        "reports": dict(sorted(pairs.items())),
        "action": "drop from train" if drop else "keep",
    }
