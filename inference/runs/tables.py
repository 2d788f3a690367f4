"""The table of a result folder by the label set's task: ``labels.csv`` or ``entities.csv``."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

from inference.runs.job import ENTITY_TABLE, LABELS
from labelwright.label_set import ENTITIES, LabelSet
from labelwright.records import Certainty
from labelwright.tasks.certainty.table import escape, write_labels

COLUMNS = ("type", "certainty", "start", "end", "spans", "text", "prob")
"""Columns of ``entities.csv`` behind the id."""
CERTAINTIES: dict[str | None, Certainty | None] = {c.value: c for c in Certainty} | {None: None}


def table_of(label_set: LabelSet) -> str:
    """The table's file name."""
    return ENTITY_TABLE if label_set.task == ENTITIES else LABELS


def id_clash(label_set: LabelSet, id_column: str) -> bool:
    """Whether the id column has the name of another column of the table."""
    return id_column in (COLUMNS if label_set.task == ENTITIES else label_set.names)


def write_table(
    handle: IO[str], label_set: LabelSet, rows: Iterable[Mapping[str, Any]], *, id_column: str
) -> None:
    """Write the table from complete rows of ``predictions.jsonl``."""
    if label_set.task == ENTITIES:
        _write_entities(handle, rows, id_column)
    else:
        write_labels(handle, label_set, _labels(rows), id_column=id_column)


def _labels(
    rows: Iterable[Mapping[str, Any]],
) -> Iterator[tuple[str, dict[str, Certainty | None]]]:
    for row in rows:
        yield row["id"], {name: CERTAINTIES[text] for name, text in row["labels"].items()}


def _write_entities(handle: IO[str], rows: Iterable[Mapping[str, Any]], id_column: str) -> None:
    """One row per mention; a report without any has none.

    ``start`` is the first character, ``end`` the one behind the last (Unicode code points);
    ``spans`` are all parts as ``0 5;8 12``. The three are empty for a mention that the text does
    not hold. White space inside a mention is one space.
    """
    writer = csv.writer(handle, lineterminator="\n")
    # csv quotes a bare carriage return in newer Pythons only; unquoted it would end the row
    quoting = csv.writer(handle, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow([id_column, *COLUMNS])
    for row in rows:
        identifier = escape(row["id"])
        for entity in row["entities"]:
            cells = [identifier, *_cells(entity)]
            (quoting if "\r" in identifier else writer).writerow(cells)


def _cells(entity: Mapping[str, Any]) -> list[str]:
    spans, prob = entity["spans"], entity.get("prob")
    return [
        escape(entity["type"]),
        entity.get("certainty") or "",
        str(spans[0][0]) if spans else "",
        str(spans[-1][1]) if spans else "",
        ";".join(f"{start} {end}" for start, end in spans),
        escape(" ".join(entity["text"].split())),
        "" if prob is None else str(prob),
    ]
