"""The flags of the commands that compare labelers."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from labelwright.commands.flags import Parser
from labelwright.commands.input_flags import ANNOTATED, AnnotationOptions
from labelwright.errors import ConfigError
from labelwright.options import Options, flag, read_by, switch

if TYPE_CHECKING:
    from eval.kinds.base import More, Offer
    from eval.read.aligned import Inputs
    from eval.stats.significance import CompareSettings
    from labelwright.label_set import LabelSet
    from labelwright.readers.options import ReadOptions

LONGEST_NAME = 60
DEFAULT_METHODS = "context,few-shot,knn"
DEFAULT_K = "0,1,3,5"
CELLS = "runs"
"""The folder of the runs beside the page."""
LABELING = "labeling"
LONE = "labeling, and there are no reports to label"
ABLATED = "chexpert-14"

PATIENT, TEXT = "patient", "text"
"""Usual names of columns."""
TEXTS, GROUPS, RUNS, TESTS = "report text", "subgroups", "several runs", "scores and tests"
SURE = "probabilities (of labelers that write them into predictions.jsonl)"


@dataclass(frozen=True, kw_only=True)
class CompareOptions(Options):
    """What every comparison is told: where the page goes, what scores and tests depend on."""

    out: Path = flag(
        "where the page goes, and all beside it", required=True, type=Path, metavar="DIR"
    )
    patients: str | None = flag(
        "table or JSONL file with the patient of each report; tests then resample patients",
        metavar="FILE",
    )
    missing: Literal["error", "drop"] = flag(
        "reports without a prediction: errors of the labeler (default), or left out for all",
        default="error",
        choices=("error", "drop"),
    )
    metric: str | None = read_by(lambda given: given.metric)
    margin: float = flag(
        "non-inferiority margin: the largest acceptable loss, chosen before seeing the result "
        "(default: %(default)s)",
        group=TESTS,
        default=0.02,
        type=float,
    )
    undefined: Literal["zero", "one", "skip"] = flag(
        "F1 of what neither gold nor labeler has (default: %(default)s)",
        group=TESTS,
        default="zero",
        choices=("zero", "one", "skip"),
    )
    seed: int = flag("default: %(default)s", group=TESTS, default=13, type=int)
    resamples: int = flag(
        "bootstrap (default: %(default)s)", group=TESTS, default=2_000, type=int, metavar="N"
    )
    permutations: int = flag(
        "randomization test (default: %(default)s)",
        group=TESTS,
        default=10_000,
        type=int,
        metavar="N",
    )

    def settings(self) -> CompareSettings:
        """What tests are told.

        Raises:
            ConfigError: the seed is negative.
        """
        from eval.stats.significance import CompareSettings

        if self.seed < 0:
            raise ConfigError("--seed is negative", remedy="give a whole number from 0")
        return CompareSettings(
            undefined=self.undefined,
            permutations=self.permutations,
            resamples=self.resamples,
            margin=self.margin,
            seed=self.seed,
        )


def add_metric(parser: argparse.ArgumentParser, offers: Iterable[Offer]) -> None:
    """``--metric``, whose help says what each of these kinds has."""
    offered = [f"for {each.noun} {each.metrics_help}" for each in offers]
    parser.add_argument(
        "--metric", metavar="NAME", help=f"what the verdict is about: {'; '.join(offered)}"
    )


@dataclass(frozen=True, kw_only=True)
class EvalOptions(AnnotationOptions, CompareOptions):
    """Of ``labelwright eval``; flags that only some kinds have are named by their views."""

    gold: str = flag(
        "reference labels in CheXpert's coding, annotated reports for entities, rows or "
        "tables of values for fields; labelers of fields can be compared without",
        default="",
        metavar="FILE",
    )
    pred: tuple[str, ...] = flag(
        "a labeler's predictions.jsonl, labels table or run folder; once per labeler, the "
        "first is compared with the others",
        default=(),
        action="append",
        metavar="NAME=PATH",
    )
    label_set: str | None = flag(
        "default: the one that the first run folder names, else chexpert-14", metavar="FILE|NAME"
    )
    id_column: str = flag(
        "id column of the tables, or columns joined with / (default: %(default)s)",
        default="id",
        metavar="NAME[,NAME]",
    )
    title: str | None = flag("title of the page")
    reference: str | None = flag("compare this labeler with the others", metavar="NAME")
    patient_column: str = flag(
        "default: %(default)s", beside="patients", default=PATIENT, metavar="NAME"
    )
    data: str | None = flag(
        "data folder that a model was trained on, to check that the gold is not in it",
        metavar="DIR",
    )
    include_text: bool = switch(
        "put the text of wrongly labeled reports into the page (then readable by you only)",
        group=TEXTS,
    )
    reports: str | None = flag("table or JSONL file with the texts", group=TEXTS, metavar="FILE")
    text_column: str = flag(
        "default: %(default)s", group=TEXTS, beside="reports", default=TEXT, metavar="NAME"
    )
    calibration_gold: str | None = flag(
        "reference labels of other reports (validation), to fit temperatures and thresholds",
        group=SURE,
        metavar="FILE",
    )
    calibration_pred: tuple[str, ...] = flag(
        "predictions of the labeler NAME for these reports; once per labeler",
        group=SURE,
        default=(),
        action="append",
        metavar="NAME=PATH",
    )
    temperature: Literal["model", "observation"] = flag(
        "one temperature for the whole model, or one per observation (default: %(default)s)",
        group=SURE,
        default="model",
        choices=("model", "observation"),
    )
    accuracy: float = flag(
        "target accuracy of labels that no person reviews (default: %(default)s)",
        group=SURE,
        default=0.99,
        type=float,
        metavar="SHARE",
    )
    confidence: Literal["probability", "agreement"] = flag(
        "what tells sure labels from others in selective labeling: their probability, or "
        "whether two readers agree, then their probability (default: %(default)s)",
        group=SURE,
        default="probability",
        choices=("probability", "agreement"),
    )
    metadata: str | None = flag(
        "table or JSONL file with the columns to group by", group=GROUPS, metavar="FILE"
    )
    subgroup: tuple[str, ...] = flag(
        "score the groups of this column, numbers in bands N wide; once per column",
        group=GROUPS,
        default=(),
        action="append",
        metavar="COLUMN[:band=N]",
    )
    subgroup_min: int = flag(
        "patients (or reports) that a group needs to be scored (default: %(default)s)",
        group=GROUPS,
        default=30,
        type=int,
        metavar="N",
    )
    seeds: tuple[str, ...] = flag(
        "several runs of one labeler, trained with other seeds; once per labeler, at least "
        "two runs each",
        group=RUNS,
        default=(),
        action="append",
        metavar="NAME=RUN,RUN,…",
    )
    pred_reading: tuple[str, ...] = flag(
        "how annotated predictions are read, of the labeler NAME or of all; OPTION is a flag "
        "of annotated gold without its dashes, such as tag-scheme=bio (default: as their files "
        "tell); repeatable",
        group=ANNOTATED,
        default=(),
        action="append",
        metavar="[NAME:]OPTION=VALUE",
    )

    def inputs(self, label_set: LabelSet, predictions: dict[str, str]) -> Inputs:
        """Gold and predictions, and how they are read.

        Raises:
            ConfigError: the columns of the id have an empty name.
        """
        from eval.read.aligned import Inputs

        return Inputs(
            label_set,
            self.gold,
            predictions,
            id_columns=id_columns(self.id_column),
            missing=self.missing,
            patients=self.patients,
            patient_column=self.patient_column,
            reports=self.reports,
            text_column=self.text_column,
            reading=self.reading,
            pred_reading=pred_reading(self.pred_reading, predictions),
        )

    def more(self, runs: Mapping[str, Sequence[str]]) -> More:
        """What further sections are made from; ``runs`` are those of ``--seeds``.

        Raises:
            ConfigError: they do not fit together.
        """
        from eval.kinds.base import More

        if bool(self.calibration_gold) != bool(self.calibration_pred):
            raise ConfigError(
                "--calibration-gold and --calibration-pred belong together",
                remedy="give both: gold and predictions of the same reports",
            )
        if bool(self.metadata) != bool(self.subgroup):
            raise ConfigError(
                "--metadata and --subgroup belong together",
                remedy="give the file and at least one of its columns",
            )
        if not 0.5 <= self.accuracy < 1:
            raise ConfigError(
                f"--accuracy {self.accuracy:g} is not between 0.5 and 1",
                remedy="give a share such as 0.99",
            )
        if self.subgroup_min < 2:
            raise ConfigError("--subgroup-min is below 2", remedy="give at least 2; 30 for a paper")
        return More(
            calibration_gold=self.calibration_gold,
            calibration_pred=named_paths(self.calibration_pred, "--calibration-pred"),
            temperature=self.temperature,
            accuracy=self.accuracy,
            confidence=self.confidence,
            metadata=self.metadata,
            subgroups=self.subgroup,
            subgroup_min=self.subgroup_min,
            runs=runs,
            first_only=not self.pred,
        )


@dataclass(frozen=True, kw_only=True)
class CellOptions(Options, group=LABELING, beside=("reports",), use=LONE):
    """How cells are labeled."""

    index: Path | None = flag("the index that the neighbours come from", type=Path, metavar="DIR")
    model: str | None = flag(
        "labels every cell that has no model of its own", metavar="DIR|HUB_NAME|rules"
    )
    methods: str | None = flag(
        f"context, few-shot, knn (default: {DEFAULT_METHODS})", metavar="A,B"
    )
    k: str | None = flag(f"numbers of neighbours, with 0 (default: {DEFAULT_K})", metavar="N,N")
    cell: tuple[str, ...] = flag(
        "a cell with a model of its own, such as one trained with neighbours (none=MODEL: "
        "without); once per cell",
        default=(),
        action="append",
        metavar="METHOD:K=MODEL",
    )


@dataclass(frozen=True, kw_only=True)
class AblationOptions(CellOptions, CompareOptions):
    """Finished runs, or how cells that no ``--pred`` gives are labeled."""

    gold: str = flag("reference labels in CheXpert's coding", required=True, metavar="FILE")
    pred: tuple[str, ...] = flag(
        "a finished run of labelwright label, once per cell; method and k are those of its "
        "manifest unless given (none=RUN: without neighbours)",
        default=(),
        action="append",
        metavar="[METHOD:K=]RUN",
    )
    label_set: str | None = flag(f"of gold and runs (default: {ABLATED})", metavar="FILE|NAME")
    id_column: str | None = flag(
        "id column of the gold and the reports, or columns of the gold joined with / (default: id)",
        metavar="NAME[,NAME]",
    )
    title: str = flag("title of the page", default="Ablation of similar reports")
    patient_column: str | None = flag(
        "column of the patient in that file and in the reports (default: patient)", metavar="NAME"
    )
    reports: tuple[Path, ...] = flag(
        "the reports of the gold, in any format that labelwright label reads; cells that no "
        "--pred gives are labeled into DIR/runs, and stopped runs go on",
        group=LABELING,
        default=(),
        nargs="+",
        type=Path,
        metavar="FILE",
    )
    rest: tuple[str, ...] = read_by(lambda given: tuple(given.rest))
    parser: Parser = read_by(lambda given: given.parser)

    def id_columns(self) -> tuple[str, ...]:
        """Of the gold."""
        return id_columns(self.id_column or "id")


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
    AnnotationOptions.add_flags(parser)
    found = {}
    for name in ["", *words]:
        # What is said of all holds for a named labeler too, unless its own word differs.
        read, rest = parser.parse_known_args([*words.get("", ()), *words.get(name, ())])
        if rest:
            raise ConfigError(
                f"--pred-reading has no option {rest[0].partition('=')[0].removeprefix('--')!r}",
                remedy="it takes the flags of annotated gold, such as input-format=label-studio",
            )
        found[name] = AnnotationOptions.from_flags(read).reading
    return found


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
