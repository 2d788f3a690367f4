"""The page's sections on probabilities, where labelers give some."""

from __future__ import annotations

from eval.kinds.base import More
from eval.kinds.certainty.scores import Analysis
from eval.page.contents import Section
from eval.probability.agreement import by_agreement, held_by_agreement
from eval.probability.calibration_section import calibration_section
from eval.probability.held_out import load_held_out
from eval.probability.probabilities import allowed, load_probabilities, only_presence
from eval.probability.selective_section import selective_section
from eval.read.aligned import Inputs
from labelwright.errors import ConfigError


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
