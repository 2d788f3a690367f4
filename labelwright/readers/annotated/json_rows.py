"""The entities of one JSON object, as labelwright writes them and as doccano exports them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelwright.annotations.offsets import Utf16, covers, inside
from labelwright.readers.annotated.base import DIFFERS, OUTSIDE, Bad
from labelwright.readers.options import ReadOptions
from labelwright.readers.strict_json import Ambiguous, encodable
from labelwright.records import Certainty, Entity, Span

MENTIONS = "entities"
_OWN = frozenset({"type", "spans", "text", "certainty", "prob"})
_DOCCANO_LISTS = ("label", "labels", "entities")
NO_LIST = "the entities are no list"


def is_own(value: Mapping[str, Any]) -> bool | None:
    """Whether an object has entities as labelwright writes them; ``None`` if it cannot be told."""
    entities = value.get(MENTIONS)
    if not isinstance(entities, list) or not entities:
        return None
    return isinstance(entities[0], dict) and {"type", "spans"} <= entities[0].keys()


def is_doccano(value: Mapping[str, Any]) -> bool | None:
    """Whether an object has spans as doccano exports them; ``None`` if it cannot be told."""
    for key in _DOCCANO_LISTS:
        rows = value.get(key)
        if isinstance(rows, list) and rows:
            return _triple(rows[0]) is not None
    return None


def own_entities(
    text: str, value: Mapping[str, Any], where: str
) -> tuple[list[Entity] | None, list[Bad]]:
    """The entities of ``{"entities": [{"type", "spans", "text"?, "certainty"?, "prob"?}]}``.

    Returns:
        ``None`` where the object says nothing of entities, and what cannot be used.
    """
    rows = value.get(MENTIONS)
    if rows is None:
        return None, []
    if not isinstance(rows, list):
        return [], [Bad(where, NO_LIST)]
    found: list[Entity] = []
    bad: list[Bad] = []
    for number, row in enumerate(rows, 1):
        entity = _own(text, row)
        if isinstance(entity, str):
            bad.append(Bad(f"{where}, entity {number}", entity))
        else:
            found.append(entity)
    return found, bad


def doccano_entities(
    text: str, value: Mapping[str, Any], where: str, options: ReadOptions
) -> tuple[list[Entity] | None, list[Bad]]:
    """The entities of ``{"label": [[start, end, type]]}``, also as ``labels`` or ``entities``.

    doccano counts as JavaScript does: UTF-16 code units, unless ``options`` say otherwise.
    """
    key = next((key for key in _DOCCANO_LISTS if value.get(key) is not None), None)
    if key is None:
        return None, []
    rows = value[key]
    if not isinstance(rows, list):
        return [], [Bad(where, NO_LIST)]
    units = None if options.offset_unit == "characters" else Utf16(text)
    found: list[Entity] = []
    bad: list[Bad] = []
    for number, row in enumerate(rows, 1):
        entity = _doccano(text, row, units)
        if isinstance(entity, str):
            bad.append(Bad(f"{where}, {key} {number}", entity))
        else:
            found.append(entity)
    return found, bad


def _own(text: str, row: Any) -> Entity | str:
    if not isinstance(row, dict) or not {"type", "spans"} <= row.keys():
        return "no object with type and spans"
    if isinstance(row, Ambiguous):
        return "a key appears twice in it"
    if row.keys() - _OWN:
        return f"unknown keys; known are {', '.join(sorted(_OWN))}"
    kind, spans = row["type"], _spans(row["spans"])
    if not _name(kind):
        return "the type is not a name"
    if spans is None:
        return "spans are no list of [start, end]"
    if not spans:
        return "it stands nowhere in the text (no spans)"
    if not inside(text, spans):
        return OUTSIDE
    words = row.get("text")
    if words is not None and not (isinstance(words, str) and covers(text, spans, words)):
        return DIFFERS
    certainty, prob = row.get("certainty"), row.get("prob")
    if certainty is not None and certainty not in frozenset(Certainty):
        return f"the certainty is none of {', '.join(Certainty)}"
    if prob is not None and not (_number(prob) and 0 <= prob <= 1):
        return "the prob is not a number from 0 to 1"
    entity = Entity.of(text, kind, *spans, certainty=certainty and Certainty(certainty))
    return (
        entity
        if prob is None
        else Entity(entity.type, entity.spans, entity.text, entity.certainty, float(prob))
    )


def _doccano(text: str, row: Any, units: Utf16 | None) -> Entity | str:
    triple = _triple(row)
    if triple is None:
        return "neither [start, end, type] nor start_offset, end_offset and label"
    kind = triple[2]
    spans: tuple[Span, ...] = (triple[:2],)
    if units is not None and units.differs:
        points = units.points(spans)
        if points is None:
            return "its offsets cut a character apart; --offset-unit says what they count"
        spans = points
    return Entity.of(text, kind, *spans) if inside(text, spans) else OUTSIDE


def _triple(row: Any) -> tuple[int, int, str] | None:
    if isinstance(row, dict):
        row = [row.get(key) for key in ("start_offset", "end_offset", "label")]
    if not isinstance(row, list) or len(row) != 3:
        return None
    start, end, kind = row
    return (start, end, kind) if _whole(start) and _whole(end) and _name(kind) else None


def _spans(value: Any) -> tuple[Span, ...] | None:
    if not isinstance(value, list):
        return None
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2 or not all(map(_whole, pair)):
            return None
    return tuple((start, end) for start, end in value)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and encodable(value)
