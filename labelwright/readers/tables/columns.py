"""Which columns hold id, text, patient and metadata, and how a row becomes a report."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

from labelwright.errors import InputError
from labelwright.io.delimited import NUMBER, shown
from labelwright.readers.options import ReadOptions
from labelwright.records import Reject, Report, Section
from labelwright.text import column_names as names

ERRORS = re.compile(
    r"#(?:NULL!|DIV/0!|VALUE!|REF!|NAME\?|NUM!|N/?[AVDB]|NB|GETTING_DATA|SPILL!|CALC!|FIELD!"
    r"|BLOCKED!|CONNECT!|UNKNOWN!|BUSY!|WERT!|BEZUG!|ZAHL!|ÜBERLAUF!|VALEUR!|NOM\?|NOMBRE!|VALOR!"
    r"|¡VALOR!|¡REF!|RIF!|¿NOMBRE\?|¡NUM!|¡DIV/0!|VALORE!|NOME\?|WAARDE!|VERW!|NAAM\?|GETAL!"
    r"|DEEL/0!)|Err:5\d\d"
)
"""What spreadsheets write into a cell that they could not compute, in six languages."""
_PARTS = (names.FINDINGS, names.IMPRESSION)
_ERROR = "an error of a spreadsheet, such as #REF!"

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that are read, by their names in the file; no ``id`` where rows are numbered."""

    id: str | None
    texts: tuple[str, ...]
    patient: str | None
    meta: tuple[str, ...]

    @property
    def used(self) -> tuple[str, ...]:
        """All of them, each once."""
        names = (self.id, *self.texts, self.patient, *self.meta)
        return tuple(dict.fromkeys(name for name in names if name is not None))


def resolve(found: Sequence[str], options: ReadOptions, source: str | Path) -> Columns:
    """The columns asked for, or those with usual names where none are.

    Raises:
        InputError: a column is missing, is there twice, or cannot be told from another.
    """
    numbered = options.id_column == NUMBER and NUMBER not in found
    asked = [None if numbered else options.id_column, *options.text_columns, options.patient_column]
    named = dict.fromkeys(name for name in [*asked, *options.meta_columns] if name is not None)
    if missing := [name for name in named if name not in found]:
        near = [name for name in found if any(names.same(name, other) for other in missing)]
        advice = f"did you mean {shown(near)}? " if near else ""
        raise _error(f"no column {', '.join(missing)}", found, source, advice)
    unclear: list[_UnclearError] = []
    columns = Columns(
        id=None if numbered else options.id_column or _either(_id, found, unclear) or "",
        texts=options.text_columns or _either(_texts, found, unclear) or (),
        patient=options.patient_column or _either(_patient, found, unclear),
        meta=options.meta_columns,
    )
    if unclear:
        problem = ", and ".join(each.problem for each in unclear)
        flags = " and ".join(each.flag for each in unclear)
        them = "it" if len(unclear) == 1 else "them"
        no_id = any(each.flag == "--id-column" for each in unclear) and not has_id(found)
        number = f", or number the rows with --id-column '{NUMBER}'" if no_id else ""
        raise _error(problem, found, source, f"name {them} with {flags}{number}; ")
    if columns.id in columns.texts:
        raise _error(f"the column {columns.id} cannot be both id and text", found, source)
    if twice := [name for name in columns.used if found.count(name) > 1]:
        raise _error(f"the column {', '.join(twice)} is there more than once", found, source)
    return columns


Row = list[str] | None
"""The cells of a row; ``None`` for one that is too long."""
_ABOVE = 10
"""Rows in which the header is looked for: titles may stand above it."""


def header_of(
    rows: Iterator[Row], options: ReadOptions, source: str | Path
) -> tuple[list[str], Columns, Iterator[Row]]:
    """The names of the columns, which of them are read, and the rows below.

    The first row is the header, unless it names no column that is looked for and one of the next
    does: what stands above that is a title. Of two rows of names, the upper one with merged cells
    (so with fewer names), the lower is taken.

    Raises:
        InputError: as :func:`resolve`, of the first row.
    """
    problem: InputError | None = None
    for at, cells in enumerate(islice(rows, _ABOVE)):
        header = [cell.strip() for cell in cells or ()]
        try:
            columns = resolve(header, options, source)
        except InputError as error:
            problem = problem or error
            continue
        if at or "" not in header:
            return header, columns, rows
        below = list(islice(rows, 1))
        lower = [cell.strip() for row in below for cell in row or ()]
        with suppress(InputError):  # a row of data
            found = resolve(lower, options, source)
            if sum(map(bool, lower)) > sum(map(bool, header)):
                return lower, found, rows
        return header, columns, chain(below, rows)
    raise problem or _error("no header", (), source)


