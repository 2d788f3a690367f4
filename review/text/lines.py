"""A note as the page shows it: parts, lines, the lengths of their words, and places in them.

What a line holds is shown sign for sign: control characters as their pictures, so that the browser
neither drops nor joins any. Lengths are in the browser's units (UTF-16); it uses them to draw and
never sends them back. A long note is shown a part at a time; words are numbered through all of it.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from labelwright.records import Section, Span
from labelwright.text.section_headings import BODY
from labelwright.text.sections import split_sections
from review.text.words import binds, continues, count, covering, words

_BREAK = re.compile("\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")
_LONGEST = 4000
"""Characters of a line; longer ones go on in another, at a space where there is one."""
PART = 40_000
"""Characters of a part; the last line of it may go beyond."""
_KEPT = 2000
"""Lines whose words are kept."""
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
        text = self.text
        if text.isascii() or max(text) <= "\uffff":
            return ()
        return tuple(at for at, sign in enumerate(text) if sign > "\uffff")

    def units(self, offset: int) -> int:
        """An offset of the line in the browser's units."""
        return offset + bisect_right(self.wide, offset - 1)


class Page:
    """A note's text with what the page needs; made once and kept.

    Attributes:
        count: words of the note.
        parts: the number of each part's first line, and behind the last the number of lines.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts, self._ends = array("l"), array("l")
        start = 0
        for match in _BREAK.finditer(text):
            self._add(start, match.start())
            start = match.end()
        self._add(start, len(text))
        self._plain = not any(map(binds, set(text)))
        self._words: dict[int, list[Span]] = {}
        self._firsts = array("l", [0])
        self.parts, size = [0], 0
        for number in range(len(self)):
            inside = text[self._starts[number] : self._ends[number]]
            self._firsts.append(self._firsts[-1] + count(inside, plain=self._plain))
            if size > PART:
                self.parts.append(number)
                size = 0
            size += self._ends[number] - self._starts[number]
        self.parts.append(len(self))
        self.count = self._firsts[-1]

    def _add(self, start: int, end: int) -> None:
        """A line, or the pieces of one that is too long."""
        while end - start > _LONGEST:
            cut = self.text.rfind(" ", start + _LONGEST // 2, start + _LONGEST) + 1
            if not cut:
                cut = start + _LONGEST
                while cut > start + _LONGEST // 2 and continues(self.text, cut):
                    cut -= 1
            self._starts.append(start)
            self._ends.append(cut)
            start = cut
        self._starts.append(start)
        self._ends.append(end)

    def __len__(self) -> int:
        """Lines."""
        return len(self._starts)

    def line(self, number: int) -> Line:
        """One line."""
        return Line(self._starts[number], self.text[self._starts[number] : self._ends[number]])

    def lines(self, part: int = 0) -> list[Line]:
        """The lines of a part."""
        return [self.line(number) for number in range(*self.parts[part : part + 2])]

    # Words

    def _split(self, line: int) -> list[Span]:
        start = self._starts[line]
        found = words(self.text[start : self._ends[line]], plain=self._plain)
        return [(start + a, start + b) for a, b in found]

    def words_in(self, line: int) -> list[Span]:
        """The words of a line, as spans of the note."""
        found = self._words.get(line)
        if found is None:
            if len(self._words) >= _KEPT:
                self._words = {}
            found = self._words[line] = self._split(line)
        return found

    def word(self, number: int) -> Span:
        """A word by its number."""
        line = bisect_right(self._firsts, number) - 1
        return self.words_in(line)[number - self._firsts[line]]

    def first_word(self, line: int) -> int:
        """The number of a line's first word, or of the next there is."""
        return self._firsts[line]

    def covering(self, span: Span) -> tuple[int, int] | None:
        """First and last number of the words that a span touches; ``None`` for white space."""
        start, end = span
        line = self.line_of(start)
        inside = covering(self.words_in(line), (start, max(end, self._ends[line])))
        first = self._firsts[line + 1] if inside is None else self._firsts[line] + inside[0]
        line = self.line_of(max(start, end - 1))
        last = self._firsts[line] + bisect_left(self.words_in(line), (end, -1)) - 1
        return (first, last) if first <= last else None

    # What the browser gets

    def measures(self, part: int = 0) -> list[list[int]]:
        """Per line of a part, gap and length of each word in turn, in the browser's units."""
        found = []
        for number in range(*self.parts[part : part + 2]):
            line, row, end = self.line(number), list[int](), 0
            for a, b in self._split(number):
                first, last = line.units(a - line.start), line.units(b - line.start)
                row += (first - end, last - first)
                end = last
            found.append(row)
        return found

    def places(self, spans: Sequence[Span]) -> list[list[int]]:
        """Spans as ``[line, from, to]`` in the browser's units, a piece per line."""
        found = []
        for start, end in spans:
            for number in range(self.line_of(start), self.line_of(max(start, end - 1)) + 1):
                line = self.line(number)
                first = max(start - line.start, 0)
                last = min(end - line.start, len(line.text))
                if first < last:
                    found.append([number, line.units(first), line.units(last)])
        return found

    def line_of(self, offset: int) -> int:
        """The number of the line that an offset lies in."""
        return max(0, bisect_right(self._starts, offset) - 1)

    def sections(self, part: int = 0) -> list[tuple[str, int]]:
        """Names of a part's sections with their lines, where it has any."""
        first, behind = self.parts[part], self.parts[part + 1]
        start = self._starts[first] if first < len(self) else 0
        found: list[tuple[str, int]] = []
        sections: Sequence[Section] = split_sections(self.text[start : self._ends[behind - 1]])
        for section in sections:
            if section.name != BODY or (part == 0 and len(sections) > 1):
                found.append((section.name, self.line_of(start + section.start)))
        return found if any(name != BODY for name, _ in found) else []
