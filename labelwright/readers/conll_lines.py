"""The lines of a CoNLL file: rows of a token and its tag, borders of documents, comments."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labelwright.annotations.tags import (
    SCHEMES,
    UNTYPED,
    Pair,
    Tag,
    detect,
    misfits,
    pairs_of,
    prefixes_of,
    tag_of,
)
from labelwright.errors import InputError
from labelwright.readers import opening
from labelwright.readers.opening import TOO_LONG, faults, lines, open_text
from labelwright.readers.options import ReadOptions

TAG = "\0"
"""Stands in :attr:`Line.layout` for the tag."""

_SPACE = re.compile(r"[ \t]+")
_DOCSTART = "-DOCSTART-"
_NEW = re.compile(r"#\s*newdoc\b")
_ID = re.compile(r"#\s*(?:id|doc_?id|document_id|newdoc\s+id)\s*[=:]\s*(\S.*?)\s*|# id (\S+).*")
_PATIENT = re.compile(r"#\s*patient(?:_id)?\s*[=:]\s*(\S.*?)\s*")
NO_TAG = "no column with a tag"
NO_WORD = "no token in the first column"
NO_SCHEME = "the tag is of no scheme: neither O nor B-, I-, E-, S-, L-, U- and a type"


@dataclass(frozen=True, slots=True)
class Line:
    """One line.

    Attributes:
        number: counted from 1.
        kind: ``row``, ``blank``, ``border`` (a document begins) or ``comment``.
        layout: the line as it is, with :data:`TAG` in place of the tag.
        token, tag: of a row; without a token the row stands for nothing.
        bad: why a row has no token or no tag.
        id, patient: what a border or comment says of the document.
    """

    number: int
    kind: str
    layout: str
    token: str = ""
    tag: Tag = ("", "")
    bad: str = ""
    id: str = ""
    patient: str = ""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a first pass found: the scheme, whether tags have no type, whether there are borders."""

    scheme: str
    bare: bool
    borders: bool


def lines_of(path: Path, options: ReadOptions) -> Iterator[Line]:
    """All lines of a file.

    Raises:
        InputError: the file or its encoding is broken.
    """
    column = -1 if options.tag_column is None else options.tag_column - 1
    with faults(path, options.encoding) as position, open_text(path, options.encoding) as handle:
        for number, line in enumerate(lines(handle, path), 1):
            position.row = number
            if line == TOO_LONG:
                yield Line(number, "row", "", bad=opening.too_long())
            else:
                yield _line(number, line.rstrip("\r\n"), column)


def survey(path: Path, options: ReadOptions) -> Survey:
    """Read a file for its scheme.

    Raises:
        InputError: as :func:`lines_of`, no tags in it, or tags that fit no scheme or not the one
            that ``options`` name.
    """
    pairs: Counter[Pair] = Counter()
    tags: list[Tag] = []
    rows = 0
    borders = False
    types: set[str] = set()
    for line in lines_of(path, options):
        if line.kind == "row":
            if not line.token:
                continue
            rows += not line.bad
            tags.append(line.tag)
            types.add(line.tag[1])
        elif line.kind != "comment":
            pairs_of(tags, pairs)
            tags.clear()
            borders = borders or line.kind == "border"
    pairs_of(tags, pairs)
    if not rows:
        raise InputError(
            "no line has a token and a tag",
            remedy="CoNLL has a token first and a tag such as B-Disease last (--tag-column)",
            source=path,
        )
    return Survey(_scheme(pairs, options, path), types <= {"", UNTYPED}, borders)


def looks_tagged(path: Path, options: ReadOptions, most: int = 100) -> bool:
    """Whether each of the first rows ends in a tag, which no table of reports does."""
    columns: set[int] = set()
    for line in lines_of(path, options):
        if line.kind == "row":
            columns.add(line.layout.count("\t"))
            if line.bad or len(columns) > 1 or 0 in columns:
                return False
        if line.number == most:
            break
    return bool(columns)


def _scheme(pairs: Counter[Pair], options: ReadOptions, path: Path) -> str:
    if options.tag_scheme is not None:
        if misfits(options.tag_scheme, pairs) is None:
            used = ", ".join(sorted(prefixes_of(pairs)))
            raise InputError(
                f"tags with {used} are not {options.tag_scheme}",
                remedy=f"give --tag-scheme, one of {', '.join(SCHEMES)}, or leave it out",
                source=path,
            )
        return options.tag_scheme
    if (found := detect(pairs)) is not None:
        return found
    counts = {scheme: misfits(scheme, pairs) for scheme in SCHEMES}
    wrong = ", ".join(f"{count} not {name}" for name, count in counts.items() if count)
    if not wrong:
        raise InputError(
            "the tags mix bioes and bilou", remedy="write them in one scheme", source=path
        )
    raise InputError(
        f"tags are out of place in every scheme: {wrong}",
        remedy="name the scheme with --tag-scheme; --bad-annotations says what becomes of the rest",
        source=path,
    )


def _line(number: int, line: str, column: int) -> Line:
    if not line.strip(" \t"):
        return Line(number, "blank", line)
    if line.startswith(_DOCSTART):
        return Line(number, "border", line)
    if line[0] == "#" and (comment := _comment(number, line, column)) is not None:
        return comment
    line = line.rstrip(" \t") if "\t" not in line else line
    if "\t" in line:
        fields = line.split("\t")
    else:
        fields = _SPACE.split(line)
    at = column if column >= 0 else len(fields) - 1
    token = fields[0].strip(" ")
    if not token or TAG in line:
        return Line(number, "row", line.replace(TAG, ""), bad=NO_WORD)
    if not 0 < at < len(fields):
        return Line(number, "row", f"{line}\t{TAG}", token, bad=NO_TAG)
    tag = tag_of(fields[at].strip(" "))
    layout = _layout(line, fields, at)
    if tag is None:
        return Line(number, "row", layout, token, bad=NO_SCHEME)
    return Line(number, "row", layout, token, tag)


def _layout(line: str, fields: list[str], at: int) -> str:
    if at == len(fields) - 1:
        return line[: len(line) - len(fields[at])] + TAG
    between = "\t" if "\t" in line else " "
    return between.join((*fields[:at], TAG, *fields[at + 1 :]))


def _comment(number: int, line: str, column: int) -> Line | None:
    """A line that begins with ``#``, unless it is a row whose token does."""
    if (match := _ID.fullmatch(line)) is not None:
        return Line(number, "border", line, id=match[1] or match[2])
    fields = line.split("\t") if "\t" in line else _SPACE.split(line)
    if len(fields) > 1 and not -1 <= column >= len(fields) and tag_of(fields[column]) is not None:
        return None
    if _NEW.match(line):
        return Line(number, "border", line)
    match = _PATIENT.fullmatch(line)
    return Line(number, "comment", line, patient="" if match is None else match[1])
