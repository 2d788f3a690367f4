"""What fields say, for exports and pages: values as findings, and typed columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from labelwright.label_set import LabelSet
from labelwright.records import Certainty
from labelwright.tasks.fields import values
from labelwright.tasks.fields.schema import Field, FieldType, fields_of
from labelwright.tasks.fields.values import (
    NOT_MENTIONED,
    Fields,
    FieldValue,
    Item,
    Status,
    settled,
)
from labelwright.tasks.shapes import Finding

UNKNOWN, ERROR = "unknown", "error"


def findings(label_set: LabelSet, value: Fields) -> Iterator[Finding]:
    """All that is stated and readable, in the label set's order; a boolean *no* is negative."""
    for field in fields_of(label_set).fields:
        one = value.get(field.name, NOT_MENTIONED)
        for item in one.items:
            if item.value is not None:
                yield _finding(field, one, item)


def coded(label_set: LabelSet, value: Fields) -> Iterator[Finding]:
    """What is said of fields with codes; silence of a closed-world field is *no*."""
    for field in fields_of(label_set).fields:
        if not field.codes or field.name not in value:
            continue
        one = value[field.name]
        if one.status is Status.NOT_MENTIONED:
            said = Item("", False) if field.closed_world else Item("", None)
            yield _finding(field, one, said)
        for item in settled(one, many=field.many):
            yield _finding(field, one, item)


def shown(value: Fields) -> Iterator[Finding]:
    """Everything that is said, unreadable words too; the value as text for people."""
    for name, one in value.items():
        for item in one.items:
            certainty = Certainty.POSITIVE
            if item.value is None:
                certainty = Certainty.UNCERTAIN
            elif item.value is False:
                certainty = Certainty.NEGATIVE
            yield Finding(name, certainty, one.prob, item.spans, item.raw, value=_text(item))


def _finding(field: Field, one: FieldValue, item: Item) -> Finding:
    return Finding(
        name=field.name,
        certainty=Certainty.NEGATIVE if item.value is False else Certainty.POSITIVE,
        probability=one.prob,
        spans=item.spans,
        mention=item.raw,
        form=field.type.value,
        value=item.value,
        unit=field.unit,
        comparator=item.comparator,
        missing="" if item.value is not None else ERROR if item.raw else UNKNOWN,
    )


def _text(item: Item) -> str:
    value = item.value
    if isinstance(value, bool):
        return "yes" if value else "no"
    raw = " ".join(item.raw.split())
    plain = "" if value is None else f"{value:.15g}" if isinstance(value, float) else str(value)
    plain = item.comparator + plain
    if not plain or plain == raw:
        return raw
    return f"{plain} ({raw})" if raw else plain


def arrow_fields(label_set: LabelSet) -> list[Any]:
    """A struct with a struct per field: value of its type, words, unit, places, state.

    Dates are ISO text, since they may be known to the month or year only, and ``date`` beside it
    where the day is known. A field with ``many`` has lists.
    """
    import pyarrow as pa

    typed = {
        FieldType.TEXT: pa.string(),
        FieldType.NUMBER: pa.float64(),
        FieldType.DATE: pa.string(),
        FieldType.BOOLEAN: pa.bool_(),
        FieldType.CATEGORICAL: pa.string(),
    }
    span = pa.struct([("start", pa.int32()), ("end", pa.int32())])

    def column(field: Field) -> Any:
        def some(kind: Any) -> Any:
            return pa.list_(kind) if field.many else kind

        parts = [
            ("value", some(typed[field.type])),
            ("raw", some(pa.string())),
            ("unit", some(pa.string())),
            ("spans", some(pa.list_(span))),
            ("status", pa.string()),
            ("prob", pa.float64()),
        ]
        if field.type is FieldType.DATE:
            parts.insert(1, ("date", some(pa.date32())))
        if field.type is FieldType.NUMBER:
            parts.insert(1, ("comparator", some(pa.string())))
        return pa.field(field.name, pa.struct(parts))

    return [pa.field("fields", pa.struct([column(f) for f in fields_of(label_set).fields]))]


def arrow_row(label_set: LabelSet, row: Mapping[str, Any]) -> dict[str, Any]:
    """The cells of a row; an answer that determines nothing is null, a field that it lacks too."""
    given = row.get("fields")
    if given is None:
        return {"fields": None}
    said = values.from_json(given)
    fields = [field for field in fields_of(label_set).fields if field.name in said]
    return {"fields": {field.name: _cells(field, said[field.name]) for field in fields}}


def _cells(field: Field, one: FieldValue) -> dict[str, Any]:
    items = [_item(field, item) for item in settled(one, many=field.many)]
    names = [*_item(field, Item("", None))]
    cells: dict[str, Any]
    if field.many:
        cells = {name: [item[name] for item in items] for name in names}
    else:
        cells = items[0] if items else dict.fromkeys(names)
    return {**cells, "status": one.status.value, "prob": one.prob}


def _item(field: Field, item: Item) -> dict[str, Any]:
    cells: dict[str, Any] = {
        "value": _typed(field, item.value),
        "raw": _whole(item.raw),
        "unit": _whole(item.unit),
        "spans": [{"start": start, "end": end} for start, end in item.spans],
    }
    if field.type is FieldType.DATE:
        cells["date"] = _day(item.value)
    if field.type is FieldType.NUMBER:
        cells["comparator"] = item.comparator
    return cells


def _typed(field: Field, value: values.Scalar | None) -> values.Scalar | None:
    """The value, or null where a file holds one of another type."""
    if isinstance(value, bool):
        return value if field.type is FieldType.BOOLEAN else None
    if isinstance(value, float):
        return value if field.type is FieldType.NUMBER else None
    if value is None or field.type in (FieldType.BOOLEAN, FieldType.NUMBER):
        return None
    return _whole(value)


def _day(value: values.Scalar | None) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        return None


def _whole(text: str) -> str:
    """Text for formats that take UTF-8 only."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