def report_or_reject(
    source: str,
    row: int,
    identifier: str,
    text: str,
    sections: tuple[Section, ...],
    patient: str | None = None,
    meta: Mapping[str, str] | None = None,
) -> Report | Reject:
    """The report of one row, or why it is none: no id, no text, or NUL bytes."""
    if not identifier:
        return Reject(None, source, row, "the id is missing")
    if "\0" in identifier:
        return Reject(None, source, row, "the id holds NUL bytes")
    if is_error(identifier):
        return Reject(None, source, row, f"the id is {_ERROR}")
    if not text or text.isspace():
        return Reject(identifier, source, row, "the report has no text")
    if "\0" in text:
        return Reject(identifier, source, row, "the report holds NUL bytes")
    if is_error(text) or any(is_error(text[part.start : part.end]) for part in sections):
        return Reject(identifier, source, row, f"the text is {_ERROR}")
    return Report(identifier, text, source, row, patient or None, sections, meta or {})


def is_error(text: str) -> bool:
    """Whether a text is nothing but an error of a spreadsheet.

    >>> is_error("#REF!"), is_error("#N/A"), is_error("#1 fracture")
    (True, True, False)
    """
    return text[:1] in ("#", "E") and ERRORS.fullmatch(text) is not None


def numbered_id(source: str, row: int) -> str:
    """The id of a row without one: the name of its file, and of its sheet, and its number."""
    return f"{Path(source).name}{NUMBER}{row}"


def has_id(found: Sequence[str]) -> bool:
    """Whether a column is named as an id is."""
    return bool(names.either(found, names.ID))


def is_report(value: Mapping[str, Any], options: ReadOptions) -> bool:
    """Whether an object has an id and a text of its own, whatever else it holds."""
    texts = options.text_columns or [
        name for kind in (names.TEXT, *_PARTS) for name in names.either([*value], kind)
    ]
    if options.id_column is None:
        named = has_id([*value])
    else:
        named = options.id_column == NUMBER or options.id_column in value
    return named and any(isinstance(value.get(name), str) for name in texts)


def usual(found: Sequence[str], what: str) -> str | None:
    """The one key that is named as an ``id``, ``text`` or ``patient`` is; ``None`` if none is."""
    fitting = names.either(found, what)
    return fitting[0] if len(fitting) == 1 else None


class _UnclearError(Exception):
    """None of the columns, or several, may hold what is looked for; ``flag`` would name it."""

    def __init__(self, problem: str, flag: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.flag = flag


def _either(
    find: Callable[[Sequence[str]], _Found], found: Sequence[str], unclear: list[_UnclearError]
) -> _Found | None:
    """What ``find`` finds; else ``None``, and one more of ``unclear``: all are said at once."""
    try:
        return find(found)
    except _UnclearError as problem:
        unclear.append(problem)
        return None


def _id(found: Sequence[str]) -> str:
    return _one(names.either(found, names.ID), "id", "--id-column")


def _texts(found: Sequence[str]) -> tuple[str, ...]:
    """The column of whole reports; else those of findings and impression."""
    for named in (names.usual, names.exported):
        whole = named(found, names.TEXT)
        parts = [named(found, part) for part in _PARTS]
        fitting = [*whole, *chain.from_iterable(parts)]
        if any(parts) and not whole:  # the other part may be named as in exports
            parts = [own or names.exported(found, p) for own, p in zip(parts, _PARTS, strict=True)]
            fitting = list(chain.from_iterable(parts))
            if all(len(part) < 2 for part in parts):
                return tuple(fitting)
        if fitting:
            break
    return (_one(fitting, "text", "--text-columns"),)


def _patient(found: Sequence[str]) -> str | None:
    fitting = names.either(found, names.PATIENT)
    return _one(fitting, "patient", "--patient-column") if fitting else None


def _one(fitting: Sequence[str], what: str, flag: str) -> str:
    """The only one.

    Raises:
        _UnclearError: there is none, or there are several.
    """
    if len(fitting) == 1:
        return fitting[0]
    problem = (
        f"columns {', '.join(fitting)} may each hold the {what}"
        if fitting
        else f"no column looks like the {what}"
    )
    raise _UnclearError(problem, flag)


def _error(what: str, found: Sequence[str], source: str | Path, advice: str = "") -> InputError:
    if len(found) == 1 and (other := next((c for c in ";\t|," if c in found[0]), None)):
        kind = {"\t": "tabs: give --delimiter tab"}.get(other, f"{other!r}: give --delimiter")
        return InputError(what, remedy=f"the columns seem to be separated by {kind}", source=source)
    return InputError(what, remedy=f"{advice}columns found: {shown(found)}", source=source)
