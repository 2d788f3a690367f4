"""The flags of ``labelwright build`` for annotated notes: label sets whose task is entities."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.annotations.tags import SCHEMES
from labelwright.commands.flags import positive
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Report
from labelwright.text.normalise import Normaliser

if TYPE_CHECKING:
    from data_builders.note_windows import Windows
    from data_builders.sources.entities import EntitySource
    from data_builders.sources.entity_notes import EntityNotes
    from data_builders.sources.tag_files import TagFiles

REPAIRS = ("drop", "pad", "cut", "pad-and-cut")
FILTERS = ("none", "single", "short", "duplicates")
"""As :mod:`data_builders.sources.silver` has them, which is loaded where it is used."""

FLAGS = (
    "entity_table",
    "entity_columns",
    "entity_places",
    "entity_missing",
    "normalise",
    "only_types",
    "rename_type",
    "overlaps",
    "unmarked",
    "windows",
    "window_overlap",
    "tags",
    "silver",
    "silver_repair",
    "silver_filter",
    "silver_verdicts",
    "synthetic",
    "balance",
    "noise",
    "brief",
    "lexicon",
)
"""The flags of this kind."""
NEEDS_LABELS = False


def add_entity_flags(parser: argparse.ArgumentParser) -> None:
    """The flags; none has a default, so that one given for another task is seen."""
    group = parser.add_argument_group("entities (label sets whose task is entities)")
    add = group.add_argument
    add(
        "--entity-table",
        type=Path,
        metavar="FILE",
        help="mentions as strings, to be found in the notes: CSV or TSV with a row for each, or "
        "JSON lines with a row per note (default: what the input itself marks)",
    )
    add(
        "--entity-columns",
        type=_types,
        default=(),
        metavar="A,B,C",
        help="its columns of id, type and mention (default: the id, type, text), and a fourth "
        "for certainty",
    )
    add(
        "--entity-places",
        choices=("one", "all"),
        help="each string of the table is one mention (default), or stands for all its places",
    )
    add(
        "--entity-missing",
        choices=("reject", "drop"),
        help="notes that do not hold all their strings: reject the note (default), or drop these "
        "strings and keep it; counted",
    )
    add(
        "--normalise",
        type=Path,
        metavar="TABLE",
        help="a YAML table: lower case, dropped marks, abbreviations, typos, standard terms",
    )
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
    _add_silver_flags(group)
    add(
        "--tags",
        choices=SCHEMES,
        help="write every split as a CoNLL file too, each token with its tag of this scheme",
    )


def _add_silver_flags(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--silver",
        type=Path,
        metavar="FILE|DIR",
        help="what a teacher said of the input's phrases: the folder of a labeling run, or JSON "
        'lines {"id"} with "entities", "marked" (text with tags) or "labels" (one per word)',
    )
    add(
        "--silver-repair",
        choices=REPAIRS,
        help="lists of labels that have not a label per word: drop the phrase (default), pad "
        "shorter ones with O, cut longer ones, or both",
    )
    add(
        "--silver-filter",
        type=_filters,
        default=(),
        metavar="A,B",
        help=f"phrases to leave out, counted each: {', '.join(FILTERS)}",
    )
    add(
        "--silver-verdicts",
        type=Path,
        metavar="FILE",
        help="a table of id and verdict (keep, discard) of people who looked at phrases",
    )


def _filters(text: str) -> tuple[str, ...]:
    names = _types(text)
    if unknown := [name for name in names if name not in FILTERS]:
        raise argparse.ArgumentTypeError(
            f"no filter {unknown[0]!r}; choose some of: {', '.join(FILTERS)}"
        )
    return names


def check(arguments: argparse.Namespace) -> None:
    """Refuse what cannot work for this kind.

    Raises:
        ConfigError: reports would be cut, or there are none.
    """
    if arguments.sections != "full":
        raise ConfigError(
            f"--sections {arguments.sections} would cut the notes that the entities stand in",
            remedy="leave --sections out; --windows divides long notes",
        )
    if not arguments.files and arguments.synthetic is None:
        raise ConfigError("no annotated notes are given", remedy="name at least one file or folder")


def synthetic(
    arguments: argparse.Namespace, label_set: LabelSet
) -> tuple[Iterable[Report], dict[str, Any], None]:
    """Letters of the grammar with what they say of their fields marked.

    Raises:
        ConfigError: a flag that only the grammar of reports has.
        LabelSetError: no letters are written for this label set.
    """
    from data_builders.synthetic.letters.targets import with_targets
    from labelwright.commands.building.letters import drawn

    fields, letters, facts = drawn(arguments, label_set)
    return (with_targets(letter, fields) for letter in letters), facts, None


def source(arguments: argparse.Namespace, label_set: LabelSet) -> EntityNotes:
    """What prepares the annotated notes.

    Raises:
        ConfigError: a type or certainty is none of the label set's, or one is renamed twice.
    """
    from data_builders.sources.entity_notes import EntityNotes
    from data_builders.sources.entity_rules import EntityRules

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
    table = None if arguments.normalise is None else Normaliser.load(arguments.normalise)
    return EntityNotes(label_set, _source(arguments, label_set), rules, normaliser=table)


def _source(arguments: argparse.Namespace, label_set: LabelSet) -> EntitySource:
    from data_builders.sources.entities import Annotations, StringTable

    if arguments.silver is not None:
        return _silver(arguments, label_set)
    for flag in ("silver_repair", "silver_filter", "silver_verdicts"):
        if getattr(arguments, flag):
            name = f"--{flag.replace('_', '-')}"
            raise ConfigError(f"{name} is for --silver", remedy=f"leave {name} out")
    if arguments.entity_table is None:
        for flag in ("entity_columns", "entity_places", "entity_missing"):
            if getattr(arguments, flag):
                name = f"--{flag.replace('_', '-')}"
                raise ConfigError(f"{name} is for --entity-table", remedy=f"leave {name} out")
        return Annotations()
    if arguments.entity_columns and len(arguments.entity_columns) not in (3, 4):
        raise ConfigError(
            "--entity-columns names the columns of id, type and mention, and of certainty if any",
            remedy="give them in this order, such as id,type,text",
        )
    return StringTable(
        arguments.entity_table,
        columns=arguments.entity_columns,
        nesting=label_set.nesting,
        places=arguments.entity_places or "one",
        keep=arguments.entity_missing == "drop",
    )


def _silver(arguments: argparse.Namespace, label_set: LabelSet) -> EntitySource:
    from data_builders.sources.silver import DROP, SilverAnswers

    if arguments.entity_table is not None:
        raise ConfigError("--silver and --entity-table exclude each other", remedy="give one")
    return SilverAnswers(
        arguments.silver,
        repair=arguments.silver_repair or DROP,
        filters=arguments.silver_filter,
        only_type=label_set.names[0] if len(label_set.names) == 1 else None,
        verdicts=arguments.silver_verdicts,
        nesting=label_set.nesting,
    )


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


def tags_of(arguments: argparse.Namespace) -> TagFiles | None:
    """What writes tags of every token, if that is asked for."""
    if arguments.tags is None:
        return None
    from data_builders.sources.tag_files import TagFiles

    return TagFiles(arguments.tags)


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
