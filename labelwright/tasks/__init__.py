"""Task kinds: what a label set's task asks of a report, each kind in a folder of its own."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from labelwright import kinds
from labelwright.tasks.base import TaskKind

if TYPE_CHECKING:
    from labelwright.label_set import LabelSet

__all__ = ["TaskKind", "every_kind", "extension", "kind_of"]


def kind_of(label_set: LabelSet) -> TaskKind[Any]:
    """The kind of a label set's task."""
    return cast(TaskKind[Any], kinds.load(label_set.task))


def every_kind() -> list[TaskKind[Any]]:
    """All kinds that are registered, in their order."""
    return [kinds.load(name) for name in kinds.KINDS]


def extension(kind: TaskKind[Any], package: str) -> ModuleType | None:
    """What a kind adds to a package of a stage: its module there, or ``None`` if it has none.

    Args:
        package: such as ``data_builders.sources``; the module has the kind's name, or the one that
            the kind gives in :attr:`TaskKind.homes`.
    """
    name = kind.homes.get(package, f"{package}.{kind.name}")
    parent, _, _ = name.rpartition(".")
    if (parent and find_spec(parent) is None) or find_spec(name) is None:
        return None
    return import_module(name)
