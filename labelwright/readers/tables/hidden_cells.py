"""What a workbook says of its cells beside their values: errors, formulas without value, merges.

A cell with an error, or with a formula whose value was never saved, has the value of an empty one;
the file's own parts tell them apart.
"""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from posixpath import join, normpath
from typing import IO, Any, cast
from xml.etree.ElementTree import Element, ParseError

from labelwright.readers.documents.faults import UnreadableError, zipped
from labelwright.readers.tables.columns import is_error

Place = tuple[int, int]
"""Row and column, both counted from 0."""
_SIGN = re.compile(
    rb"""t=["']e["']|<(?:\w+:)?f[\s/>]|value-type=["']error["']|:formula=|rows-spanned="""
)
_BLOCK = 1 << 20
_SAVE = "open the workbook in Excel or LibreOffice and save it"


def address(place: Place) -> str:
    """A place as spreadsheets name it.

    >>> address((3, 27))
    'AB4'
    """
    row, column = place
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"


class Hidden:
    """Of one sheet.

    Attributes:
        faults: why a cell has no value though it is not empty.
        merged: merged cells, by their first: the row of the last.
    """

    def __init__(self) -> None:
        self.faults: dict[Place, str] = {}
        self.merged: dict[Place, int] = {}

    def error(self, place: Place, text: str) -> None:
        """Note an error; its name is shown if it is one."""
        name = f" ({text})" if is_error(text) else ""
        self.faults[place] = f"the cell {address(place)} holds an error{name}"

    def unsaved(self, place: Place) -> None:
        """Note a formula without a value."""
        self.faults[place] = f"the formula in cell {address(place)} has no saved value; {_SAVE}"


def hidden_cells(path: Path, sheet: str, height: int) -> Hidden:
    """What is found of a sheet.

    Args:
        height: rows of the sheet, from its top.
    """
    found = Hidden()
    if not zipfile.is_zipfile(path):
        with suppress(OSError, struct.error, IndexError):  # what reads the values says it
            _read_xls(path, sheet, found)
        return found
    try:
        with zipped(path) as archive:
            ods = "content.xml" in archive.namelist()
            part = "content.xml" if ods else _part_of(archive, sheet)
            if part is not None and _has_sign(archive, part):
                with archive.open(part) as file:
                    if ods:
                        _read_ods(file, sheet, height, found)
                    else:
                        _read_xlsx(file, found)
    except (UnreadableError, ParseError, KeyError, ValueError):
        return found  # what reads the values says what is wrong
    return found


def _has_sign(archive: zipfile.ZipFile, part: str) -> bool:
    with archive.open(part) as file:
        before = b""
        while block := file.read(_BLOCK):
            if _SIGN.search(before + block):
                return True
            before = block[-32:]
    return False


def _part_of(archive: zipfile.ZipFile, sheet: str) -> str | None:
    """The part of an Excel workbook that holds a sheet."""
    from defusedxml.ElementTree import fromstring

    listed = fromstring(archive.read("xl/workbook.xml"))
    links = fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    targets = {link.get("Id"): link.get("Target") or "" for link in links}
    for each in listed.iter():
        if _name(each.tag) == "sheet" and each.get("name") == sheet:
            link = next((v for k, v in each.items() if k.endswith("}id")), None)
            target = targets.get(link)
            if target:
                return normpath(join("/xl", target)).lstrip("/")
    return None


def _name(tag: str) -> str:
    return tag.rpartition("}")[2]


def _elements(file: IO[bytes], wanted: str) -> Iterator[Element]:
    """The elements of a name once they are whole; they are emptied afterwards."""
    from defusedxml.ElementTree import iterparse

    for _, element in cast(Iterator[tuple[str, Element]], iterparse(file)):
        if _name(element.tag) == wanted:
            yield element
            element.clear()


