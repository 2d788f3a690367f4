"""Known values of fields: JSON lines, a table with a column per field, or a row per value.

In JSON lines a field is a scalar, a list, ``null`` (the document does not say), or an object with
``value``, ``raw`` and ``spans``. A field that a row lacks is not scored. In a wide table an empty
cell says that the field is not mentioned, and a column that is missing is not scored; several
values stand apart by `` | ``. A long table has the columns ``id``, ``field``, ``value`` and,
where there are, ``comparator``, ``raw``, ``start``, ``end``; its fields are all that any of
its rows names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from labelwright.errors import InputError
from labelwright.io import delimited
from labelwright.io.jsonl import read_jsonl
from labelwright.label_set import LabelSet
from labelwright.tasks.fields.answer import plain_value
from labelwright.tasks.fields.normalise import Reading, range_doubt, read_value
from labelwright.tasks.fields.relations import computed
from labelwright.tasks.fields.schema import Field, FieldSet, FieldType, fields_of
from labelwright.tasks.fields.values import COMPARATORS, NOT_MENTIONED, FieldValue, Item, stated

PARTED = " | "
UNREADABLE = ("unreadable", "unparseable")
"""What a row may say of a value that cannot be read."""
LONG = ("field", "value")
"""The columns by which a long table is known."""
Gold = dict[str, FieldValue]


def read(path: Path, label_set: LabelSet) -> Iterator[tuple[int, str, Gold]]:
    """Row, id and value of every document.

    Raises:
        InputError: the file cannot be read, or names a field or value that there is not.
    """
    name = path.name.removesuffix(".gz")
    if name.endswith((".csv", ".tsv")):
        columns = delimited.columns(path)
        long = all(column in columns for column in LONG)
        yield from (_long if long else _wide)(path, label_set, columns)
        return
    for row, line in read_jsonl(path):
        if "id" not in line or not isinstance(line.get("fields"), dict):
            raise _wrong(path, row, "the line has no id, or no fields", '{"id": …, "fields": {…}}')
        try:
            yield row, str(line["id"]), of_object(label_set, line["fields"], line)
        except (ValueError, TypeError, KeyError) as error:
            what = str(error.args[0]) if error.args else "a value that is none"
            raise _wrong(path, row, what, "correct the row, or the label set") from None


def of_object(
    label_set: LabelSet, given: Mapping[str, Any], line: Mapping[str, Any] | None = None
) -> Gold:
    """What a JSON object says of the fields; ``not_scored`` of the line are left out.

    Raises:
        ValueError, TypeError, KeyError: a field is not in the label set, or a value is none.
    """
    own = fields_of(label_set)
    given_up = (line or {}).get("not_scored") or ()
    skip = {_field(label_set, own, str(name)).name for name in given_up}
    found: Gold = {}
    for name, value in given.items():
        field = _field(label_set, own, name)
        if field.name not in skip:
            found[field.name] = _value(own, field, value)
    return _computed(own, found)


def _field(label_set: LabelSet, own: FieldSet, name: str) -> Field:
    found = label_set.name_forms.get(name.casefold())
    if found is None:
        raise ValueError(f"no field {delimited.shown([name])} in label set {label_set.name}")
    return own.by_name[found]


def _value(own: FieldSet, field: Field, given: Any) -> FieldValue:
    """One field as gold says it: scalars, lists, objects with places."""
    if given is None:
        return NOT_MENTIONED
    row = given if isinstance(given, dict) else {"value": given}
    unknown = set(row) - {"value", "raw", "spans", "unit", "status", "prob", "comparator"}
    if unknown:
        keys = "value, raw, spans, unit, comparator, status"
        raise ValueError(f"field {field.name} has a key other than {keys}")
    values, raws = row.get("value"), row.get("raw")
    if not isinstance(values, list):
        if values is None and raws is None:
            return NOT_MENTIONED
        values, raws = [values], [raws]
        spans = [row.get("spans") or ()]
        units = [row.get("unit") or ""]
        signs = [row.get("comparator")]
    else:
        count = len(values)
        raws = raws if isinstance(raws, list) else [None] * count
        spans = list(row.get("spans") or [()] * count)
        given_units = row.get("unit")
        units = given_units if isinstance(given_units, list) else [given_units or ""] * count
        signs = list(row.get("comparator") or [None] * count)
    if len({len(values), len(raws), len(spans), len(units), len(signs)}) > 1:
        raise ValueError(f"value, raw, spans and unit of field {field.name} differ in length")
    if len(values) > 1 and not field.many:
        raise ValueError(f"field {field.name} has several values; add 'many: true' to it")
    unreadable = row.get("status") in UNREADABLE
    items = [
        _signed(
            own, field, _item(own, field, value, raw, places, unit, unreadable=unreadable), sign
        )
        for value, raw, places, unit, sign in zip(values, raws, spans, units, signs, strict=True)
    ]
    return stated(*items) if items else NOT_MENTIONED


def _item(
    own: FieldSet, field: Field, value: Any, raw: Any, spans: Any, unit: str, *, unreadable: bool
) -> Item:
    places = tuple((int(start), int(end)) for start, end in _pairs(spans))
    words = str(raw) if raw is not None else _words(own, value)
    if unreadable or value is None:
        return Item(words, None, unit, places)
    reading = _reading(own, field, value)
    if reading.value is None:
        impossible = reading.wrong == "no such date"  # 29/02/2013: its words stand in the document
        told = raw is None and field.type is not FieldType.CATEGORICAL
        if isinstance(value, str) and (impossible or told):
            return Item(words, None, unit, places)
        raise ValueError(f"{reading.wrong}: a value of field {field.name}")
    return Item(words, reading.value, unit or reading.unit, places, reading.comparator)


def _signed(own: FieldSet, field: Field, item: Item, given: Any) -> Item:
    """The item as the bound that the row says it is, or that its words say."""
    if given is None and field.type is FieldType.NUMBER and item.value is not None:
        read = read_value(own, field, item.raw)
        given = read.comparator if read.value == item.value else None
    if given is None:
        return item
    if given not in ("", *COMPARATORS):
        raise ValueError(f"the comparator of field {field.name} is none of <, <=, >=, >")
    return replace(item, comparator=given)


def _pairs(spans: Any) -> list[Any]:
    """``[[0, 5]]``, or ``[0, 5]`` for one place."""
    given = list(spans)
    return [given] if len(given) == 2 and all(isinstance(one, int) for one in given) else given


def _words(own: FieldSet, value: Any) -> str:
    if isinstance(value, bool):
        return own.yes if value else own.no
    if isinstance(value, (int, float)):
        return plain_value(float(value))
    return str(value)


def _reading(own: FieldSet, field: Field, value: Any) -> Reading:
    """What a scalar of a gold file means: numbers are in the field's unit, dates ISO first."""
    if field.type is FieldType.NUMBER and isinstance(value, (int, float)):
        if isinstance(value, bool):
            return Reading(None, wrong="no number")
        return Reading(float(value), doubt=range_doubt(field, float(value)))
    if field.type is FieldType.NUMBER:
        try:
            return Reading(float(value))
        except ValueError:
            pass
    if field.type is FieldType.BOOLEAN and isinstance(value, bool):
        return Reading(value)
    return read_value(own, field, _words(own, value))


