"""Confidence from two readers: what both say is surer than what one says, however sure it is.

A label on which both readers of a run agree gets the confidence ``0.5 + p / 2``, one on which
they differ ``p / 2``, where p is the probability of the label. A labeler without probabilities has
p = 1: its labels are then in two groups, those that both say and those that one says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from eval.kinds.certainty.read import INDEX, Comparison
from eval.probability.held_out import HeldOut
from eval.probability.probabilities import Probabilities, allowed
from eval.stats.counts import Bools
from labelwright.errors import ConfigError
from labelwright.io.jsonl import read_jsonl
from labelwright.records import Certainty
from labelwright.results import predictions_file


def load_agreement(
    path: str | Path, comparison: Comparison, *, presence: bool = False
) -> Bools | None:
    """Where two readers agree, ``[reports, observations]``; ``None`` if only one read.

    Where the second reader rejected a report, they do not agree.

    Args:
        presence: whether it is enough that both say positive, or neither.
    """
    file = predictions_file(path)
    if file.suffix != ".jsonl":
        return None
    places = {identifier: place for place, identifier in enumerate(comparison.ids)}
    columns = {name: column for column, name in enumerate(comparison.observations)}
    agreed = np.zeros((len(places), len(columns)), dtype=bool)
    any_row = False
    for _, row in read_jsonl(file):
        second, place = row.get("second"), places.get(str(row.get("id")))
        any_row = any_row or isinstance(second, Mapping)
        if place is None or not isinstance(second, Mapping) or "labels" not in second:
            continue
        agreed[place] = True
        for name in second["disagree"]:
            said = {second["labels"][name], second["first"][name]}
            if name in columns and (not presence or Certainty.POSITIVE in said):
                agreed[place, columns[name]] = False
    return agreed if any_row else None


def by_agreement(
    paths: Mapping[str, str | Path],
    comparison: Comparison,
    given: Mapping[str, Probabilities],
    *,
    presence: bool = False,
) -> dict[str, Probabilities]:
    """Every labeler that two readers make, with confidences from their agreement.

    Args:
        paths: predictions per labeler.
        given: probabilities of those labelers that have any.
        presence: as for :func:`load_agreement`.

    Raises:
        ConfigError: no labeler has a second reader.
    """
    found = {}
    for name, path in paths.items():
        agreed = load_agreement(path, comparison, presence=presence)
        if agreed is not None:
            each = given.get(name) or _without(name, path, comparison)
            sure = np.where(each.known, agreed / 2 + np.maximum(each.confidence, 0) / 2, -1.0)
            found[name] = replace(each, sureness=sure)
    if not found:
        raise ConfigError(
            "no labeler was run with a second reader, so there is no agreement to go by",
            remedy="label with --second-reader, or remove --confidence agreement",
        )
    return found


def held_by_agreement(held: HeldOut, paths: Mapping[str, str | Path]) -> HeldOut:
    """The calibration reports with confidences from agreement."""
    return replace(held, given=by_agreement(paths, held.comparison, held.given))


def _without(name: str, path: str | Path, comparison: Comparison) -> Probabilities:
    """Probabilities of a labeler that gives none: all for its answer."""
    answers = comparison.pred[name]
    known = answers >= 0
    values = np.eye(len(INDEX), dtype=np.float32)[np.where(known, answers, 0).astype(np.int64)]
    return Probabilities(
        source=str(path),
        observations=comparison.observations,
        values=np.where(known[..., None], values, 0).astype(np.float32),
        known=known,
        answers=answers,
        allowed=allowed(comparison.label_set, comparison.observations),
        without=int((~known.any(axis=1)).sum()),
    )
