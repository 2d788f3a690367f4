"""Words of a note: what a cursor steps over and marks consist of.

The browser knows a word by its number alone, so how it counts characters never matters. A word is
a run of letters and digits with the marks on it; other characters stand alone, but what is shown as
one sign (a family emoji, a flag, a letter with its accents) is one word. In scripts without spaces
every sign is a word.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from labelwright.records import Span

_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"[{_SPACELESS}]|[^\W{_SPACELESS}]+|[^\w\s]")
_JOINER = "\u200d"
_FLAG = range(0x1F1E6, 0x1F200)
_SKIN = range(0x1F3FB, 0x1F400)


def words(text: str, *, plain: bool = False) -> list[Span]:
    """The words of a text, as spans in code points.

    Args:
        plain: whether it is known to hold nothing that :func:`binds`.

    >>> words("2 cm, ok")
    [(0, 1), (2, 4), (4, 5), (6, 8)]
    """
    found = [match.span() for match in _WORD.finditer(text)]
    return found if plain or text.isascii() else _joined(text, found)


def count(text: str, *, plain: bool) -> int:
    """How many words a text has."""
    return len(_WORD.findall(text)) if plain else len(words(text))


def letters(text: str, span: Span) -> list[int]:
    """The borders of the signs of a piece, its own ends included."""
    start, end = span
    borders = [start]
    for at in range(start + 1, end):
        if not continues(text, at):
            borders.append(at)
    return [*borders, end]


def covering(found: Sequence[Span], span: Span) -> tuple[int, int] | None:
    """First and last number of the words that a span touches; ``None`` for white space."""
    first = _after(found, span[0])
    last = bisect_left(found, (span[1], -1)) - 1
    return (first, last) if first <= last else None


def _after(found: Sequence[Span], at: int) -> int:
    """The number of the first word that ends behind ``at``."""
    number = bisect_right(found, (at, 1 << 62))
    return number - 1 if number and found[number - 1][1] > at else number


def _joined(text: str, found: list[Span]) -> list[Span]:
    """Pieces that are shown as one sign, together."""
    whole: list[Span] = []
    for start, end in found:
        if whole and whole[-1][1] == start and continues(text, start):
            whole[-1] = (whole[-1][0], end)
        else:
            whole.append((start, end))
    # A letter after a mark that was split off by the pattern belongs to the same word.
    merged: list[Span] = []
    for start, end in whole:
        before = merged[-1] if merged else None
        if (
            before is not None
            and before[1] == start
            and unicodedata.category(text[start - 1])[0] == "M"
            and text[start].isalnum()
            and text[before[0]].isalnum()
            and not re.match(f"[{_SPACELESS}]", text[start])
        ):
            merged[-1] = (before[0], end)
        else:
            merged.append((start, end))
    return merged


def binds(sign: str) -> bool:
    """Whether a character may be shown in one sign with another."""
    return (
        unicodedata.category(sign)[0] == "M"
        or sign == _JOINER
        or ord(sign) in _SKIN
        or ord(sign) in _FLAG
    )


def continues(text: str, at: int) -> bool:
    """Whether a character is shown in one sign with the one before."""
    here, before = text[at], text[at - 1]
    if unicodedata.category(here)[0] == "M" or here == _JOINER or ord(here) in _SKIN:
        return True
    if before == _JOINER and unicodedata.category(here) == "So":
        return True
    if ord(here) in _FLAG and ord(before) in _FLAG:
        run = at
        while run and ord(text[run - 1]) in _FLAG:
            run -= 1
        return (at - run) % 2 == 1
    return False
