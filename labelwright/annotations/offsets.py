"""Whether offsets fit the words they should cover, in characters or in UTF-16 code units."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from labelwright.records import Span

UNITS = ("characters", "utf-16")
"""What offsets may count: Unicode code points, or code units of UTF-16 as JavaScript does."""


class Utf16:
    """Offsets of one text in UTF-16 code units, where some characters are two units long."""

    def __init__(self, text: str) -> None:
        wide = () if text.isascii() else [at for at, char in enumerate(text) if char > "\uffff"]
        self._starts = [at + number for number, at in enumerate(wide)]
        self._points = wide

    @property
    def differs(self) -> bool:
        """Whether any character is two units long."""
        return bool(self._starts)

    def point(self, unit: int) -> int | None:
        """The code point at a unit; ``None`` in the middle of a character."""
        before = bisect_left(self._starts, unit)
        if before and self._starts[before - 1] == unit - 1:
            return None
        return unit - before

    def unit(self, point: int) -> int:
        """The unit at a code point."""
        return point + bisect_left(self._points, point)

    def points(self, spans: Sequence[Span]) -> tuple[Span, ...] | None:
        """Spans of units as spans of code points; ``None`` if one cuts a character apart."""
        found = []
        for start, end in spans:
            first, last = self.point(start), self.point(end)
            if first is None or last is None:
                return None
            found.append((first, last))
        return tuple(found)


def inside(text: str, spans: Sequence[Span]) -> bool:
    """Whether spans are in order, apart from each other, not empty and within the text."""
    at = 0
    for start, end in spans:
        if start < at or end <= start:
            return False
        at = end
    return bool(spans) and at <= len(text)


def covers(text: str, spans: Sequence[Span], words: str) -> bool:
    """Whether spans cover these words, up to the length and kind of white space."""
    if not inside(text, spans):
        return False
    covered = " ".join(text[start:end] for start, end in spans)
    return covered == words or covered.split() == words.split()
