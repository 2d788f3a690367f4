"""Reports and entities of a data folder, joined by id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labelwright.errors import InputError
from labelwright.io.data_folder import AGAIN, REPORTS, DataFolder, joined
from labelwright.io.jsonl import read_jsonl
from labelwright.label_set import LabelSet
from labelwright.records import Entity

GOLD = "{}.entities.jsonl"


@dataclass(frozen=True, eq=False)
class Note:
    """One report with the entities that stand in it."""

    id: str
    text: str
    entities: tuple[Entity, ...]


def read_split(data: DataFolder, split: str) -> Iterator[Note]:
    """Yield the reports of a split with their entities.

    Raises:
        InputError: a report has no text or no row of entities, an id appears twice, or an entity
            is none of the label set or lies outside of the text.
    """
    name = GOLD.format(split)
    known = _entities(data, split)
    for row, identifier, text, entities in joined(data, split, known, file=name, what="row"):
        if any(entity.end > len(text) for entity in entities):
            raise InputError(
                f"an entity in {name} ends behind the report's end",
                remedy=AGAIN,
                source=data.path / REPORTS.format(split),
                row=row,
            )
        yield Note(identifier, text, entities)


def _entities(data: DataFolder, split: str) -> dict[str, tuple[Entity, ...]]:
    path = data.path / GOLD.format(split)
    found: dict[str, tuple[Entity, ...]] = {}
    for row, value in read_jsonl(path):
        identifier = str(value.get("id", ""))
        try:
            entities = tuple(Entity.from_json(item) for item in value["entities"])
        except (KeyError, ValueError, TypeError):
            raise InputError(
                "the row has no list of entities, or one of them is none",
                remedy=AGAIN,
                source=path,
                row=row,
            ) from None
        problem = next((p for e in entities if (p := _problem(e, data.label_set))), None)
        if identifier in found:
            problem = "the id appears twice"
        if problem:
            raise InputError(problem, remedy=AGAIN, source=path, row=row)
        found[identifier] = entities
    return found


def _problem(entity: Entity, label_set: LabelSet) -> str | None:
    if entity.type not in label_set.by_name:
        return f"label set {label_set.name} has no type {entity.type!r}"
    if not entity.spans:
        return "an entity has no place in the text"
    if (entity.certainty is None) == bool(label_set.words):
        return f"an entity has {'no' if label_set.words else 'a'} certainty"
    if label_set.words and entity.certainty not in label_set.words:
        return f"label set {label_set.name} has no certainty {entity.certainty}"
    return None
