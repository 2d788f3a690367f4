"""What a document says of its fields: the value of the task kind, and its JSON.

A field is *stated* with one item (several where the label set allows), *not mentioned*, or
*unreadable*: its words are known and no value follows from them. The words (``raw``) and the
value are both kept, always.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from labelwright.records import Span

Scalar = str | float | bool
"""``str`` for text, for the ``value`` of a category, and for dates (ISO 8601 at their own
precision: ``2018-05-17``, ``2018-05``, ``2018``); ``float`` for numbers, in the field's unit;
``bool`` for booleans."""


class Status(StrEnum):
    """What is known of a field."""

    STATED = "stated"
    NOT_MENTIONED = "not mentioned"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is said of a field.

    Attributes:
        raw: the words as the document, the model or the gold file gave them.
        value: what they mean; ``None`` where they cannot be read as the field's type.
        unit: the unit as written; empty where none was.
        spans: where the words stand in the text, in code points; empty where they do not.
        comparator: of a number that is a bound: ``<``, ``<=``, ``>=`` or ``>`` (as in FHIR).
    """

    raw: str
    value: Scalar | None
    unit: str = ""
    spans: tuple[Span, ...] = ()
    comparator: str = ""

    @property
    def meaning(self) -> tuple[str, Scalar | None]:
        """What two items share that say the same."""
        return self.comparator, self.value


@dataclass(frozen=True, slots=True)
class FieldValue:
    """A field's state; more than one item only where the field may have ``many``.

    ``prob`` is the labeler's probability of what is said here, where it gives one.
    """

    status: Status
    items: tuple[Item, ...] = ()
    prob: float | None = None

    @property
    def value(self) -> Scalar | None:
        """The value of the first item that has one."""
        return next((item.value for item in self.items if item.value is not None), None)

    @property
    def values(self) -> tuple[Scalar, ...]:
        """The values of all items that have one."""
        return tuple(item.value for item in self.items if item.value is not None)


Fields = Mapping[str, FieldValue]
"""By the field's name. A prediction holds every field; one that gold lacks is not scored."""

PARTED = " | "
"""Between several values in one cell."""
COMPARATORS = ("<", "<=", ">=", ">")
NOT_MENTIONED = FieldValue(Status.NOT_MENTIONED)


def stated(*items: Item, prob: float | None = None) -> FieldValue:
    """A field with these items: stated if one of them has a value, else unreadable."""
    readable = any(item.value is not None for item in items)
    return FieldValue(Status.STATED if readable else Status.UNREADABLE, items, prob)


def settled(one: FieldValue, *, many: bool) -> tuple[Item, ...]:
    """The items of a field for files that hold one value of it.

    Two different values of a field that has one are none: which of them holds, nobody knows. They
    become an item with the words of both and no value.
    """
    if many or len({item.meaning for item in one.items}) < 2:
        return one.items if many else one.items[:1]
    words = PARTED.join(item.raw for item in one.items)
    return (Item(words, None, "", one.items[0].spans),)


def to_json(value: Fields, *, many: frozenset[str] = frozenset()) -> dict[str, Any]:
    """``{field: {"value", "raw", "spans", "unit", "prob", "status"}}``.

    Fields in ``many``, and those with several items, have lists of value, raw, spans and unit.
    Parts that say nothing are left out.
    """
    return {name: _row(one, name in many) for name, one in value.items()}


def _row(one: FieldValue, many: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"value": None}
    if one.status is not Status.NOT_MENTIONED:
        items = one.items
        listed = many or len(items) != 1
        values = [_scalar(item.value) for item in items]
        row["value"] = values if listed else values[0]
        row["raw"] = [item.raw for item in items] if listed else items[0].raw
        spans = [[list(span) for span in item.spans] for item in items]
        row["spans"] = spans if listed else spans[0]
        if any(item.unit for item in items):
            row["unit"] = [item.unit for item in items] if listed else items[0].unit
        if any(item.comparator for item in items):
            signs = [item.comparator for item in items]
            row["comparator"] = signs if listed else signs[0]
    if one.prob is not None:
        row["prob"] = round(one.prob, 6)
    row["status"] = one.status.value
    return row


def _scalar(value: Scalar | None) -> Scalar | int | None:
    """Whole numbers without a point."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def from_json(given: Mapping[str, Any]) -> dict[str, FieldValue]:
    """The inverse of :func:`to_json`; nothing is normalised.

    Raises:
        KeyError, ValueError, TypeError, AttributeError: it is none.
    """
    return {str(name): _field(row) for name, row in given.items()}


_PARTS: Mapping[str, Any] = {"raw": "", "unit": "", "spans": (), "comparator": ""}


def _field(row: Mapping[str, Any]) -> FieldValue:
    status = Status(row["status"])
    prob = None if row.get("prob") is None else float(row["prob"])
    value = row["value"]
    if status is Status.NOT_MENTIONED:
        if value is not None:
            raise ValueError("a value that is not mentioned")
        return FieldValue(status, (), prob)
    items: tuple[Item, ...]
    if not isinstance(value, list):
        items = (_item(value, *(row.get(key, usual) for key, usual in _PARTS.items())),)
    else:
        parts = [row.get(key, [usual] * len(value)) for key, usual in _PARTS.items()]
        items = tuple(_item(*each) for each in zip(value, *parts, strict=True))
    return FieldValue(status, items, prob)


def _item(value: Any, raw: Any, unit: Any, spans: Any, comparator: Any) -> Item:
    if isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if value is not None and not isinstance(value, (str, float, bool)):
        raise TypeError("a value is text, a number or a boolean")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number that is none")
    places = tuple((int(start), int(end)) for start, end in spans)
    if any(not 0 <= start < end for start, end in places):
        raise ValueError("spans")
    if comparator not in ("", *COMPARATORS):
        raise ValueError("a comparator is <, <=, >= or >")
    return Item(str(raw), value, str(unit), places, comparator)
