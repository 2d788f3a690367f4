"""The flags of ``labelwright build`` for fields: label sets of typed values of documents."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.commands.building import letters
from labelwright.commands.building.flags import BuildOptions, GrammarOptions
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.tasks import kind_of
from labelwright.tasks.fields.schema import fields_of

if TYPE_CHECKING:
    from data_builders.sources.base import Source
    from data_builders.sources.fields import FieldValues
    from labelwright.records import Report

__all__ = ["FLAGS", "NEEDS_LABELS", "check", "source", "synthetic"]
FLAGS = ("labels", "windows", "window_overlap", "by_group", *GrammarOptions.names())
"""The flags of this kind."""
NEEDS_LABELS = True


def check(options: BuildOptions) -> None:
    """Refuse what cannot work for this kind.

    Raises:
        ConfigError: documents would be cut, or divided in two ways.
    """
    if options.sections != "full":
        raise ConfigError(
            f"--sections {options.sections} would cut the documents that the values stand in",
            remedy="leave --sections out; --windows divides long documents",
        )
    if options.by_group:
        options.refuse(("windows",), "is not for --by-group, whose records are of whole sections")


def parts_of(label_set: LabelSet) -> tuple[LabelSet, ...]:
    """The groups that ``--by-group`` writes records of.

    Raises:
        ConfigError: there are none.
    """
    parts = kind_of(label_set).asked_apart(label_set)
    if not parts:
        raise ConfigError(
            f"--by-group needs groups, and label set {label_set.name} has none",
            remedy="add 'groups' to it, or remove the flag",
        )
    return parts


def synthetic(
    options: BuildOptions, label_set: LabelSet
) -> tuple[Iterable[Report], dict[str, Any], Source]:
    """Letters with their values, or reports with the attributes of their observations."""
    if not fields_of(label_set).observations:
        return letters.synthetic(options, label_set)
    from data_builders.sources.attributes import AttributeValues

    shares = options.shares()
    known = AttributeValues(
        label_set, options.synthetic, options.seed, lexicon=options.lexicon, **shares
    )
    drawn = {"reports": options.synthetic, "seed": options.seed, **shares}
    return known.reports(), {"synthetic": drawn, "inputs": []}, known


def source(options: BuildOptions, label_set: LabelSet) -> FieldValues | None:
    """The file of known values."""
    from data_builders.sources.fields import FieldValues

    return None if options.labels is None else FieldValues(Path(options.labels), label_set)
