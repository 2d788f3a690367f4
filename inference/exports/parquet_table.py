"""Parquet: ``predictions.parquet``, predictions with nested values, probabilities, evidence."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import IO, Any

from inference.exports.rows import Context, Row, escaped
from labelwright.label_set import LabelSet
from labelwright.tasks import kind_of

GROUP_ROWS = 8192
"""Rows per row group: what is in memory at a time."""
_TEXT = ("id", "raw", "model")


def write(handle: IO[bytes], rows: Iterable[Row], context: Context) -> None:
    """Write all predictions, those with open ends too (``null``), group by group."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    form, kind = schema(context.label_set), kind_of(context.label_set)
    stream = iter(rows)
    with pq.ParquetWriter(handle, form, compression="zstd") as writer:
        while block := [
            _row(row) | kind.arrow_row(context.label_set, row.prediction)
            for row in islice(stream, GROUP_ROWS)
        ]:
            writer.write_table(pa.Table.from_pylist(block, schema=form))


def schema(label_set: LabelSet) -> Any:
    """Columns of the table: those of the task's values between id and answer."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            *kind_of(label_set).arrow_fields(label_set),
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
