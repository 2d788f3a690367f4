"""Parquet tables: one report per row, read in batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

from labelwright.errors import InputError
from labelwright.readers import opening
from labelwright.readers.opening import faults
from labelwright.readers.options import ReadOptions
from labelwright.readers.tables.columns import Columns, numbered_id, report_or_reject, resolve
from labelwright.readers.tables.json_lines import scalar
from labelwright.records import Reject, Report
from labelwright.text.sections import Composer

_FLOAT, _OTHER = "whole number", "other number, date or truth value"
_BATCH = 1024
_AT_ONCE = 64 * 1024 * 1024
"""Bytes of cells that become Python objects together; a dictionary of one long text and many
references to it would be far more than the file."""
_BUFFER = 1 << 16
"""Bytes of a column that are read at once: a row group may be the whole file."""


def read_parquet(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
    """Yield one report or reject per row.

    Raises:
        InputError: the file is no Parquet, a column is missing or of a type that cannot be
            used, or there are no rows.
    """
    from pyarrow.lib import ArrowException

    with faults(path) as position:
        try:
            with _opened(path) as table:
                columns = _columns(table, path, options)
                strings = [
                    n for n in columns.used if _kind(table.schema_arrow.field(n).type) == "string"
                ]
            composer = Composer(columns.texts)
            with _opened(path) as table, _opened(path, strings) as packed:
                for batch in _batches(table, packed, strings, columns):
                    for cells in _rows(batch):
                        position.row += 1
                        yield _report(str(path), position.row, cells, columns, composer)
        except ArrowException:
            raise _damaged(path) from None


def count_parquet(path: Path, options: ReadOptions) -> int:
    """The rows that the file says it has, after checking its columns."""
    from pyarrow.lib import ArrowException

    with faults(path):
        try:
            with _opened(path) as table:
                _columns(table, path, options)
                return int(table.metadata.num_rows)
        except ArrowException:
            raise _damaged(path) from None


def _opened(path: Path, as_dictionary: Sequence[str] = ()) -> Any:
    """The table; columns named are not expanded where many rows share one text."""
    from pyarrow.parquet import ParquetFile

    return ParquetFile(
        path, read_dictionary=list(as_dictionary), buffer_size=_BUFFER, pre_buffer=False
    )


def _batches(table: Any, packed: Any, strings: Sequence[str], columns: Columns) -> Iterator[Any]:
    """Batches of few rows where rows are large.

    Args:
        packed: the same table with the texts of ``strings`` as dictionaries. That takes more
            memory than the texts themselves where no two are equal, so it is read only where
            references to a long text could make a batch many times the file.
    """
    names = list(columns.used)
    for number in range(table.num_row_groups):
        group = table.metadata.row_group(number)
        size = group.total_byte_size // max(1, group.num_rows)
        rows = max(1, min(_BATCH, _AT_ONCE // max(1, size)))
        longest = max((_longest(packed, number, name) for name in strings), default=0)
        source = packed if longest * rows > _AT_ONCE else table
        yield from source.iter_batches(rows, row_groups=[number], columns=names)


def _longest(packed: Any, number: int, name: str) -> int:
    """Bytes of the longest text in the dictionary of a row group's column; 0 without one."""
    import pyarrow.compute as pc

    group = packed.metadata.row_group(number)
    parts = (group.column(index) for index in range(group.num_columns))
    if not any(part.path_in_schema == name and part.has_dictionary_page for part in parts):
        return 0
    first = next(packed.iter_batches(1, row_groups=[number], columns=[name]), None)
    if first is None:
        return 0
    return pc.max(pc.binary_length(first.column(0).dictionary)).as_py() or 0


def _columns(table: Any, path: Path, options: ReadOptions) -> Columns:
    schema = table.schema_arrow
    columns = resolve(list(schema.names), options, path)
    if table.metadata.num_rows == 0:
        raise InputError("the table has no rows", remedy="give one with reports", source=path)
    for name in columns.used:
        kinds = _allowed(name, columns)
        if _kind(schema.field(name).type) not in kinds:
            raise InputError(
                f"the column {name} has the type {schema.field(name).type}",
                remedy=f"store it as {' or '.join(kinds)}",
                source=path,
            )
    return columns


