"""``labelwright pseudo-label``: the confident answers of a labeling run -> more training data."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from labelwright.commands.input_flags import ReadingOptions
from labelwright.errors import ConfigError
from labelwright.options import flag, share, switch
from labelwright.tasks import kind_of
from labelwright.text.amounts import amount

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


@dataclass(frozen=True, kw_only=True)
class PseudoOptions(ReadingOptions):
    """Which answers are added to which data."""

    data: str = flag("folder that labelwright build wrote", required=True, metavar="DIR")
    pred: Path = flag(
        "finished folder of labelwright label over the same files",
        required=True,
        type=Path,
        metavar="DIR",
    )
    min_prob: float = flag(
        "keep a note if its least sure entity has at least this probability (default: %(default)s)",
        default=0.9,
        type=share,
        metavar="P",
    )
    with_empty: bool = switch(
        "keep notes in which nothing was found, too; they have no probability"
    )
    out: Path = flag("the data folder to write", required=True, type=Path, metavar="DIR")
    overwrite: bool = switch("replace an earlier build")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    PseudoOptions.add_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the data folder and say what was kept."""
    from data_builders.sources.pseudo_choice import SureChoice
    from data_builders.sources.pseudo_labels import add_pseudo_labels
    from labelwright.io.data_folder import open_data_folder
    from labelwright.readers import read_reports

    options = PseudoOptions.from_flags(arguments)
    names = ["train.jsonl", "train.reports.jsonl"]
    data = open_data_folder(options.data, names)
    gold = "train" + kind_of(data.label_set).gold_suffix
    if gold != GOLD:
        raise ConfigError(
            f"label set {data.label_set.name} is of the task {data.label_set.task}",
            remedy="pseudo-labels are for label sets of entities",
            source=data.path,
        )
    open_data_folder(options.data, [*names, gold])
    if options.out.resolve() == data.path.resolve():
        raise ConfigError("--out is the folder of --data", remedy="give another --out")
    found = add_pseudo_labels(
        data,
        read_reports(options.files, options.reading),
        options.pred,
        options.out,
        SureChoice(options.min_prob, options.with_empty),
        overwrite=options.overwrite,
    )
    lines = [f"round {found.number}: {amount(found.offered, 'note')} offered, {found.kept} kept"]
    lines += [f"  {count:>6} not kept: {why}" for why, count in found.reasons.most_common()]
    lines += [f"  {count:>6} entities kept: {name}" for name, count in found.entities.most_common()]
    sys.stdout.write("\n".join([*lines, f"written to {options.out}"]) + "\n")
    return 0
