"""``labelwright label-set``: list, show and check label sets."""

from __future__ import annotations

import argparse
import sys

from labelwright.errors import LabelSetError
from labelwright.label_set import LabelSet, shipped_names
from labelwright.tasks import kind_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("list", help="names of the shipped label sets")
    for verb, text in (("check", "say line and remedy for every mistake"), ("show", "print it")):
        sub = verbs.add_parser(verb, help=text)
        sub.add_argument("label_set", metavar="FILE|NAME", help="a YAML file or a shipped name")


def run(arguments: argparse.Namespace) -> int:
    """Carry out the verb; 2 if a checked file has mistakes."""
    out = sys.stdout
    if arguments.verb == "list":
        out.writelines(f"{name}\n" for name in shipped_names())
        return 0
    try:
        label_set = LabelSet.load(arguments.label_set)
    except LabelSetError as error:
        if not error.problems or arguments.debug:
            raise
        sys.stderr.writelines(f"{line}\n" for line in error.problems)
        sys.stderr.write(f"labelwright: {len(error.problems)} mistake(s) in {error.source}\n")
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
