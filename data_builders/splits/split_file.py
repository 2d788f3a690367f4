"""Splits given by a table, such as ``mimic-cxr-2.0.0-split.csv.gz``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from labelwright.errors import InputError
from labelwright.io.delimited import columns, id_columns, no_column, rows

WORDS = {
    "train": "train",
    "training": "train",
    "validate": "validation",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
"""How tables write the splits, without case."""


def read_split_file(
    path: str | Path, *, asked: Sequence[str] = (), reports_id: str | None = None
) -> Mapping[str, str]:
    """Split by report id. A report may stand in several rows (one per image) of one split.

    Args:
        asked: the id columns, if not one of the usual names.
        reports_id: the column that was named for the id of the reports, which counts where the
            table has it and no usual one.

    Raises:
        InputError: no column ``split``, an unknown split, or a report in two splits.
    """
    keys = id_columns(path, asked, "--split-id-columns", reports=reports_id)
    column = next((c for c in columns(path) if c.strip().casefold() == "split"), None)
    if column is None:
        raise no_column("split", columns(path), path)
    found: dict[str, str] = {}
    for row, cells in rows(path):
        split = WORDS.get(cells[column].strip().casefold())
        if split is None:
            raise InputError(
                "unknown split", remedy=f"use one of: {', '.join(WORDS)}", source=path, row=row
            )
        identifier = "/".join(cells[key].strip() for key in keys)
        if found.setdefault(identifier, split) != split:
            raise InputError(
                f"report {identifier} is already in the {found[identifier]} split",
                remedy="keep one of the rows",
                source=path,
                row=row,
            )
    return found
