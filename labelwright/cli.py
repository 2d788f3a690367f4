"""The ``labelwright`` command: finds the subcommand, shows errors as one line.

Subcommands live in :mod:`labelwright.commands`; their modules import the stages only when
they run, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import codecs
import io
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labelwright.commands import (
    completion,
    convert,
    doctor,
    evidence,
    export,
    fetch,
    label_set,
    phrases,
    places,
    pretrain,
    pseudo_label,
    train,
    train_encoder,
    train_tagger,
)
from labelwright.commands.building import command as build
from labelwright.commands.comparing import ablation
from labelwright.commands.comparing import command as evaluate
from labelwright.commands.flags import Parser, meant
from labelwright.commands.grid import command as grid
from labelwright.commands.indexing import command as index
from labelwright.commands.labeling import command as label
from labelwright.commands.review import command as review
from labelwright.commands.usual import USUAL
from labelwright.program import guarded, show_messages
from labelwright.runtime.threads import quick_products, wait_asleep
from labelwright.version import __version__


@dataclass(frozen=True)
class Command:
    """One subcommand: its help line, its flags and what it does (returns the exit code).

    With ``passes_on``, flags that it does not declare reach it as ``arguments.rest``; with
    ``resumes``, it goes on where an interrupted run stopped.
    """

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    passes_on: bool = False
    resumes: bool = False


COMMANDS = {
    "build": Command("reports and labels -> instruction records", build.add_arguments, build.run),
    "train": Command(
        "records -> fine-tuned model", train.add_arguments, train.run, passes_on=True, resumes=True
    ),
    "train-encoder": Command(
        "reports and labels -> encoder with one head per observation",
        train_encoder.add_arguments,
        train_encoder.run,
        passes_on=True,
        resumes=True,
    ),
    "pretrain": Command(
        "notes -> encoder that was trained on with their masked words",
        pretrain.add_arguments,
        pretrain.run,
        passes_on=True,
        resumes=True,
    ),
    "train-tagger": Command(
        "reports and entities -> encoder that finds entities by tagging words",
        train_tagger.add_arguments,
        train_tagger.run,
        passes_on=True,
        resumes=True,
    ),
    "label": Command("reports -> labels, in batch", label.add_arguments, label.run, resumes=True),
    "phrases": Command(
        "documents -> their phrases, for a teacher to label", phrases.add_arguments, phrases.run
    ),
    "pseudo-label": Command(
        "sure answers of a labeling run -> more training data",
        pseudo_label.add_arguments,
        pseudo_label.run,
    ),
    "eval": Command(
        "predictions and gold -> comparison page", evaluate.add_arguments, evaluate.run
    ),
    "eval ablation": Command(
        "labeling with and without similar reports -> comparison page",
        ablation.add_arguments,
        ablation.run,
        passes_on=True,
        resumes=True,
    ),
    "grid": Command(
        "training settings in every combination -> one table of scores",
        grid.add_arguments,
        grid.run,
        resumes=True,
    ),
    "evidence": Command(
        "predictions and reports -> page with the sentences that carry each label",
        evidence.add_arguments,
        evidence.run,
    ),
    "places": Command(
        "predictions and documents -> where on the pages each value stands",
        places.add_arguments,
        places.run,
    ),
    "export": Command(
        "a trained model -> a file for other programs", export.add_arguments, export.run
    ),
    "fetch": Command(
        "a pretrained language model, by its short name -> the cache",
        fetch.add_arguments,
        fetch.run,
    ),
    "index": Command(
        "reports -> an index of similar reports; search it",
        index.add_arguments,
        index.run,
        resumes=True,
    ),
    "review": Command(
        "reports and predictions -> pages on which people correct them",
        review.add_arguments,
        review.run,
    ),
    "convert": Command(
        "annotated reports -> another annotation format", convert.add_arguments, convert.run
    ),
    "label-set": Command("check and show label sets", label_set.add_arguments, label_set.run),
    "doctor": Command(
        "what this machine and this installation have and lack", doctor.add_arguments, doctor.run
    ),
    "completion": Command(
        "a script that completes commands and flags in bash, zsh or fish",
        completion.add_arguments,
        completion.run,
    ),
}


def parser() -> Parser:
    """The whole command line."""
    top = Parser(
        prog="labelwright",
        description="Instruction-tuned generative labelers for clinical text.",
    )
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        sub = commands.add_parser(name, help=command.help, description=command.help)
        sub.add_argument("--debug", action="store_true", help="show tracebacks")
        command.add_arguments(sub)
        if name in USUAL:
            sub.show_usual(USUAL[name])
        sub.set_defaults(run=command.run, parser=sub)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code.

    2: the user can mend it; 130: interrupted; 141: nobody reads the standard output.
    """
    wait_asleep()
    quick_products()
    _ready_streams()
    show_messages()
    words = list(sys.argv[1:] if argv is None else argv)
    if "" in words:
        parser().error("an argument is empty, as an unset variable of the shell makes it")
    if (both := " ".join(words[:2])) in COMMANDS:
        words[:2] = [both]
    top = parser()
    arguments, rest = top.parse_known_args(words)
    arguments.top = top
    command = COMMANDS[arguments.command]
    if rest and not command.passes_on:
        both = " ".join((arguments.command, rest[0]))
        if (
            not rest[0].startswith("-")
            and (remedy := meant(both, COMMANDS))
            and both not in COMMANDS
        ):
            arguments.parser.exit(2, f"labelwright: unknown command {both!r}; {remedy}\n")
        arguments.parser.refuse_rest(rest)
    arguments.rest = rest
    return guarded(
        lambda: int(arguments.run(arguments)), debug=arguments.debug, resumes=command.resumes
    )


def _ready_streams() -> None:
    """Let no character and no closed stream stop a message."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    elif isinstance(sys.stdout, io.TextIOWrapper):
        # In the C locale Python writes ASCII; paths and our own text have more.
        if codecs.lookup(sys.stdout.encoding).name in {"ascii", "utf-8"}:
            sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
        else:
            sys.stdout.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
