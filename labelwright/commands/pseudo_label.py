"""``labelwright pseudo-label``: the sure answers of a labeling run -> more training data."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from labelwright.commands.flags import share
from labelwright.commands.input_flags import add_reading_flags, read_options
from labelwright.errors import ConfigError
from labelwright.tasks import kind_of

EPILOG = """\
one round of self-training
  labelwright train-tagger --config minilm --data records --output_dir tagger-0
  labelwright label notes/ --model tagger-0 --out run-1
  labelwright pseudo-label notes/ --data records --pred run-1 --min-prob 0.9 --out records-1
  labelwright train-tagger --config minilm --data records-1 --output_dir tagger-1
A further round labels the notes with tagger-1. With --data records its answers take the place of
the first round's, with --data records-1 they are added to them.
"""

GOLD = "train.entities.jsonl"
"""What pseudo-labels are added to: mentions with a probability each."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    add_reading_flags(parser)
    parser.add_argument(
        "--data", required=True, metavar="DIR", help="folder that labelwright build wrote"
    )
    parser.add_argument(
        "--pred",
        required=True,
        type=Path,
        metavar="DIR",
        help="finished folder of labelwright label over the same files",
    )
    parser.add_argument(
        "--min-prob",
        type=share,
        default=0.9,
        metavar="P",
        help="keep a note if its least sure entity has at least this probability "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--with-empty",
        action="store_true",
        help="keep notes in which nothing was found, too; they have no probability",
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="the data folder to write"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier build")


def run(arguments: argparse.Namespace) -> int:
    """Write the data folder and say what was kept."""
    from data_builders.sources.pseudo_choice import SureChoice
    from data_builders.sources.pseudo_labels import add_pseudo_labels
    from labelwright.io.data_folder import open_data_folder
    from labelwright.readers import read_reports

    names = ["train.jsonl", "train.reports.jsonl"]
    data = open_data_folder(arguments.data, names)
    gold = "train" + kind_of(data.label_set).gold_suffix
    if gold != GOLD:
        raise ConfigError(
            f"label set {data.label_set.name} is of the task {data.label_set.task}",
            remedy="pseudo-labels are for label sets of entities",
            source=data.path,
        )
    open_data_folder(arguments.data, [*names, gold])
    if arguments.out.resolve() == data.path.resolve():
        raise ConfigError("--out is the folder of --data", remedy="give another --out")
    found = add_pseudo_labels(
        data,
        read_reports(arguments.files, read_options(arguments)),
        arguments.pred,
        arguments.out,
        SureChoice(arguments.min_prob, arguments.with_empty),
        overwrite=arguments.overwrite,
    )
    lines = [f"round {found.number}: {found.offered} notes offered, {found.kept} kept"]
    lines += [f"  {count:>6} not kept: {why}" for why, count in found.reasons.most_common()]
    lines += [f"  {count:>6} entities kept: {name}" for name, count in found.entities.most_common()]
    sys.stdout.write("\n".join([*lines, f"written to {arguments.out}"]) + "\n")
    return 0
