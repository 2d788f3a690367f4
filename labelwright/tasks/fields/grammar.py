"""The answers of a label set of fields as a JSON schema, for servers that keep to one.

Every field is there and every one may be null, so that no model is forced to invent.
"""

from __future__ import annotations

from typing import Any

from labelwright.label_set import LabelSet
from labelwright.tasks.fields.schema import Field, FieldType, fields_of

MOST_ITEMS = 50
"""Values of a field with many: every repetition has an end."""
MOST_WORDS = 100
"""Characters of a date or a number as it is copied."""
MOST_BYTES = 3
"""Of a character of any script in use, in UTF-8; byte-level tokenizers may give each a token."""


def json_schema(label_set: LabelSet) -> dict[str, Any]:
    """An object with a key per field; dates and numbers are copied as text, never made up."""
    asked = fields_of(label_set).asked
    return {
        "type": "object",
        "properties": {field.key: _field(field) for field in asked},
        "required": [field.key for field in asked],
        "additionalProperties": False,
    }


def longest(label_set: LabelSet) -> int | None:
    """Bytes of the longest answer, as lines or as an object; ``None`` with fields of many."""
    asked = fields_of(label_set).asked
    if any(field.many for field in asked):
        return None
    return sum(len(field.key.encode()) + _longest_value(field) + 8 for field in asked)


def _longest_value(field: Field) -> int:
    shape = _one(field)
    if "enum" in shape:
        return max(len(word.encode()) for word in shape["enum"])
    if field.type is FieldType.TEXT:
        return MOST_BYTES * field.most
    return int(shape.get("maxLength", 5))


def _field(field: Field) -> dict[str, Any]:
    one = _one(field)
    if field.many:
        whole: dict[str, Any] = {"type": "array", "items": one, "maxItems": MOST_ITEMS}
        return {"anyOf": [whole, {"type": "null"}]}
    return {"anyOf": [one, {"type": "null"}]}


def _one(field: Field) -> dict[str, Any]:
    if field.type is FieldType.BOOLEAN:
        return {"type": "boolean"}
    if field.type is FieldType.CATEGORICAL:
        return {"type": "string", "enum": [one.word for one in field.values]}
    most = field.most if field.type is FieldType.TEXT else MOST_WORDS
    return {"type": "string", "maxLength": most}
