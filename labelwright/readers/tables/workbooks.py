"""Workbooks (``.xlsx``, ``.xlsm``, ``.xls``, ``.ods``): one report per row of a sheet.

Cells are read as what they hold: dates as ISO 8601, whole numbers without a point, formulas as the
values that were saved with them. Macros are not run and formulas not computed.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from labelwright.errors import InputError
from labelwright.io.delimited import shown
from labelwright.readers.documents.faults import UnreadableError, zipped
from labelwright.readers.opening import faults, open_binary
from labelwright.readers.options import ReadOptions
from labelwright.readers.tables.columns import Columns, header_of
from labelwright.readers.tables.delimited import row_maker
from labelwright.records import Reject, Report

SUFFIXES = (".xlsx", ".xlsm", ".xls", ".ods")
ALL = "all"
MOST_CELLS = 20_000_000
"""Rows times columns of a sheet: what lies between its corners is held in memory."""
_REFERENCE = re.compile(rb"""\br=["']([A-Z]{1,3})(\d{1,7})["']""")
_CONTROLS = re.compile(rb"[\0-\x08\x0e-\x1f]")
_BLOCK = 1 << 20
Cells = list[str]


def read_workbook(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
    """Yield one report or reject per row below a sheet's header; empty rows are no rows.

    Raises:
        InputError: the file cannot be opened, a sheet is missing, or which one is not clear.
    """
    for source, header, columns, rows in _tables(path, options):
        make = row_maker(source, header, columns)
        for row, cells in enumerate(rows, 1):
            yield make(row, cells)


def count_workbook(path: Path, options: ReadOptions) -> int:
    """The rows that :func:`read_workbook` would yield; raises what it would raise."""
    return sum(1 for *_, rows in _tables(path, options) for _ in rows)


def _tables(
    path: Path, options: ReadOptions
) -> Iterator[tuple[str, Cells, Columns, Iterator[Cells]]]:
    """Of each chosen sheet its source, header, columns, and rows."""
    with faults(path):
        open_binary(path).close()
    book = _opened(path)
    filled = {name: rows for name in _visible(book) if (rows := _rows(book, name)) is not None}
    chosen = _chosen(path, options, list(filled), list(book.sheet_names))
    for name in chosen:
        rows = filled[name] if name in filled else _rows(book, name)
        if rows is None:
            raise _empty(path, f"the sheet {shown([name])} is empty")
        source = str(path) if len(chosen) == 1 else f"{path}#{name}"
        header, columns, below = header_of(iter(rows), options, source)
        yield source, header, columns, _below(path, name, (cells for cells in below if cells))


def _below(path: Path, name: str, rows: Iterator[Cells]) -> Iterator[Cells]:
    first = next(rows, None)
    if first is None:
        raise _empty(path, f"the sheet {shown([name])} has a header and no rows")
    yield first
    yield from rows


def _chosen(path: Path, options: ReadOptions, filled: list[str], known: list[str]) -> list[str]:
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
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "no workbook but a page of HTML or XML", "open it in Excel and save it as .xlsx"
    if start and not _CONTROLS.search(start):
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


def _rows(book: Any, name: str) -> Iterator[Cells] | None:
    """The rows that hold something; ``None`` for an empty sheet."""
    sheet = book.get_sheet_by_name(name)
    if sheet.height == 0:
        return None
    return (cells for row in sheet.iter_rows() if any(cells := [_text(value) for value in row]))


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
