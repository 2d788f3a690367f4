"""The tables of a result folder, as the label set's task kind writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

from labelwright.io.delimited import TableWriter, id_header
from labelwright.label_set import LabelSet
from labelwright.tasks import kind_of


def tables_of(label_set: LabelSet) -> tuple[str, ...]:
    """The tables' file names."""
    return kind_of(label_set).files


def id_clash(label_set: LabelSet, id_column: str) -> bool:
    """Whether the id column has the name of another column of a table."""
    return any(
        id_header(id_column) in table.columns for table in kind_of(label_set).tables(label_set)
    )


class Tables:
    """Writes the tables from complete values, row by row."""

    def __init__(self, handles: Sequence[IO[str]], label_set: LabelSet, *, id_column: str) -> None:
        tables = kind_of(label_set).tables(label_set)
        self._tables = [
            (TableWriter(handle, table.columns, id_column=id_column), table.rows)
            for handle, table in zip(handles, tables, strict=True)
        ]

    def add(self, identifier: str, value: Any) -> None:
        """Write the rows of one report."""
        for writer, rows in self._tables:
            for cells in rows(value):
                writer.add(identifier, cells)