def _allowed(name: str, columns: Columns) -> tuple[str, ...]:
    if name in columns.texts:
        return ("string",)
    if name in (columns.id, columns.patient):
        return ("string", "integer", _FLOAT)
    return ("string", "integer", _FLOAT, _OTHER)


def _kind(arrow_type: Any) -> str:
    import pyarrow.types as kinds

    if kinds.is_dictionary(arrow_type):
        arrow_type = arrow_type.value_type
    strings = (kinds.is_string, kinds.is_large_string, kinds.is_string_view)
    if any(test(arrow_type) for test in strings):
        return "string"
    if kinds.is_integer(arrow_type):
        return "integer"
    if kinds.is_floating(arrow_type):
        return _FLOAT
    others = (kinds.is_decimal, kinds.is_temporal, kinds.is_boolean)
    return _OTHER if any(t(arrow_type) for t in others) else "other"


def _rows(batch: Any) -> Iterator[dict[str, Any]]:
    lengths = [_lengths(column) for column in batch.columns]
    longest = max((max(each, default=0) for each in lengths), default=0)
    if longest <= opening.LONGEST and sum(map(sum, lengths)) <= _AT_ONCE:
        try:
            yield from _expanded(batch).to_pylist()
        except UnicodeDecodeError:
            pass
        else:
            return
    for at in range(batch.num_rows):
        if any(each and each[at] > opening.LONGEST for each in lengths):
            yield dict.fromkeys(batch.schema.names, _TOO_LONG)
        else:
            yield {name: _cell(batch.column(name), at) for name in batch.schema.names}


def _lengths(column: Any) -> list[int]:
    """Bytes of each cell; empty for a column of numbers."""
    import pyarrow.compute as pc
    import pyarrow.types as kinds

    if _kind(column.type) != "string":
        return []
    if kinds.is_string_view(column.type):  # of which Arrow does not tell lengths
        column = column.cast("large_binary")
    if kinds.is_dictionary(column.type):
        found = pc.binary_length(column.dictionary).take(column.indices)
    else:
        found = pc.binary_length(column)
    return [length or 0 for length in found.to_pylist()]


def _expanded(batch: Any) -> Any:
    import pyarrow as pa

    columns = [
        column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _cell(column: Any, at: int) -> Any:
    try:
        return column[at].as_py()
    except UnicodeDecodeError:
        return _NOT_UTF8


_NOT_UTF8 = object()
_TOO_LONG = object()


def _report(
    source: str, row: int, cells: Mapping[str, Any], columns: Columns, composer: Composer
) -> Report | Reject:
    if any(value is _NOT_UTF8 for value in cells.values()):
        return Reject(None, source, row, "the row holds bytes that are not UTF-8")
    if any(value is _TOO_LONG for value in cells.values()):
        return Reject(None, source, row, opening.too_long())
    text = {name: "" if value is None else str(value) for name, value in cells.items()}
    for name in (columns.id, columns.patient):
        if name is not None and isinstance(value := cells[name], float):
            # An empty cell makes floats of whole numbers; NaN is such a cell.
            if (whole := "" if isnan(value) else scalar(value)) is None:
                what = "id" if name == columns.id else "patient"
                return Reject(None, source, row, f"the {what} is neither text nor a whole number")
            text[name] = whole
    return report_or_reject(
        source,
        row,
        numbered_id(source, row) if columns.id is None else text[columns.id].strip(),
        *composer.join([text[name] for name in columns.texts]),
        None if columns.patient is None else text[columns.patient].strip(),
        {name: text[name] for name in columns.meta},
    )


def _damaged(path: Path) -> InputError:
    return InputError(
        "the file is no Parquet file, or is damaged", remedy="write it anew", source=path
    )
