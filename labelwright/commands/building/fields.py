"""The flags of ``labelwright build`` for fields: label sets of typed values of documents."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.commands.building import letters
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.tasks.fields.schema import fields_of

if TYPE_CHECKING:
    from data_builders.sources.base import Source
    from data_builders.sources.fields import FieldValues
    from labelwright.records import Report

__all__ = ["FLAGS", "NEEDS_LABELS", "check", "source", "synthetic"]
FLAGS = ("labels", "windows", "window_overlap", "synthetic", "balance", "noise", "brief", "lexicon")
"""The flags of this kind."""
NEEDS_LABELS = True


def check(arguments: argparse.Namespace) -> None:
    """Refuse what cannot work for this kind.

    Raises:
        ConfigError: documents would be cut.
    """
    if arguments.sections != "full":
        raise ConfigError(
            f"--sections {arguments.sections} would cut the documents that the values stand in",
            remedy="leave --sections out; --windows divides long documents",
        )


def synthetic(
    arguments: argparse.Namespace, label_set: LabelSet
) -> tuple[Iterable[Report], dict[str, Any], Source]:
    """Letters with their values, or reports with the attributes of their observations."""
    if not fields_of(label_set).observations:
        return letters.synthetic(arguments, label_set)
    from data_builders.sources.attributes import AttributeValues

    usual = {"balance": 0.0, "noise": 1.0, "brief": 0.0}
    given = {name: getattr(arguments, name) for name in usual}
    shares = {k: usual[k] if v is None else float(v) for k, v in given.items()}
    known = AttributeValues(
        label_set, arguments.synthetic, arguments.seed, lexicon=arguments.lexicon, **shares
    )
    drawn = {"reports": arguments.synthetic, "seed": arguments.seed, **shares}
    return known.reports(), {"synthetic": drawn, "inputs": []}, known


def source(arguments: argparse.Namespace, label_set: LabelSet) -> FieldValues | None:
    """The file of known values."""
    from data_builders.sources.fields import FieldValues

    return None if arguments.labels is None else FieldValues(Path(arguments.labels), label_set)
