"""Precision and recall of mentions at every threshold of the labeler's own probability.

A mention is right when it has the gold's place and type; of equal mentions the likelier is
matched first. Recall is the share of all gold mentions, those that the labeler never gives
included, so a curve ends where its mentions end. ``average`` is the sum over thresholds of
precision times the recall gained there (as scikit-learn's ``average_precision_score``), without
interpolation. The threshold of the best F1 is searched on these very reports: it shows what a
threshold could give at most, and a threshold for use is chosen on other reports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.stats.counts import Floats
from eval.stats.formulas import ratio
from labelwright.records import Entity

ALL = "All types"


@dataclass(frozen=True, eq=False)
class Curve:
    """One type of one labeler; arrays are ``[thresholds]``, from the highest down.

    Attributes:
        gold, given: mentions of the gold and of the labeler.
        average: average precision; ``None`` where the gold has no mention.
        best: largest F1 over the thresholds with its threshold; ``None`` without any.
    """

    gold: int
    given: int
    threshold: Floats
    precision: Floats
    recall: Floats
    average: float | None
    best: tuple[float, float] | None


def curves(
    gold: Sequence[Sequence[Entity]], pred: Sequence[Sequence[Entity]], types: Sequence[str]
) -> dict[str, Curve] | None:
    """The curve of each type, and of all together; ``None`` unless every mention has a ``prob``."""
    if any(e.prob is None for mentions in pred for e in mentions) or not any(pred):
        return None
    known: Mapping[str, list[tuple[float, bool]]] = {name: [] for name in types}
    for truth, answer in zip(gold, pred, strict=True):
        left = Counter((g.type, g.spans) for g in truth)
        for mention in sorted(answer, key=lambda e: -(e.prob or 0.0)):
            key = (mention.type, mention.spans)
            hit = bool(mention.spans) and left[key] > 0
            left[key] -= hit
            known[mention.type].append((mention.prob or 0.0, hit))
    counts = Counter(g.type for truth in gold for g in truth)
    found = {name: _curve(known[name], counts[name]) for name in types}
    return {ALL: _curve([pair for each in known.values() for pair in each], counts.total())} | found


def _curve(given: Sequence[tuple[float, bool]], gold: int) -> Curve:
    values = np.array([p for p, _ in given], dtype=np.float64)
    hits = np.array([hit for _, hit in given], dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    values, right = values[order], np.cumsum(hits[order])
    # Equal probabilities share a threshold: the last of each counts.
    last = np.flatnonzero(np.diff(values, append=-1.0))
    right, taken = right[last], last + 1
    precision, recall = ratio(right, taken, 0.0), ratio(right, np.full(len(last), gold), 0.0)
    f1 = ratio(2 * right, taken + gold, 0.0)
    gained = np.diff(recall, prepend=0.0)
    top = int(np.argmax(f1)) if len(last) else -1
    return Curve(
        gold=gold,
        given=len(given),
        threshold=values[last],
        precision=precision,
        recall=recall,
        average=float((gained * precision).sum()) if gold else None,
        best=(float(f1[top]), float(values[last][top])) if gold and len(last) else None,
    )
