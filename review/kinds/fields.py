"""Fields: an item per stated value, and one for every field that is not mentioned.

A value is given by marking its words, by writing them, or, of booleans and categories, by an
option. What words mean is read as labelers' answers are, so both follow the same rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from labelwright.label_set import LabelSet
from labelwright.records import Prediction
from labelwright.tasks.fields.answer import Reader, plain_value
from labelwright.tasks.fields.normalise import read_value
from labelwright.tasks.fields.relations import with_computed
from labelwright.tasks.fields.schema import Field, FieldType, fields_of
from labelwright.tasks.fields.values import NOT_MENTIONED, FieldValue, Status, stated
from labelwright.tasks.fields.values import Item as Value
from review.kinds.base import Form, Item, Option

SILENT, UNREADABLE, STATED = (
    Status.NOT_MENTIONED.value,
    Status.UNREADABLE.value,
    Status.STATED.value,
)


class FieldsForm(Form):
    """The fields that are asked, in the label set's order; computed ones follow from them."""

    mode: ClassVar[str] = "values"

    def __init__(self, label_set: LabelSet) -> None:
        super().__init__(label_set)
        self._own = fields_of(label_set)
        self._asked = {field.name: field for field in self._own.asked}

    def options(self, name: str) -> tuple[Option, ...]:
        """The values of booleans and categories, else *stated*; then what can be said of all."""
        field = self._asked.get(name)
        if field is None:
            return ()
        found = [Option(STATED, STATED)]
        if field.type is FieldType.BOOLEAN:
            found = [Option("true", self._own.yes), Option("false", self._own.no)]
        elif field.type is FieldType.CATEGORICAL:
            found = [Option(each.value, each.word) for each in field.values]
        return (*found, Option(UNREADABLE, UNREADABLE), Option(SILENT, SILENT))

    def items(self, value: Any) -> list[Item]:
        """One per value, and one for each field without any."""
        found = []
        for name, field in self._asked.items():
            one = value.get(name, NOT_MENTIONED)
            prob = None if one.prob is None else round(one.prob, 4)
            if not one.items:
                found.append(Item(name, said=SILENT, prob=prob))
            for each in one.items:
                found.append(replace(_item(field, each), prob=prob))
        return found

    def value(self, items: Sequence[Item], text: str) -> Any:
        """All fields; the computed ones computed."""
        del text
        said: dict[str, list[Value]] = {}
        for item in items:
            if item.said != SILENT and item.name in self._asked:
                said.setdefault(item.name, []).append(_value(self._asked[item.name], item))
        found = {name: FieldValue(Status.NOT_MENTIONED) for name in self.label_set.names}
        found |= {name: stated(*values) for name, values in said.items()}
        return with_computed(self._own, found)

    def proposals(self, prediction: Prediction) -> list[Item]:
        """What the labeler stated, and what it did not find."""
        return self.items(prediction.value or {})

    def blank(self) -> list[Item]:
        """All fields, not mentioned."""
        return [Item(name, said=SILENT) for name in self._asked]

    def takes_many(self, name: str) -> bool:
        """Whether the field is a list."""
        return self._asked[name].many if name in self._asked else False

    def unit(self, name: str) -> str:
        """The field's unit."""
        return self._asked[name].unit if name in self._asked else ""

    def statements(self, items: Sequence[Item]) -> list[Item]:
        """Those that are mentioned."""
        return [item for item in items if item.said != SILENT]

    def settled(self, item: Item, text: str, what: frozenset[str]) -> Item:
        """An item whose parts agree, after a person changed ``what`` of it.

        Raises:
            ValueError: nothing follows from it.
        """
        field = self._asked.get(item.name)
        if field is None:
            return item
        if "spans" in what:
            raw = " ".join(text[start:end] for start, end in item.spans)
            reading = read_value(self._own, field, " ".join(raw.split()))
            known = Value(raw, reading.value, reading.unit, item.spans, reading.comparator)
            return _item(field, known)
        if "value" in what:
            raw = " ".join(str((item.value or {}).get("raw", "")).split())
            if not raw:
                raise ValueError("write a value, or choose that it is not mentioned")
            return _item(field, Reader(self.label_set, text).item(field, raw))
        if item.said == SILENT:
            return Item(item.name, said=SILENT)
        if field.type is FieldType.BOOLEAN and item.said in ("true", "false"):
            return _item(field, Value(_raw(item), item.said == "true", "", item.spans))
        if field.type is FieldType.CATEGORICAL and item.said in field.by_value:
            raw = _raw(item) or field.by_value[str(item.said)].word
            return _item(field, Value(raw, item.said, "", item.spans))
        return item

    def check(self, item: Item, length: int) -> None:
        """A value has words or a place."""
        super().check(item, length)
        if item.said == STATED and (item.value or {}).get("value") is None:
            raise ValueError("mark the words of the value, or write it")
        if item.said == UNREADABLE and not _raw(item):
            raise ValueError("mark the words that cannot be read")

    def troubles(self, items: Sequence[Item]) -> list[str]:
        """Fields with two values that take one.

        What contradicts itself in the document, such as dates out of order, is no reason to stop.
        """
        found = []
        seen: set[str] = set()
        for item in items:
            if item.said == SILENT:
                continue
            field = self._asked.get(item.name)
            if item.name in seen and field is not None and not field.many:
                found.append(f"{item.name} has two values and takes one")
            seen.add(item.name)
        return found


def _raw(item: Item) -> str:
    return str((item.value or {}).get("raw", ""))


def _item(field: Field, value: Value) -> Item:
    body: dict[str, Any] = {"raw": value.raw, "value": value.value}
    if value.unit:
        body["unit"] = value.unit
    if value.comparator:
        body["comparator"] = value.comparator
    said = STATED if value.value is not None else UNREADABLE
    if value.value is not None and field.type in (FieldType.BOOLEAN, FieldType.CATEGORICAL):
        said = plain_value(value.value)
    return Item(field.name, said=said, spans=value.spans, value=body)


def _value(field: Field, item: Item) -> Value:
    body = item.value or {}
    value = body.get("value")
    if field.type is FieldType.NUMBER and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if item.said == UNREADABLE:
        value = None
    told = [str(body.get(name, "")) for name in ("unit", "comparator")]
    return Value(_raw(item), value, told[0], item.spans, told[1])


FORM = FieldsForm
