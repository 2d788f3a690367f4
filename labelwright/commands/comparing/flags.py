"""The flags of the commands that compare labelers, and the options that they stand for."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from labelwright.commands.flags import Parser
from labelwright.commands.input_flags import (
    add_annotation_flags,
    add_format_flags,
    annotation_options,
)
from labelwright.errors import ConfigError
from labelwright.readers.formats import FORMATS

if TYPE_CHECKING:
    from eval.kinds.base import KindView, More
    from eval.read.aligned import Inputs
    from eval.stats.significance import CompareSettings
    from labelwright.label_set import LabelSet
    from labelwright.readers.options import ReadOptions

LONGEST_NAME = 60

# Of an ablation
DEFAULT_METHODS = "context,few-shot,knn"
DEFAULT_K = "0,1,3,5"
RUNS = "runs"
"""The folder of the runs beside the page."""


def add_file_flags(
    parser: argparse.ArgumentParser, compared: str, *, column: str | None, column_help: str
) -> None:
    """Patients and missing predictions.

    Args:
        compared: what is compared, as help names it: labeler or cell.
        column: default column of the patient; ``column_help``: its help.
    """
    parser.add_argument(
        "--patients",
        metavar="FILE",
        help="table or JSONL file with the patient of each report; tests then resample patients",
    )
    parser.add_argument("--patient-column", default=column, metavar="NAME", help=column_help)
    parser.add_argument(
        "--missing",
        choices=("error", "drop"),
        default="error",
        help=f"reports without a prediction: errors of the {compared} (default), or left out for "
        "all",
    )


def add_text_flags(parser: argparse.ArgumentParser) -> None:
    """Whether the page shows report text, and where the text is."""
    text = parser.add_argument_group("report text")
    text.add_argument(
        "--include-text",
        action="store_true",
        help="put the text of wrongly labeled reports into the page (then readable by you only)",
    )
    text.add_argument("--reports", metavar="FILE", help="table or JSONL file with the texts")
    text.add_argument("--text-column", default="text", metavar="NAME", help="default: %(default)s")


def add_section_flags(parser: argparse.ArgumentParser) -> None:
    """Calibration, selective labeling, subgroups, several runs."""
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
        default=30,
        metavar="N",
        help="patients (or reports) that a group needs to be scored (default: %(default)s)",
    )
    entities = parser.add_argument_group("entities")
    entities.add_argument(
        "--seeds",
        action="append",
        default=[],
        metavar="NAME=RUN,RUN,…",
        help="several runs of one labeler, trained with other seeds; once per labeler, at least "
        "two runs each",
    )
    entities.add_argument(
        "--input-format",
        choices=tuple(FORMATS),
        help="of annotated gold, where the suffix does not tell",
    )
    entities.add_argument("--encoding", metavar="NAME", help="of annotated gold in text files")
    entities.add_argument(
        "--pred-reading",
        action="append",
        default=[],
        metavar="[NAME:]OPTION=VALUE",
        help="how annotated predictions are read, of the labeler NAME or of all; OPTION is a flag "
        "of annotated gold without its dashes, such as tag-scheme=bio (default: as their files "
        "tell); repeatable",
    )
    add_annotation_flags(parser, "annotated gold")


def add_test_flags(parser: argparse.ArgumentParser, views: Sequence[KindView]) -> None:
    """``--metric``, ``--margin`` and what else scores and tests depend on.

    Args:
        views: the kinds whose metrics help names.
    """
    tests = parser.add_argument_group("scores and tests")
    offered = [f"for {view.noun} {view.metrics_help}" for view in views if view.metrics_help]
    tests.add_argument(
        "--metric", metavar="NAME", help=f"what the verdict is about: {'; '.join(offered)}"
    )
    tests.add_argument(
        "--margin",
        type=float,
        default=0.02,
        help="largest acceptable loss, chosen before seeing the result (default: %(default)s)",
    )
    tests.add_argument(
        "--undefined",
        choices=("zero", "one", "skip"),
        default="zero",
        help="F1 of what neither gold nor labeler has (default: %(default)s)",
    )
    tests.add_argument("--seed", type=int, default=13, help="default: %(default)s")
    tests.add_argument(
        "--resamples", type=int, default=2_000, metavar="N", help="bootstrap (default: %(default)s)"
    )
    tests.add_argument(
        "--permutations",
        type=int,
        default=10_000,
        metavar="N",
        help="randomization test (default: %(default)s)",
    )


def settings_of(arguments: argparse.Namespace) -> CompareSettings:
    """What the flags of :func:`add_test_flags` say.

    Raises:
        ConfigError: the seed is negative.
    """
    from eval.stats.significance import CompareSettings

    if arguments.seed < 0:
        raise ConfigError("--seed is negative", remedy="give a whole number from 0")
    return CompareSettings(
        undefined=arguments.undefined,
        permutations=arguments.permutations,
        resamples=arguments.resamples,
        margin=arguments.margin,
        seed=arguments.seed,
    )


def inputs_of(
    arguments: argparse.Namespace, label_set: LabelSet, predictions: dict[str, str]
) -> Inputs:
    """What the flags say of gold and predictions, and of reading them.

    Raises:
        ConfigError: the columns of the id have an empty name.
    """
    from eval.read.aligned import Inputs

    return Inputs(
        label_set,
        arguments.gold,
        predictions,
        id_columns=id_columns(arguments.id_column),
        missing=arguments.missing,
        patients=arguments.patients,
        patient_column=arguments.patient_column,
        reports=arguments.reports,
        text_column=arguments.text_column,
        reading=annotation_options(arguments),
        pred_reading=pred_reading(arguments.pred_reading, predictions),
    )


def pred_reading(values: Sequence[str], labelers: Collection[str]) -> dict[str, ReadOptions]:
    """What ``--pred-reading`` says, by labeler; ``""``: of all that are not named.

    Raises:
        ConfigError: a value is none, or names no labeler.
    """
    words: dict[str, list[str]] = {}
    for value in values:
        option, equals, said = value.partition("=")
        name, _, option = option.rpartition(":")
        if not equals or not option or not said:
            raise ConfigError(
                f"--pred-reading {value!r} is not an option with its value",
                remedy="write OPTION=VALUE or NAME:OPTION=VALUE, such as tag-scheme=bio",
            )
        if name and name not in labelers:
            raise ConfigError(
                f"--pred-reading {value!r} names none of the labelers",
                remedy=f"use one of: {', '.join(labelers)}",
            )
        words.setdefault(name, []).append(f"--{option}={said}")
    parser = Parser(prog="labelwright eval", add_help=False)
    add_format_flags(parser)
    add_annotation_flags(parser)
    found = {}
    for name in ["", *words]:
        # What is said of all holds for a named labeler too, unless its own word differs.
        read, rest = parser.parse_known_args([*words.get("", ()), *words.get(name, ())])
        if rest:
            raise ConfigError(
                f"--pred-reading has no option {rest[0].partition('=')[0].removeprefix('--')!r}",
                remedy="it takes the flags of annotated gold, such as input-format=label-studio",
            )
        found[name] = annotation_options(read)
    return found


def more_of(arguments: argparse.Namespace, runs: Mapping[str, Sequence[str]]) -> More:
    """What the flags of :func:`add_section_flags` say; ``runs`` are those of ``--seeds``.

    Raises:
        ConfigError: they do not fit together.
    """
    from eval.kinds.base import More

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
    return More(
        calibration_gold=arguments.calibration_gold,
        calibration_pred=named_paths(arguments.calibration_pred, "--calibration-pred"),
        temperature=arguments.temperature,
        accuracy=arguments.accuracy,
        confidence=arguments.confidence,
        metadata=arguments.metadata,
        subgroups=tuple(arguments.subgroup),
        subgroup_min=arguments.subgroup_min,
        runs=runs,
        first_only=not arguments.pred,
    )


def id_columns(text: str) -> tuple[str, ...]:
    """The columns that ``--id-column`` names.

    Raises:
        ConfigError: a name is empty.
    """
    names = tuple(part.strip() for part in text.split(","))
    if not all(names):
        raise ConfigError(
            f"--id-column {text!r} has an empty name", remedy="write NAME or NAME,NAME"
        )
    return names


def named_paths(values: Sequence[str], flag: str = "--pred") -> dict[str, str]:
    """``NAME=PATH`` or a path alone, named after its folder or file.

    Raises:
        ConfigError: a name appears twice, is empty, too long or unprintable.
    """
    found: dict[str, str] = {}
    for value in values:
        name, equals, path = value.partition("=")
        if not equals or Path(value).exists():
            name, path = Path(value).resolve().name.removesuffix(".gz"), value
            name = name if Path(value).is_dir() else name.rpartition(".")[0] or name
        name = name.strip()
        if not name or not path or len(name) > LONGEST_NAME or not name.isprintable():
            raise ConfigError(
                f"{flag} {value!r} does not name a labeler and a file",
                remedy=f"write NAME=PATH with a name of up to {LONGEST_NAME} characters",
            )
        if name in found:
            raise ConfigError(
                f"two labelers are named {name!r}", remedy=f"give each {flag} a name of its own"
            )
        found[name] = path
    return found


def seed_runs(values: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """``NAME=RUN,RUN,…`` as runs by labeler.

    Raises:
        ConfigError: a value is no such list, has fewer than two runs, or names one twice.
    """
    found: dict[str, tuple[str, ...]] = {}
    for value in values:
        name, _, rest = value.partition("=")
        paths = tuple(part.strip() for part in rest.split(","))
        if not name.strip() or not all(paths) or len(paths) < 2:
            raise ConfigError(
                f"--seeds {value!r} does not name a labeler and its runs",
                remedy="write NAME=RUN,RUN with at least two run folders or prediction files",
            )
        if len({str(Path(p).resolve()) for p in paths}) < len(paths):
            raise ConfigError(
                f"--seeds of {name.strip()!r} names a run twice", remedy="give each run once"
            )
        if name.strip() in found:
            raise ConfigError(
                f"two --seeds are named {name.strip()!r}", remedy="give each labeler once"
            )
        found[name.strip()] = paths
    return found
