"""JSON documents of any size, their long list given element by element, in bounded memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from labelwright.errors import InputError
from labelwright.readers import opening
from labelwright.readers.brought import STANDARD_FILE
from labelwright.readers.opening import TOO_LONG, faults, lines, open_text
from labelwright.readers.options import ReadOptions
from labelwright.readers.strict_json import DECODER, Ambiguous, object_of
from labelwright.readers.tables.columns import is_report

_BLOCK = 1 << 18
_SPACE = re.compile(r"[ \t\r\n]*")
_NEAR = 64
"""Characters before the end of what was read in which an error may only mean: read on."""


@dataclass(frozen=True, slots=True)
class Part:
    """An element of the streamed list, or a document without that list.

    Attributes:
        value: as :data:`labelwright.readers.strict_json.DECODER` gives it.
        element: whether it is an element.
    """

    value: Any
    element: bool


def parts(handle: TextIO, path: Path, key: str, only_if: tuple[str, str]) -> Iterator[Part]:
    """Read documents one after another.

    An array gives its elements. An object gives the elements of its list ``key`` as they come,
    unless its member ``only_if[0]`` came before and is not ``only_if[1]``; then the object with
    its other members.

    Raises:
        InputError: the text is not valid JSON, or an element or the rest of a document is
            longer than :data:`labelwright.readers.opening.LONGEST`.
    """
    source = _Source(handle, path)
    if source.peek() == "\ufeff":
        source.take("\ufeff")
    while character := source.peek():
        if character == "[":
            yield from (Part(value, True) for value in source.elements())
        elif character == "{":
            yield from _object(source, key, only_if)
        else:
            yield Part(source.value(), False)


Line = str | dict[str, Any]
"""A line as it stands in the file, or an object that was parsed already."""


def numbered_lines(path: Path, options: ReadOptions) -> Iterator[tuple[int, Line]]:
    """Number (from 1) and text of each line that is not blank, :data:`TOO_LONG` ones included.

    A file that begins with an array gives its elements, numbered likewise, and so does a ``.json``
    file whose first line is no row by itself: its objects, or the rows that the only list of
    objects in one holds (``{"reports": [{"id": …}, …]}``), unless it has an id and a text itself.

    Raises:
        InputError: the file or its encoding is broken, or nothing is in it.
    """
    with faults(path, options.encoding) as position, open_text(path, options.encoding) as handle:
        used = 0
        for number, line in enumerate(lines(handle, path), 1):
            position.row = number
            if line == TOO_LONG or line.strip(" \t\r\n"):
                if not used and _is_one_text(path, line, options):
                    break
                used += 1
                yield number, line
        else:
            if not used:
                raise InputError(
                    "the file has no rows", remedy="write one JSON object per line", source=path
                )
            return
    yield from _elements(path, options)


def _is_one_text(path: Path, first: str, options: ReadOptions) -> bool:
    name = path.name.lower().removesuffix(".gz").removesuffix(".zst")
    start = first.lstrip(" \t\r\n\ufeff")
    if start.startswith("["):
        return True
    whole = object_of(first) if name.endswith((".json", STANDARD_FILE)) else {}
    return not isinstance(whole, dict) or bool(_wrapped(whole, options))


def _elements(path: Path, options: ReadOptions) -> Iterator[tuple[int, Line]]:
    with faults(path, options.encoding) as position, open_text(path, options.encoding) as handle:
        for part in parts(handle, path, "\0", ("", "")):
            inside = () if part.element else _wrapped(part.value, options)
            for value in inside or (part.value,):
                position.row += 1
                yield position.row, value if isinstance(value, dict) else "null"
        if not position.row:
            raise InputError(
                "the file has no rows", remedy="write one JSON object per report", source=path
            )


def _wrapped(value: Any, options: ReadOptions) -> tuple[dict[str, Any], ...]:
    """The objects of the only list of objects in an object that is no report by itself."""
    if not isinstance(value, dict) or is_report(value, options):
        return ()
    lists = [
        found
        for found in value.values()
        if isinstance(found, list) and found and all(isinstance(each, dict) for each in found)
    ]
    return tuple(lists[0]) if len(lists) == 1 else ()


def _object(source: _Source, key: str, only_if: tuple[str, str]) -> Iterator[Part]:
    members: dict[str, Any] = {}
    twice: set[str] = set()
    size = 0
    source.take("{")
    while source.peek() != "}":
        name = source.value()
        if not isinstance(name, str):
            raise source.damage()
        source.take(":")
        if name in members:
            twice.add(name)
        if (
            name == key
            and source.peek() == "["
            and members.get(only_if[0], only_if[1]) == only_if[1]
        ):
            yield from (Part(value, True) for value in source.elements())
        else:
            before = source.passed
            members[name] = source.value()
            size += source.passed - before
            if size > opening.LONGEST:
                raise source.too_long()
        source.comma("}")
    source.take("}")
    if twice:
        members = Ambiguous(members)
        members.twice = frozenset(twice)
    yield Part(members, False)


class _Source:
    """Text that is read on as parsing needs it; what was parsed is forgotten."""

    def __init__(self, handle: TextIO, path: Path) -> None:
        self._handle = handle
        self._path = path
        self._text = ""
        self._at = 0
        self._before = 0
        self._ended = False

    @property
    def passed(self) -> int:
        """Characters parsed so far."""
        return self._before + self._at

    def peek(self) -> str:
        """The next character that is no white space, or ``""`` at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = self._at if match is None else match.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._read_on()

    def take(self, character: str) -> None:
        """Pass one character that must come next."""
        if self.peek() != character:
            raise self.damage()
        self._at += 1

    def comma(self, closing: str) -> None:
        """Pass a comma, which ``closing`` must not follow, unless ``closing`` comes next."""
        if self.peek() == closing:
            return
        self.take(",")
        if self.peek() == closing:
            raise self.damage()

    def elements(self) -> Iterator[Any]:
        """The elements of the array that comes next."""
        self.take("[")
        while self.peek() != "]":
            yield self.value()
            self.comma("]")
        self.take("]")

    def value(self) -> Any:
        """The value that comes next, whole."""
        if not self.peek():
            raise self.damage()
        while True:
            try:
                found, end = DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or error.pos + _NEAR >= len(self._text)
                if self._ended or not cut:
                    raise self.damage() from None
            except (ValueError, RecursionError):
                raise self.damage() from None
            else:
                if end < len(self._text) or self._ended:  # else a number may go on
                    self._at = end
                    return found
            self._read_on()

    def damage(self) -> InputError:
        """The error for text that is no JSON, at the place reached."""
        return InputError(
            f"not valid JSON in the value that starts at character {self.passed + 1}",
            remedy="export or copy the file again",
            source=self._path,
        )

    def too_long(self) -> InputError:
        """The error for a value that is too long."""
        return InputError(
            f"a JSON value is longer than {opening.LONGEST} characters",
            remedy="export one object per line (NDJSON)",
            source=self._path,
        )

    def _read_on(self) -> None:
        rest = self._text[self._at :]
        if len(rest) > opening.LONGEST:
            raise self.too_long()
        self._before += self._at
        block = self._handle.read(max(_BLOCK, len(rest)))
        self._ended = not block
        self._text, self._at = rest + block, 0