def _read_xlsx(file: IO[bytes], found: Hidden) -> None:
    row = -1
    for line in _elements(file, "row"):
        row = int(line.get("r") or row + 2) - 1
        column = -1
        for cell in line:
            reference = cell.get("r")
            column = column + 1 if reference is None else _column(reference)
            parts = {_name(part.tag): part.text or "" for part in cell}
            if cell.get("t") == "e":
                found.error((row, column), parts.get("v", ""))
            elif "f" in parts and not parts.get("v") and cell.get("t") != "str":
                found.unsaved((row, column))


_XLS_ERRORS = {
    **{0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?"},
    **{36: "#NUM!", 42: "#N/A", 43: "#GETTING_DATA"},
}
_SHEET, _ERROR_OR_BOOL, _FORMULA, _END = 0x85, 0x205, 0x06, 0x0A
"""Records of old workbooks: a sheet's place and name, values, the end of a part ([MS-XLS] 2.4)."""


def _read_xls(path: Path, sheet: str, found: Hidden) -> None:
    """Errors of a sheet of an old workbook (BIFF8 records in a compound file)."""
    from olefile import OleFileIO

    with OleFileIO(path) as whole:
        name = next((n for n in ("Workbook", "Book") if whole.exists(n)), None)
        data = b"" if name is None else whole.openstream(name).read()
    start = 0
    for kind, body in _records(data, 0):
        if kind == _SHEET and len(body) > 8:
            coding = "utf-16-le" if body[7] & 1 else "latin-1"
            if body[8:].decode(coding, "replace") == sheet:
                (start,) = struct.unpack_from("<I", body)
    for kind, body in _records(data, start) if start else ():
        if kind == _ERROR_OR_BOOL and body[7]:
            code = body[6]
        elif kind == _FORMULA and body[12:14] == b"\xff\xff" and body[6] == 2:
            code = body[8]
        else:
            continue
        found.error(struct.unpack_from("<HH", body), _XLS_ERRORS.get(code, ""))


def _records(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """The records of a part, from its first to its end."""
    while at + 4 <= len(data):
        kind, size = struct.unpack_from("<HH", data, at)
        yield kind, data[at + 4 : at + 4 + size]
        if kind == _END:
            return
        at += 4 + size


def _column(reference: str) -> int:
    number = 0
    for letter in reference.rstrip("0123456789"):
        number = number * 26 + ord(letter) - 64
    return number - 1


def _read_ods(file: IO[bytes], sheet: str, height: int, found: Hidden) -> None:
    table = next((t for t in _elements(file, "table") if _of(t, "name") == sheet), None)
    if table is None:
        return
    row = 0
    for line in table.iter():
        if _name(line.tag) != "table-row":
            continue
        again = min(int(_of(line, "number-rows-repeated") or 1), max(height - row, 0))
        column = 0
        for cell in line:
            if not _name(cell.tag).endswith("table-cell"):
                continue
            wide = int(_of(cell, "number-columns-repeated") or 1)
            if (why := _ods_fault(cell)) is not None:
                for place in ((row + y, column + x) for y in range(again) for x in range(wide)):
                    found.error(place, why) if why else found.unsaved(place)
            if (spanned := int(_of(cell, "number-rows-spanned") or 1)) > 1:
                found.merged[row, column] = row + spanned - 1
            column += wide
        row += again


def _ods_fault(cell: Element) -> str | None:
    """The error that a cell shows; an empty text for a formula without a value."""
    shown = "".join(cell.itertext())
    kinds = {v for k, v in cell.items() if _name(k) == "value-type"}
    if "error" in kinds:
        return shown or "#"
    return "" if _of(cell, "formula") is not None and not kinds and not shown else None


def _of(element: Element, name: str) -> str | None:
    return next((value for key, value in element.items() if _name(key) == name), None)


def merges_of(sheet: Any, hidden: Hidden) -> Mapping[Place, int]:
    """The merged cells of a sheet that reach over several rows: first cell, last row."""
    ranges = sheet.merged_cell_ranges or ()
    told = {(top, left): bottom for (top, left), (bottom, _) in ranges if bottom > top}
    return told or hidden.merged
