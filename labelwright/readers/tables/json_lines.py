"""JSON lines, plain or packed: one object per report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from labelwright.errors import InputError
from labelwright.readers.inputs import Counted, read_inputs
from labelwright.readers.json_stream import Line, numbered_lines
from labelwright.readers.options import ReadOptions
from labelwright.readers.strict_json import encodable, has_twice, object_of
from labelwright.readers.tables.columns import Columns, numbered_id, report_or_reject, resolve
from labelwright.records import Reject, Report
from labelwright.text.sections import Composer

_PEEKED = 100
"""Lines whose keys make the columns: a writer may leave out keys without a value."""


SUFFIXES = (".json", ".jsonl", ".ndjson")


def read_jsonl(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
    """Yield one report or reject per object, of a file or of all files below a folder.

    ``row`` is the line, or the number of an array's element.

    Raises:
        InputError: the file or its encoding is broken, a key is missing in all of the first
            100 objects, or there are none; in a folder such a file is a reject.
    """
    if not path.is_dir():
        yield from _of_file(path, options)
        return

    def counted(file: Path) -> Iterator[Counted]:
        return (Counted(item.row, item) for item in _of_file(file, options))

    yield from read_inputs(path, SUFFIXES, counted, "JSON object")


def _of_file(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
    rest = numbered_lines(path, options)
    columns, peeked = peeked_columns(rest, path, options)
    composer = Composer(columns.texts)
    for number, line in chain(peeked, rest):
        value = object_of(line)
        if isinstance(value, str):
            yield Reject(None, str(path), number, value)
        else:
            yield report_of(str(path), number, value, columns, composer)


def count_jsonl(path: Path, options: ReadOptions) -> int:
    """How many reports and rejects :func:`read_jsonl` would yield."""
    if path.is_dir():
        return sum(1 for _ in read_jsonl(path, options))
    rest = numbered_lines(path, options)
    _, peeked = peeked_columns(rest, path, options)
    return len(peeked) + sum(1 for _ in rest)


def peeked_columns(
    numbered: Iterator[tuple[int, Line]], path: Path, options: ReadOptions
) -> tuple[Columns, list[tuple[int, Line]]]:
    """The columns, from the keys of the first lines, and those lines.

    Raises:
        InputError: none of them is an object, or a column cannot be told.
    """
    peeked = list(islice(numbered, _PEEKED))
    parsed = [object_of(line) for _, line in peeked]
    keys = dict.fromkeys(key for value in parsed if isinstance(value, dict) for key in value)
    if not keys:
        raise InputError(
            "no JSON object in the first lines",
            remedy='write one object such as {"id": …, "text": …} per line',
            source=path,
        )
    return resolve(list(keys), options, path), peeked


def report_of(
    source: str, row: int, value: Mapping[str, Any], columns: Columns, composer: Composer
) -> Report | Reject:
    """The report of one object, or why it is none."""
    if has_twice(value, columns.used):
        return Reject(None, source, row, "a key that is read appears twice in the object")
    given = numbered_id(source, row) if columns.id is None else value.get(columns.id)
    identifier = scalar(given)
    if identifier is None:
        return Reject(None, source, row, "the id is neither text nor a whole number")
    parts = ["" if (part := value.get(name)) is None else part for name in columns.texts]
    if not all(isinstance(part, str) for part in parts):
        return Reject(identifier, source, row, "a text column holds something else than text")
    patient = None if columns.patient is None else scalar(value.get(columns.patient))
    if not encodable("".join((identifier, patient or "", *parts))):
        return Reject(None, source, row, "half a surrogate pair stands in it, no character")
    meta = {name: meta_text(value.get(name)) for name in columns.meta}
    return report_or_reject(source, row, identifier.strip(), *composer.join(parts), patient, meta)


def scalar(value: Any) -> str | None:
    """Text of an id: strings and whole numbers; ``""`` for null, ``None`` for anything else.

    >>> scalar(7), scalar(7.0), scalar(7.5)
    ('7', '7', None)
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():  # an empty cell makes floats of a column
        return str(int(value))
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def meta_text(value: Any) -> str:
    """A value as metadata: text as it is, anything else as JSON."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode("utf-8")
