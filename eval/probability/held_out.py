"""Calibration reports: labeled by gold and labelers, and not among the scored ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from eval.kinds.certainty.read import Comparison, load
from eval.probability.probabilities import Probabilities, allowed, load_probabilities, only_presence
from eval.probability.temperature import check_apart
from eval.read.aligned import Inputs
from eval.read.provenance import Source, read_source
from labelwright.errors import ConfigError, InputError


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Where temperatures are fitted and thresholds chosen.

    Attributes:
        comparison: gold and labelers over the calibration reports.
        given: probabilities per labeler.
        sources: what the labeling runs recorded, per labeler.
        shared_patients: patients with reports both here and among the scored ones.
    """

    comparison: Comparison
    given: Mapping[str, Probabilities]
    sources: Mapping[str, Source]
    shared_patients: int


def load_held_out(
    gold: str | Path,
    predictions: Mapping[str, str | Path],
    scored: Comparison,
    inputs: Inputs,
) -> HeldOut:
    """Read the calibration reports of some of the scored labelers.

    Args:
        inputs: of the scored reports, to read ids and patients alike.

    Raises:
        ConfigError: a labeler is not among the scored ones, reports are in both, or the gold says
            only what is present.
        InputError: as for the scored files; predictions without probabilities; a gold that
            lacks an observation of the scored one.
    """
    for name in predictions:
        if name not in scored.pred:
            raise ConfigError(
                f"--calibration-pred {name!r} is not one of the labelers",
                remedy=f"use one of: {', '.join(scored.names)}",
            )
    comparison = load(replace(inputs, gold=gold, predictions=predictions, missing="error"))
    check_apart(comparison.ids, scored.ids, source=gold)
    if comparison.observations != scored.observations:
        raise InputError(
            "the calibration gold has other observations than the gold",
            remedy=f"give it the columns {', '.join(scored.observations)}",
            source=gold,
        )
    can = allowed(comparison.label_set, comparison.observations)
    if only_presence(comparison.gold, can) is not None:
        raise ConfigError(
            "the calibration gold says only what is present; a temperature fitted on it would be "
            "about negative, uncertain and blank all the same",
            remedy="give a gold that codes them too",
            source=gold,
        )
    given = {}
    for name, path in predictions.items():
        found = load_probabilities(path, comparison, name)
        if found is None:
            raise InputError(
                "the predictions hold no probabilities",
                remedy="give the predictions.jsonl of a labeler that writes them",
                source=path,
            )
        given[name] = found
    both = set(comparison.clusters or ()) & set(scored.clusters or ())
    return HeldOut(
        comparison=comparison,
        given=given,
        sources={name: read_source(name, path) for name, path in predictions.items()},
        shared_patients=len(both),
    )
