"""The flags of ``labelwright build`` for annotated notes: label sets whose task is entities."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.commands.building.flags import BuildOptions, EntityOptions, GrammarOptions
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.records import Report
from labelwright.text.normalise import Normaliser

if TYPE_CHECKING:
    from data_builders.note_windows import Windows
    from data_builders.sources.entities import EntitySource
    from data_builders.sources.entity_notes import EntityNotes
    from data_builders.sources.tag_files import TagFiles

FLAGS = (*EntityOptions.names(), *GrammarOptions.names())
"""The flags of this kind."""
NEEDS_LABELS = False


def check(options: BuildOptions) -> None:
    """Refuse what cannot work for this kind.

    Raises:
        ConfigError: reports would be cut, or there are none.
    """
    if options.sections != "full":
        raise ConfigError(
            f"--sections {options.sections} would cut the notes that the entities stand in",
            remedy="leave --sections out; --windows divides long notes",
        )
    if not options.files and not options.synthetic:
        raise ConfigError("no annotated notes are given", remedy="name at least one file or folder")


def synthetic(
    options: BuildOptions, label_set: LabelSet
) -> tuple[Iterable[Report], dict[str, Any], None]:
    """Letters of the grammar with what they say of their fields marked.

    Raises:
        ConfigError: a flag that only the grammar of reports has.
        LabelSetError: no letters are written for this label set.
    """
    from data_builders.sources.letters import with_targets
    from labelwright.commands.building.letters import drawn

    fields, letters, facts = drawn(options, label_set)
    return (with_targets(letter, fields) for letter in letters), facts, None


def source(options: BuildOptions, label_set: LabelSet) -> EntityNotes:
    """What prepares the annotated notes.

    Raises:
        ConfigError: a type or certainty is none of the label set's, or one is renamed twice.
    """
    from data_builders.sources.entity_notes import EntityNotes
    from data_builders.sources.entity_rules import EntityRules

    renames: dict[str, str] = {}
    for old, new in options.rename_type:
        if renames.setdefault(old, new) != new:
            raise ConfigError(
                f"--rename-type {old} is given twice", remedy="give one new name for it"
            )
    rules = EntityRules(
        only=options.only_types,
        renames=renames,
        overlaps=options.overlaps or EntityRules.overlaps,
        unmarked=options.unmarked,
    )
    table = None if options.normalise is None else Normaliser.load(options.normalise)
    return EntityNotes(label_set, _source(options, label_set), rules, normaliser=table)


def _source(options: BuildOptions, label_set: LabelSet) -> EntitySource:
    from data_builders.sources.entities import Annotations, StringTable

    if options.silver is not None:
        return _silver(options, options.silver, label_set)
    if options.entity_table is None:
        return Annotations()
    if options.entity_columns and len(options.entity_columns) not in (3, 4):
        raise ConfigError(
            "--entity-columns names the columns of id, type and mention, and of certainty if any",
            remedy="give them in this order, such as id,type,text",
        )
    return StringTable(
        options.entity_table,
        columns=options.entity_columns,
        nesting=label_set.nesting,
        places=options.entity_places or "one",
        keep=options.entity_missing == "drop",
    )


def _silver(options: BuildOptions, silver: Path, label_set: LabelSet) -> EntitySource:
    from data_builders.sources.silver import DROP, SilverAnswers

    if options.entity_table is not None:
        raise ConfigError("--silver and --entity-table exclude each other", remedy="give one")
    return SilverAnswers(
        silver,
        repair=options.silver_repair or DROP,
        filters=options.silver_filter,
        only_type=label_set.names[0] if len(label_set.names) == 1 else None,
        verdicts=options.silver_verdicts,
        nesting=label_set.nesting,
    )


def windows_of(options: BuildOptions) -> Windows | None:
    """What divides long notes, if anything does.

    Raises:
        ConfigError: the windows would not move on.
    """
    if options.windows is None:
        return None
    from data_builders.note_windows import Windows

    return Windows(options.windows, options.window_overlap)


def tags_of(options: BuildOptions) -> TagFiles | None:
    """What writes tags of every token, if that is asked for."""
    if options.tags is None:
        return None
    from data_builders.sources.tag_files import TagFiles

    return TagFiles(options.tags)
