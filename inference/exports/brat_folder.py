"""BRAT: the folder ``brat``, every labeled text with its mentions, to be looked at or corrected."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from inference.exports.rows import Context, Row, escaped
from labelwright.annotations.formats import write as write_annotations
from labelwright.io.jsonl import writing
from labelwright.label_set import LabelSet
from labelwright.records import Entity, Prediction, Report


def write(path: Path, rows: Iterable[Row], context: Context) -> None:
    """Write the folder anew; a text whose answer was not readable stands there without mentions.

    Mentions that the text does not hold cannot be written; the manifest counts them.
    """
    with writing(path):
        if path.is_dir():
            shutil.rmtree(path)
    write_annotations(path, "brat", _annotated(rows, context.label_set))


def _annotated(
    rows: Iterable[Row], label_set: LabelSet
) -> Iterator[tuple[Report, tuple[Entity, ...] | None]]:
    for row in rows:
        if row.report is None:
            continue
        text = row.report.text.encode("utf-8", "replace").decode()  # as long as before
        found = Prediction.from_json(row.prediction, label_set).entities
        if found is not None and text != row.report.text:
            found = tuple(_said(text, entity) for entity in found)
        # What an input file said of entities is not what was found.
        plain = replace(row.report, id=escaped(row.report.id), text=text, entities=None, meta={})
        yield plain, found


def _said(text: str, entity: Entity) -> Entity:
    if not entity.spans:
        return entity
    return replace(entity, text=" ".join(text[start:end] for start, end in entity.spans))
