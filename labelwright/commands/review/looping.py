"""``labelwright review models`` and ``retrain``: versions of models, and rounds of training."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from labelwright.errors import ConfigError
from labelwright.text.amounts import amount

if TYPE_CHECKING:
    from review.store.store import Store

TRAINERS = ("train", "train-tagger", "train-encoder")
EPILOG = """\
one round: what is finished is trained on, the new model reads all notes, the queue follows it
  labelwright review retrain project --out rounds --train "train --config scratch-cpu"
Notes of the random share are never trained on: the page Agreement shows how good each round is.
"""


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Of ``models``."""
    parser.add_argument("action", choices=("add", "list", "choose", "get"))
    parser.add_argument("project", type=Path, metavar="DIR", help="the project's folder")
    parser.add_argument("name", nargs="?", help="the model's name")
    parser.add_argument("--from", dest="source", type=Path, metavar="DIR|TAR", help="for add")
    parser.add_argument("--version", default="", metavar="SHA256", help="or how it begins")
    parser.add_argument("--out", type=Path, metavar="DIR", help="for get")


def add_retrain_arguments(parser: argparse.ArgumentParser) -> None:
    """Of ``retrain``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument("project", type=Path, metavar="DIR", help="the project's folder")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="where the round's files go"
    )
    parser.add_argument(
        "--train",
        required=True,
        metavar="COMMAND",
        help='what trains, with its flags: "train-tagger --config minilm"; data and output '
        "folder are added",
    )
    parser.add_argument(
        "--start-from-chosen",
        action="store_true",
        help="train the chosen model of the store further (default: what --train names)",
    )
    _add_label_flags(parser)
    parser.add_argument(
        "--split", default="0.9,0.1,0", metavar="A,B,C", help="of the notes (default: 0.9,0.1,0)"
    )


def add_label_arguments(parser: argparse.ArgumentParser) -> None:
    """Of ``label``."""
    parser.add_argument("project", type=Path, metavar="DIR", help="the project's folder")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new folder")
    _add_label_flags(parser)


def _add_label_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--label", default="", metavar="FLAGS", help="further flags of labelwright label"
    )


def models(arguments: argparse.Namespace, store: Store) -> int:
    """Add, list, choose or get."""
    from review import models as kept

    action, name = arguments.action, arguments.name
    if action == "list":
        for each in kept.models(store):
            mark = "chosen" if each.chosen else ""
            sys.stdout.write(f"{each.name}\t{each.version}\t{each.size}\t{mark}\n")
        return 0
    if not name:
        raise ConfigError(
            "no model is named", remedy=f"labelwright review models {action} DIR NAME"
        )
    if action == "add":
        if arguments.source is None:
            raise ConfigError("no model is given", remedy="give --from with a folder or tar file")
        found = kept.add_model(store, name, arguments.source)
    elif action == "choose":
        found = kept.choose(store, name, arguments.version)
    else:
        if arguments.out is None:
            raise ConfigError("--out is missing", remedy="say where the model goes")
        found = kept.get_model(store, name, arguments.version, arguments.out)
    sys.stdout.write(f"{found.name} {found.version}\n")
    return 0


def retrain(arguments: argparse.Namespace, store: Store) -> int:
    """One round."""
    from review.loop import retrain as turn

    train = shlex.split(arguments.train)
    if not train or train[0] not in TRAINERS:
        raise ConfigError(
            "--train names no command that trains", remedy=f"begin with {', '.join(TRAINERS)}"
        )
    done = turn(
        store,
        arguments.out,
        train,
        shlex.split(arguments.label),
        split=arguments.split,
        go_on=arguments.start_from_chosen,
        say=_say,
    )
    sys.stdout.write(
        f"round {done.number}: learned from {amount(done.trained_on, 'note')}, model "
        f"{done.model.name} {done.model.version[:12]}, its labels are run {done.run}\n"
    )
    return 0


def label(arguments: argparse.Namespace, store: Store) -> int:
    """Let the chosen model read all notes."""
    from review.loop import label_all

    done = label_all(store, arguments.out, shlex.split(arguments.label), _say)
    sys.stdout.write(
        f"run {done.run}: {amount(done.proposals, 'proposal')} on {amount(done.notes, 'note')}\n"
    )
    return 0


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
