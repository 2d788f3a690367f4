"""Parquet: ``predictions.parquet``, predictions with nested labels, probabilities, evidence."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import IO, Any

from inference.outputs.rows import Context, Row, escaped
from labelwright.label_set import LabelSet

GROUP_ROWS = 8192
"""Rows per row group: what is in memory at a time."""
_TEXT = ("id", "raw", "model")


def write(handle: IO[bytes], rows: Iterable[Row], context: Context) -> None:
    """Write all predictions, those with open ends too (``null`` labels), group by group."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    form = schema(context.label_set)
    stream = iter(rows)
    with pq.ParquetWriter(handle, form, compression="zstd") as writer:
        while block := [_row(row) for row in islice(stream, GROUP_ROWS)]:
            writer.write_table(pa.Table.from_pylist(block, schema=form))


def schema(label_set: LabelSet) -> Any:
    """Columns of the table: ``labels`` and ``probs`` are structs with a field per observation."""
    import pyarrow as pa

    names = label_set.names
    chances = pa.struct([(c.value, pa.float64()) for c in label_set.certainties])
    span = pa.struct([("start", pa.int32()), ("end", pa.int32())])
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("labels", pa.struct([(name, pa.string()) for name in names])),
            pa.field("probs", pa.struct([(name, chances) for name in names])),
            pa.field("evidence", pa.struct([(name, pa.list_(span)) for name in names])),
            pa.field("raw", pa.string()),
            pa.field("problems", pa.list_(pa.string())),
            pa.field("notes", pa.list_(pa.string())),
            pa.field("model", pa.string()),
            pa.field("seconds", pa.float64()),
        ]
    )


def _row(row: Row) -> dict[str, Any]:
    prediction = row.prediction
    evidence = prediction.get("evidence")
    return {
        **{name: escaped(prediction[name]) for name in _TEXT},
        **{name: prediction.get(name) for name in ("problems", "notes", "seconds")},
        "labels": prediction["labels"],
        "probs": prediction.get("probs"),
        "evidence": evidence
        and {
            name: [{"start": start, "end": end} for start, end in spans]
            for name, spans in evidence.items()
        },
    }
