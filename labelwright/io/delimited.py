"""Small tables of labels and splits: CSV or TSV, plain or gzipped, UTF-8, with a header.

Every row must have as many cells as the header: a short row would otherwise read as blanks.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeVar, cast

from labelwright.errors import InputError
from labelwright.io.dialect import Dialect, detect
from labelwright.text.amounts import amount
from labelwright.text.column_names import ID, ID_COLUMNS, exported

NUMBER = "#"
"""In the place of the id's column: rows are numbered, unless a column has that name."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a cell begins with that a spreadsheet runs, full-width forms included (OWASP's list)."""

_SHOWN_NAMES = 30
_LIKE_A_NAME = re.compile(
    r"(?!.*\.$)[\w.()/#%&+:@\[\]'°-]{1,40}(?: [\w.()/#%&+:@\[\]'°-]{1,40}){0,2}"
)
"""Up to three words with the signs that column names have (``Accession #``), no sentence."""
KNOWN_ROWS = 100_000
"""Rows that are remembered where equal ones are read once."""
T = TypeVar("T")
_GZIP_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error)


class TableWriter:
    """Writes a table with an id column, row by row.

    Ids that a spreadsheet would run as a formula get a leading apostrophe, and so do those
    that look as if they already had one; :func:`unescape_id` takes it away again.
    """

    def __init__(self, handle: IO[str], columns: Sequence[str], *, id_column: str = "id") -> None:
        self._writer = csv.writer(handle, lineterminator="\n")
        # csv quotes a bare carriage return in newer Pythons only; unquoted it would end the row
        self._quoting = csv.writer(handle, lineterminator="\n", quoting=csv.QUOTE_ALL)
        self._writer.writerow([id_header(id_column), *columns])

    def add(self, identifier: str, cells: Sequence[str]) -> None:
        """Write one row; other cells than the id are written as they are."""
        safe = escape(identifier)
        (self._quoting if "\r" in safe else self._writer).writerow([safe, *cells])


def id_header(id_column: str) -> str:
    """The name of a result table's id column: that of the input, ``id`` where rows are numbered."""
    return "id" if id_column == NUMBER else id_column


def escape(text: str) -> str:
    """A cell of text that no spreadsheet runs: with a leading apostrophe where needed."""
    return f"'{text}" if _guarded(text) else text


def unescape_id(text: str) -> str:
    """Undo the apostrophe that :class:`TableWriter` put before an id."""
    return text[1:] if text.startswith("'") and _guarded(text) else text


def _guarded(identifier: str) -> bool:
    return identifier.lstrip("'").startswith(FORMULA)


def columns(path: str | Path) -> list[str]:
    """The column names, without white space around them.

    Raises:
        InputError: the file cannot be read or is empty, or two columns share a name.
    """
    with _rows(path) as reader:
        found = _header(reader)
    if not found:
        raise InputError("the table is empty", remedy="give one with a header row", source=path)
    if "\0" in "".join(found):
        raise _no_text(path)
    if twice := [name for name, count in Counter(found).items() if name and count > 1]:
        raise InputError(
            f"the column {shown(twice)} is there more than once",
            remedy="rename or delete all but one",
            source=path,
        )
    return found


