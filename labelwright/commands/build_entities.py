"""The flags of ``labelwright build`` for annotated notes: label sets whose task is entities."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from labelwright.commands.flags import positive
from labelwright.errors import ConfigError
from labelwright.label_set import ENTITIES, LabelSet
from labelwright.records import Certainty

if TYPE_CHECKING:
    from data_builders.entity_notes import EntityNotes
    from data_builders.note_windows import Windows

OF_ENTITIES = ("only_types", "rename_type", "overlaps", "unmarked", "windows", "window_overlap")
OF_CERTAINTY = (
    "labels",
    "test_labels",
    "label_id_columns",
    "rules",
    "openi_table",
    "synthetic",
    "balance",
    "noise",
    "brief",
    "lexicon",
    "augment",
)


def add_entity_flags(parser: argparse.ArgumentParser) -> None:
    """The flags; none has a default, so that one given for another task is seen."""
    group = parser.add_argument_group("entities (label sets whose task is entities)")
    add = group.add_argument
    add(
        "--only-types",
        type=_types,
        default=(),
        metavar="A,B",
        help="types of the label set to keep; entities of any other type are left out, counted",
    )
    add(
        "--rename-type",
        type=_renaming,
        action="append",
        metavar="OLD=NEW",
        help="a type of the input and the type of the label set that it stands for; repeatable",
    )
    add(
        "--overlaps",
        choices=("reject", "longest"),
        help="notes whose entities overlap where the label set has no nesting: reject the note "
        "(default), or keep the longest of overlapping entities",
    )
    add(
        "--unmarked",
        type=Certainty,
        choices=tuple(Certainty)[:3],
        metavar="CERTAINTY",
        help="certainty of entities that have none, where the label set asks for one",
    )
    add(
        "--windows",
        type=positive,
        metavar="WORDS",
        help="divide training and validation records of longer notes into windows of whole "
        "sentences; texts and entities beside the records stay whole",
    )
    add(
        "--window-overlap",
        type=positive,
        metavar="WORDS",
        help="that two windows share, at most (default: a quarter of --windows)",
    )


def check_task(arguments: argparse.Namespace, label_set: LabelSet) -> None:
    """Refuse the flags that mean nothing for the label set's task.

    Raises:
        ConfigError: there is one.
    """
    entities = label_set.task == ENTITIES
    other = OF_CERTAINTY if entities else OF_ENTITIES
    kind = "certainties" if entities else "entities"
    for name in other:
        if getattr(arguments, name) not in (None, (), []):
            flag = f"--{name.replace('_', '-')}"
            raise ConfigError(
                f"{flag} is for label sets of {kind}, and the task of {label_set.name} is "
                f"{label_set.task}",
                remedy=f"leave {flag} out",
            )
    if entities and arguments.sections != "full":
        raise ConfigError(
            f"--sections {arguments.sections} would cut the notes that the entities stand in",
            remedy="leave --sections out; --windows divides long notes",
        )
    if entities and not arguments.files:
        raise ConfigError("no annotated notes are given", remedy="name at least one file or folder")


def entity_notes(arguments: argparse.Namespace, label_set: LabelSet) -> EntityNotes:
    """What prepares the annotated notes.

    Raises:
        ConfigError: a type or certainty is none of the label set's, or one is renamed twice.
    """
    from data_builders.entity_notes import Annotations, EntityNotes, EntityRules

    renames: dict[str, str] = {}
    for old, new in arguments.rename_type or ():
        if renames.setdefault(old, new) != new:
            raise ConfigError(
                f"--rename-type {old} is given twice", remedy="give one new name for it"
            )
    rules = EntityRules(
        only=arguments.only_types,
        renames=renames,
        overlaps=arguments.overlaps or EntityRules.overlaps,
        unmarked=arguments.unmarked,
    )
    return EntityNotes(label_set, Annotations(), rules)


def windows_of(arguments: argparse.Namespace) -> Windows | None:
    """What divides long notes, if anything does.

    Raises:
        ConfigError: the windows would not move on, or the overlap of none is given.
    """
    if arguments.windows is None:
        if arguments.window_overlap is not None:
            raise ConfigError("--window-overlap is for --windows", remedy="give --windows too")
        return None
    from data_builders.note_windows import Windows

    return Windows(arguments.windows, arguments.window_overlap)


def _types(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if not all(names):
        raise argparse.ArgumentTypeError("an empty name between commas")
    return names


def _renaming(text: str) -> tuple[str, str]:
    old, equal, new = (part.strip() for part in text.partition("="))
    if not equal or not old or not new:
        raise argparse.ArgumentTypeError("must be OLD=NEW, such as Tumor=Disease")
    return old, new
