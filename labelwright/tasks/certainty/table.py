"""Label tables in CheXpert's coding: 1.0 positive, 0.0 negative, -1.0 uncertain, empty blank.

Columns are joined by name: their order differs between MIMIC-CXR, CheXpert and CheXbert
files. An empty cell is blank and stays blank; it never becomes 0.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO

from labelwright.errors import InputError
from labelwright.io import delimited
from labelwright.label_set import LabelSet
from labelwright.records import Certainty

CODES = {
    Certainty.POSITIVE: "1.0",
    Certainty.NEGATIVE: "0.0",
    Certainty.UNCERTAIN: "-1.0",
    Certainty.BLANK: "",
}
_BY_NUMBER = {1.0: Certainty.POSITIVE, 0.0: Certainty.NEGATIVE, -1.0: Certainty.UNCERTAIN}
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a cell begins with that a spreadsheet runs, full-width forms included (OWASP's list)."""


@lru_cache(maxsize=256)
def decode(cell: str | None) -> Certainty:
    """The certainty of one cell: ``1``, ``0.0``, ``-1.0``, empty, ``nan`` or a certainty by name.

    Raises:
        ValueError: any other text.
    """
    text = (cell or "").strip()
    if text == "" or text.casefold() in {"nan", "na", "null", "none"}:
        return Certainty.BLANK
    if text.casefold() in Certainty.__members__.values():
        return Certainty(text.casefold())
    return _BY_NUMBER[number] if (number := _number(text)) in _BY_NUMBER else _unknown()


def write_labels(
    handle: IO[str],
    label_set: LabelSet,
    rows: Iterable[tuple[str, Mapping[str, Certainty | None]]],
    *,
    id_column: str = "id",
) -> int:
    """Write ``labels.csv``: the id column, then the observations in order; return the row count.

    Ids that a spreadsheet would run as a formula get a leading apostrophe, and so do those
    that look as if they already had one; :func:`unescape_id` takes it away again.
    """
    writer = LabelWriter(handle, label_set, id_column=id_column)
    count = 0
    for identifier, labels in rows:
        writer.add(identifier, labels)
        count += 1
    return count


class LabelWriter:
    """Writes the table of :func:`write_labels` row by row."""

    def __init__(self, handle: IO[str], label_set: LabelSet, *, id_column: str = "id") -> None:
        self._names = label_set.names
        self._writer = csv.writer(handle, lineterminator="\n")
        # csv quotes a bare carriage return in newer Pythons only; unquoted it would end the row
        self._quoting = csv.writer(handle, lineterminator="\n", quoting=csv.QUOTE_ALL)
        self._codes: dict[Certainty | None, str] = dict([(None, ""), *CODES.items()])
        self._writer.writerow([id_column, *self._names])

    def add(self, identifier: str, labels: Mapping[str, Certainty | None]) -> None:
        """Write one row."""
        safe = escape(identifier)
        cells = [safe, *[self._codes[labels[name]] for name in self._names]]
        (self._quoting if "\r" in safe else self._writer).writerow(cells)


def read_labels(
    path: str | Path,
    label_set: LabelSet,
    *,
    id_columns: Sequence[str],
    allow_missing: bool = False,
) -> Iterator[tuple[int, str, dict[str, Certainty]]]:
    """Yield ``(row, id, labels)`` of a label table (``.csv``, ``.tsv``, either ``.gz``).

    Args:
        id_columns: the column, or the columns joined with ``/``, that make the id.
        allow_missing: leave out observations that the table has no column for.

    Raises:
        InputError: file or column missing, a ragged row, or a cell with an unknown code.
    """
    columns = delimited.columns(path)
    present = label_columns(label_set, columns)
    missing = [name for name in id_columns if name not in columns]
    if not allow_missing:
        missing += [name for name in label_set.names if name not in present]
    if missing or not present:
        raise delimited.no_column(", ".join(missing) or "of the label set", columns, path)
    for row, cells in delimited.rows(path):
        labels = {name: _cell(cells[column], column, path, row) for name, column in present.items()}
        identifier = "/".join(cells[column].strip() for column in id_columns)
        yield row, unescape_id(identifier), labels


def label_columns(label_set: LabelSet, columns: Sequence[str]) -> dict[str, str]:
    """The column of each observation: that of its name, else the only one of its synonyms.

    The human labels of MIMIC-CXR's test set say "Airspace Opacity" for "Lung Opacity".
    """
    folded = {column.strip().casefold(): column for column in columns}
    found = {}
    for label in label_set.labels:
        synonyms = [folded[s.casefold()] for s in label.synonyms if s.casefold() in folded]
        if label.name in columns:
            found[label.name] = label.name
        elif len(synonyms) == 1:
            found[label.name] = synonyms[0]
    return found


def escape(text: str) -> str:
    """A cell of text that no spreadsheet runs: with a leading apostrophe where needed."""
    return f"'{text}" if _guarded(text) else text


def unescape_id(text: str) -> str:
    """Undo the apostrophe that :func:`write_labels` put before an id."""
    return text[1:] if text.startswith("'") and _guarded(text) else text


def _guarded(identifier: str) -> bool:
    return identifier.lstrip("'").startswith(FORMULA)


def _cell(cell: str, name: str, path: str | Path, row: int) -> Certainty:
    try:
        return decode(cell)
    except ValueError:
        raise InputError(
            f"column {name!r} holds a code other than 1, 0, -1 or empty",
            remedy="mend the cell or give another column",
            source=path,
            row=row,
        ) from None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _unknown() -> Certainty:
    raise ValueError("not a CheXpert code")
