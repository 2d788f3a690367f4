"""Guides that decide byte by byte, so that no token can slip past what may be written.

What copies words of a text asks where they begin and end, in bytes.
"""

from __future__ import annotations

import unicodedata
from abc import ABC, abstractmethod
from typing import Generic, TypeVar


def borders(text: str) -> tuple[set[int], set[int]]:
    """Byte offsets (UTF-8) where a mention may begin, and where it may end."""
    starts: set[int] = set()
    ends: set[int] = set()
    at = 0
    before = " "
    for char in text:
        inside = unicodedata.combining(char) or (before.isalnum() and char.isalnum())
        if not char.isspace() and not inside:
            starts.add(at)
        if not before.isspace() and not inside:
            ends.add(at)
        at += len(char.encode("utf-8", "replace"))
        if not unicodedata.combining(char):
            before = char
    if not before.isspace():
        ends.add(at)
    return starts, ends


S = TypeVar("S")
"""The state of a guide; never ``None``."""


class ByteWise(ABC, Generic[S]):
    """The part of a :class:`labelwright.tasks.shapes.Guide` that walks through a token's bytes."""

    @abstractmethod
    def step(self, state: S, byte: int) -> S | None:
        """The state behind one byte; ``None`` where it would not be valid."""

    def advance(self, state: S, piece: bytes) -> S | None:
        """The state behind a token's bytes; ``None`` where they would not be valid."""
        now: S | None = state
        for byte in piece:
            now = None if now is None else self.step(now, byte)
        return now
