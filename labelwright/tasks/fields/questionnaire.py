"""Fields as a form: the items of a FHIR R4 Questionnaire and of the responses to it.

``linkId`` is a field's key, and ``group:NAME`` of a group. A field that is not mentioned is an item
without an answer; of a closed-world field silence is answered with *no*. A value that could not be
read is an item without an answer too, marked with FHIR's data-absent-reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from labelwright.label_set import LabelSet
from labelwright.tasks.fields.schema import Field, FieldSet, FieldType, fields_of
from labelwright.tasks.fields.values import (
    NOT_MENTIONED,
    Fields,
    FieldValue,
    Item,
    Scalar,
    Status,
    settled,
)
from labelwright.text.ucum import coding

TYPES: Mapping[FieldType, str] = {
    FieldType.TEXT: "text",
    FieldType.NUMBER: "quantity",
    FieldType.DATE: "date",
    FieldType.BOOLEAN: "boolean",
    FieldType.CATEGORICAL: "choice",
}
UNIT = "http://hl7.org/fhir/StructureDefinition/questionnaire-unit"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
Resource = dict[str, Any]


def questions(label_set: LabelSet) -> list[Resource]:
    """The items, groups first where they begin."""
    own = fields_of(label_set)
    return _grouped(own, lambda field: _question(label_set, own, field))


def replies(label_set: LabelSet, value: Fields) -> list[Resource]:
    """The items of one document's response."""
    own = fields_of(label_set)
    return _grouped(
        own, lambda field: _reply(label_set, field, value.get(field.name, NOT_MENTIONED))
    )


def _grouped(own: FieldSet, item: Callable[[Field], Resource]) -> list[Resource]:
    """Items in the label set's order, those of a group inside it, where its first field stands."""
    found: list[Resource] = []
    groups: dict[str, Resource] = {}
    for field in own.fields:
        made = item(field)
        if not field.group:
            found.append(made)
            continue
        if field.group not in groups:
            kind = {"type": "group"} if "type" in made else {}
            groups[field.group] = {
                "linkId": f"group:{field.group}",
                "text": field.group,
                **kind,
                "item": [],
            }
            found.append(groups[field.group])
        groups[field.group]["item"].append(made)
    return found


def system(label_set: LabelSet, field: Field) -> str:
    """The code system of a field's categories: a URI of the label set's own."""
    return f"urn:labelwright:{quote(label_set.name, safe='')}:{quote(field.key, safe='')}"


def _question(label_set: LabelSet, own: FieldSet, field: Field) -> Resource:
    item: Resource = {"linkId": field.key, "text": field.name, "type": TYPES[field.type]}
    if field.type is FieldType.NUMBER and field.unit:
        item["extension"] = [{"url": UNIT, "valueCoding": _unit(field)}]
    if field.asked_if is not None:
        item |= _condition(label_set, own.by_name[field.asked_if.field], field.asked_if.values)
    if field.many:
        item["repeats"] = True
    if field.derived is not None:
        item["readOnly"] = True
    if field.values:
        item["answerOption"] = [
            {"valueCoding": _category(label_set, field, category.value)}
            for category in field.values
        ]
    return item


def _unit(field: Field) -> Resource:
    known = coding(field.unit)
    return {"display": field.unit} if known is None else {**known, "display": field.unit}


def _condition(label_set: LabelSet, other: Field, wanted: Iterable[Scalar]) -> Resource:
    """When a question is asked at all."""
    values = list(wanted)
    if not values:
        exists = {"question": other.key, "operator": "exists", "answerBoolean": True}
        return {"enableWhen": [exists]}
    found = []
    for value in values:
        answer = _answer(label_set, other, value)
        ((name, content),) = answer.items()
        key = name.replace("value", "answer", 1)
        found.append({"question": other.key, "operator": "=", key: content})
    return {"enableWhen": found, **({"enableBehavior": "any"} if len(found) > 1 else {})}


def _reply(label_set: LabelSet, field: Field, one: FieldValue) -> Resource:
    item: Resource = {"linkId": field.key, "text": field.name}
    items = settled(one, many=field.many)
    if one.status is Status.NOT_MENTIONED and field.closed_world:
        items = (Item("", False),)
    answers = [
        _answer(label_set, field, each.value, each.comparator)
        for each in items
        if each.value is not None and _fits(field, each.value)
    ]
    if answers:
        item["answer"] = answers
    elif items:
        item["extension"] = [{"url": ABSENT, "valueCode": "error"}]
    return item


def _fits(field: Field, value: Scalar) -> bool:
    """Whether a value is of the field's type, as those of other programs need not be."""
    if field.type is FieldType.BOOLEAN:
        return isinstance(value, bool)
    if field.type is FieldType.NUMBER:
        return isinstance(value, float)
    return isinstance(value, str) and bool(value.strip())


def _answer(label_set: LabelSet, field: Field, value: Scalar, comparator: str = "") -> Resource:
    if isinstance(value, bool):
        return {"valueBoolean": value}
    if isinstance(value, float):
        bound = {"comparator": comparator} if comparator else {}
        known = coding(field.unit) or {} if field.unit else {}
        unit = {"unit": field.unit, **known} if field.unit else {}
        number = int(value) if value.is_integer() else value
        return {"valueQuantity": {"value": number, **bound, **unit}}
    if field.type is FieldType.DATE:
        return {"valueDate": value}
    if field.type is FieldType.CATEGORICAL:
        return {"valueCoding": _category(label_set, field, value)}
    return {"valueString": _written(value)}


def _category(label_set: LabelSet, field: Field, value: str) -> Resource:
    known = field.by_value.get(value)
    name = value if known is None else known.meaning or known.word
    code = " ".join(value.split())
    return {"system": system(label_set, field), "code": code, "display": name}


def _written(text: str) -> str:
    return text.strip().encode("utf-8", "backslashreplace").decode("utf-8")
