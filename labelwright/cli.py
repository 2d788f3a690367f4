"""The ``labelwright`` command: finds the subcommand, shows errors as one line.

Subcommands live in :mod:`labelwright.commands`; a module is imported when its command is asked for,
and imports the stages when it runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import codecs
import gc
import io
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, NoReturn

from labelwright.commands.flags import Parser, meant, verbs_of
from labelwright.options import Options
from labelwright.program import guarded, show_messages
from labelwright.runtime.threads import quick_products, rare_collections, wait_asleep
from labelwright.version import __version__

_COLUMNS = ("files", "--id-column", "--text-columns", "--patient-column", "--input-format")

USUAL: Mapping[str, tuple[str, ...]] = {
    "build": (
        *_COLUMNS,
        *("--synthetic", "--label-set", "--labels", "--sections", "--split", "--seed", "--preview"),
        *("--windows", "--out", "--overwrite"),
    ),
    "label": (
        *_COLUMNS,
        *("--model", "--label-set", "--out", "--sections", "--limit", "--dry-run"),
        *("--retry-rejects", "--also", "--evidence", "--second-reader", "--device", "--workers"),
        "--server",
    ),
    "phrases": (*_COLUMNS, "--by", "--out"),
    "pseudo-label": (*_COLUMNS, "--data", "--pred", "--min-prob", "--with-empty", "--out"),
    "eval": (
        *("--gold", "--pred", "--out", "--label-set", "--title", "--reference", "--patients"),
        *("--metric", "--margin", "--metadata", "--subgroup", "--calibration-gold"),
        *("--calibration-pred", "--accuracy", "--reports", "--include-text", "--seed"),
    ),
    "evidence": (*_COLUMNS, "--pred", "--out", "--sections", "--limit", "--title"),
    "convert": (*_COLUMNS, "--from", "--to", "--out", "--offset-unit"),
}
"""The flags that most people need: what ``--help`` shows; of other commands it shows all."""


@dataclass(frozen=True)
class Command:
    """One subcommand: its help line, and the module of its flags and of what it does.

    The module, below :mod:`labelwright.commands`, has ``add_arguments(parser)`` and
    ``run(arguments)``, which returns the exit code; it is imported when it is asked for. Of a
    module of several, ``of`` names an object that has both.

    With ``passes_on``, flags that it does not declare reach it as ``arguments.rest``; with
    ``resumes``, it goes on where an interrupted run stopped.
    """

    help: str
    module: str
    of: str = ""
    passes_on: bool = False
    resumes: bool = False


COMMANDS = {
    "build": Command("reports and labels -> instruction records", "building.command"),
    "train": Command("records -> fine-tuned model", "train", "MODEL", passes_on=True, resumes=True),
    "train-encoder": Command(
        "reports and labels -> encoder with one head per observation",
        "train",
        "ENCODER",
        passes_on=True,
        resumes=True,
    ),
    "pretrain": Command(
        "notes -> encoder, pre-trained further on their masked words",
        "train",
        "PRETRAIN",
        passes_on=True,
        resumes=True,
    ),
    "train-tagger": Command(
        "reports and entities -> encoder that finds entities by tagging words",
        "train",
        "TAGGER",
        passes_on=True,
        resumes=True,
    ),
    "label": Command("reports -> labels, in batch", "labeling.command", resumes=True),
    "phrases": Command("documents -> their phrases, for a teacher to label", "phrases"),
    "pseudo-label": Command(
        "confident answers of a labeling run -> more training data",
        "pseudo_label",
    ),
    "eval": Command("predictions and reference labels -> comparison page", "comparing.command"),
    "eval ablation": Command(
        "labeling with and without similar reports -> comparison page",
        "comparing.ablation",
        passes_on=True,
        resumes=True,
    ),
    "grid": Command(
        "training settings in every combination -> one table of scores",
        "grid.command",
        resumes=True,
    ),
    "evidence": Command(
        "predictions and reports -> page with the sentences that carry each label",
        "evidence",
    ),
    "places": Command(
        "predictions and documents -> where on the pages each value stands",
        "places",
    ),
    "export": Command("a trained model -> a file for other programs", "export"),
    "fetch": Command(
        "a pretrained language model, by its short name -> the cache",
        "fetch",
    ),
    "index": Command(
        "reports -> an index of similar reports; search it",
        "indexing.command",
        resumes=True,
    ),
    "review": Command(
        "reports and predictions -> pages on which people correct them",
        "review.command",
    ),
    "convert": Command("annotated reports -> another annotation format", "convert"),
    "label-set": Command("check and show label sets", "label_set"),
    "doctor": Command("what this machine and this installation have and lack", "doctor"),
    "completion": Command(
        "a script that completes commands and flags in bash, zsh or fish",
        "completion",
    ),
}


TRACEBACKS = "show tracebacks"
WHOLE = "completion"
"""The command that is about all others."""


def parser(wanted: Collection[str] = COMMANDS) -> Parser:
    """The command line.

    Args:
        wanted: the commands whose flags are known; of the others only names and help lines.
    """
    top = Parser(
        prog="labelwright",
        description="Instruction-tuned generative labelers for clinical text.",
    )
    top.add_argument("--version", action="version", version=__version__)
    top.show_usual()
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        sub = commands.add_parser(name, help=command.help, description=command.help)
        if name not in wanted:
            continue
        module: Any = import_module(f"labelwright.commands.{command.module}")
        module = getattr(module, command.of) if command.of else module
        sub.add_argument("--debug", action="store_true", help=TRACEBACKS)
        run = module.run
        if options := getattr(module, "OPTIONS", None):
            options.add_flags(sub)
            run = partial(_told, run, options)
        else:
            module.add_arguments(sub)
        for verb in verbs_of(sub):
            verb.add_argument(
                "--debug", action="store_true", default=argparse.SUPPRESS, help=TRACEBACKS
            )
            verb.show_usual()
        sub.show_usual(USUAL.get(name, ()))
        sub.set_defaults(run=run, parser=sub)
    return top


def _told(run: Callable[[Any], int], options: type[Options], arguments: argparse.Namespace) -> int:
    """Run a command that takes its flags as one object."""
    return run(options.from_flags(arguments))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code.

    2: the user can fix it; 130: interrupted; 141: nobody reads the standard output.
    """
    wait_asleep()
    quick_products()
    rare_collections()
    _ready_streams()
    show_messages()
    words = list(sys.argv[1:] if argv is None else argv)
    if "" in words:
        parser(()).error("an argument is empty, as an unset variable of the shell makes it")
    if (both := " ".join(words[:2])) in COMMANDS:
        words[:2] = [both]
    named = [word for word in words[:1] if word in COMMANDS]
    top = parser(COMMANDS if named == [WHOLE] else named)
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


def program() -> NoReturn:
    """The command as a process of its own, which at its end leaves its memory to the system."""
    code = main()
    gc.freeze()  # else Python walks through every object once more
    sys.exit(code)


if __name__ == "__main__":
    program()
