"""The lines of a CoNLL file: rows of a token and its tag, borders of documents, comments."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from labelwright.annotations.tags import (
    DOCSTART,
    DOCUMENT_ID,
    OUTSIDE,
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
"""Stands for the tag in a kept line."""

_SPACE = re.compile(" +")
_NEW = re.compile(r"#\s*newdoc\b")
_PATIENT = re.compile(r"#\s*patient(?:_id)?\s*[=:]\s*(\S.*?)\s*")
NO_TAG = "no column with a tag"
NO_WORD = "no token in the first column"
NO_SCHEME = "the tag is of no scheme: neither O nor B-, I-, E-, S-, L-, U- and a type"


class Line(NamedTuple):
    """One line.

    Attributes:
        number: counted from 1.
        kind: ``row``, ``blank``, ``border`` (a document begins) or ``comment``.
        text: without its end.
        token, tag: of a row; without a token the row stands for nothing.
        bad: why a row has no token or no tag.
        id, patient: what a border or comment says of the document.
        column: where the tag of a row stands; none if -1.
    """

    number: int
    kind: str
    text: str
    token: str = ""
    tag: Tag = OUTSIDE
    bad: str = ""
    id: str = ""
    patient: str = ""
    column: int = -1

    def layout(self) -> str:
        """The line with :data:`TAG` in place of the tag."""
        if not self.token:
            return self.text.replace(TAG, "")
        if self.column < 0:
            return f"{self.text}\t{TAG}"
        fields = _fields(self.text)
        if self.column == len(fields) - 1:
            return self.text[: len(self.text) - len(fields[-1])] + TAG
        fields[self.column] = TAG
        return ("\t" if "\t" in self.text else " ").join(fields)


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
            columns.add(line.text.count("\t"))
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
                remedy=f"give --tag-scheme, one of {', '.join(SCHEMES)}, or remove it",
                source=path,
            )
        return options.tag_scheme
    if (found := detect(pairs)) is not None:
        return found
    if not prefixes_of(pairs) <= {"B", "I"}:
        raise InputError(
            "the tags mix bioes and bilou", remedy="write them in one scheme", source=path
        )
    wrong = ", ".join(f"{misfits(name, pairs)} not {name}" for name in ("bio", "iob1"))
    raise InputError(
        f"tags are out of place in every scheme: {wrong}",
        remedy="name the scheme with --tag-scheme; --bad-annotations says what becomes of the rest",
        source=path,
    )


def _line(number: int, line: str, column: int) -> Line:
    if not line.strip(" \t"):
        return Line(number, "blank", line)
    if line.startswith(DOCSTART):
        return Line(number, "border", line)
    if line[0] == "#" and (comment := _comment(number, line, column)) is not None:
        return comment
    fields = _fields(line)
    at = column if column >= 0 else len(fields) - 1
    token = fields[0].strip(" ")
    if not token or TAG in line:
        return Line(number, "row", line, bad=NO_WORD)
    if not 0 < at < len(fields):
        return Line(number, "row", line, token, bad=NO_TAG)
    tag = _tag(fields[at].strip(" "))
    if tag is None:
        return Line(number, "row", line, token, bad=NO_SCHEME, column=at)
    return Line(number, "row", line, token, tag, column=at)


_tag = lru_cache(maxsize=4096)(tag_of)


def _fields(line: str) -> list[str]:
    return line.split("\t") if "\t" in line else _SPACE.split(line.rstrip(" "))


def _comment(number: int, line: str, column: int) -> Line | None:
    """A line that begins with ``#``, unless it is a row whose token does."""
    if (match := DOCUMENT_ID.fullmatch(line)) is not None:
        return Line(number, "border", line, id=match[1] or match[2])
    fields = _fields(line)
    if len(fields) > 1 and not -1 <= column >= len(fields) and tag_of(fields[column]) is not None:
        return None
    if _NEW.match(line):
        return Line(number, "border", line)
    match = _PATIENT.fullmatch(line)
    return Line(number, "comment", line, patient="" if match is None else match[1])
