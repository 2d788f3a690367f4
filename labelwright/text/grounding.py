"""Where a mention that a labeler wrote stands in the text, in characters.

Compared is what a reader would call the same: without case, compatibility forms (NFKC), kinds
of quotes and dashes, characters without width, and the length of white space. Every character of
the folded text knows the characters of the text that it came from, so that the spans found are
exact.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

from labelwright.records import Span
from labelwright.text.assignment import Place, Wanted, assigned

GAP = " ... "
"""Between the parts of a discontinuous mention as it is written in answers."""
WIDEST_GAP = 300
"""Characters that may stand between two parts of a discontinuous mention."""
MOST_PLACES = 1_000_000
"""Places that are remembered for the mentions of one text; beyond that only near ones are tried."""
NEAR_PLACES = 1000

_SAME = str.maketrans({**dict.fromkeys("‘’‚‛`´", "'"), **dict.fromkeys("“”„‟«»", '"')})
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))
_PLAIN = re.compile("[!-~]+(?: [!-~]+)*")
_GAP = re.compile(r"\s*(?:\.\.\.|…)\s*")
_NO_WIDTH = frozenset(
    map(chr, (0xAD, 0x34F, 0x61C, 0x180E, 0xFEFF, *range(0x200B, 0x2010), *range(0x2060, 0x2065)))
) | frozenset(map(chr, range(0xFE00, 0xFE10)))
"""Soft hyphens, joiners, byte order marks, variation selectors: nobody sees them."""


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
        plain = _plain_run(text, at)
        if plain > at:  # most of most texts, all at once
            parts.append(text[at:plain].lower())
            starts += range(at, plain)
            ends += range(end, plain + 1)
            at = plain
            continue
        if text[at] in _NO_WIDTH:
            at = end
            continue
        if text[at].isspace():
            while end < len(text) and (text[end].isspace() or text[end] in _NO_WIDTH):
                end += 1
            folded = " "
        else:
            while end < len(text) and _belongs(text[end]):
                end += 1
            folded = _folded(text[at:end])
        parts.append(folded)
        starts += [at] * len(folded)
        ends += [end] * len(folded)
        at = end
    return Folded("".join(parts), tuple(starts), tuple(ends))


def _plain_run(text: str, at: int) -> int:
    """Where the ASCII characters from ``at`` on end that fold to themselves but for their case."""
    match = _PLAIN.match(text, at)
    if match is None:
        return at
    end = match.end()
    return end - 1 if end < len(text) and _belongs(text[end]) else end


def _belongs(char: str) -> bool:
    """Whether a character is a part of the letter before it: a mark, a Korean vowel or end."""
    if char < "\u0300":
        return False
    return (
        unicodedata.combining(char) != 0
        or "\u1160" <= char <= "\u11ff"
        or char in ("\uff9e", "\uff9f")
    )


def _folded(cluster: str) -> str:
    if len(cluster) == 1 and cluster.isascii():
        return cluster.lower()
    plain = unicodedata.normalize("NFKC", cluster.translate(_SAME).translate(_DASHES))
    return unicodedata.normalize("NFKC", plain.casefold().translate(_SAME))


@dataclass(frozen=True, slots=True)
class Mention:
    """What an answer names: its type, and the forms in which the text may have it, best first."""

    kind: str
    forms: tuple[str, ...]


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
    _used: set[tuple[str, Place]] = field(init=False, default_factory=set)
    _known: dict[str, list[Place]] = field(init=False, default_factory=dict)
    _open: dict[tuple[str, str], int] = field(init=False, default_factory=dict)
    _room: int = field(init=False, default=MOST_PLACES)
    _cursor: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._folded = fold(self.text)

    def place(self, kind: str, mention: str) -> tuple[Place, bool]:
        """The spans of a mention of type ``kind``, and whether it stood in order.

        No spans where the text does not hold it, or not once more.
        """
        whole = fold(mention).text.strip()
        if not whole:
            return (), True
        found = self._free(kind, whole, self._places(whole))
        if found is None:
            found = self._free(kind, *self._gapped(whole))
        if found is None:
            return (), True
        in_order = found[0][0] >= self._cursor
        self._take(kind, found)
        if in_order:
            self._cursor = found[0][0]
        return found, in_order

    def place_all(self, mentions: Sequence[Mention]) -> list[tuple[Place, bool]]:
        """The places of all mentions of an answer, and whether each stood in order.

        They are placed one behind the other. If one of them does not stand in order, or finds its
        places taken, all are placed anew: as many as can be in order, and the others where there
        is a place (:mod:`labelwright.text.assignment`), for one that is named too late moves
        those behind it to places that are not theirs.
        """
        found = [self._first_form(each) for each in mentions]
        if all(
            in_order and (spans or not self._all_places(each))
            for (spans, in_order), each in zip(found, mentions, strict=True)
        ):
            return found
        wanted = [Wanted(each.kind, self._all_places(each)) for each in mentions]
        free = None if self._room <= 0 else assigned(wanted, nesting=self.nesting)
        return found if free is None or _worth(free) < _worth(found) else free

    def places(self, mention: Mention) -> Sequence[Place]:
        """All places of the first form that has any, in order, whether taken or not."""
        return self._all_places(mention)

    def _first_form(self, mention: Mention) -> tuple[Place, bool]:
        found: tuple[Place, bool] = ((), True)
        for form in mention.forms:
            found = self.place(mention.kind, form)
            if found[0]:
                break
        return found

    def _all_places(self, mention: Mention) -> Sequence[Place]:
        """The places of the first form that has any."""
        for form in mention.forms:
            whole = fold(form).text.strip()
            if not whole:
                continue
            if places := self._places(whole) or self._gapped(whole)[1]:
                return places
        return ()

    def _gapped(self, whole: str) -> tuple[str, list[Place]]:
        """A mention in several parts by its key, and its places; none where it has one part."""
        parts = [part for part in _GAP.split(whole) if part]
        if len(parts) < 2:
            return whole, []
        gapped = GAP + GAP.join(parts)  # begins as no folded mention does
        if gapped not in self._known:
            self._known[gapped] = self._apart(parts)
        return gapped, self._known[gapped]

    def _take(self, kind: str, spans: Place) -> None:
        self._used.add((kind, spans))
        if not self.nesting:
            for span in spans:
                self._taken.insert(bisect_right(self._taken, span), span)

    def _free(self, kind: str, wanted: str, places: Sequence[Place]) -> Place | None:
        """The first free one of sorted places from the cursor on, else the first before it.

        What is taken stays so: those that are taken at the front are never looked at again.
        """
        key = (kind if self.nesting else "", wanted)
        first = self._open.get(key, 0) if wanted in self._known else 0
        while first < len(places) and not self._is_free(kind, places[first]):
            first += 1
        self._open[key] = first
        ahead = max(first, bisect_left(places, ((self._cursor, 0),)))
        for index in chain(range(ahead, len(places)), range(first, ahead)):
            if self._is_free(kind, places[index]):
                return places[index]
        return None

    def _is_free(self, kind: str, place: Place) -> bool:
        if self.nesting:
            return (kind, place) not in self._used
        return not any(self._overlaps(span) for span in place)

    def _overlaps(self, span: Span) -> bool:
        """Whether a taken span overlaps; taken spans are sorted and apart."""
        at = bisect_right(self._taken, span)
        near = self._taken[max(at - 1, 0) : at + 1]
        return any(start < span[1] and span[0] < end for start, end in near)

    def _places(self, wanted: str) -> list[Place]:
        """All places of a folded text; those inside words only if there are no others."""
        if wanted in self._known:
            return self._known[wanted]
        text = self._folded.text
        whole: list[Place] = []
        inside: list[Place] = []
        near = self._room <= 0
        at = text.find(wanted, bisect_left(self._folded.starts, self._cursor) if near else 0)
        while at >= 0 and not (near and len(whole) + len(inside) >= NEAR_PLACES):
            end = at + len(wanted)
            span = self._folded.span(at, end)
            if span is not None:
                (whole if _at_borders(text, at, end) else inside).append((span,))
            at = text.find(wanted, at + 1)
        if not near:
            self._room -= len(whole) + len(inside)
            self._known[wanted] = whole or inside
        return whole or inside

    def _apart(self, parts: list[str]) -> list[Place]:
        """Places of a discontinuous mention, sorted.

        Each part is the next one behind the part before, and each but the last the one that is
        nearest to the part behind it.
        """
        each = [[place[0] for place in self._places(part)] for part in parts]
        found: list[Place] = []
        for first in each[0]:
            spans = [first]
            for places in each[1:]:
                end = spans[-1][1]
                index = bisect_left(places, (end, 0))
                if index == len(places) or places[index][0] > end + WIDEST_GAP:
                    break
                spans.append(places[index])
            if len(spans) < len(parts):
                continue
            for number in range(len(parts) - 2, -1, -1):
                index = bisect_right(each[number], spans[number + 1][0], key=_end) - 1
                spans[number] = each[number][index]
            if not found or found[-1] != tuple(spans):
                found.append(tuple(spans))
        self._room -= len(found)
        return found


def _worth(found: Sequence[tuple[Place, bool]]) -> tuple[int, int]:
    """How many mentions have a place, and how many of them stand in order."""
    return sum(bool(spans) for spans, _ in found), sum(
        bool(spans) and in_order for spans, in_order in found
    )


def _end(span: Span) -> int:
    return span[1]


def _at_borders(text: str, start: int, end: int) -> bool:
    left = start == 0 or not (text[start - 1].isalnum() and text[start].isalnum())
    right = end == len(text) or not (text[end - 1].isalnum() and text[end].isalnum())
    return left and right
