"""What is read of a document: pages of lines of words, and the text they make with its places.

Words keep the box that they have on their page, so that a value's place in the text leads back to
the paper (:func:`boxes_at`). Boxes are in points (1/72 inch) from the page's upper left corner.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""

_LIGATURES = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
_TRANSLATED = str.maketrans(_LIGATURES | {"\xa0": " ", "\u202f": " ", "\u200b": "", "\ufeff": ""})
_HYPHEN = re.compile(r"([^\W\d_]{2,})[-\u00ad\u2010]$")
_SMALL = re.compile(r"[^\W\d_]+")
_EDGE_LINES = 4
"""Lines at the top and the bottom of a page that may be a header or footer."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word: its text, where it stands, and how sure the one who read it is (0 to 1)."""

    text: str
    box: Box | None = None
    confidence: float | None = None


Line = tuple[Word, ...]
"""The words of a line; an empty line parts paragraphs."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        number: counted from 1 in the file.
        lines: in reading order.
        size: width and height in points; zeros where a format has no pages.
        scanned: whether its text was recognised in a picture.
        notes: what a reader of the labels should know of it.
    """

    number: int
    lines: tuple[Line, ...]
    size: tuple[float, float] = (0.0, 0.0)
    scanned: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """A word at ``text[start:end]`` and its place on a page."""

    page: int
    start: int
    end: int
    box: Box | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """The text of some pages.

    Attributes:
        text: lines divided by line ends, pages by an empty line.
        pages: number and first character of each page.
        words: every word in order.
        repeated: the lines at the edges of pages that come again on other pages.
        hyphens: words that were divided at a line end and are whole in the text.
        notes: of all pages, each begun by its kind.
    """

    text: str
    pages: tuple[tuple[int, int], ...]
    words: tuple[Placed, ...]
    repeated: tuple[tuple[int, int], ...] = ()
    hyphens: int = 0
    notes: tuple[str, ...] = ()


def plain(text: str) -> str:
    """Characters as people type them: ligatures as letters, fixed spaces as spaces."""
    return text.translate(_TRANSLATED)


def lines_of(text: str) -> tuple[Line, ...]:
    """Plain text as lines of words without places; several spaces in a row become one."""
    return tuple(tuple(map(Word, line.split())) for line in plain(text).split("\n"))


def text_of_pages(pages: Sequence[Page]) -> Text:
    """Join pages to one text.

    A word divided at the end of a line is joined: without its hyphen, but with it where the
    document elsewhere writes the word with one (``post-operatorio``).
    """
    writer = _Writer(_compounds(pages))
    edges = _edges(pages)
    repeated: list[tuple[int, int]] = []
    notes: list[str] = []
    for page in pages:
        writer.page(page.number)
        for at, line in enumerate(page.lines):
            start, end = writer.line(line)
            if (page.number, at) in edges and start < end:
                repeated.append((start, end))
        notes += (f"{kind}: page {page.number}: {rest}" for kind, rest in map(_parted, page.notes))
    return Text(
        text=writer.text(),
        pages=tuple(writer.starts),
        words=tuple(writer.words),
        repeated=tuple(repeated),
        hyphens=writer.hyphens,
        notes=tuple(notes),
    )


def boxes_at(words: Sequence[Placed], start: int, end: int) -> Iterator[Placed]:
    """The words that ``text[start:end]`` touches, in order."""
    return (word for word in words if word.start < end and word.end > start)


@dataclass(slots=True)
class _Writer:
    """The text so far, its words' places, and the word that waits for its second half."""

    compounds: frozenset[str]
    parts: list[str] = field(default_factory=list)
    words: list[Placed] = field(default_factory=list)
    starts: list[tuple[int, int]] = field(default_factory=list)
    hyphens: int = 0
    _size: int = 0
    _page: int = 0
    _half: str | None = None
    _blank: bool = True

    def page(self, number: int) -> None:
        """Begin a page."""
        if self.starts:
            self._end_line()
            self._write("\n" if self._size else "")
        self.starts.append((number, self._size))
        self._page = number
        self._blank = True

    def line(self, line: Line) -> tuple[int, int]:
        """Write a line; where it stands."""
        if not line:
            if not self._blank:
                self._end_line()
                self._write("\n")
            self._blank = True
            return self._size, self._size
        self._blank = False
        if not self._joined(line[0]):
            self._end_line()
        start = self._size
        for at, word in enumerate(line):
            if at:
                self._write(" ")
            self._word(word, last=at == len(line) - 1)
        return start, self._size

    def text(self) -> str:
        """All of it."""
        self._half = None
        return "".join(self.parts).rstrip("\n")

    def _joined(self, first: Word) -> bool:
        """Take the hyphen back where the line before ended within a word."""
        half, self._half = self._half, None
        rest = _SMALL.match(first.text)
        if half is None or rest is None or not first.text[0].islower():
            return False
        before = half[:-1]
        if f"{before}-{rest[0]}".casefold() not in self.compounds:
            self.parts[-1] = self.parts[-1][:-1]
            self._size -= 1
            last = self.words[-1]
            self.words[-1] = Placed(last.page, last.start, last.end - 1, last.box, last.confidence)
        self.hyphens += 1
        return True

    def _end_line(self) -> None:
        self._half = None
        if self.parts and not self.parts[-1].endswith("\n"):
            self._write("\n")

    def _word(self, word: Word, *, last: bool) -> None:
        start = self._size
        self._write(word.text)
        self.words.append(Placed(self._page, start, self._size, word.box, word.confidence))
        self._half = word.text if last and _HYPHEN.search(word.text) else None

    def _write(self, text: str) -> None:
        if text:
            self.parts.append(text)
            self._size += len(text)


def _compounds(pages: Sequence[Page]) -> frozenset[str]:
    """Words with a hyphen that stand whole within a line."""
    found = set()
    for page in pages:
        for line in page.lines:
            for word in line:
                for compound in re.findall(r"[^\W\d_]+-[^\W\d_]+", word.text):
                    found.add(compound.casefold())
    return frozenset(found)


def _edges(pages: Sequence[Page]) -> set[tuple[int, int]]:
    """``(page, line)`` of lines at an edge that come again at that edge of most pages.

    Numbers do not count, so that "page 2 of 3" repeats "page 1 of 3".
    """
    keys: dict[tuple[int, int], tuple[str, str]] = {}
    for page in pages:
        filled = [at for at, line in enumerate(page.lines) if line]
        for edge, chosen in (("top", filled[:_EDGE_LINES]), ("bottom", filled[-_EDGE_LINES:])):
            for at in chosen:
                words = " ".join(word.text for word in page.lines[at])
                keys.setdefault((page.number, at), (edge, re.sub(r"\d+", "#", words.casefold())))
    often = Counter(keys.values())
    least = max(2, -(-len(pages) * 3 // 5))
    return {place for place, key in keys.items() if often[key] >= least}


def _parted(note: str) -> tuple[str, str]:
    kind, _, rest = note.partition(": ")
    return kind, rest
