"""The task kinds by the name that a label set gives (``task:``), loaded when they are asked for.

A kind is one object, named here by ``module:attribute``. Nothing is imported before a label set
asks for it, so a new kind is a folder under ``labelwright/tasks`` and one line here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

KINDS: dict[str, str] = {
    "certainty": "labelwright.tasks.certainty.kind:KIND",
    "entities": "labelwright.tasks.entities.kind:KIND",
    "fields": "labelwright.tasks.fields.kind:KIND",
}
"""Where each kind is."""
UNKNOWN = "labelwright.tasks.schema"
"""Reads a label set of no known kind, to say what is wrong with it."""

_loaded: dict[str, Any] = {}


def load(name: str) -> Any:
    """The kind of this name; :func:`labelwright.tasks.kind_of` is the typed way to it.

    Raises:
        KeyError: there is none.
    """
    target = KINDS[name]
    if target not in _loaded:
        module, _, attribute = target.partition(":")
        _loaded[target] = getattr(import_module(module), attribute)
    return _loaded[target]


def reader(task: object) -> Any:
    """What reads a label set of this task: its kind, or what names the mistakes of any other."""
    if isinstance(task, str) and task in KINDS:
        return load(task)
    return import_module(UNKNOWN)


@contextmanager
def registered(name: str, target: str) -> Iterator[None]:
    """One more kind while the block runs, e.g. one that lives with tests.

    Args:
        target: ``module:attribute``.
    """
    before = KINDS.get(name)
    KINDS[name] = target
    try:
        yield
    finally:
        if before is None:
            del KINDS[name]
        else:
            KINDS[name] = before
