"""Scores of fields from summed counts: one labeler's numbers, and what is resampled and tested."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.kinds.fields import (
    EXACT,
    LIKENESS,
    MACRO,
    MICRO,
    PRESENCE,
    SPECIFICITY,
    WEIGHTED,
)
from eval.kinds.fields.asked import Asked
from eval.kinds.fields.counts import FINE, Count, FieldCounts
from eval.stats.counts import FILL, Bools, Counts, Floats, Prf, Undefined, mean_of, ratio
from labelwright.tasks.shapes import Statistic

_C = Count
PER_FIELD: Mapping[str, tuple[Count | tuple[Count, ...], Count | tuple[Count, ...], float]] = {
    MACRO: (_C.RIGHT, (_C.GOLD, _C.SAID), 2.0),
    EXACT: (_C.WHOLE, _C.SCORED, 1.0),
    PRESENCE: (_C.PRESENCE, _C.SCORED, 1.0),
    SPECIFICITY: (_C.RIGHT_NULL, _C.NULL, 1.0),
    LIKENESS: (_C.LIKE, _C.LIKE_OF, 1.0 / FINE),
}
"""A score of one field: what is counted, out of what, and a factor."""
SAME: Mapping[str, str] = {MICRO: MACRO, WEIGHTED: MACRO}
"""Scores that differ in how fields are put together, not of one field."""
UNKNOWN_POINTS, TYPE_POINTS = 2, 1


@dataclass(frozen=True)
class Points:
    """Points of the paper's comparison; fewer are better.

    Attributes:
        type_errors: values that are none of their field's type.
        unknown: keys that the label set does not have.
        unsupported: values that the text does not hold; ``None`` where that cannot be judged.
        documents: with an answer.
        values: all that was said.
    """

    type_errors: int
    unknown: int
    unsupported: int | None
    documents: int
    values: int

    @property
    def narrow(self) -> int:
        """As published: 1 per type error, 2 per unknown key."""
        return TYPE_POINTS * self.type_errors + UNKNOWN_POINTS * self.unknown

    @property
    def whole(self) -> int | None:
        """With 2 per value that the text does not hold."""
        if self.unsupported is None:
            return None
        return self.narrow + UNKNOWN_POINTS * self.unsupported


@dataclass(frozen=True, eq=False)
class FieldScores:
    """One labeler's scores; arrays are ``[fields]``, undefined scores follow the rule.

    Attributes:
        total: summed counts, ``[fields + 1, columns]``.
        precision, recall, f1: of stated values.
        presence, specificity, right: as the metrics of these names; ``right`` is ``exact``.
        likeness, word_f1: of text fields; ``error``: mean relative error of numbers where gold
            and answer state one. NaN for fields of another type, or without a case.
        exact: share of documents with every scored field right.
    """

    total: Counts
    precision: Floats
    recall: Floats
    f1: Floats
    presence: Floats
    specificity: Floats
    right: Floats
    likeness: Floats
    word_f1: Floats
    error: Floats
    macro: Prf
    micro: Prf
    exact: float
    points: Points

    def undefined(self, metric: str) -> Bools:
        """Fields without a case of a metric."""
        return undefined_of(metric, self.total)


def score(counts: FieldCounts, *, undefined: Undefined, points: Points) -> FieldScores:
    """Point scores of one labeler.

    Args:
        counts: per document, ``[documents, fields + 1, columns]``.
    """
    total = counts.sum(axis=0, dtype=np.int64)
    fill = FILL[undefined]
    fields = total[:-1]
    gold, said, right = (fields[:, c] for c in (_C.GOLD, _C.SAID, _C.RIGHT))
    precision, recall = ratio(right, said, fill), ratio(right, gold, fill)
    f1 = per_field(MACRO, total, fill)
    nothing = float("nan")
    return FieldScores(
        total=total,
        precision=precision,
        recall=recall,
        f1=f1,
        presence=per_field(PRESENCE, total, fill),
        specificity=per_field(SPECIFICITY, total, fill),
        right=per_field(EXACT, total, fill),
        likeness=per_field(LIKENESS, total, nothing),
        word_f1=ratio(
            2 * fields[:, _C.WORDS_BOTH],
            fields[:, _C.WORDS_GOLD] + fields[:, _C.WORDS_SAID],
            nothing,
        ),
        error=ratio(fields[:, _C.OFF], fields[:, _C.OFF_OF], nothing) / FINE,
        macro=Prf(
            precision=float(mean_of(precision, said == 0, undefined)),
            recall=float(mean_of(recall, gold == 0, undefined)),
            f1=float(mean_of(f1, gold + said == 0, undefined)),
        ),
        micro=Prf(
            precision=float(ratio(right.sum(), said.sum(), fill)),
            recall=float(ratio(right.sum(), gold.sum(), fill)),
            f1=float(ratio(2 * right.sum(), gold.sum() + said.sum(), fill)),
        ),
        exact=float(ratio(total[-1, _C.WHOLE], total[-1, _C.SCORED], fill)),
        points=points,
    )


def points_of(counts: FieldCounts, *, documents: int, values: int, judged: bool) -> Points:
    """The paper's points of one labeler.

    Args:
        judged: whether support by the text could be judged.
    """
    total = counts.sum(axis=(0, 1), dtype=np.int64)
    return Points(
        type_errors=int(total[_C.TYPE_ERRORS]),
        unknown=int(total[_C.UNKNOWN]),
        unsupported=int(total[_C.UNSUPPORTED]) if judged else None,
        documents=documents,
        values=values,
    )


def statistics(asked: Sequence[Asked], *, undefined: Undefined) -> dict[str, Statistic]:
    """Every metric as a function of summed counts; their values are those of :func:`score`."""
    every = np.ones(len(asked), dtype=bool)
    texts = np.array([field.type == "text" for field in asked], dtype=bool)
    names = tuple(field.name for field in asked)
    found: dict[str, tuple[Bools, Callable[[Counts], Floats]]] = {
        MACRO: (every, _mean(MACRO, undefined, every)),
        MICRO: (every, _first(_micro, undefined)),
        WEIGHTED: (every, _first(_weighted, undefined)),
        EXACT: (every, _first(_exact, undefined)),
        PRESENCE: (every, _mean(PRESENCE, undefined, every)),
        SPECIFICITY: (every, _mean(SPECIFICITY, undefined, every)),
    }
    if texts.any():
        found[LIKENESS] = (texts, _mean(LIKENESS, undefined, texts))
    return {
        name: Statistic(name, ("pooled" if name == MICRO else "mean", *names), counted, of)
        for name, (counted, of) in found.items()
    }


def per_field(metric: str, counts: Counts, fill: float) -> Floats:
    """One score of every field, ``[..., fields]`` of ``[..., fields + 1, columns]``."""
    part, whole, factor = PER_FIELD[SAME.get(metric, metric)]
    return factor * ratio(_of(part, counts), _of(whole, counts), fill / factor)


def undefined_of(metric: str, counts: Counts) -> Bools:
    """Fields where a score is 0/0."""
    found: Bools = _of(PER_FIELD[SAME.get(metric, metric)][1], counts) == 0
    return found


def _of(columns: Count | tuple[Count, ...], counts: Counts) -> Counts:
    fields = counts[..., :-1, :]
    if isinstance(columns, tuple):
        return np.asarray(fields[..., list(columns)].sum(axis=-1))
    found: Counts = fields[..., columns]
    return found


def _mean(metric: str, rule: Undefined, counted: Bools) -> Callable[[Counts], Floats]:
    def of(counts: Counts) -> Floats:
        each = per_field(metric, counts, FILL[rule])
        first = mean_of(each, undefined_of(metric, counts), rule, counted)
        return np.concatenate([first[..., None], each], axis=-1)

    return of


def _first(
    whole: Callable[[Counts, Floats, float], tuple[Floats, str]], rule: Undefined
) -> Callable[[Counts], Floats]:
    def of(counts: Counts) -> Floats:
        fill = FILL[rule]
        f1 = per_field(MACRO, counts, fill)
        first, metric = whole(counts, f1, fill)
        each = f1 if metric == MACRO else per_field(metric, counts, fill)
        return np.concatenate([first[..., None], each], axis=-1)

    return of


def _micro(counts: Counts, f1: Floats, fill: float) -> tuple[Floats, str]:
    del f1
    right, of = (_of(columns, counts).sum(axis=-1) for columns in PER_FIELD[MACRO][:2])
    return ratio(2 * right, of, fill), MACRO


def _weighted(counts: Counts, f1: Floats, fill: float) -> tuple[Floats, str]:
    gold = _of(Count.GOLD, counts)
    return ratio((f1 * gold).sum(axis=-1), gold.sum(axis=-1), fill), MACRO


def _exact(counts: Counts, f1: Floats, fill: float) -> tuple[Floats, str]:
    del f1
    last = counts[..., -1, :]
    return ratio(last[..., Count.WHOLE], last[..., Count.SCORED], fill), EXACT
