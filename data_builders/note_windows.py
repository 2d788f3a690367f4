"""Long notes in overlapping windows of whole sentences, so that every record fits a context."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labelwright.errors import ConfigError
from labelwright.records import Entity, Span
from labelwright.tasks.base import TaskKind
from labelwright.text.sentences import sentence_spans

_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of a note, ``text[start:end]``, with what is known of it at its own offsets."""

    start: int
    end: int
    value: Any


class Windows:
    """Divides notes into windows.

    A window holds whole sentences, as many as make at most ``words`` words (runs without white
    space); a longer sentence is cut between words. The next window begins with the last
    sentences of the one before that make at most ``overlap`` words. Where an entity reaches over
    the end of a sentence, the sentences stay together, so that no window shows half a mention;
    such a window may be longer than asked.

    Attributes:
        notes: notes that were divided, by split.
        records: their windows.
        longer: windows of more than ``words`` words, for the sake of an entity.
    """

    def __init__(self, words: int, overlap: int | None = None) -> None:
        """Set the sizes; without ``overlap`` a quarter of ``words``.

        Raises:
            ConfigError: windows would not move on.
        """
        self.words = words
        self.overlap = words // 4 if overlap is None else overlap
        if self.overlap >= words:
            raise ConfigError(
                f"windows of {words} words cannot overlap by {self.overlap}",
                remedy="give a --window-overlap smaller than --windows",
            )
        self.notes: Counter[str] = Counter()
        self.records: Counter[str] = Counter()
        self.longer = 0

    def divide(self, split: str, text: str, value: Any, kind: TaskKind[Any]) -> list[Window]:
        """The windows of a note; one, or none, where there is nothing to divide."""
        if len(_WORD.findall(text)) <= self.words:
            return []
        units = _units(text, kind.marks(value), self.words)
        spans = [(units[a][0][0], units[b - 1][0][1]) for a, b in self._ranges(units)]
        found = [Window(*span, kind.clip(value, span)) for span in spans]
        if len(found) > 1:
            self.notes[split] += 1
            self.records[split] += len(found)
        self.longer += sum(count > self.words for _, count in units)
        return found

    def facts(self) -> dict[str, Any]:
        """Sizes and counts, for the manifest."""
        return {
            "words": self.words,
            "overlap": self.overlap,
            "notes_divided": dict(self.notes),
            "windows": dict(self.records),
            "sentences_longer_than_a_window": self.longer,
        }

    def _ranges(self, units: Sequence[tuple[Span, int]]) -> list[tuple[int, int]]:
        """First unit and the one behind the last, of every window."""
        ranges = []
        start = 0
        while True:
            end, room = start, self.words
            while end < len(units) and (end == start or units[end][1] <= room):
                room -= units[end][1]
                end += 1
            ranges.append((start, end))
            if end == len(units):
                return ranges
            # step back over what both windows may show, if what comes next still fits
            start = end
            shared = 0
            while (
                start - 1 > ranges[-1][0]
                and (more := shared + units[start - 1][1]) <= self.overlap
                and more + units[end][1] <= self.words
            ):
                start -= 1
                shared = more


def _units(text: str, entities: Sequence[Entity], most: int) -> list[tuple[Span, int]]:
    """What a window cannot divide, with its number of words: sentences, or pieces of long ones."""
    pieces = [piece for span in sentence_spans(text) for piece in _pieces(text, span, most)]
    joined: list[Span] = []
    reach = deque(sorted((entity.start, entity.end) for entity in entities))
    at = 0
    for start, end in pieces:
        if joined and at > start:  # an entity of the unit before ends in this piece
            start = joined.pop()[0]
        joined.append((start, end))
        while reach and reach[0][0] < end:
            at = max(at, reach.popleft()[1])
    return [((a, b), len(_WORD.findall(text, a, b))) for a, b in joined]


def _pieces(text: str, span: Span, most: int) -> list[Span]:
    words = [match.span() for match in _WORD.finditer(text, *span)]
    return [
        (words[at][0], words[min(at + most, len(words)) - 1][1])
        for at in range(0, len(words), most)
    ]
