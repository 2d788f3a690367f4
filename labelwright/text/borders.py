"""Where words of a text begin and end, in bytes, for what copies them byte by byte."""

from __future__ import annotations

import unicodedata


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
