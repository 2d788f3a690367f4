"""Passing over one CSV record that is too long to be read, without keeping it."""

from __future__ import annotations

import csv
import re
from enum import Enum, auto
from typing import TextIO

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
