"""``labelwright label-set``: list, show and check label sets."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

from labelwright.errors import LabelSetError
from labelwright.label_set import LabelSet, shipped_names
from labelwright.options import Options, flag, read_by
from labelwright.tasks import kind_of
from labelwright.text.amounts import amount


@dataclass(frozen=True, kw_only=True)
class NamedSet(Options):
    """The label set that is checked or shown."""

    label_set: str = flag("a YAML file or a shipped name", place=True, metavar="FILE|NAME")
    debug: bool = read_by(lambda given: given.debug)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("list", help="names of the shipped label sets")
    for verb, text in (("check", "say line and remedy for every mistake"), ("show", "print it")):
        NamedSet.add_flags(verbs.add_parser(verb, help=text))


def run(arguments: argparse.Namespace) -> int:
    """Carry out the verb; 2 if a checked file has mistakes."""
    out = sys.stdout
    if arguments.verb == "list":
        out.writelines(f"{name}\n" for name in shipped_names())
        return 0
    options = NamedSet.from_flags(arguments)
    try:
        label_set = LabelSet.load(options.label_set)
    except LabelSetError as error:
        if not error.problems or options.debug:
            raise
        sys.stderr.writelines(f"{line}\n" for line in error.problems)
        found = amount(len(error.problems), "mistake")
        sys.stderr.write(f"labelwright: {found} in {error.source}\n")
        return error.exit_code
    kind = kind_of(label_set)
    if arguments.verb == "check":
        told = kind.describe(label_set)
        out.write(f"{label_set.name} {label_set.version}: {told}; no mistakes\n")
        return 0
    out.write(label_set.text.rstrip("\n") + "\n\n")
    answer = kind.render(label_set, kind.example(label_set))
    out.write(f"# prompt\n{kind.instruction(label_set)}\n\n# an answer\n{answer}\n")
    return 0
