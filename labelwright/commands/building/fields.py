"""The flags of ``labelwright build`` for fields: label sets of typed values of documents."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from labelwright.commands.building.letters import synthetic
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet

if TYPE_CHECKING:
    from data_builders.sources.fields import FieldValues

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


def source(arguments: argparse.Namespace, label_set: LabelSet) -> FieldValues | None:
    """The file of known values."""
    from data_builders.sources.fields import FieldValues

    return None if arguments.labels is None else FieldValues(Path(arguments.labels), label_set)
