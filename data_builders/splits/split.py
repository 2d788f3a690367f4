"""Splits that keep patients and repeated texts together, stratified over the labels."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelwright.errors import ConfigError
from labelwright.text.amounts import amount

SPLITS = ("train", "validation", "test")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class SplitItem:
    """What splitting must know of a report.

    Attributes:
        text: 16-byte digest of the normalised text, see :func:`text_digest`.
        strata: its classes; empty where there are none.
    """

    id: str
    patient: str | None
    text: bytes
    strata: tuple[str, ...]


def words(text: str) -> list[str]:
    """The words of a text, without case, punctuation and compatibility forms (NFKC)."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def text_digest(text: str) -> bytes:
    """16 bytes that are equal for texts with the same words in the same order."""
    return hashlib.blake2b(" ".join(words(text)).encode(), digest_size=16).digest()


def groups(items: Sequence[SplitItem]) -> list[int]:
    """For each item the number of its group; items of a group must stay in one split.

    Items belong together if they share the patient or the normalised text, directly or
    through others. Groups are numbered in the order of their first item.
    """
    parent = list(range(len(items)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first: dict[str | bytes, int] = {}  # texts are bytes and patients are not
    for index, item in enumerate(items):
        keys: list[str | bytes] = [item.text]
        if item.patient is not None:
            keys.append(item.patient)
        for key in keys:
            one, other = root(first.setdefault(key, index)), root(index)
            parent[max(one, other)] = min(one, other)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(index), len(numbers)) for index in range(len(items))]


def parse_ratios(text: str) -> Mapping[str, float]:
    """The shares of ``--split``: ``0.8,0.1,0.1``, ``none`` (all train) or ``test`` (all test).

    Raises:
        ConfigError: it is none of these, or the shares do not add up to 1.
    """
    if text in {"none", "test"}:
        return {"train" if text == "none" else "test": 1.0}
    try:
        shares = [float(part) for part in text.split(",")]
    except ValueError:
        shares = []
    fit = all(0 <= share <= 1 for share in shares) and abs(sum(shares) - 1) <= 1e-6
    if len(shares) != len(SPLITS) or not fit:
        raise ConfigError(
            f"--split {text!r} is not a split",
            remedy="give the shares of train, validation and test, which add up to 1, "
            "for example 0.8,0.1,0.1; or none; or test",
        )
    return {name: share for name, share in zip(SPLITS, shares, strict=True) if share > 0}


def split_items(
    items: Sequence[SplitItem],
    ratios: Mapping[str, float],
    *,
    seed: int,
    stratify: bool = True,
    strata: Sequence[str] = (),
) -> list[str]:
    """The split of each item; the same items, ratios and seed give the same answer.

    Groups are spread by iterative stratification (Sechidis et al. 2011) over the classes
    that occur in them and over their size, so that rare classes and large groups are shared
    out first; without ``stratify`` they are shuffled and cut at the ratios.

    Args:
        strata: all classes in a fixed order; as they are met if not given.

    Raises:
        ConfigError: a split that was asked for would stay empty.
    """
    names = list(ratios)
    if len(names) == 1 or not items:
        return names[:1] * len(items)
    numbers = groups(items)
    shares = list(ratios.values())
    if stratify:
        order = strata or list(dict.fromkeys(name for item in items for name in item.strata))
        folds = _stratified(_presence(items, numbers, order), shares, seed)
    else:
        folds = _shuffled(items, numbers, shares, seed)
    _fill_empty(folds, numbers, len(names))
    found = [names[folds[number]] for number in numbers]
    empty = [name for name in names if name not in found]
    if empty:
        raise ConfigError(
            f"{amount(len(items), 'report', 'form')} {amount(len(set(numbers)), 'group')} of "
            f"linked reports (same patient or same text), too few to fill the "
            f"{' and '.join(empty)} split",
            remedy="give more reports, use --split none, or --duplicates drop to unlink "
            "patients whose reports read the same",
        )
    return found


def group_sizes(items: Sequence[SplitItem]) -> Mapping[str, int]:
    """How many groups there are and how many reports the largest has, for the manifest."""
    numbers = groups(items)
    sizes = [0] * (max(numbers, default=-1) + 1)
    for number in numbers:
        sizes[number] += 1
    return {"groups": len(sizes), "largest_group": max(sizes, default=0)}


def _stratified(columns: Any, ratios: Sequence[float], seed: int) -> list[int]:
    import numpy as np
    from iterstrat.ml_stratifiers import IterativeStratification

    random = np.random.RandomState(seed)
    folds: Any = IterativeStratification(
        labels=columns, r=np.asarray(ratios, dtype=float), random_state=random
    )
    return [int(fold) for fold in folds]


def _shuffled(
    items: Sequence[SplitItem], numbers: Sequence[int], ratios: Sequence[float], seed: int
) -> list[int]:
    """Groups in random order; each goes where the middle of it falls on the line of ratios."""
    import numpy as np

    sizes = np.bincount(np.asarray(numbers, dtype=int))
    order = np.random.RandomState(seed).permutation(len(sizes))
    middles = np.cumsum(sizes[order]) - sizes[order] / 2
    edges = np.cumsum(ratios)[:-1] * len(items)
    folds = np.empty(len(sizes), dtype=int)
    folds[order] = np.searchsorted(edges, middles, side="right")
    return [int(fold) for fold in folds]


def _presence(items: Sequence[SplitItem], numbers: Sequence[int], strata: Sequence[str]) -> Any:
    """One boolean row per group: which classes, which size."""
    import numpy as np

    position = {name: place for place, name in enumerate(strata)}
    width = len(position)
    sizes = np.bincount(np.asarray(numbers, dtype=int))
    classes = np.log2(sizes).astype(int)
    table = np.zeros((len(sizes), width + int(classes.max())), dtype=bool)
    for item, number in zip(items, numbers, strict=True):
        for name in item.strata:
            table[number, position[name]] = True
    large = np.flatnonzero(classes)
    table[large, width + classes[large] - 1] = True
    return table


def _fill_empty(folds: list[int], numbers: Iterable[int], count: int) -> None:
    """Give a split that got nothing the smallest group of the split with the most groups."""
    sizes = [0] * len(folds)
    for number in numbers:
        sizes[number] += 1
    for fold in range(count):
        if fold in folds:
            continue
        donor = max(range(count), key=folds.count)
        if folds.count(donor) < 2:
            return
        group = min((g for g, f in enumerate(folds) if f == donor), key=lambda g: (sizes[g], -g))
        folds[group] = fold
