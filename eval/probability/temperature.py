"""Temperature scaling: one number that makes probabilities honest, fitted on other reports.

Probabilities become the softmax of ``log p / T`` (Guo et al. 2017, arXiv:1706.04599): T > 1
makes a labeler less sure of itself, T < 1 surer. The most probable certainty stays the same,
and so does every label and every score of labels. T is where the negative log-likelihood of
the reports that it is fitted on is smallest.

A temperature that is fitted and scored on the same reports looks better than it is, so reports
that stand in both are refused (:func:`check_apart`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from scipy import optimize

from eval.kinds.certainty.read import Codes
from eval.probability.calibration import log_losses
from eval.probability.probabilities import Probabilities
from eval.stats.counts import Bools, Floats
from labelwright.errors import ConfigError

Per = Literal["model", "observation"]
LOWEST, HIGHEST = 0.05, 20.0
FEWEST = 50
"""Decisions below which an observation takes the model's temperature instead of its own."""


@dataclass(frozen=True, eq=False)
class Temperature:
    """A fitted temperature.

    Attributes:
        per: one for the model, or one per observation.
        shared: of the whole model.
        values: per observation, ``[observations]``.
        own: observations that have one of their own, bool ``[observations]``.
        decisions: that it was fitted on.
        nll_before, nll_after: mean over these decisions.
        fitted: whether there was a mistake to learn from; without one T stays 1.
    """

    per: Per
    observations: tuple[str, ...]
    shared: float
    values: Floats
    own: Bools
    decisions: int
    nll_before: float
    nll_after: float
    fitted: bool


def fit_temperature(gold: Codes, given: Probabilities, *, per: Per = "model") -> Temperature:
    """Find the temperature with the smallest negative log-likelihood of the gold.

    The negative log-likelihood is convex in 1/T, so that a bounded search finds its minimum.
    Where the most probable certainty is always right there is none (the smaller T the better):
    then an observation takes the model's temperature, and the model keeps 1.

    Raises:
        ConfigError: no decision has probabilities.
    """
    if not given.known.any():
        raise ConfigError(
            "no decision of the calibration reports has probabilities",
            remedy="label them with a labeler that writes probabilities",
        )
    size = len(given.observations)
    everything = np.ones(size, dtype=bool)
    missed = given.known & (given.values.argmax(axis=2) != gold)
    fitted = bool(missed.any())
    shared = _fit(gold, given, everything) if fitted else 1.0
    values, own = np.full(size, shared), np.zeros(size, dtype=bool)
    if per == "observation":
        own = (given.known.sum(axis=0) >= FEWEST) & missed.any(axis=0)
        for column in np.flatnonzero(own):
            values[column] = _fit(gold, given, np.arange(size) == column)
    return Temperature(
        per=per,
        observations=given.observations,
        shared=shared,
        values=values,
        own=own,
        decisions=int(given.known.sum()),
        nll_before=_nll(gold, given, everything),
        nll_after=_nll(gold, given.tempered(values), everything),
        fitted=fitted,
    )


def check_apart(
    fitted: Iterable[str], scored: Iterable[str], *, source: str | Path | None = None
) -> None:
    """Refuse to fit and score on the same reports.

    Raises:
        ConfigError: an id stands in both.
    """
    both = set(fitted) & set(scored)
    if both:
        raise ConfigError(
            f"{len(both)} of the calibration reports are also scored, which makes the result "
            "look better than it is",
            remedy="calibrate on the validation split and score the test split",
            source=source,
        )


def _fit(gold: Codes, given: Probabilities, columns: Bools) -> float:
    def loss(log_temperature: float) -> float:
        tempered = given.tempered(np.full(len(columns), np.exp(log_temperature)))
        return _nll(gold, tempered, columns)

    found = optimize.minimize_scalar(
        loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(found.x))


def _nll(gold: Codes, given: Probabilities, columns: Bools) -> float:
    kept = given.known & columns
    return float(log_losses(given.values[kept].astype(np.float64), gold[kept]).mean())
