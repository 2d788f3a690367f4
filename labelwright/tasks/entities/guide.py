"""Which answers of entities are valid: every mention stands in the text, in order.

Lines of a known type, a colon, and a mention that begins and ends at word borders of the text
(white space evened out), behind the mention before it. So nothing can be invented or said twice,
and no answer goes on without end. Valid is decided byte by byte, so that a token may hold half a
letter, or a line end and more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from labelwright.label_set import LabelSet
from labelwright.tasks.bytewise import ByteWise, borders
from labelwright.tasks.entities.answer import NONE

SEPARATOR = b": "


@dataclass(frozen=True, slots=True)
class State:
    """How far an answer is.

    Attributes:
        line: bytes of the unfinished line up to its mention.
        places: where the unfinished mention may begin in the text; ``None`` outside of one.
        length: bytes of the unfinished mention.
        cursor: where the next mention may begin at the earliest.
        lines: whether a line is finished.
        done: whether the answer is ``none``.
        used: heads, beginnings and lengths of the mentions so far, where they may overlap.
    """

    line: bytes = b""
    places: tuple[int, ...] | None = None
    length: int = 0
    cursor: int = 0
    lines: bool = False
    done: bool = False
    used: frozenset[tuple[bytes, int, int]] = frozenset()


class MentionGuide(ByteWise[State]):
    """What may be answered to one text; a :class:`labelwright.tasks.base.Guide`."""

    def __init__(self, label_set: LabelSet, text: str) -> None:
        plain = " ".join(text.split())
        self._text = plain.encode("utf-8", "replace")
        self._nesting = label_set.nesting
        starts, self._ends = borders(plain)
        self._starts = tuple(sorted(starts))
        self._heads = heads(label_set)
        self._beginnings = {head[:n] for head in self._heads for n in range(len(head) + 1)}
        self._none = NONE.encode()

    def start(self) -> State:
        """The state before the first byte."""
        return State()

    def may_end(self, state: State) -> bool:
        """Whether the answer may end here."""
        return state.done or (state.places is not None and self._whole(state) is not None)

    def step(self, state: State, byte: int) -> State | None:
        """The state behind one byte."""
        if state.done:
            return None
        if state.places is not None:
            return self._in_mention(state, state.places, byte)
        line = state.line + bytes([byte])
        if not state.lines and line == self._none and line not in self._beginnings:
            return replace(state, line=line, done=True)
        if line in self._heads:
            places = tuple(start for start in self._starts if start >= state.cursor)
            return replace(state, line=line, places=places, length=0) if places else None
        known = line in self._beginnings and self._more(state.cursor)
        return (
            replace(state, line=line)
            if known or (not state.lines and self._none.startswith(line))
            else None
        )

    def _in_mention(self, state: State, places: tuple[int, ...], byte: int) -> State | None:
        if byte == 0x0A:
            start = self._whole(state)
            if start is None:
                return None
            cursor, used = start + state.length, state.used
            if self._nesting:
                cursor, used = start, used | {(state.line, start, state.length)}
            return State(cursor=cursor, lines=True, used=used) if self._more(cursor) else None
        at = state.length
        kept = tuple(p for p in places if self._text[p + at : p + at + 1] == bytes([byte]))
        return replace(state, places=kept, length=at + 1) if kept else None

    def _whole(self, state: State) -> int | None:
        """Where the unfinished mention stands if it may end now."""
        length = state.length
        ends = (p for p in state.places or () if length and p + length in self._ends)
        return next((p for p in ends if (state.line, p, length) not in state.used), None)

    def _more(self, cursor: int) -> bool:
        return bool(self._starts) and self._starts[-1] >= cursor


def heads(label_set: LabelSet) -> set[bytes]:
    """All ways to begin a line, up to its mention."""
    words = [f" {word}" for word in label_set.words.values()] or [""]
    return {
        f"{label.key}{word}".encode() + SEPARATOR for label in label_set.labels for word in words
    }