def rows(path: str | Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield ``(row, cells by column)``, as :func:`cells` does."""
    found = cells(path)
    header = next(found)
    for row, values in enumerate(found, 1):
        yield row, dict(zip(header, values, strict=True))


def cells(path: str | Path) -> Iterator[list[str]]:
    """Yield the header, then the cells of row 1, 2, …; empty lines do not count.

    Raises:
        InputError: the file cannot be read, or a row has more or fewer cells than the header.
    """
    with _rows(path) as reader:
        header = _header(reader)
        yield header
        for row, values in enumerate(filter(None, reader), 1):
            _checked(values, len(header), path, row)
            yield values


def shared_rows(
    path: str | Path, first: int, made: Callable[[int, list[str]], T]
) -> Iterator[tuple[list[str], T]]:
    """Yield the first cells of row 1, 2, … and what ``made(row, cells)`` makes of the whole row.

    It is asked once for rows whose other cells are the same, which are not even parted; from the
    first row with a quote on for each.

    Raises:
        InputError: as :func:`cells`.
    """
    known: dict[Any, T] = {}
    with _text(path) as (handle, delimiter):
        width = len(_header(csv.reader(handle, delimiter=delimiter, strict=True)))
        row = 0
        for line in handle:
            if '"' in line:
                break
            if not (bare := line.rstrip("\r\n")):
                continue
            row += 1
            parts = bare.split(delimiter, first)
            found = known.get(parts[-1]) if len(parts) > first else None
            if found is None:
                cells = bare.split(delimiter)
                _checked(cells, width, path, row)
                found = made(row, cells)
                if len(known) < KNOWN_ROWS:
                    known[parts[-1]] = found
            yield parts, found
        else:
            return
        reader = csv.reader(chain([line], handle), delimiter=delimiter, strict=True)
        for number, cells in enumerate(filter(None, reader), row + 1):
            _checked(cells, width, path, number)
            yield cells, made(number, cells)


def _checked(cells: list[str], width: int, path: str | Path, row: int) -> None:
    if len(cells) != width:
        raise InputError(
            f"the row has {amount(len(cells), 'cell')}, the header {width}",
            remedy="fix the row",
            source=path,
            row=row,
        )


def id_columns(
    path: str | Path, asked: Sequence[str], flag: str, *, reports: str | None = None
) -> list[str]:
    """The id columns of a table: those asked for, else the first of :data:`ID_COLUMNS`.

    Where none of these is there, ``reports`` is, the column that holds the id of the reports; else
    the only one that is named as in exports of hospitals.

    Raises:
        InputError: a column is missing, or none has a known name (``flag`` would name it).
    """
    found = columns(path)
    if missing := [name for name in asked if name not in found]:
        raise no_column(", ".join(missing), found, path)
    if asked:
        return list(asked)
    folded = {column.casefold(): column for column in found}
    known = [folded[name] for name in ID_COLUMNS if name in folded]
    if known or reports in found:
        return known[:1] or [str(reports)]
    known = exported(found, ID)
    if len(known) != 1:
        what = f"columns {', '.join(known)} may each hold" if known else "no column looks like"
        raise InputError(
            f"{what} the report's id",
            remedy=f"name it with {flag}; columns found: {shown(found)}",
            source=path,
        )
    return known


def no_column(wanted: str, found: Sequence[str], path: str | Path) -> InputError:
    """The error for a column that a table lacks."""
    return InputError(f"no column {wanted}", remedy=f"columns found: {shown(found)}", source=path)


def shown(names: Sequence[str]) -> str:
    """Column names for a message. What does not look like a name may be text of a report."""
    safe = [name if _LIKE_A_NAME.fullmatch(name) else "(not a name)" for name in names]
    more = ["…"] if len(safe) > _SHOWN_NAMES else []
    return ", ".join([*safe[:_SHOWN_NAMES], *more]) or "none"


def _header(reader: Iterator[list[str]]) -> list[str]:
    """The first line that is not empty."""
    return [name.strip() for name in next((cells for cells in reader if cells), [])]


@contextmanager
def _rows(path: str | Path) -> Iterator[Iterator[list[str]]]:
    with _text(path) as (handle, delimiter):
        yield csv.reader(handle, delimiter=delimiter, strict=True)


@contextmanager
def _text(path: str | Path) -> Iterator[tuple[IO[str], str]]:
    """A table's text from its header on, and what parts its cells."""
    csv.field_size_limit(sys.maxsize)
    tab = str(path).removesuffix(".gz").endswith((".tsv", ".tab"))
    try:
        stat = Path(path).stat()
        how = _dialect(Path(path), stat.st_size, stat.st_mtime_ns, "\t" if tab else ",")
        with io.TextIOWrapper(_opened(path), how.encoding or "utf-8-sig", newline="") as handle:
            if how.announced:
                handle.readline()
            yield handle, how.delimiter
    except UnicodeDecodeError:
        raise _no_text(path) from None
    except csv.Error:
        raise InputError(
            "a quoted field is not closed as CSV asks",
            remedy='close the quotes, and write a quote inside a field twice ("")',
            source=path,
        ) from None
    except _GZIP_DAMAGE:
        raise InputError(
            "the gzip data are damaged or cut short",
            remedy="copy or download the file again",
            source=path,
        ) from None
    except FileNotFoundError:
        raise InputError("no such file", remedy="check the path", source=path) from None
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror})", remedy="check the path", source=path
        ) from None


def _no_text(path: str | Path) -> InputError:
    return InputError(
        "the file is not UTF-8 text", remedy="save it as CSV or TSV in UTF-8", source=path
    )


@lru_cache(maxsize=64)
def _dialect(path: Path, _size: int, _time: int, usual: str) -> Dialect:
    """What parts the columns of a file, and its encoding."""
    return detect(lambda: _opened(path), usual, encoding=None, delimiter=None)


def _opened(path: str | Path) -> BinaryIO:
    """The bytes of a regular file, decompressed if it is gzip data whatever its name.

    A pipe would lose what the first of several passes has read.
    """
    if Path(path).exists() and not Path(path).is_file():
        raise InputError(
            "not a regular file (a folder or a pipe)",
            remedy="give a file; what a pipe brings must be saved first",
            source=path,
        )
    with open(path, "rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    # the caller closes it
    return cast(BinaryIO, gzip.open(path, "rb")) if packed else open(path, "rb")
