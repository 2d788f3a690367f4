"""The flags of ``labelwright build``, and which of them go together."""

from __future__ import annotations

import argparse
from pathlib import Path

from labelwright.commands.building.entities import add_entity_flags
from labelwright.commands.flags import positive, seed
from labelwright.commands.input_flags import add_reading_flags
from labelwright.errors import ConfigError
from labelwright.text.sections import SECTION_CHOICES

SOURCES = "a CSV or TSV (.gz) in CheXpert coding, 'rules', or 'openi-mesh'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    add_reading_flags(parser, required=False)
    add = parser.add_argument
    add("--synthetic", type=positive, metavar="N", help="N reports of the grammar instead of FILE")
    add(
        "--balance",
        type=float,
        metavar="SHARE",
        help="share of the grammar's reports that draw rare and common certainties alike "
        "(0 to 1, default 0)",
    )
    add("--noise", type=float, metavar="AMOUNT", help="slips in its text (0 to 1, default 1)")
    add(
        "--brief",
        type=float,
        metavar="SHARE",
        help="share of its reports that are of one to three statements (0 to 1, default 0)",
    )
    add("--label-set", required=True, metavar="NAME|FILE", help="what to ask of a report")
    add(
        "--lexicon",
        type=Path,
        metavar="FILE",
        help="the words of --synthetic and --augment (default: those shipped for the label set)",
    )
    add("--out", type=Path, metavar="DIR", help="the data folder to write")
    labels = parser.add_argument_group("labels")
    add = labels.add_argument
    add("--labels", metavar="SOURCE", help=SOURCES)
    add("--test-labels", metavar="SOURCE", help="other labels for the test split")
    add("--label-id-columns", type=_names, default=(), metavar="A,B", help="id of label tables")
    add("--rules", type=Path, metavar="FILE", help="a rules file of your own, for --labels rules")
    add("--openi-table", type=Path, metavar="FILE", help="codes -> observations, as YAML")
    records = parser.add_argument_group("records")
    add = records.add_argument
    add("--sections", choices=SECTION_CHOICES, default="full", help="part of the report to use")
    add("--format", choices=("trl", "alpaca"), default="trl", help="form of the records")
    add(
        "--augment",
        type=positive,
        metavar="N",
        help="add N variants of every training report: other words, order and look, same labels",
    )
    add(
        "--oversample",
        choices=("paper", "rare"),
        help="copies of training reports with rare classes: by the rule of the benchmark of de "
        "Almeida et al., or a repaired one that reaches every rare class",
    )
    add("--preview", type=positive, metavar="N", help="show N records and write nothing")
    add_entity_flags(parser)
    split = parser.add_argument_group("splits")
    add = split.add_argument
    add("--split", metavar="R,R,R|none|test", help="shares (default 0.8,0.1,0.1), or all in one")
    add(
        "--stratify",
        choices=("labels", "none"),
        help="of --split: share out rare labels or types first (default), or split at random",
    )
    add("--split-file", type=Path, metavar="FILE", help="a table with the columns id and split")
    add("--split-id-columns", type=_names, default=(), metavar="A,B", help="id of that table")
    add("--seed", type=seed, default=13, help="seed of the split and the grammar (default 13)")
    add("--duplicates", choices=("keep", "drop"), default="keep", help="reports of equal text")
    add(
        "--leakage",
        choices=("error", "drop", "keep-texts"),
        default="error",
        help="where --split-file puts a patient or a text into two splits; keep-texts: stop for "
        "patients, count and keep equal texts of different patients",
    )
    add(
        "--near-duplicates",
        choices=("keep", "drop"),
        default="keep",
        help="training reports that nearly repeat a validation or test report",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier build")


def check(arguments: argparse.Namespace, *, labels_needed: bool) -> None:
    """Refuse flags that do not go together.

    Raises:
        ConfigError: there are some, or one that is needed is missing.
    """
    if bool(arguments.files) == (arguments.synthetic is not None):
        raise ConfigError("give either files or --synthetic N", remedy="see --help")
    for flag in ("balance", "noise", "brief"):
        if getattr(arguments, flag) is not None and arguments.synthetic is None:
            raise ConfigError(f"--{flag} is for --synthetic", remedy=f"leave --{flag} out")
    if arguments.augment is not None:
        _check_augment(arguments)
    if labels_needed and arguments.labels is None and arguments.synthetic is None:
        raise ConfigError("--labels is missing", remedy=f"give {SOURCES}")
    if arguments.out is None and arguments.preview is None:
        raise ConfigError("--out is missing", remedy="give a folder, or --preview 3 to look first")
    if arguments.split is not None and arguments.split_file is not None:
        raise ConfigError("--split and --split-file exclude each other", remedy="give one of them")
    if arguments.stratify is not None and arguments.split_file is not None:
        raise ConfigError("--stratify is for --split", remedy="leave --stratify out")
    if arguments.oversample is not None and arguments.split == "test":
        raise ConfigError(
            "--oversample is for training reports, and --split test makes none",
            remedy="leave --oversample out",
        )
    _refuse_idle_flags(arguments)
    _refuse_own_inputs(arguments)


def _check_augment(arguments: argparse.Namespace) -> None:
    if arguments.synthetic is not None:
        raise ConfigError(
            "--augment is for reports of your own", remedy="raise --synthetic instead"
        )
    if arguments.preview is not None:
        raise ConfigError("--preview shows no variants", remedy="leave --augment out")
    if arguments.split == "test":
        raise ConfigError(
            "--augment is for training reports, and --split test makes none",
            remedy="leave --augment out",
        )


def _refuse_idle_flags(arguments: argparse.Namespace) -> None:
    """A flag that would do nothing shows that the user expects something else."""
    sources = {arguments.labels, arguments.test_labels} - {None}
    table = bool(sources - {"rules", "openi-mesh"})
    split_table = arguments.split_file is not None
    for flag, used, use in (
        ("lexicon", arguments.synthetic or arguments.augment, "--synthetic and --augment"),
        ("rules", "rules" in sources, "--labels rules"),
        ("openi_table", "openi-mesh" in sources, "--labels openi-mesh"),
        ("label_id_columns", table, "a label table"),
        ("split_id_columns", split_table, "--split-file"),
    ):
        if getattr(arguments, flag) and not used:
            name = f"--{flag.replace('_', '-')}"
            raise ConfigError(f"{name} is for {use}", remedy=f"leave {name} out")


def _refuse_own_inputs(arguments: argparse.Namespace) -> None:
    """An input inside the folder that --overwrite empties would be lost."""
    if arguments.out is None:
        return
    read = [
        *arguments.files,
        arguments.labels,
        arguments.test_labels,
        arguments.split_file,
        arguments.entity_table,
        arguments.normalise,
    ]
    for path in map(Path, filter(None, read)):
        if path.is_file() and path.resolve().parent == arguments.out.resolve():
            raise ConfigError(
                f"{path} is read and stands in --out, whose files are replaced",
                remedy="choose another --out",
            )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
