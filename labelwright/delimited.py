"""Small tables of labels and splits: CSV or TSV, plain or gzipped, UTF-8, with a header.

Every row must have as many cells as the header: a short row would otherwise read as blanks.
"""

from __future__ import annotations

import csv
import gzip
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from labelwright.errors import InputError

ID_COLUMNS = ("id", "study_id", "uid", "report_id", "note_id", "accession", "accession_number")
"""Taken for the report's id where no flag names a column; the first that is there counts."""


def columns(path: str | Path) -> list[str]:
    """The column names.

    Raises:
        InputError: the file cannot be read or is empty.
    """
    with _rows(path) as reader:
        found = next(reader, [])
    if not found:
        raise InputError("the table is empty", remedy="give one with a header row", source=path)
    return found


def rows(path: str | Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield ``(row, cells by column)``; rows count from 1 below the header, empty lines not.

    Raises:
        InputError: the file cannot be read, or a row has more or fewer cells than the header.
    """
    with _rows(path) as reader:
        header = next(reader, [])
        for row, cells in enumerate((cells for cells in reader if cells), 1):
            if len(cells) != len(header):
                raise InputError(
                    f"the row has {len(cells)} cells, the header {len(header)}",
                    remedy="mend the row",
                    source=path,
                    row=row,
                )
            yield row, dict(zip(header, cells, strict=True))


def id_columns(path: str | Path, asked: Sequence[str], flag: str) -> list[str]:
    """The id columns of a table: those asked for, else the first of :data:`ID_COLUMNS`.

    Raises:
        InputError: a column is missing, or none has a known name (``flag`` would name it).
    """
    found = columns(path)
    listing = ", ".join(found)
    if missing := [name for name in asked if name not in found]:
        raise InputError(
            f"no column {', '.join(missing)}", remedy=f"columns found: {listing}", source=path
        )
    if asked:
        return list(asked)
    folded = {column.strip().casefold(): column for column in found}
    known = [folded[name] for name in ID_COLUMNS if name in folded]
    if not known:
        raise InputError(
            "no column looks like the report's id",
            remedy=f"name it with {flag}; columns found: {listing}",
            source=path,
        )
    return known[:1]


@contextmanager
def _rows(path: str | Path) -> Iterator[Iterator[list[str]]]:
    csv.field_size_limit(sys.maxsize)
    opener = gzip.open if str(path).endswith(".gz") else open
    tab = str(path).removesuffix(".gz").endswith((".tsv", ".tab"))
    try:
        with cast(IO[str], opener(path, "rt", encoding="utf-8-sig", newline="")) as handle:
            yield csv.reader(handle, delimiter="\t" if tab else ",", strict=True)
    except UnicodeDecodeError:
        raise InputError(
            "the file is not UTF-8", remedy="convert it to UTF-8", source=path
        ) from None
    except (csv.Error, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"the table cannot be read ({type(error).__name__})",
            remedy="the file is damaged or cut short; make it anew",
            source=path,
        ) from None
    except FileNotFoundError:
        raise InputError("no such file", remedy="check the path", source=path) from None
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror})", remedy="check the path", source=path
        ) from None
