"""Which kinds of task can be compared: a view of each, found by the kind's name."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from eval.kinds.base import KindView
from labelwright.label_set import LabelSet

KINDS = ("certainty", "entities")


def view_of(label_set: LabelSet) -> KindView:
    """The view of the label set's kind."""
    return _view(label_set.task)


def views() -> Iterator[KindView]:
    """The views of all kinds; none of them loads numpy by itself."""
    return map(_view, KINDS)


def _view(kind: str) -> KindView:
    found: KindView = import_module(f"eval.kinds.{kind}").VIEW
    return found
