"""Where the words of a value stand in the text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

from labelwright.records import Span
from labelwright.tasks.fields.normalise import candidates
from labelwright.tasks.fields.numbers import behind_sign
from labelwright.tasks.fields.schema import Field, FieldType
from labelwright.text.grounding import Grounder, Mention

_BROKEN = re.compile(r"(?<=[^\W\d_])[-\u00ad\u2010]\s*\n\s*(?=[^\W\d_])")
"""A word parted at the end of a line."""
_EDGES = "\"'“”„«»`*_.,;: "


class Places:
    """The places of words in one text, without case, kinds of quotes and dashes, and line ends."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._grounder = Grounder(text, nesting=True)
        self._found: dict[tuple[str, str], Sequence[tuple[Span, ...]]] = {}

    def find(self, field: Field, raw: str) -> Sequence[tuple[Span, ...]]:
        """All places of ``raw``, the likeliest first, empty where the text does not hold it.

        Words inside longer words come last. A number is none inside a longer number, a date
        none inside a longer date; with ``27`` the text ``27/08/2019`` is not meant.
        """
        key = (field.name, raw)
        if key not in self._found:
            self._found[key] = self._places(field, raw)
        return self._found[key]

    def _places(self, field: Field, raw: str) -> Sequence[tuple[Span, ...]]:
        forms = tuple(dict.fromkeys((raw, raw.strip(_EDGES))))
        found = self._grounder.places(Mention(field.name, forms)) or self._joined(field, forms)
        if field.type not in (FieldType.NUMBER, FieldType.DATE):
            return found
        return (
            self._apart(field, found)
            or [
                ((start, end),)  # inside a word that other places do without, as in "8/3/2019 A3"
                for start, end in sorted(self._candidates(field)[0])
                if " ".join(self._text[start:end].split()) == raw
            ]
        )

    def _apart(self, field: Field, found: Sequence[tuple[Span, ...]]) -> list[tuple[Span, ...]]:
        """Those that cut no number or date apart; such as are one first."""
        known, firsts = self._candidates(field)
        exact: list[tuple[Span, ...]] = []
        near: list[tuple[Span, ...]] = []
        for place in found:
            start, end = place[0][0], place[-1][1]
            if (start, end) in known:
                exact.append(place)
                continue
            mark = "" if field.type is FieldType.DATE else "(?:[.,/]|[eE])?"
            whole = not mark or start in firsts
            if not _in_figures(self._text, start, end, mark):
                (exact if whole and mark else near).append(place)
        return exact + near

    def behind_sign(self, field: Field, place: Sequence[Span]) -> bool:
        """Whether a place leaves out the sign of a number's bound (the ``<`` of ``< 5``)."""
        _, firsts = self._candidates(field)
        return firsts.get(place[0][0], False)

    def _candidates(self, field: Field) -> tuple[frozenset[Span], dict[int, bool]]:
        """The dates or numbers of the text, and where they begin: ``True`` behind a sign."""
        key = field.figures
        if key not in self._known:
            spans = frozenset(candidates(field, self._text))
            firsts = {start: False for start, _ in spans}
            if field.type is FieldType.NUMBER:
                starts = {start: behind_sign(self._text, start) for start in firsts}
                firsts |= {number: True for start, number in starts.items() if number > start}
            self._known[key] = (spans, firsts)
        return self._known[key]

    @cached_property
    def _known(self) -> dict[tuple[object, ...], tuple[frozenset[Span], dict[int, bool]]]:
        return {}

    @cached_property
    def _whole(self) -> tuple[Grounder, list[int]] | None:
        """The text with words joined that line ends part, and where each character stood."""
        kept: list[int] = []
        at = 0
        for match in _BROKEN.finditer(self._text):
            kept += range(at, match.start())
            at = match.end()
        if not at:
            return None
        kept += range(at, len(self._text))
        return Grounder("".join(self._text[i] for i in kept), nesting=True), kept

    def _joined(self, field: Field, forms: tuple[str, ...]) -> Sequence[tuple[Span, ...]]:
        if self._whole is None:
            return ()
        grounder, kept = self._whole
        found = grounder.places(Mention(field.name, forms))
        return [tuple((kept[a], kept[b - 1] + 1) for a, b in place) for place in found]


def _in_figures(text: str, start: int, end: int, mark: str) -> bool:
    """Whether a place cuts a row of figures apart, which ``mark`` may part."""
    before, after = text[max(start - 2, 0) : start], text[end : end + 2]
    left = text[start].isdigit() and re.search(rf"\d{mark}$", before) is not None
    right = text[end - 1].isdigit() and re.match(rf"{mark}\d", after) is not None
    return left or right
