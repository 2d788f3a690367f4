"""From a tagger's probabilities to mentions, and how good these are: strict F1, thresholds.

A mention counts as right if type, certainty and both borders are those of a gold entity. The
score is that of whole entities, as seqeval and conlleval count, never that of tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baselines.tagger.choices import FIXED, SHARED
from baselines.tagger.tags import Mention, Tagging, key_of
from labelwright.records import Entity

HALF = 0.5
CANDIDATES = np.round(np.arange(0.05, 0.96, 0.05), 2)
"""Thresholds that are tried."""


@dataclass(frozen=True, eq=False)
class Scored:
    """What a model says of the words of one text.

    Attributes:
        spans: start and end of every word.
        best: number of the tag of each word.
        chances: probabilities, ``[words, tags]``.
    """

    text: str
    spans: NDArray[np.int64]
    best: NDArray[np.int64]
    chances: NDArray[np.float32]


def mentions(
    tagging: Tagging, scored: Scored, thresholds: NDArray[np.floating] | None
) -> list[Mention]:
    """The mentions of one text.

    Args:
        thresholds: one per class where a word can have several tags, else ``None``.
    """
    if thresholds is None:
        kinds = tagging.kinds_of(scored.best)
        sure = scored.chances[np.arange(len(kinds)), scored.best]
        return tagging.decode(kinds, np.broadcast_to(sure[:, None], kinds.shape))
    likeliest, sure = _likeliest(tagging, scored)
    return tagging.decode(np.where(sure >= thresholds, likeliest, -1), sure)


def tune(
    tagging: Tagging, texts: Sequence[Scored], gold: Sequence[Sequence[Entity]], *, way: str
) -> NDArray[np.float64]:
    """The thresholds, one per class, that give the best strict F1 on these texts.

    Of equally good ones, the nearest to 0.5 is taken; so is 0.5 for a class without any entity.

    Args:
        way: ``shared`` is one threshold for all classes and the best micro F1; ``per-label`` is
            the best F1 of every class by itself; ``0.5`` is not tuned at all.
    """
    count = len(tagging.classes)
    if way == FIXED:
        return np.full(count, HALF)
    right = np.zeros((count, len(CANDIDATES)))
    given = np.zeros_like(right)
    wanted = np.zeros((count, 1))
    for scored, entities in zip(texts, gold, strict=True):
        keys = {key_of(entity) for entity in entities}
        kinds, sure = _likeliest(tagging, scored)
        for place, (name, certainty) in enumerate(tagging.classes):
            own = {key for key in keys if key[:2] == (name, certainty)}
            wanted[place] += len(own)
            column = slice(place, place + 1)
            highest = sure[:, place].max(initial=0)
            for number, threshold in enumerate(CANDIDATES[highest >= CANDIDATES]):
                bold = np.where(sure[:, column] >= threshold, kinds[:, column], -1)
                found = tagging.decode(bold, sure[:, column])
                given[place, number] += len(found)
                right[place, number] += sum(
                    (name, certainty, _places(scored, mention)) in own for mention in found
                )
    if way == SHARED:
        return np.full(count, _best(right.sum(axis=0), given.sum(axis=0), wanted.sum()))
    return np.array([_best(right[n], given[n], wanted[n, 0]) for n in range(count)])


def f1_scores(
    found: Iterable[Sequence[Entity]], gold: Iterable[Sequence[Entity]], tagging: Tagging
) -> dict[str, float]:
    """Strict scores of entities.

    Returns:
        ``micro_f1``, ``precision`` and ``recall`` over all entities, and ``macro_f1``, the mean F1
        of the classes that occur in ``gold``. An F1 without any entity on either side is 0.
    """
    places = {name: place for place, name in enumerate(tagging.classes)}
    counts = np.zeros((len(places), 3))
    for given, wanted in zip(found, gold, strict=True):
        mine, theirs = {key_of(e) for e in given}, {key_of(e) for e in wanted}
        for column, keys in enumerate((mine & theirs, mine, theirs)):
            for key in keys:
                counts[places[key[:2]], column] += 1
    right, sent, there = counts.sum(axis=0)
    each = _f1(counts[:, 0], counts[:, 1], counts[:, 2])
    occurs = counts[:, 2] > 0
    return {
        "micro_f1": float(_f1(right, sent, there)),
        "precision": float(right / sent) if sent else 0.0,
        "recall": float(right / there) if there else 0.0,
        "macro_f1": float(each[occurs].mean()) if occurs.any() else 0.0,
    }


def _likeliest(tagging: Tagging, scored: Scored) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each word and class its likeliest tag and how likely that is."""
    cells = scored.chances.reshape(len(scored.chances), len(tagging.classes), len(tagging.kinds))
    return cells.argmax(axis=2), cells.max(axis=2)


def _places(scored: Scored, mention: Mention) -> tuple[tuple[int, int], ...]:
    spans = scored.spans
    return ((int(spans[mention.start, 0]), int(spans[mention.end - 1, 1])),)


def _f1(
    right: NDArray[np.floating] | float,
    given: NDArray[np.floating] | float,
    wanted: NDArray[np.floating] | float,
) -> NDArray[np.float64]:
    total = np.asarray(given, dtype=float) + np.asarray(wanted, dtype=float)
    double = 2 * np.asarray(right, dtype=float)
    scores: NDArray[np.float64] = np.divide(
        double, total, out=np.zeros_like(total), where=total > 0
    )
    return scores


def _best(right: NDArray[np.floating], given: NDArray[np.floating], wanted: float) -> float:
    scores = _f1(right, given, np.full_like(given, wanted))
    if not scores.any():
        return HALF
    good = CANDIDATES[np.isclose(scores, scores.max(), rtol=0, atol=1e-12)]
    return float(good[np.abs(good - HALF).argmin()])
