"""``labelwright review models`` and ``retrain``: versions of models, and rounds of training."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from labelwright.commands.review.project import (
    ActionOptions,
    ProjectOptions,
    action_flag,
    opened,
)
from labelwright.errors import ConfigError
from labelwright.options import flag, switch
from labelwright.text.amounts import amount

TRAINERS = ("train", "train-tagger", "train-encoder")
EPILOG = """\
one round: what is finished is trained on, the new model reads all notes, the queue follows it
  labelwright review retrain project --out rounds --train "train --config scratch-cpu"
Notes of the random share are never trained on: the page Agreement shows how good each round is.
"""


@dataclass(frozen=True, kw_only=True)
class ModelOptions(ProjectOptions, ActionOptions):
    """Of ``models``."""

    action: str = action_flag("add", "list", "choose", "get")
    name: str | None = flag("the model's name", place=True, nargs="?")
    from_: Path | None = flag(
        "of add: a folder or a tar file", only=("add",), type=Path, metavar="DIR|TAR"
    )
    version: str = flag(
        "of choose and get: which, or how it begins",
        default="",
        only=("choose", "get"),
        metavar="SHA256",
    )
    out: Path | None = flag("of get: where it goes", only=("get",), type=Path, metavar="DIR")


@dataclass(frozen=True, kw_only=True)
class ReadOptions(ProjectOptions):
    """Of ``label``."""

    out: Path = flag("a new folder for what is made", required=True, type=Path, metavar="DIR")
    label: str = flag("further flags of labelwright label", default="", metavar="FLAGS")


@dataclass(frozen=True, kw_only=True)
class RetrainOptions(ReadOptions):
    """Of ``retrain``."""

    out: Path = flag("where the round's files go", required=True, type=Path, metavar="DIR")
    train: str = flag(
        'what trains, with its flags: "train-tagger --config minilm"; data and output folder are '
        "added",
        required=True,
        metavar="COMMAND",
    )
    start_from_chosen: bool = switch(
        "train the chosen model of the store further (default: what --train names)"
    )
    split: str = flag("of the notes (default: 0.9,0.1,0)", default="0.9,0.1,0", metavar="A,B,C")


def models(options: ModelOptions) -> str:
    """Add, list, choose or get."""
    from review import models as kept

    store, action, name = opened(options), options.action, options.name
    options.refuse_others(action, f"review models {action}")
    if action == "list":
        return "\n".join(
            f"{each.name}\t{each.version}\t{each.size}\t{'chosen' * each.chosen}"
            for each in kept.models(store)
        )
    if not name:
        raise ConfigError(
            "no model is named", remedy=f"labelwright review models {action} DIR NAME"
        )
    if action == "add":
        if options.from_ is None:
            raise ConfigError("no model is given", remedy="give --from with a folder or tar file")
        found = kept.add_model(store, name, options.from_)
    elif action == "choose":
        found = kept.choose(store, name, options.version)
    else:
        if options.out is None:
            raise ConfigError("--out is missing", remedy="say where the model goes")
        found = kept.get_model(store, name, options.version, options.out)
    return f"{found.name} {found.version}"


def retrain(options: RetrainOptions) -> str:
    """One round."""
    from review.loop import retrain as turn

    train = shlex.split(options.train)
    if not train or train[0] not in TRAINERS:
        raise ConfigError(
            "--train names no command that trains", remedy=f"begin with {', '.join(TRAINERS)}"
        )
    done = turn(
        opened(options),
        options.out,
        train,
        shlex.split(options.label),
        split=options.split,
        go_on=options.start_from_chosen,
        say=_say,
    )
    return (
        f"round {done.number}: learned from {amount(done.trained_on, 'note')}, model "
        f"{done.model.name} {done.model.version[:12]}, its labels are run {done.run}"
    )


def label(options: ReadOptions) -> str:
    """Let the chosen model read all notes."""
    from review.loop import label_all

    done = label_all(opened(options), options.out, shlex.split(options.label), _say)
    return f"run {done.run}: {amount(done.proposals, 'proposal')} on {amount(done.notes, 'note')}"


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
