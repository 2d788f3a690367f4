"""CSV and TSV tables, plain or packed, in any size: one report per row.

Passing over one CSV record that is too long to be read, without keeping it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import TextIO

from labelwright.errors import InputError
from labelwright.io.dialect import Dialect, detect
from labelwright.readers import opening, packed
from labelwright.readers.opening import (
    Position,
    checked_encoding,
    faults,
    open_binary,
    open_text,
)
from labelwright.readers.options import ReadOptions
from labelwright.readers.tables.columns import (
    Columns,
    Row,
    header_of,
    numbered_id,
    report_or_reject,
)
from labelwright.records import Reject, Report
from labelwright.text.amounts import amount
from labelwright.text.sections import Composer

_BLOCK = 1 << 20


class _State(Enum):
    FIELD_START = auto()
    PLAIN = auto()
    QUOTED = auto()
    QUOTE_IN_QUOTED = auto()
    END = auto()


def pass_over(handle: TextIO, first: str, quoted: bool, delimiter: str, limit: int) -> int | None:
    """Read to the end of the record that ``first`` is a piece of.

    Args:
        first: what was read of the record's current line.
        quoted: whether that line began inside a quoted field.
        limit: most characters to pass over.

    Returns:
        The number of lines passed, or ``None`` if the record is longer than ``limit``.

    Raises:
        csv.Error: the file ends inside quotes, or something else than a delimiter follows them.
    """
    state = _State.QUOTED if quoted else _State.FIELD_START
    stop = re.compile(f"[{re.escape(delimiter)}\r\n]")
    piece, size, lines, last = first, 0, 0, ""
    while piece:
        state = _after(piece, state, delimiter, stop)
        halved = piece == "\n" and last == "\r"  # one line end, read in two pieces
        lines += piece[-1] in "\r\n" and not halved
        last = piece[-1]
        if state is _State.END:
            return lines
        size += len(piece)
        if size > limit:
            return None
        piece = handle.readline(_BLOCK)
    if state is _State.QUOTED:
        raise csv.Error("unexpected end of data")
    return lines + 1


def _after(piece: str, state: _State, delimiter: str, stop: re.Pattern[str]) -> _State:
    """The state after a piece of a line."""
    at = 0
    while at < len(piece) and state is not _State.END:
        if state is _State.QUOTED:
            quote = piece.find('"', at)
            if quote < 0:
                return state
            at, state = quote + 1, _State.QUOTE_IN_QUOTED
        elif state is _State.PLAIN:
            found = stop.search(piece, at)
            if found is None:
                return state
            at, state = found.end(), _next(found.group(), delimiter)
        else:
            at, state = at + 1, _decided(piece[at], state, delimiter)
    return state


def _decided(character: str, state: _State, delimiter: str) -> _State:
    """The state after the character that follows a delimiter or a quote in a quoted field."""
    if character == '"':
        return _State.QUOTED
    if character == delimiter or character in "\r\n":
        return _next(character, delimiter)
    if state is _State.QUOTE_IN_QUOTED:
        raise csv.Error("delimiter expected after quote")
    return _State.PLAIN


def _next(character: str, delimiter: str) -> _State:
    return _State.FIELD_START if character == delimiter else _State.END


COMMA, TAB = ",", "\t"
_NONE: Row = []


def read_csv(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
    """Reports of a comma-separated file; see :func:`read_delimited`."""
    return read_delimited(path, options, COMMA)


def read_tsv(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
    """Reports of a tab-separated file; see :func:`read_delimited`."""
    return read_delimited(path, options, TAB)


def count_csv(path: Path, options: ReadOptions) -> int:
    """Rows of a comma-separated file, after checking its header, quotes and encoding."""
    return count_delimited(path, options, COMMA)


def count_tsv(path: Path, options: ReadOptions) -> int:
    """Rows of a tab-separated file, after checking its header, quotes and encoding."""
    return count_delimited(path, options, TAB)


def dialect_of(path: Path, options: ReadOptions, usual: str) -> Dialect:
    """How a table was saved: as the flags say, else as it looks.

    Args:
        usual: what parts the columns where the table does not tell.

    Raises:
        InputError: the file cannot be opened or unpacked.
    """
    with faults(path, options.encoding):
        stat = path.stat()
        return _looked_at(path, stat.st_size, stat.st_mtime_ns, options, usual)


def facts_of_table(path: Path, options: ReadOptions, usual: str) -> dict[str, str]:
    """What was found out about a table that is not what one expects, for the manifest."""
    dialect = dialect_of(path, options, usual)
    found = {}
    if dialect.delimiter != usual and options.delimiter is None:
        found["delimiter"] = dialect.delimiter
    if dialect.encoding is not None and options.encoding is None:
        found["encoding"] = dialect.encoding
    return found


@lru_cache(maxsize=64)
def _looked_at(path: Path, _size: int, _time: int, options: ReadOptions, usual: str) -> Dialect:
    named = None if options.encoding is None else checked_encoding(options.encoding)
    try:
        return detect(lambda: open_binary(path), usual, encoding=named, delimiter=options.delimiter)
    except packed.damage():  # reading names the row where it shows
        return Dialect(options.delimiter or usual, named)


def read_delimited(path: Path, options: ReadOptions, usual: str) -> Iterator[Report | Reject]:
    """Yield one report or reject per data row; empty lines are no rows.

    Raises:
        InputError: the file, its encoding, header or quoting is broken, or it has no rows.
    """
    header, columns, records = _below(path, options, usual)
    make = row_maker(str(path), header, columns)
    width = len(header)
    for row, cells in enumerate(records, 1):
        if cells is None:
            yield Reject(None, str(path), row, opening.too_long())
        elif len(cells) == width or (len(cells) > width and not any(cells[width:])):
            yield make(row, cells)
        else:
            reason = f"the row has {amount(len(cells), 'cell')}, the header {width}"
            yield Reject(None, str(path), row, reason)


def count_delimited(path: Path, options: ReadOptions, usual: str) -> int:
    """The rows that :func:`read_delimited` would yield; raises what it would raise."""
    _, _, records = _below(path, options, usual)
    return sum(1 for _ in records)


def _below(
    path: Path, options: ReadOptions, usual: str
) -> tuple[list[str], Columns, Iterator[Row]]:
    """The header, its columns, and the rows below it."""
    records = _records(path, dialect_of(path, options, usual))
    first = next(records)
    if first is None:
        raise InputError(
            f"the header is longer than {opening.LONGEST} characters",
            remedy="give a table with a header and one report per row",
            source=path,
        )
    header, columns, rows = header_of(chain([first], records), options, path)
    second = next(rows, _NONE)
    if second is _NONE:
        raise _empty(path)
    return header, columns, chain([second], rows)


@dataclass(slots=True)
class _Fed:
    """How much of the current record the CSV parser was given, and the line it came to."""

    size: int = 0
    line: int = 0
    last: str = ""


class _TooLongError(Exception):
    """The record in :class:`_Fed` reached the limit; its last line was not given any more."""


def _records(path: Path, dialect: Dialect) -> Iterator[list[str] | None]:
    """The header with trimmed names, then the cells of each row, ``None`` for one too long.

    Empty rows are left out.
    """
    csv.field_size_limit(opening.LONGEST)
    encoding, delimiter = dialect.encoding, dialect.delimiter
    with faults(path, encoding) as position, open_text(path, encoding) as handle:
        position.row = -1
        fed = _Fed()
        start = 1
        if dialect.announced:
            fed.line += 1
            handle.readline(opening.LONGEST)
        try:
            while True:
                start = fed.line + 1
                try:
                    for cells in csv.reader(_feed(handle, fed), delimiter=delimiter, strict=True):
                        start = fed.line + 1
                        fed.size = 0
                        if cells:
                            position.row += 1
                            yield cells if position.row else _names(cells)
                except _TooLongError:
                    _pass_over(handle, fed, delimiter, path, start)
                    position.row += 1
                    yield None
                else:
                    break
        except csv.Error:
            raise _broken(path, start) from None
        _refuse_empty(path, position)


def _feed(handle: TextIOWrapper, fed: _Fed) -> Iterator[str]:
    limit = opening.LONGEST
    while line := handle.readline(limit):
        fed.size += len(line)
        if fed.size >= limit:
            fed.last = line
            raise _TooLongError
        fed.line += 1
        yield line


def _pass_over(handle: TextIOWrapper, fed: _Fed, delimiter: str, path: Path, start: int) -> None:
    """Pass over the rest of a record whose last line was ``fed.last``.

    A record only goes on over a line end inside quotes, so that line began inside quotes
    unless it is the record's first.
    """
    quoted = fed.size > len(fed.last)
    passed = pass_over(handle, fed.last, quoted, delimiter, opening.LONGEST_SKIP)
    if passed is None:
        raise opening.endless(path, start)
    fed.line += passed
    fed.size, fed.last = 0, ""


def _refuse_empty(path: Path, position: Position) -> None:
    if position.row < 1:
        raise _empty(path, "the table has no rows" if position.row == 0 else "the file is empty")


def _empty(path: Path, what: str = "the table has no rows") -> InputError:
    return InputError(what, remedy="give a file with a header and at least one report", source=path)


def _names(header: list[str]) -> list[str]:
    return [name.removeprefix("\ufeff").strip() for name in header]


def _broken(path: Path, line: int) -> InputError:
    return InputError(
        f"a quoted field is not closed as CSV asks, in the record that starts at line {line}",
        remedy='close the quotes there, and write a quote inside a field twice ("")',
        source=path,
    )


def row_maker(
    source: str, header: list[str], columns: Columns
) -> Callable[[int, list[str]], Report | Reject]:
    """What turns a row's number and its cells, in the header's order, into a report."""
    place = {name: header.index(name) for name in columns.used}
    id_at = None if columns.id is None else place[columns.id]
    texts = [place[name] for name in columns.texts]
    metas = [(name, place[name]) for name in columns.meta]
    patient_at = None if columns.patient is None else place[columns.patient]
    composer = Composer(columns.texts)

    def make(row: int, cells: list[str]) -> Report | Reject:
        return report_or_reject(
            source,
            row,
            numbered_id(source, row) if id_at is None else cells[id_at].strip(),
            *composer.join([cells[at] for at in texts]),
            None if patient_at is None else cells[patient_at].strip(),
            {name: cells[at] for name, at in metas} if metas else None,
        )

    return make
