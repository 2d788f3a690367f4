"""A note as the page shows it: lines, the lengths of their words, and places in them.

What a line holds is shown sign for sign: control characters as their pictures, so that the browser
neither drops nor joins any. Lengths are in the browser's units (UTF-16); it uses them to draw and
never sends them back.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from labelwright.records import Section, Span
from labelwright.text.section_headings import BODY
from labelwright.text.sections import split_sections
from review.text.words import words

_BREAK = re.compile("\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")
_LONGEST = 4000
"""Characters of a line; longer ones go on in another, at a space where there is one."""
_SHOWN = {code: chr(0x2400 + code) for code in range(0x20) if code != 9}
_SHOWN |= {0x7F: "\u2421"} | dict.fromkeys(range(0x80, 0xA0), "\ufffd")


@dataclass(frozen=True)
class Line:
    """One line of a note, without its break."""

    start: int
    text: str

    @property
    def shown(self) -> str:
        """The text with control characters as pictures."""
        return self.text.translate(_SHOWN)

    @cached_property
    def wide(self) -> tuple[int, ...]:
        """Offsets of characters that the browser counts twice."""
        return tuple(at for at, sign in enumerate(self.text) if sign > "\uffff")

    def units(self, offset: int) -> int:
        """An offset of the line in the browser's units."""
        return offset + bisect_right(self.wide, offset - 1)


class Page:
    """Everything of a note's text that the page needs; made once and kept."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = words(text)
        self.lines = _lines(text)
        self._starts = [line.start for line in self.lines]

    def measures(self) -> list[list[int]]:
        """Per line, gap and length of each word in turn, in the browser's units."""
        found: list[list[int]] = [[] for _ in self.lines]
        ends = [0] * len(self.lines)
        for start, end in self.words:
            number = self.line_of(start)
            line = self.lines[number]
            first, last = line.units(start - line.start), line.units(end - line.start)
            found[number] += [first - ends[number], last - first]
            ends[number] = last
        return found

    def places(self, spans: Sequence[Span]) -> list[list[int]]:
        """Spans as ``[line, from, to]`` in the browser's units, a piece per line."""
        found = []
        for start, end in spans:
            for number in range(self.line_of(start), self.line_of(max(start, end - 1)) + 1):
                line = self.lines[number]
                first = max(start - line.start, 0)
                last = min(end - line.start, len(line.text))
                if first < last:
                    found.append([number, line.units(first), line.units(last)])
        return found

    def line_of(self, offset: int) -> int:
        """The number of the line that an offset lies in."""
        return max(0, bisect_right(self._starts, offset) - 1)

    def sections(self) -> list[tuple[str, int]]:
        """Names of the sections with their lines, where the note has any."""
        found: list[tuple[str, int]] = []
        sections: Sequence[Section] = split_sections(self.text)
        for section in sections:
            if section.name != BODY or len(sections) > 1:
                found.append((section.name, self.line_of(section.start)))
        return found if any(name != BODY for name, _ in found) else []


def _lines(text: str) -> list[Line]:
    found: list[Line] = []
    start = 0
    for match in _BREAK.finditer(text):
        found += _parts(text, start, match.start())
        start = match.end()
    return found + _parts(text, start, len(text))


def _parts(text: str, start: int, end: int) -> list[Line]:
    """A line, or the pieces of one that is too long."""
    found = []
    while end - start > _LONGEST:
        cut = text.rfind(" ", start + _LONGEST // 2, start + _LONGEST) + 1 or start + _LONGEST
        found.append(Line(start, text[start:cut]))
        start = cut
    return [*found, Line(start, text[start:end])]
