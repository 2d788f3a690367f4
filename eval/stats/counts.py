"""Counts, the common currency: every score, interval and test is a function of summed counts.

A kind of task counts each report into a table of whole numbers, whatever its shape. Tables of any
set of reports add up, so that a resample is a weighted sum and nothing is ever scored report by
report. A score of them is a :class:`labelwright.tasks.shapes.Statistic`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Counts = NDArray[Any]
"""Whole numbers ``[..., shape of one report]``, integer or float dtype."""

Undefined = Literal["zero", "one", "skip"]
"""What a score of 0/0 counts as: 0, 1, or nothing, so that a mean leaves it out."""
FILL: Mapping[Undefined, float] = {"zero": 0.0, "one": 1.0, "skip": 0.0}
"""The value in the place of an undefined score."""


@dataclass(frozen=True)
class Prf:
    """Precision, recall and F1."""

    precision: float
    recall: float
    f1: float


def cluster_counts(counts: Counts, clusters: NDArray[np.int64]) -> Counts:
    """Sum of the reports of each cluster: ``[clusters, ...]`` of ``[reports, ...]``.

    ``clusters`` are numbers from 0 without gaps, ``[reports]``.
    """
    size = int(clusters.max(initial=-1)) + 1
    if size == len(clusters):
        return counts
    wide = np.result_type(counts.dtype, np.int32)
    summed = np.zeros((size, *counts.shape[1:]), dtype=wide)
    np.add.at(summed, clusters, counts)
    return summed


def ratio(part: Counts, whole: Counts, otherwise: float) -> Floats:
    """``part / whole``, and ``otherwise`` where the whole is 0."""
    top = np.asarray(part, dtype=np.float64)
    bottom = np.asarray(whole, dtype=np.float64)
    out = np.full(np.broadcast_shapes(top.shape, bottom.shape), otherwise)
    np.divide(top, bottom, out=out, where=bottom > 0)
    return out


def mean_of(
    values: Floats, undefined: Bools, rule: Undefined, counted: Bools | None = None
) -> Floats:
    """Mean over the last axis, ``[...]``; 0 where nothing is left of it.

    Args:
        undefined: values that the rule is for, of the same shape.
        counted: the places that belong to the mean, ``[parts]``; all by default.
    """
    kept = np.ones(values.shape[-1], dtype=bool) if counted is None else counted
    shown = np.broadcast_to(kept & ~undefined if rule == "skip" else kept, values.shape)
    return ratio(np.where(shown, values, 0.0).sum(axis=-1), shown.sum(axis=-1), 0.0)
