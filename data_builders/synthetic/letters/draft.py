"""A letter on its way to paper: text, marked places, and the noise that may fall between them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from data_builders.synthetic.letters.facts import Fact
from data_builders.synthetic.letters.phrases import Hole, Mark, Part
from data_builders.synthetic.phrases import Draw, pick

_LONG = re.compile(r"[^\W\d_]{6,}")
_MISREAD = {"rn": "m", "à": "a'", "è": "e'", "ò": "o'", "ì": "i'", "ù": "u'", "cl": "d", "ll": "Il"}
_WIDTH = 92


@dataclass(frozen=True, slots=True)
class Manner:
    """How one letter comes: shares of words with a typing slip, of words misread, and wrapping."""

    slips: float
    misread: float
    wrapped: bool


def draw_manner(draw: Draw, noise: float) -> Manner:
    """Draw a manner; ``noise`` 0 gives clean text."""
    kind = draw()
    return Manner(
        slips=0.03 * noise if kind < 0.35 else 0.0,
        misread=0.06 * noise if kind > 0.8 else 0.0,
        wrapped=draw() < 0.5 * noise,
    )


@dataclass(frozen=True, slots=True)
class Said:
    """A field, its value (``None`` where the words are), and where it is said."""

    name: str
    value: str | float | bool | None
    start: int
    end: int


@dataclass(slots=True)
class Draft:
    """The text so far.

    Attributes:
        said: what is marked, in order of the marks' ends.
    """

    draw: Draw
    manner: Manner
    facts: Mapping[str, Fact]
    words: Mapping[str, Sequence[str]]
    keep: frozenset[str]
    said: list[Said] = field(default_factory=list)
    _parts: list[str] = field(default_factory=list)
    size: int = 0

    def plain(self, text: str) -> None:
        """Write text as it is."""
        self._parts.append(text)
        self.size += len(text)

    def phrase(self, parts: Sequence[Part], name: str | None = None, value: object = None) -> None:
        """Write a phrase that stands under a field and a value."""
        for part in parts:
            if isinstance(part, str):
                self.plain(self._noisy(part, name is not None and isinstance(value, bool)))
            elif isinstance(part, Hole):
                self._hole(part, exact=name is not None)
            else:
                self._mark(part, name, value)

    def text(self) -> str:
        """The letter; wrapping puts line ends in place of spaces, so no place moves."""
        text = "".join(self._parts)
        return wrapped(text) if self.manner.wrapped else text

    def _mark(self, mark: Mark, name: str | None, value: object) -> None:
        field_name = mark.field or name
        meant: object = value if mark.field is None else _value(mark.value)
        start = self.size
        fact = self._fact(mark.parts)
        if fact is not None and meant is None:
            meant = fact.value
        if fact is not None:
            self.plain(fact.words)
        else:
            outer = _Marked(mark, name, value, meant)
            self._inside(outer)
        if field_name is not None:
            kept = meant if isinstance(meant, (str, float, bool)) else None
            self.said.append(Said(field_name, kept, start, self.size))

    def _inside(self, outer: _Marked) -> None:
        """Write what a mark holds; words that say a boolean may slip, others are exact."""
        loose = isinstance(outer.meant, bool)
        for part in outer.mark.parts:
            if isinstance(part, str):
                self.plain(self._noisy(part, slips_only=True) if loose else part)
            elif isinstance(part, Hole):
                self._hole(part, exact=True)
            else:
                self._mark(part, outer.name, outer.value)

    def _fact(self, parts: Sequence[Part]) -> Fact | None:
        """What the only hole of a mark stands for, if it has a meaning."""
        if len(parts) == 1 and isinstance(parts[0], Hole):
            return self.facts.get(parts[0].name)
        return None

    def _hole(self, hole: Hole, *, exact: bool) -> None:
        fact = self.facts.get(hole.name)
        if fact is not None:
            self.plain(fact.words)
            return
        words = pick(self.draw, self.words[hole.name])
        self.plain(words if exact else self._noisy(words))

    def _noisy(self, text: str, slips_only: bool = False) -> str:
        if self.manner.slips:
            text = _LONG.sub(self._slip, text)
        if self.manner.misread and not slips_only:
            text = _LONG.sub(self._misread, text)
        return text

    def _slip(self, match: re.Match[str]) -> str:
        """One typing slip in a word now and then."""
        word = match[0]
        if word.casefold() in self.keep or self.draw() >= self.manner.slips:
            return word
        at = 1 + int(self.draw() * (len(word) - 3))
        if self.draw() < 0.5:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        return word[:at] + word[at + 1 :]

    def _misread(self, match: re.Match[str]) -> str:
        """One character that a machine read otherwise now and then."""
        word = match[0]
        if word.casefold() in self.keep or self.draw() >= self.manner.misread * 4:
            return word
        for right, wrong in _MISREAD.items():
            if right in word[1:]:
                return word[0] + word[1:].replace(right, wrong, 1)
        return word


@dataclass(frozen=True, slots=True)
class _Marked:
    """A mark within the phrase of a field, and what it means."""

    mark: Mark
    name: str | None
    value: object
    meant: object


def wrapped(text: str) -> str:
    """Lines of at most some ninety characters, as printed; the length stays."""
    out = list(text)
    start = space = 0
    for at, char in enumerate(text):
        if char == "\n":
            start, space = at + 1, 0
        elif char == " ":
            if at - start >= _WIDTH and space:
                out[space] = "\n"
                start = space + 1
            space = at
    return "".join(out)


def _value(text: str | None) -> object:
    return {"true": True, "false": False}.get(text or "", text)
