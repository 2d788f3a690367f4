"""Label tables in CheXpert's coding: 1.0 positive, 0.0 negative, -1.0 uncertain, empty blank.

Columns are joined by name: their order differs between MIMIC-CXR, CheXpert and CheXbert
files. An empty cell is blank and stays blank; it never becomes 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import IO, TypeVar

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
CELLS: Mapping[Certainty | None, str] = dict([(None, ""), *CODES.items()])
"""The cell of each certainty, and of an open one."""


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


class LabelWriter:
    """Writes a label table row by row: the id column, then the observations in order."""

    def __init__(self, handle: IO[str], label_set: LabelSet, *, id_column: str = "id") -> None:
        self._names = label_set.names
        self._table = delimited.TableWriter(handle, self._names, id_column=id_column)

    def add(self, identifier: str, labels: Mapping[str, Certainty | None]) -> None:
        """Write one row."""
        self._table.add(identifier, [CELLS[labels[name]] for name in self._names])


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
    for row, identifier, labels in _shared(path, label_set, id_columns, allow_missing, _labels):
        yield row, identifier, labels.copy()


def _labels(names: Names, said: Said) -> dict[str, Certainty]:
    return dict(zip(names, said, strict=True))


Names = tuple[str, ...]
Said = tuple[Certainty, ...]
T = TypeVar("T")


def _shared(
    path: str | Path,
    label_set: LabelSet,
    id_columns: Sequence[str],
    allow_missing: bool,
    made: Callable[[Names, Said], T],
) -> Iterator[tuple[int, str, T]]:
    """Row, id and what is made of its observations and certainties: one object for equal rows."""
    columns = delimited.columns(path)
    present = label_columns(label_set, columns)
    missing = [name for name in id_columns if name not in columns]
    if not allow_missing:
        missing += [name for name in label_set.names if name not in present]
    if missing or not present:
        raise delimited.no_column(", ".join(missing) or "of the label set", columns, path)
    names, places = tuple(present), [columns.index(column) for column in present.values()]
    first, *others = [columns.index(column) for column in id_columns]
    same: dict[Said, T] = {}
    codes = {cell: certainty for certainty, cell in CODES.items()}

    def packed(row: int, cells: Sequence[str]) -> T:
        try:
            said = tuple([codes[cells[at]] for at in places])
        except KeyError:
            codes.update({cells[at]: _cell(cells[at], columns[at], path, row) for at in places})
            said = tuple([codes[cells[at]] for at in places])
        found = same.get(said)
        if found is None:
            found = made(names, said)
            if len(same) < delimited.KNOWN_ROWS:
                same[said] = found
        return found

    last = max([first, *others]) + 1
    if last <= min(places):
        rows = delimited.shared_rows(path, last, packed)
    else:
        whole = enumerate(islice(delimited.cells(path), 1, None), 1)
        rows = ((cells, packed(row, cells)) for row, cells in whole)
    for row, (cells, found) in enumerate(rows, 1):
        identifier = cells[first].strip()
        if others:
            identifier = "/".join([identifier, *(cells[at].strip() for at in others)])
        if identifier.startswith("'"):
            identifier = delimited.unescape_id(identifier)
        yield row, identifier, found


class PackedLabels(Mapping[str, dict[str, Certainty]]):
    """The labels of a table by id, of which only the certainties are kept; equal ones once.

    Raises:
        InputError: it cannot be read, or says two different things of one report.
    """

    def __init__(self, path: str | Path, label_set: LabelSet, id_columns: Sequence[str]) -> None:
        self._names: Names = ()
        self._found: dict[str, Said] = {}
        for row, identifier, said in _shared(path, label_set, id_columns, False, self._said):
            known = self._found.setdefault(identifier, said)
            if known is not said and known != said:
                raise InputError(
                    f"report {identifier} appears twice with different labels",
                    remedy="keep one of the rows",
                    source=path,
                    row=row,
                )

    def __getitem__(self, identifier: str) -> dict[str, Certainty]:
        return _labels(self._names, self._found[identifier])

    def _said(self, names: Names, said: Said) -> Said:
        self._names = names
        return said

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def fitted(
    label_set: LabelSet, labels: Mapping[str, Certainty | None]
) -> tuple[dict[str, Certainty | None], int] | str:
    """Labels as the label set means them, or the reason why they cannot be used.

    An observation that cannot be negative in the label set (``No Finding``) is blank where a
    table has it negative: "not normal" is what its blank means. The second value counts these.
    """
    adjusted = 0
    found: dict[str, Certainty | None] = {}
    for label in label_set.labels:
        certainty = labels[label.name]
        if certainty is Certainty.NEGATIVE and certainty not in label.certainties:
            certainty = Certainty.BLANK
            adjusted += 1
        if certainty not in label.certainties:
            return f"labels do not fit the label set; {label.name} cannot be {certainty}"
        found[label.name] = certainty
    return found, adjusted


def label_columns(label_set: LabelSet, columns: Sequence[str]) -> dict[str, str]:
    """The column of each observation: that of its name, else of it in another case, else the only
    one of its synonyms.

    The human labels of MIMIC-CXR's test set say "Airspace Opacity" for "Lung Opacity".
    """
    folded = {column.strip().casefold(): column for column in columns}
    found = {}
    for label in label_set.labels:
        synonyms = [folded[s.casefold()] for s in label.synonyms if s.casefold() in folded]
        if label.name in columns:
            found[label.name] = label.name
        elif [column.strip().casefold() for column in columns].count(label.name.casefold()) == 1:
            found[label.name] = folded[label.name.casefold()]
        elif len(synonyms) == 1:
            found[label.name] = synonyms[0]
    return found


def _cell(cell: str, name: str, path: str | Path, row: int) -> Certainty:
    try:
        return decode(cell)
    except ValueError:
        raise InputError(
            f"column {name!r} holds a code other than 1, 0, -1 or empty",
            remedy="fix the cell or give another column",
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
