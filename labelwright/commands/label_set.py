"""``labelwright label-set``: list, show and check label sets."""

from __future__ import annotations

import argparse
import sys

from labelwright.errors import LabelSetError
from labelwright.label_set import ENTITIES, LabelSet, shipped_names
from labelwright.prompt import system_prompt
from labelwright.records import Certainty, Entity
from labelwright.tasks.certainty import answer as certainty
from labelwright.tasks.entities import answer as entities


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
    if arguments.verb == "check":
        out.write(f"{label_set.name} {label_set.version}: {_kind(label_set)}; no mistakes\n")
        return 0
    out.write(label_set.text.rstrip("\n") + "\n\n")
    out.write(f"# prompt\n{system_prompt(label_set)}\n\n# an answer\n{_answer(label_set)}\n")
    return 0


def _kind(label_set: LabelSet) -> str:
    """What is asked for, in a few words."""
    count = len(label_set.labels)
    certainties = ", ".join(label_set.certainties)
    if label_set.task != ENTITIES:
        return f"{count} labels, certainties {certainties}"
    nesting = "may overlap" if label_set.nesting else "stand apart"
    examples = f"{len(label_set.examples)} example{'s' * (len(label_set.examples) != 1)}"
    more = f", certainties {certainties}" if certainties else ""
    return f"{count} type{'s' * (count != 1)} of entities that {nesting}{more}, {examples}"


def _answer(label_set: LabelSet) -> str:
    """An answer as a model would write it: of the first example, or of made-up mentions."""
    if label_set.task != ENTITIES:
        return certainty.render(label_set, {})
    if label_set.examples:
        return entities.render(label_set, label_set.examples[0].entities)
    said = Certainty.POSITIVE if label_set.words else None
    made = [
        Entity(label.name, ((at, at + 1),), f"a mention of {label.name}", said)
        for at, label in enumerate(label_set.labels)
    ]
    return entities.render(label_set, made)
