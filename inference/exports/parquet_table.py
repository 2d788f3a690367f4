"""Parquet: ``predictions.parquet``, predictions with nested labels or entities, probabilities."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import IO, Any

from inference.exports.rows import Context, Row, escaped
from labelwright.label_set import ENTITIES, LabelSet

GROUP_ROWS = 8192
"""Rows per row group: what is in memory at a time."""
_TEXT = ("id", "raw", "model")


def write(handle: IO[bytes], rows: Iterable[Row], context: Context) -> None:
    """Write all predictions, those with open ends too (``null`` labels), group by group."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    form = schema(context.label_set)
    columns = _mentions if context.label_set.task == ENTITIES else _observations
    stream = iter(rows)
    with pq.ParquetWriter(handle, form, compression="zstd") as writer:
        while block := [_row(row) | columns(row) for row in islice(stream, GROUP_ROWS)]:
            writer.write_table(pa.Table.from_pylist(block, schema=form))


def schema(label_set: LabelSet) -> Any:
    """Columns of the table.

    ``labels`` and ``probs`` are structs with a field per observation, ``entities`` is a list of
    structs.
    """
    import pyarrow as pa

    names = label_set.names
    span = pa.struct([("start", pa.int32()), ("end", pa.int32())])
    if label_set.task == ENTITIES:
        entity = [
            ("type", pa.string()),
            ("spans", pa.list_(span)),
            ("text", pa.string()),
            ("certainty", pa.string()),
            ("prob", pa.float64()),
        ]
        own = [pa.field("entities", pa.list_(pa.struct(entity)))]
    else:
        chances = pa.struct([(c.value, pa.float64()) for c in label_set.certainties])
        own = [
            pa.field("labels", pa.struct([(name, pa.string()) for name in names])),
            pa.field("probs", pa.struct([(name, chances) for name in names])),
            pa.field("evidence", pa.struct([(name, pa.list_(span)) for name in names])),
        ]
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            *own,
            pa.field("raw", pa.string()),
            pa.field("problems", pa.list_(pa.string())),
            pa.field("notes", pa.list_(pa.string())),
            pa.field("model", pa.string()),
            pa.field("seconds", pa.float64()),
        ]
    )


def _row(row: Row) -> dict[str, Any]:
    prediction = row.prediction
    return {
        **{name: escaped(prediction[name]) for name in _TEXT},
        **{name: prediction.get(name) for name in ("problems", "notes", "seconds")},
    }


def _observations(row: Row) -> dict[str, Any]:
    prediction = row.prediction
    evidence = prediction.get("evidence")
    return {
        "labels": prediction["labels"],
        "probs": prediction.get("probs"),
        "evidence": evidence and {name: _spans(spans) for name, spans in evidence.items()},
    }


def _mentions(row: Row) -> dict[str, Any]:
    entities = row.prediction.get("entities")
    return {
        "entities": entities
        and [
            {
                **{name: entity.get(name) for name in ("type", "certainty", "prob")},
                "spans": _spans(entity["spans"]),
                "text": escaped(entity["text"]),
            }
            for entity in entities
        ]
    }


def _spans(spans: list[list[int]]) -> list[dict[str, int]]:
    return [{"start": start, "end": end} for start, end in spans]
