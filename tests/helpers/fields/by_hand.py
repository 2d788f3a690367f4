"""Fields by hand, for tests of scores, pages and exports."""

from __future__ import annotations

from eval.kinds.fields.asked import Asked
from eval.kinds.fields.equality import Sameness
from labelwright.records import Span
from labelwright.tasks.fields.values import NOT_MENTIONED, FieldValue, Item, Scalar, stated

NULL = NOT_MENTIONED


def item(value: Scalar | None, raw: str | None = None, *spans: Span) -> Item:
    """One item; its words are its value's unless they are given."""
    return Item(str(value) if raw is None else raw, value, "", tuple(spans))


def says(*values: Scalar | None, prob: float | None = None) -> FieldValue:
    """A field that states these values."""
    return stated(*(item(value) for value in values), prob=prob)


def placed(value: Scalar | None, raw: str, start: int) -> FieldValue:
    """A field whose words stand in the text at ``start``."""
    return stated(item(value, raw, (start, start + len(raw))))


def asked(name: str, kind: str, **more: object) -> Asked:
    """A field as a comparison sees it; tolerance and precision go to its sameness."""
    own = {k: more.pop(k) for k in ("absolute", "relative", "precision") if k in more}
    return Asked(name, name[:2].upper(), kind, Sameness(kind, **own), **more)  # type: ignore[arg-type]
