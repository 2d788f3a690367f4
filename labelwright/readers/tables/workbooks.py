"""Workbooks (``.xlsx``, ``.xlsm``, ``.xls``, ``.ods``): one report per row of a sheet.

Cells are read as what they hold: dates as ISO 8601, whole numbers without a point, formulas as the
values that were saved with them. Macros are not run and formulas not computed.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from functools import cached_property
from pathlib import Path
from typing import Any

from labelwright.errors import InputError
from labelwright.io.delimited import shown
from labelwright.readers.documents.faults import UnreadableError, zipped
from labelwright.readers.opening import faults, open_binary
from labelwright.readers.options import ReadOptions
from labelwright.readers.tables.columns import header_of
from labelwright.readers.tables.delimited import row_maker
from labelwright.readers.tables.hidden_cells import Hidden, address, hidden_cells, merges_of
from labelwright.records import Reject, Report

SUFFIXES = (".xlsx", ".xlsm", ".xls", ".ods")
ALL = "all"
MOST_CELLS = 20_000_000
"""Rows times columns of a sheet: what lies between its corners is held in memory."""
_REFERENCE = re.compile(rb"""\br=["']([A-Z]{1,3})(\d{1,7})["']""")
_CONTROLS = re.compile(rb"[\0-\x08\x0e-\x1f]")
_BLOCK = 1 << 20


def read_workbook(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
    """Yield one report or reject per row below a sheet's header; empty rows are no rows.

    What is merged over several rows holds for each of them. Rows that share an id so are parts of
    one report: they are rejected, unless only the first has a text.

    Raises:
        InputError: the file cannot be opened, a sheet is missing, or which one is not clear.
    """
    for table in _tables(path, options):
        make = row_maker(table.source, table.header, table.columns)
        row = 0
        for group in table.groups():
            several = len(group) > 1 and any(table.has_text(cells) for cells in group[1:])
            for at, cells in enumerate(group):
                row += 1
                why = table.fault(cells)
                if why is None and (several or at):
                    why = table.shared(group[0], several)
                if why is None:
                    yield make(row, cells)
                else:
                    yield Reject(table.id_of(cells) or None, table.source, row, why)


def count_workbook(path: Path, options: ReadOptions) -> int:
    """The rows that :func:`read_workbook` would yield; raises what it would raise."""
    return sum(1 for table in _tables(path, options) for _ in table.rows)


class Cells(list[str]):
    """The cells of a row.

    Attributes:
        row: its place in the sheet, counted from 0.
        merged: columns whose cell is merged with one above.
    """

    __slots__ = ("merged", "row")

    def __init__(self, row: int, texts: Iterable[str]) -> None:
        super().__init__(texts)
        self.row = row
        self.merged: tuple[int, ...] = ()


class _Table:
    """A sheet that is read: its columns, and the rows below its header."""

    def __init__(self, path: Path, sheet: _Sheet, source: str, options: ReadOptions) -> None:
        self.source = source
        self.header, self.columns, rows = header_of(iter(sheet.rows()), options, source)
        self._sheet = sheet
        place = self.header.index
        self._id = None if self.columns.id is None else place(self.columns.id)
        self._texts = [place(name) for name in self.columns.texts]
        patient = self.columns.patient
        self._read = [at for at in (self._id, *self._texts) if at is not None]
        self._read += [] if patient is None else [place(patient)]
        kept = (c for c in rows if isinstance(c, Cells) and (any(c) or self.fault(c) is not None))
        self.rows = _below(path, sheet.name, kept)

    def groups(self) -> Iterator[list[Cells]]:
        """The rows; those together whose id is one merged cell."""
        group: list[Cells] = []
        for cells in self.rows:
            if group and self._id not in cells.merged:
                yield group
                group = []
            group.append(cells)
        if group:
            yield group

    def fault(self, cells: Cells) -> str | None:
        """Why a row cannot be read: a cell of id, text or patient is there and has no value."""
        faults, left = self._sheet.hidden.faults, self._sheet.left
        places = ((cells.row, at + left) for at in self._read if faults)
        return next((faults[place] for place in places if place in faults), None)

    def shared(self, first: Cells, several: bool) -> str:
        """Why a row whose id is merged with others is no report of its own."""
        at = address((first.row, (self._id or 0) + self._sheet.left))
        if several:
            return f"the id in {at} is merged over rows with several texts; write one row a report"
        return f"no text of its own; its id is merged with {at} above"

    def has_text(self, cells: Cells) -> bool:
        """Whether a row holds text that is not merged with the row above."""
        return any(cells[at].strip() for at in self._texts if at not in cells.merged)

    def id_of(self, cells: Cells) -> str:
        """The id of a row, if it has one."""
        return "" if self._id is None else cells[self._id].strip()


def _tables(path: Path, options: ReadOptions) -> Iterator[_Table]:
    """The chosen sheets."""
    with faults(path):
        open_binary(path).close()
    book = _opened(path)
    sheets = {name: _Sheet(path, book, name) for name in book.sheet_names}
    filled = [name for name in _visible(book) if sheets[name].height]
    hidden = [] if filled or options.sheets else [n for n, s in sheets.items() if s.height]
    chosen = _chosen(path, options, filled, list(sheets), hidden)
    for name in chosen:
        if not sheets[name].height:
            raise _empty(path, f"the sheet {shown([name])} is empty")
        yield _Table(
            path, sheets[name], str(path) if len(chosen) == 1 else f"{path}#{name}", options
        )


def _below(path: Path, name: str, rows: Iterator[Cells]) -> Iterator[Cells]:
    first = next(rows, None)
    if first is None:
        raise _empty(path, f"the sheet {shown([name])} has a header and no rows")
    yield first
    yield from rows


def _chosen(
    path: Path, options: ReadOptions, filled: list[str], known: list[str], hidden: list[str]
) -> list[str]:
    if options.sheets == (ALL,):
        names = filled
    elif options.sheets:
        names = list(options.sheets)
        if missing := [name for name in names if name not in known]:
            raise InputError(
                f"no sheet {', '.join(missing)}",
                remedy=f"sheets found: {shown(known)}",
                source=path,
            )
    else:
        names = filled
        if len(names) > 1:
            raise InputError(
                "several sheets hold something",
                remedy=f"choose with --sheets, or give --sheets all; found: {shown(names)}",
                source=path,
            )
    if not names:
        if hidden:
            raise InputError(
                "only hidden sheets hold something",
                remedy=f"choose with --sheets; found: {shown(hidden)}",
                source=path,
            )
        raise _empty(path, "the workbook is empty")
    return names


def _opened(path: Path) -> Any:
    import python_calamine

    try:
        if zipfile.is_zipfile(path):
            with zipped(path) as archive:
                _refuse_far_cells(path, archive)
        return python_calamine.load_workbook(path)
    except UnreadableError as error:
        raise InputError(str(error), remedy="save the workbook again", source=path) from None
    except python_calamine.PasswordError:
        raise InputError(
            "locked with a password", remedy="save a copy without one", source=path
        ) from None
    except (python_calamine.CalamineError, OSError, ValueError):
        what, remedy = _instead(path)
        raise InputError(what, remedy=remedy, source=path) from None


def _instead(path: Path) -> tuple[str, str]:
    """What a file is that bears a workbook's name: many systems export pages or text so."""
    with open_binary(path) as file:
        start = file.read(4096)
    if not start:
        return "the file is empty", "save the workbook again"
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "no workbook but a page of HTML or XML", "open it in Excel and save it as .xlsx"
    if not _CONTROLS.search(start):
        return "no workbook but text", "rename it to .csv"
    return "damaged, or no workbook", "save it as .xlsx or CSV again"


def _refuse_far_cells(path: Path, archive: zipfile.ZipFile) -> None:
    """A stray cell at the far corner would make a sheet of billions of cells.

    Raises:
        InputError: there is one.
    """
    for name in archive.namelist():
        if not name.startswith("xl/worksheets/") or not name.endswith(".xml"):
            continue
        wide = high = 0
        with archive.open(name) as part:
            before = b""
            while block := part.read(_BLOCK):
                for letters, digits in _REFERENCE.findall(before + block):
                    wide, high = max(wide, _column(letters)), max(high, int(digits))
                before = block[-32:]
        if wide * high > MOST_CELLS:
            raise InputError(
                f"a sheet reaches over {high} rows and {wide} columns",
                remedy="delete the cells far from the table, or save the sheet as CSV",
                source=path,
            )


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _visible(book: Any) -> Iterator[str]:
    import python_calamine

    for sheet in book.sheets_metadata:
        table = sheet.typ == python_calamine.SheetTypeEnum.WorkSheet
        if table and sheet.visible == python_calamine.SheetVisibleEnum.Visible:
            yield sheet.name


class _Sheet:
    """A sheet of an open workbook."""

    def __init__(self, path: Path, book: Any, name: str) -> None:
        self.name = name
        self._path = path
        self._book = book

    @cached_property
    def _sheet(self) -> Any:
        import python_calamine

        try:
            return self._book.get_sheet_by_name(self.name)
        except (python_calamine.CalamineError, ValueError):
            raise InputError(
                f"the sheet {shown([self.name])} is damaged, or holds cells of an unknown kind",
                remedy="save it as CSV",
                source=self._path,
            ) from None

    @property
    def height(self) -> int:
        """Rows from the first to the last that hold something."""
        return int(self._sheet.height)

    @property
    def left(self) -> int:
        """The column, counted from 0, in which the rows begin."""
        return int((self._sheet.start or (0, 0))[1])

    @cached_property
    def hidden(self) -> Hidden:
        """What the values do not tell."""
        return hidden_cells(self._path, self.name, int(self._sheet.end[0]) + 1)

    def rows(self) -> Iterator[Cells]:
        """The rows that hold something, merged cells in each row that they reach over."""
        starts: dict[int, list[tuple[int, int]]] = {}
        for (top, column), bottom in merges_of(self._sheet, self.hidden).items():
            starts.setdefault(top, []).append((column - self.left, bottom))
        rows_with_faults = {row for row, _ in self.hidden.faults}
        going: dict[int, tuple[int, str]] = {}
        for at, values in enumerate(self._sheet.iter_rows()):
            cells = Cells(at, map(_text, values))
            if not any(cells) and at not in rows_with_faults:
                continue
            going = {c: (last, text) for c, (last, text) in going.items() if last >= at}
            cells.merged = tuple(c for c in going if not cells[c])
            for column in cells.merged:
                cells[column] = going[column][1]
            for column, bottom in starts.get(at, ()):
                if 0 <= column < len(cells) and cells[column]:
                    going[column] = (bottom, cells[column])
            yield cells


def _text(value: Any) -> str:
    """A cell as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)
    if isinstance(value, datetime):
        plain = value.time() == time()
        return value.date().isoformat() if plain else value.isoformat(sep=" ")
    if isinstance(value, (date, time)):
        return value.isoformat()
    return str(value)


def _empty(path: Path, what: str) -> InputError:
    return InputError(what, remedy="give a table with a header and one report per row", source=path)
