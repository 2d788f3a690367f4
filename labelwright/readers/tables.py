"""CSV and TSV tables, plain or gzipped, in any size: one report per row."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

from labelwright.errors import InputError
from labelwright.readers.columns import Columns, report_or_reject, resolve
from labelwright.readers.opening import LONGEST, faults, lines, open_text
from labelwright.readers.options import ReadOptions
from labelwright.records import Reject, Report
from labelwright.sections import Composer


def read_csv(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
    """Reports of a comma-separated file; see :func:`read_delimited`."""
    return read_delimited(path, options, ",")


def read_tsv(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
    """Reports of a tab-separated file; see :func:`read_delimited`."""
    return read_delimited(path, options, "\t")


def count_csv(path: Path, options: ReadOptions) -> int:
    """Rows of a comma-separated file, after checking its header, quotes and encoding."""
    return count_delimited(path, options, ",")


def count_tsv(path: Path, options: ReadOptions) -> int:
    """Rows of a tab-separated file, after checking its header, quotes and encoding."""
    return count_delimited(path, options, "\t")


def read_delimited(path: Path, options: ReadOptions, delimiter: str) -> Iterator[Report | Reject]:
    """Yield one report or reject per data row; empty lines are no rows.

    Raises:
        InputError: the file, its encoding, header or quoting is broken, or it has no rows.
    """
    records = _records(path, options, delimiter)
    header = next(records)
    columns = resolve(header, options, path)
    make = _row_maker(str(path), header, columns)
    width = len(header)
    for row, cells in enumerate(records, 1):
        if len(cells) == width:
            yield make(row, cells)
        else:
            reason = f"the row has {len(cells)} cells, the header {width}"
            yield Reject(None, str(path), row, reason)


def count_delimited(path: Path, options: ReadOptions, delimiter: str) -> int:
    """The rows that :func:`read_delimited` would yield; raises what it would raise."""
    records = _records(path, options, delimiter)
    resolve(next(records), options, path)
    return sum(1 for _ in records)


def _records(path: Path, options: ReadOptions, delimiter: str) -> Iterator[list[str]]:
    """The header with trimmed names, then the cells of each row that is not empty."""
    csv.field_size_limit(LONGEST)
    with faults(path, options.encoding) as position, open_text(path, options.encoding) as handle:
        reader = csv.reader(lines(handle, path), delimiter=delimiter, strict=True)
        line = 1
        row = -1
        try:
            for cells in reader:
                line = reader.line_num + 1
                if cells:
                    row += 1
                    position.row = row
                    yield cells if row else _names(cells)
        except csv.Error as error:
            raise _broken(path, line, error) from None
        if row < 1:
            raise InputError(
                "the table has no rows" if row == 0 else "the file is empty",
                remedy="give a file with a header and at least one report",
                source=path,
            )


def _names(header: list[str]) -> list[str]:
    return [name.removeprefix("\ufeff").strip() for name in header]


def _broken(path: Path, line: int, error: csv.Error) -> InputError:
    if "field larger" in str(error):
        what = f"a field is longer than {LONGEST} characters"
    else:
        what = "a quoted field is not closed as CSV asks"
    return InputError(
        f"{what}, in the record that starts at line {line}",
        remedy='close the quotes there, and write a quote inside a field twice ("")',
        source=path,
    )


def _row_maker(
    source: str, header: list[str], columns: Columns
) -> Callable[[int, list[str]], Report | Reject]:
    place = {name: header.index(name) for name in columns.used}
    id_at = place[columns.id]
    texts = [place[name] for name in columns.texts]
    metas = [(name, place[name]) for name in columns.meta]
    patient_at = None if columns.patient is None else place[columns.patient]
    composer = Composer(columns.texts)

    def make(row: int, cells: list[str]) -> Report | Reject:
        return report_or_reject(
            source,
            row,
            cells[id_at].strip(),
            *composer.join([cells[at] for at in texts]),
            None if patient_at is None else cells[patient_at].strip(),
            {name: cells[at] for name, at in metas} if metas else None,
        )

    return make
