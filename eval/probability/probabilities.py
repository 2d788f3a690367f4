"""Probabilities that labelers give with their answers, aligned to the reports that are scored.

Only ``predictions.jsonl`` can hold them. A decision without a certainty, or a report without a
prediction, has none: it is masked and counted, never filled in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.kinds.certainty.read import INDEX, Codes, Comparison
from eval.stats.counts import Bools, Floats
from labelwright.errors import InputError
from labelwright.io.jsonl import read_jsonl
from labelwright.label_set import LabelSet
from labelwright.records import FLOOR, Certainty
from labelwright.results import predictions_file

PRESENCE = (
    "The gold says only what is present, so these figures are about the probability of positive "
    "against all the rest; negative, uncertain and blank cannot be judged by it, nor a temperature "
    "fitted or a threshold promised."
)

TOLERANCE = 0.005
"""How far a sum may be from 1: four probabilities rounded to three decimals."""


@dataclass(frozen=True, eq=False)
class Probabilities:
    """One labeler's probabilities over the reports of a comparison.

    Attributes:
        values: float32 ``[reports, observations, 4]`` in the order of ``Certainty``; each row
            of a known decision sums to 1, all others are 0. Never NaN.
        known: bool ``[reports, observations]``: the labeler gave a certainty and probabilities.
        answers: the certainty given, int8 ``[reports, observations]``, -1 for none.
        allowed: bool ``[observations, 4]``: certainties that the observation can take.
        without: reports without any probabilities.
        sureness: what orders labels by how sure they are, ``[reports, observations]``, where it is
            another than their own probability (:mod:`eval.probability.sections`).
        presence: whether they are of present and not present alone (:meth:`of_presence`).
    """

    source: str
    observations: tuple[str, ...]
    values: NDArray[np.float32]
    known: Bools
    answers: Codes
    allowed: Bools
    without: int
    presence: bool = False
    sureness: Floats | None = None

    @property
    def confidence(self) -> Floats:
        """How sure each answer is, ``[reports, observations]``; -1 where unknown.

        The probability of the certainty given, unless ``sureness`` says otherwise.
        """
        if self.sureness is not None:
            return self.sureness
        place = np.where(self.known, self.answers, 0).astype(np.int64)
        found = np.take_along_axis(self.values, place[..., None], axis=2)[..., 0]
        return np.where(self.known, found.astype(np.float64), -1.0)

    @property
    def not_the_most_probable(self) -> int:
        """Known decisions whose certainty is less probable than another one."""
        return int((self.known & (self.confidence < self.values.max(axis=2) - TOLERANCE)).sum())

    def tempered(self, temperatures: Floats) -> Probabilities:
        """The softmax of ``log p / T`` per observation; ``temperatures`` is ``[observations]``.

        Certainties that an observation cannot take stay at 0.
        """
        logs = np.log(np.maximum(self.values.astype(np.float64), FLOOR))
        scaled = logs / temperatures[:, None]
        scaled = np.where(self.allowed, scaled, -np.inf)
        powers = np.exp(scaled - scaled.max(axis=2, keepdims=True))
        values = powers / powers.sum(axis=2, keepdims=True)
        values = np.where(self.known[..., None], values, 0.0)
        return replace(self, values=values.astype(np.float32))

    def of_presence(self, absent: int) -> Probabilities:
        """The same as probabilities of present and not present alone.

        Args:
            absent: the code that stands for all but positive.
        """
        positive = INDEX[Certainty.POSITIVE]
        values = np.zeros_like(self.values)
        values[..., positive] = self.values[..., positive]
        values[..., absent] = np.where(self.known, 1 - self.values[..., positive], 0)
        answers = np.where(self.answers == positive, positive, absent)
        allowed = np.zeros_like(self.allowed)
        allowed[:, [positive, absent]] = True
        return replace(
            self,
            values=values,
            answers=np.where(self.answers < 0, -1, answers).astype(np.int8),
            allowed=allowed,
            presence=True,
        )


def only_presence(gold: Codes, can: Bools) -> int | None:
    """The code for "not present" of a gold that says no more than what is present; else ``None``.

    Such a gold (index terms, diagnoses) has positives and one other code for all the rest, so it
    cannot tell whether a probability of negative, uncertain or blank is right.

    Args:
        gold: codes ``[reports, observations]``.
        can: certainties that each observation can take, ``[observations, 4]``.
    """
    positive, blank = INDEX[Certainty.POSITIVE], INDEX[Certainty.BLANK]
    asked = can.sum(axis=1) > 2
    codes = set(np.unique(gold[:, asked]).tolist()) - {positive}
    if not asked.any() or len(codes) > 1:
        return None
    return int(codes.pop()) if codes else blank


def load_probabilities(
    path: str | Path, comparison: Comparison, labeler: str
) -> Probabilities | None:
    """The probabilities in a predictions file or run folder; ``None`` if it holds none.

    Raises:
        InputError: a row lacks an observation or a certainty, names one that the label set
            does not allow, or has probabilities that are no numbers from 0 to 1 with sum 1.
    """
    file = predictions_file(path)
    if file.suffix != ".jsonl":
        return None
    places = {identifier: place for place, identifier in enumerate(comparison.ids)}
    observations, label_set = comparison.observations, comparison.label_set
    answers = comparison.pred[labeler]
    values = np.zeros((len(places), len(observations), len(INDEX)), dtype=np.float64)
    known = np.zeros(values.shape[:2], dtype=bool)
    any_row = False
    for line, row in read_jsonl(file):
        given = row.get("probs")
        any_row = any_row or given is not None
        place = places.get(str(row.get("id")))
        if given is None or place is None:
            continue
        reader = _RowReader(file, line, label_set, given)
        for column, name in enumerate(observations):
            if answers[place, column] >= 0:
                values[place, column] = reader.distribution(name)
                known[place, column] = True
    if not any_row:
        return None
    return Probabilities(
        source=str(path),
        observations=observations,
        values=values.astype(np.float32),
        known=known,
        answers=answers,
        allowed=allowed(label_set, observations),
        without=int((~known.any(axis=1)).sum()),
    )


def allowed(label_set: LabelSet, observations: Sequence[str]) -> Bools:
    """Which certainties each observation can take, bool ``[observations, 4]``."""
    table = np.zeros((len(observations), len(INDEX)), dtype=bool)
    for row, name in enumerate(observations):
        table[row, [INDEX[c] for c in label_set.by_name[name].certainties]] = True
    return table


class _RowReader:
    """The ``probs`` of one row, checked."""

    def __init__(self, path: Path, line: int, label_set: LabelSet, given: Any) -> None:
        self.path = path
        self.line = line
        self.label_set = label_set
        if not isinstance(given, Mapping):
            raise self._error("the probabilities are no object of observations")
        self.given = given

    def distribution(self, name: str) -> list[float]:
        """The probabilities of one observation in the order of ``Certainty``, sum exactly 1."""
        found = self.given.get(name)
        if not isinstance(found, Mapping):
            raise self._error(f"{name} has a certainty but no probabilities")
        options = self.label_set.by_name[name].certainties
        absent = [c.value for c in options if c.value not in found]
        if absent:
            raise self._error(f"the probabilities of {name} lack {', '.join(absent)}")
        result = [0.0] * len(INDEX)
        for word, value in found.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise self._error(f"a probability of {name} is not a number from 0 to 1")
            index = next((INDEX[c] for c in options if c.value == word), None)
            if index is not None:
                result[index] = float(value)
            elif value:
                raise self._error(f"{name} has a probability for a certainty it cannot take")
        total = sum(result)
        if abs(total - 1) > TOLERANCE:
            raise self._error(f"the probabilities of {name} sum to {total:.4g}, not 1")
        return [value / total for value in result]

    def _error(self, what: str) -> InputError:
        return InputError(
            what,
            remedy="give each observation a probability per certainty that it can take, sum 1",
            source=self.path,
            row=self.line,
        )
