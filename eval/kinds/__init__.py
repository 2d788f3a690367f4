"""Which kinds of task can be compared: a view of each, found by the kind."""

from __future__ import annotations

from collections.abc import Iterator

from eval.kinds.base import KindView
from labelwright.label_set import LabelSet
from labelwright.tasks import every_kind, extension, kind_of

PACKAGE = "eval.kinds"
"""Where a kind's own view is, as ``VIEW`` of the module of its name."""


def view_of(label_set: LabelSet) -> KindView:
    """The view of the label set's kind: its own, or one made of its counts and statistics."""
    found = extension(kind_of(label_set), PACKAGE)
    if found is None:
        from eval.kinds.plain import VIEW

        return VIEW
    own: KindView = found.VIEW
    return own


def views() -> Iterator[KindView]:
    """The views that kinds have of their own; none of them loads numpy by itself."""
    return (found.VIEW for kind in every_kind() if (found := extension(kind, PACKAGE)))
