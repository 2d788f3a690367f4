"""The page's sections on probabilities, where labelers give some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from eval.kinds.base import More
from eval.kinds.certainty.read import INDEX, Comparison
from eval.kinds.certainty.scores import Analysis
from eval.page.contents import Section
from eval.probability.calibration_section import calibration_section
from eval.probability.held_out import HeldOut, load_held_out
from eval.probability.probabilities import Probabilities, allowed, load_probabilities, only_presence
from eval.probability.selective_section import selective_section
from eval.read.aligned import Inputs
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


def probability_sections(analysis: Analysis, inputs: Inputs, more: More) -> list[Section]:
    """Calibration and selective labeling; nothing where no labeler gives probabilities.

    Raises:
        ConfigError: calibration reports of a labeler without probabilities or of none, a gold
            that says only what is present, or no second reader where agreement is asked for.
        InputError: a file cannot be read.
    """
    comparison, calibration = analysis.comparison, more.calibration_pred
    every = {n: load_probabilities(inputs.predictions[n], comparison, n) for n in comparison.names}
    given = {name: found for name, found in every.items() if found is not None}
    absent = only_presence(comparison.gold, allowed(comparison.label_set, comparison.observations))
    held = None
    if calibration and more.calibration_gold is not None:
        silent = [name for name in calibration if name not in given and name in every]
        if silent:
            raise ConfigError(
                f"{', '.join(silent)}: no probabilities to calibrate",
                remedy="remove its --calibration-pred, or give its predictions.jsonl as --pred",
            )
        if absent is not None:
            raise ConfigError(
                "the gold says only what is present, so that no temperature or threshold over "
                "negative, uncertain and blank can be judged by it",
                remedy="remove --calibration-gold, or give a gold that codes them",
                source=inputs.gold,
            )
        held = load_held_out(more.calibration_gold, calibration, comparison, inputs)
    agreement = more.confidence == "agreement"
    sure = given
    if agreement:
        sure = by_agreement(inputs.predictions, comparison, given, presence=absent is not None)
    if absent is not None:
        given, sure = (
            {name: each.of_presence(absent) for name, each in some.items()}
            for some in (given, sure)
        )
    found = []
    if given:
        found.append(calibration_section(analysis, given, held=held, per=more.temperature))
    if sure:
        if agreement and held is not None:
            held = held_by_agreement(held, calibration)
        found.append(
            selective_section(analysis, sure, wish=more.accuracy, held=held, agreement=agreement)
        )
    return found
