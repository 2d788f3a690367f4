"""The project that a verb is about."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.options import Options, flag

if TYPE_CHECKING:
    from review.store.store import Store


def action_flag(*actions: str) -> Any:
    """What is done with the project's people or models."""
    return flag("what is done", place=True, choices=actions)


@dataclass(frozen=True, kw_only=True)
class ActionOptions(Options):
    """What is done; stands before the project."""

    action: str = action_flag()


@dataclass(frozen=True, kw_only=True)
class ProjectOptions(Options):
    """A project that is there, or will be."""

    project: Path = flag("the project's folder", place=True, type=Path, metavar="DIR")


def opened(options: ProjectOptions) -> Store:
    """The store of the project."""
    from review.store.store import open_store

    return open_store(options.project)