def _computed(own: FieldSet, found: Gold) -> Gold:
    """With computed fields whose sources are all known."""
    for field in own.fields:
        if field.derived is None or field.name in found:
            continue
        if all(source in found for source in field.derived.sources):
            made = computed(own, field, found)
            found[field.name] = NOT_MENTIONED if made is None else stated(Item("", made))
    return found


def _wide(path: Path, label_set: LabelSet, columns: list[str]) -> Iterator[tuple[int, str, Gold]]:
    own = fields_of(label_set)
    identifier = delimited.id_columns(path, (), "--labels")[0]
    present = {c: label_set.name_forms[c.strip().casefold()] for c in columns
               if c.strip().casefold() in label_set.name_forms}  # fmt: skip
    if not present:
        raise delimited.no_column(f"of label set {label_set.name}", columns, path)
    for row, cells in delimited.rows(path):
        found: Gold = {}
        for column, name in present.items():
            field, cell = own.by_name[name], cells[column].strip()
            parts = cell.split(PARTED) if field.many else [cell]
            try:
                given = [delimited.unescape_id(part) for part in parts if part]
                one = given[0] if given else None
                found[name] = _value(own, field, given if field.many else one)
            except ValueError as error:
                raise _wrong(path, row, str(error.args[0]), "correct the cell") from None
        yield row, delimited.unescape_id(cells[identifier].strip()), _computed(own, found)


def _long(path: Path, label_set: LabelSet, columns: list[str]) -> Iterator[tuple[int, str, Gold]]:
    own = fields_of(label_set)
    identifier = delimited.id_columns(path, (), "--labels")[0]
    found: dict[str, dict[str, list[Item]]] = {}
    first: dict[str, int] = {}
    named: set[str] = set()
    for row, cells in delimited.rows(path):
        name = delimited.unescape_id(cells[identifier].strip())
        try:
            field = _field(label_set, own, delimited.unescape_id(cells["field"].strip()))
            items = found.setdefault(name, {}).setdefault(field.name, [])
            first.setdefault(name, row)
            named.add(field.name)
            value = delimited.unescape_id(cells["value"].strip())
            raw = delimited.unescape_id(cells.get("raw", "").strip()) or None
            if not value and raw is None:
                continue
            place = [cells.get("start", "").strip(), cells.get("end", "").strip()]
            spans = [[int(each) for each in place]] if all(place) else []
            item = _item(own, field, value or None, raw, spans, "", unreadable=not value)
            sign = cells.get("comparator", "").strip() or None
            items.append(_signed(own, field, item, sign))
            if len(items) > 1 and not field.many:
                raise ValueError(f"field {field.name} has several values; add 'many: true' to it")
        except ValueError as error:
            raise _wrong(path, row, str(error.args[0]), "correct the row") from None
    del columns
    for name, fields in found.items():
        whole = {
            one: stated(*fields[one]) if fields.get(one) else NOT_MENTIONED
            for one in own.by_name
            if one in named
        }
        yield first[name], name, _computed(own, whole)


def _wrong(path: Path, row: int, what: str, remedy: str) -> InputError:
    return InputError(what, remedy=remedy, source=path, row=row)
