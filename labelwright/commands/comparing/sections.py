"""The parts of ``labelwright eval`` that need more than labels: probabilities, metadata."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from labelwright.errors import ConfigError

if TYPE_CHECKING:
    from eval.kinds.certainty.analysis import Analysis
    from eval.page.section import Section

SMALLEST_GROUP = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags for calibration, selective labeling and subgroups."""
    sure = parser.add_argument_group(
        "probabilities (of labelers that write them into predictions.jsonl)"
    )
    sure.add_argument(
        "--calibration-gold",
        metavar="FILE",
        help="reference labels of other reports (validation), to fit temperatures and thresholds",
    )
    sure.add_argument(
        "--calibration-pred",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="predictions of the labeler NAME for these reports; once per labeler",
    )
    sure.add_argument(
        "--temperature",
        choices=("model", "observation"),
        default="model",
        help="one temperature for the whole model, or one per observation (default: %(default)s)",
    )
    sure.add_argument(
        "--accuracy",
        type=float,
        default=0.99,
        metavar="SHARE",
        help="accuracy wished for labels that no person sees (default: %(default)s)",
    )
    sure.add_argument(
        "--confidence",
        choices=("probability", "agreement"),
        default="probability",
        help="what tells sure labels from others in selective labeling: their probability, or "
        "whether two readers agree, then their probability (default: %(default)s)",
    )
    groups = parser.add_argument_group("subgroups")
    groups.add_argument(
        "--metadata", metavar="FILE", help="table or JSONL file with the columns to group by"
    )
    groups.add_argument(
        "--subgroup",
        action="append",
        default=[],
        metavar="COLUMN[:band=N]",
        help="score the groups of this column, numbers in bands N wide; once per column",
    )
    groups.add_argument(
        "--subgroup-min",
        type=int,
        default=SMALLEST_GROUP,
        metavar="N",
        help="patients (or reports) that a group needs to be scored (default: %(default)s)",
    )


def check(arguments: argparse.Namespace) -> None:
    """Refuse flags that do not fit together before anything is read.

    Raises:
        ConfigError: they do not.
    """
    if bool(arguments.calibration_gold) != bool(arguments.calibration_pred):
        raise ConfigError(
            "--calibration-gold and --calibration-pred belong together",
            remedy="give both: gold and predictions of the same reports",
        )
    if bool(arguments.metadata) != bool(arguments.subgroup):
        raise ConfigError(
            "--metadata and --subgroup belong together",
            remedy="give the file and at least one of its columns",
        )
    if not 0.5 <= arguments.accuracy < 1:
        raise ConfigError(
            f"--accuracy {arguments.accuracy:g} is not between 0.5 and 1",
            remedy="give a share such as 0.99",
        )
    if arguments.subgroup_min < 2:
        raise ConfigError("--subgroup-min is below 2", remedy="give at least 2; 30 for a paper")


def sections(
    arguments: argparse.Namespace,
    analysis: Analysis,
    predictions: Mapping[str, str],
    *,
    calibration: Mapping[str, str],
    id_columns: Sequence[str],
) -> list[Section]:
    """The sections that the files allow: calibration, selective labeling, subgroups."""
    from eval.groups.groups import Grouping, load_groups
    from eval.groups.subgroup_section import subgroup_section

    found = _of_probabilities(arguments, analysis, predictions, calibration, id_columns)
    if arguments.subgroup:
        columns = load_groups(
            arguments.metadata,
            [Grouping.parse(text) for text in dict.fromkeys(arguments.subgroup)],
            analysis.comparison.ids,
            id_columns=id_columns,
        )
        found.append(subgroup_section(analysis, columns, min_size=arguments.subgroup_min))
    return found


def _of_probabilities(
    arguments: argparse.Namespace,
    analysis: Analysis,
    predictions: Mapping[str, str],
    calibration: Mapping[str, str],
    id_columns: Sequence[str],
) -> list[Section]:
    from eval.probability.agreement import by_agreement, held_by_agreement
    from eval.probability.calibration_section import calibration_section
    from eval.probability.held_out import load_held_out
    from eval.probability.probabilities import allowed, load_probabilities, only_presence
    from eval.probability.selective_section import selective_section

    comparison = analysis.comparison
    every = {n: load_probabilities(predictions[n], comparison, n) for n in comparison.names}
    given = {name: found for name, found in every.items() if found is not None}
    absent = only_presence(comparison.gold, allowed(comparison.label_set, comparison.observations))
    held = None
    if calibration:
        silent = [name for name in calibration if name not in given and name in every]
        if silent:
            raise ConfigError(
                f"{', '.join(silent)}: no probabilities to calibrate",
                remedy="leave out its --calibration-pred, or give its predictions.jsonl as --pred",
            )
        if absent is not None:
            raise ConfigError(
                "the gold says only what is present, so that no temperature or threshold over "
                "negative, uncertain and blank can be judged by it",
                remedy="leave out --calibration-gold, or give a gold that codes them",
                source=arguments.gold,
            )
        held = load_held_out(
            arguments.calibration_gold,
            calibration,
            comparison,
            id_columns=id_columns,
            patients=arguments.patients,
            patient_column=arguments.patient_column,
        )
    agreement = arguments.confidence == "agreement"
    sure = given
    if agreement:
        sure = by_agreement(predictions, comparison, given, presence=absent is not None)
    if absent is not None:
        given, sure = (
            {name: each.of_presence(absent) for name, each in some.items()}
            for some in (given, sure)
        )
    found = []
    if given:
        found.append(calibration_section(analysis, given, held=held, per=arguments.temperature))
    if sure:
        if agreement and held is not None:
            held = held_by_agreement(held, calibration)
        found.append(
            selective_section(
                analysis, sure, wish=arguments.accuracy, held=held, agreement=agreement
            )
        )
    return found
