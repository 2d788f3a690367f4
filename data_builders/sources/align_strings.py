"""Mentions given as strings, without offsets, found in their note by regular expressions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from labelwright.records import Certainty, Entity, Span, in_order
from labelwright.text.grounding import Folded, fold

PLACES = ("one", "all")
"""A row stands for one mention, the next free place of its words; or for all places of them."""


@dataclass(frozen=True, slots=True)
class GivenString:
    """One mention as a table gives it."""

    type: str
    text: str
    certainty: Certainty | None = None


@dataclass(frozen=True, slots=True)
class Aligned:
    """The mentions that were found, in order, and how many strings the text does not hold."""

    entities: tuple[Entity, ...]
    missing: int


def align(
    text: str, given: Sequence[GivenString], *, nesting: bool = False, places: str = "one"
) -> Aligned:
    """Find every string in the text, whole words only.

    Compared is as :mod:`labelwright.text.grounding` does, without case, forms of letters and
    quotes, and the length of white space. Longer strings choose first, equal ones in the order
    given. Without ``nesting`` no two mentions overlap; with it, a mention takes a place of its own
    if there is one, else one inside another mention.
    """
    folded = fold(text)
    rows: dict[tuple[str, str], list[GivenString]] = {}
    for row in given:
        rows.setdefault((fold(row.text).text.strip(), row.type), []).append(row)
    taken = bytearray(len(text))
    used: set[tuple[str, Span]] = set()
    found: list[Entity] = []
    missing = 0
    for words, kind in sorted(rows, key=lambda key: -len(key[0])):
        same = rows[words, kind]
        free = _free(_places(folded, words), kind, taken, used, nesting=nesting)
        wanted = len(free) if places == "all" else len(same)
        for number, span in enumerate(free[:wanted]):
            row = same[min(number, len(same) - 1)]
            found.append(Entity.of(text, kind, span, certainty=row.certainty))
            used.add((kind, span))
            taken[span[0] : span[1]] = b"\1" * (span[1] - span[0])
        missing += 0 if places == "all" and free else max(len(same) - len(free), 0)
    return Aligned(tuple(in_order(found)), missing)


def _free(
    spans: Sequence[Span],
    kind: str,
    taken: bytearray,
    used: set[tuple[str, Span]],
    *,
    nesting: bool,
) -> list[Span]:
    """The places that are free, those apart from all other mentions first."""
    apart = [span for span in spans if not any(taken[span[0] : span[1]])]
    if not nesting:
        return apart
    inside = [span for span in spans if span not in apart and (kind, span) not in used]
    return apart + inside


def _places(folded: Folded, words: str) -> list[Span]:
    if not words:
        return []
    found = []
    behind = 0
    for match in _pattern(words).finditer(folded.text):
        span = folded.span(*match.span())
        if span is not None and span[0] >= behind:
            found.append(span)
            behind = span[1]
    return found


@lru_cache(maxsize=4096)
def _pattern(words: str) -> re.Pattern[str]:
    """The words, not inside a longer word."""
    left = r"(?<![^\W_])" if words[0].isalnum() else ""
    right = r"(?![^\W_])" if words[-1].isalnum() else ""
    return re.compile(left + re.escape(words) + right)
