"""Tokens of a text for CoNLL files: words, single marks, and cuts where mentions begin or end."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from labelwright.records import Span

_PIECE = re.compile(r"\w+|[^\w\s]")


def tokens(text: str, cuts: Iterable[int] = ()) -> list[Span]:
    """Runs of letters and digits with the marks on them, and every other character by itself.

    >>> [text[a:b] for text in ["T2N0 (2.5 cm)"] for a, b in tokens(text, [2])]
    ['T2', 'N0', '(', '2', '.', '5', 'cm', ')']

    Args:
        cuts: offsets that no token runs over.
    """
    found: list[Span] = []
    borders = sorted(set(cuts))
    at = 0
    for start, end in _whole(text):
        while at < len(borders) and borders[at] <= start:
            at += 1
        while at < len(borders) and borders[at] < end:
            found.append((start, borders[at]))
            start = borders[at]
            at += 1
        found.append((start, end))
    return found


def _whole(text: str) -> list[Span]:
    """The pieces, those that begin with a mark on a letter joined to the one before."""
    found: list[Span] = []
    joins = False
    for match in _PIECE.finditer(text):
        start, end = match.span()
        mark = unicodedata.category(text[start])[0] == "M"
        if found and found[-1][1] == start and (mark or (joins and text[start].isalnum())):
            found[-1] = (found[-1][0], end)
            joins = True
        else:
            found.append((start, end))
            joins = False
    return found
