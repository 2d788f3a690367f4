"""Where a mention that a labeler wrote stands in the text, in characters.

Compared is what a reader would call the same: without case, compatibility forms (NFKC), kinds
of quotes and dashes, and the length of white space. Every character of the folded text knows
the characters of the text that it came from, so that the spans found are exact.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from labelwright.records import Span

GAP = " ... "
"""Between the parts of a discontinuous mention as it is written in answers."""
WIDEST_GAP = 300
"""Characters that may stand between two parts of a discontinuous mention."""

_SAME = str.maketrans({**dict.fromkeys("‘’‚‛`´", "'"), **dict.fromkeys("“”„‟«»", '"')})
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))
_GAP = re.compile(r"\s*(?:\.\.\.|…)\s*")


@dataclass(frozen=True, slots=True)
class Folded:
    """A text for comparing: folded character ``i`` came from ``text[starts[i]:ends[i]]``."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def span(self, start: int, end: int) -> Span | None:
        """The characters behind ``text[start:end]``; ``None`` where it would cut one apart."""
        cuts_first = start > 0 and self.starts[start] == self.starts[start - 1]
        cuts_last = end < len(self.starts) and self.starts[end] == self.starts[end - 1]
        return None if cuts_first or cuts_last else (self.starts[start], self.ends[end - 1])


def fold(text: str) -> Folded:
    """Fold a text; letters stay together with the marks that follow them."""
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    while at < len(text):
        end = at + 1
        if text[at].isspace():
            while end < len(text) and text[end].isspace():
                end += 1
            folded = " "
        else:
            while end < len(text) and unicodedata.combining(text[end]):
                end += 1
            folded = _folded(text[at:end])
        parts.append(folded)
        starts += [at] * len(folded)
        ends += [end] * len(folded)
        at = end
    return Folded("".join(parts), tuple(starts), tuple(ends))


def _folded(cluster: str) -> str:
    if len(cluster) == 1 and cluster.isascii():
        return cluster.lower()
    plain = unicodedata.normalize("NFKC", cluster.translate(_SAME).translate(_DASHES))
    return unicodedata.normalize("NFKC", plain.casefold().translate(_SAME))


@dataclass
class Grounder:
    """Places the mentions of one text, given in order of appearance.

    A mention takes the first place at or behind the latest one's that is still free, else the
    first free one before it. Places at word borders go first. Without ``nesting`` no two
    mentions overlap; with it, only two of the same type at the same place exclude each other.
    """

    text: str
    nesting: bool = False
    _folded: Folded = field(init=False)
    _taken: list[Span] = field(init=False, default_factory=list)
    _used: set[tuple[str, tuple[Span, ...]]] = field(init=False, default_factory=set)
    _known: dict[str, list[Span]] = field(init=False, default_factory=dict)
    _cursor: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._folded = fold(self.text)

    def place(self, kind: str, mention: str) -> tuple[tuple[Span, ...], bool]:
        """The spans of a mention of type ``kind``, and whether it stood in order.

        No spans where the text does not hold it, or not once more.
        """
        whole = fold(mention).text.strip()
        if not whole:
            return (), True
        found = self._free(kind, self._behind(self._places(whole)))
        if found is None and _GAP.search(whole):
            parts = [part for part in _GAP.split(whole) if part]
            found = self._free(kind, self._apart(parts)) if len(parts) > 1 else None
        if found is None:
            return (), True
        in_order = found[0][0] >= self._cursor
        self._take(kind, found)
        if in_order:
            self._cursor = found[0][0]
        return found, in_order

    def _take(self, kind: str, spans: tuple[Span, ...]) -> None:
        self._used.add((kind, spans))
        for span in spans:
            self._taken.insert(bisect_right(self._taken, span), span)

    def _behind(self, places: Sequence[Span]) -> Iterator[tuple[Span, ...]]:
        """The places from the cursor on, then those before it."""
        first = bisect_left(places, (self._cursor, 0))
        return ((places[index],) for index in chain(range(first, len(places)), range(first)))

    def _free(self, kind: str, places: Iterable[tuple[Span, ...]]) -> tuple[Span, ...] | None:
        for place in places:
            if (kind, place) in self._used:
                continue
            if self.nesting or not any(self._overlaps(span) for span in place):
                return place
        return None

    def _overlaps(self, span: Span) -> bool:
        """Whether a taken span overlaps; taken spans are sorted and apart unless nested."""
        at = bisect_right(self._taken, span)
        near = self._taken[max(at - 1, 0) : at + 1]
        return any(start < span[1] and span[0] < end for start, end in near)

    def _places(self, wanted: str) -> list[Span]:
        """All places of a folded text; those inside words only if there are no others."""
        if wanted in self._known:
            return self._known[wanted]
        text = self._folded.text
        whole: list[Span] = []
        inside: list[Span] = []
        at = text.find(wanted)
        while at >= 0:
            end = at + len(wanted)
            span = self._folded.span(at, end)
            if span is not None:
                (whole if _at_borders(text, at, end) else inside).append(span)
            at = text.find(wanted, at + 1)
        self._known[wanted] = whole or inside
        return self._known[wanted]

    def _apart(self, parts: list[str]) -> list[tuple[Span, ...]]:
        """Places of a discontinuous mention, those from the cursor on first.

        Each part is the next one behind the part before.
        """
        each = [self._places(part) for part in parts]
        found = []
        for first in each[0]:
            spans = [first]
            for places in each[1:]:
                behind = spans[-1][1]
                span = next((s for s in places if behind <= s[0] <= behind + WIDEST_GAP), None)
                if span is None:
                    break
                spans.append(span)
            if len(spans) == len(parts):
                found.append(tuple(spans))
        return sorted(found, key=lambda spans: spans[0][0] < self._cursor)


def _at_borders(text: str, start: int, end: int) -> bool:
    left = start == 0 or not (text[start - 1].isalnum() and text[start].isalnum())
    right = end == len(text) or not (text[end - 1].isalnum() and text[end].isalnum())
    return left and right
