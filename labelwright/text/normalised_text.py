"""A changed text that knows, character by character, which text it came from."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace

from labelwright.records import Entity, Span

Edit = tuple[int, int, str]
"""Start and end of a piece of text, and what stands there instead."""


@dataclass(frozen=True, slots=True)
class NormalisedText:
    """A text and where it came from: character ``i`` from ``original[starts[i]:ends[i]]``.

    Both lists never fall. A character that was kept comes from one character; those of a
    replacement all come from everything that they replace.
    """

    text: str
    original: str
    starts: array[int]
    ends: array[int]

    @classmethod
    def unchanged(cls, text: str) -> NormalisedText:
        """The text as it is."""
        return cls.edited(text, ())

    @classmethod
    def edited(cls, text: str, edits: Iterable[Edit], *, lower: bool = False) -> NormalisedText:
        """The text with ``edits``, which are in order and apart; what they leave in lower case."""
        parts: list[str] = []
        starts, ends = array("q"), array("q")

        def keep(start: int, end: int) -> None:
            piece = text[start:end]
            low = piece.lower() if lower else piece
            if len(low) == len(piece):
                parts.append(low)
                starts.extend(range(start, end))
                ends.extend(range(start + 1, end + 1))
                return
            for at in range(start, end):  # some letter has a lower case of several characters
                put(at, at + 1, text[at].lower())

        def put(start: int, end: int, new: str) -> None:
            parts.append(new)
            starts.extend([start] * len(new))
            ends.extend([end] * len(new))

        at = 0
        for start, end, new in edits:
            keep(at, start)
            put(start, end, new)
            at = end
        keep(at, len(text))
        return cls("".join(parts), text, starts, ends)

    def then(self, other: NormalisedText) -> NormalisedText:
        """What ``other``, made of this text, is of this text's original."""
        starts = array("q", (self.starts[start] for start in other.starts))
        ends = array("q", (self.ends[end - 1] for end in other.ends))
        return NormalisedText(other.text, self.original, starts, ends)

    def to_original(self, span: Span) -> Span:
        """The characters of the original behind a piece of the text; a replacement counts whole.

        Raises:
            ValueError: the span is empty or outside the text.
        """
        start, end = span
        if not 0 <= start < end <= len(self.text):
            raise ValueError("span")
        return self.starts[start], self.ends[end - 1]

    def to_normalised(self, span: Span) -> Span | None:
        """The piece of the text that came from a piece of the original, white space at its ends
        left out; a replacement counts whole. ``None`` where nothing is left of it.
        """
        start = bisect_right(self.ends, span[0])
        end = bisect_left(self.starts, span[1])
        while start < end and self.text[start].isspace():
            start += 1
        while start < end and self.text[end - 1].isspace():
            end -= 1
        return (start, end) if start < end else None

    def entity_to_original(self, entity: Entity) -> Entity:
        """An entity of the text as one of the original, with the words that stand there."""
        return _at(self.original, entity, [self.to_original(span) for span in entity.spans])

    def entity_to_normalised(self, entity: Entity) -> Entity | None:
        """An entity of the original as one of the text; ``None`` where nothing is left of it."""
        moved = [span for span in map(self.to_normalised, entity.spans) if span is not None]
        return _at(self.text, entity, moved) if moved else None

    def widens(self, entity: Entity) -> bool:
        """Whether an entity of the original covers only a part of what was replaced as a whole."""
        return any(self._inside(place) for span in entity.spans for place in span)

    def _inside(self, place: int) -> bool:
        """Whether a border between two characters of the original lies inside a replacement."""
        at = bisect_right(self.ends, place)
        return at < len(self.starts) and self.starts[at] < place and not self.text[at].isspace()


def _at(text: str, entity: Entity, spans: list[Span]) -> Entity:
    """The entity at other places; parts that have become one are joined."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    if not joined:
        return entity
    made = Entity.of(text, entity.type, *joined, certainty=entity.certainty)
    return replace(made, prob=entity.prob)
