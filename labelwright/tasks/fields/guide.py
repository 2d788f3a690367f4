"""Which words may stand behind a key: those of the text, or of the label set, byte by byte.

Text begins and ends at word borders and is as long as its field allows at most; dates and numbers
are those of the text; several values move forward in the text, or are each said once. So nothing
can be invented and nothing goes on without end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from labelwright.label_set import LabelSet
from labelwright.tasks.bytewise import ByteWise, borders
from labelwright.tasks.fields.answer import NONE
from labelwright.tasks.fields.gold import PARTED
from labelwright.tasks.fields.normalise import candidates
from labelwright.tasks.fields.schema import Field, FieldSet, FieldType, fields_of

MOST_VALUES = 50
"""Values of a field with many."""
MOST_FIGURES = 16
"""Characters of a number or date that is no copy."""
NEWLINE = 0x0A
_PARTED = PARTED.encode()
Cursor = tuple[int, ...]
"""What has been said: where copying is in the text, or the numbers of the words used."""


class Words(Protocol):
    """What one value of a field may be; states are tuples of its own."""

    def start(self, cursor: Cursor) -> tuple[int, ...] | None:
        """Where a value may begin; ``None`` where none may."""
        ...

    def step(self, state: tuple[int, ...], length: int, byte: int) -> tuple[int, ...]:
        """Those of ``state`` that go on with a byte behind ``length`` others."""
        ...

    def whole(self, state: tuple[int, ...], length: int) -> Cursor | None:
        """What has been said if the value ends here; ``None`` where it may not."""
        ...


class Copied:
    """Pieces of a text between word borders that begin with a letter or figure."""

    def __init__(self, text: str, most: int) -> None:
        plain = " ".join(text.split())
        self._text = plain.encode("utf-8", "replace")
        self._most = most
        starts, ends = borders(plain)
        self._ends = sorted(ends)
        self._starts = tuple(
            at for at in sorted(starts) if self._word(at) and self._reaches(at, at + 1)
        )

    def start(self, cursor: Cursor) -> tuple[int, ...] | None:
        """All word beginnings behind the cursor."""
        at = cursor[0] if cursor else 0
        return tuple(place for place in self._starts if place >= at) or None

    def step(self, state: tuple[int, ...], length: int, byte: int) -> tuple[int, ...]:
        """The places whose next byte this is, and from which a value still comes to an end."""
        text = self._text
        return tuple(
            place
            for place in state
            if place + length < len(text)
            and text[place + length] == byte
            and self._reaches(place, place + length + 1)
        )

    def whole(self, state: tuple[int, ...], length: int) -> Cursor | None:
        """Behind the first place that ends at a word border."""
        ends = (place + length for place in state if length)
        end = next((one for one in ends if self._next_end(one) == one), None)
        return None if end is None else (end,)

    def _word(self, at: int) -> bool:
        return self._text[at] >= 0x80 or chr(self._text[at]).isalnum()

    def _next_end(self, at: int) -> int | None:
        """The first word end at or behind a place."""
        index = bisect_left(self._ends, at)
        return self._ends[index] if index < len(self._ends) else None

    def _reaches(self, place: int, at: int) -> bool:
        """Whether a value that begins at ``place`` and is written up to ``at`` can end."""
        end = self._next_end(at)
        return end is not None and end <= place + self._most


class Listed:
    """Words of a list, each used once; in the list's order where they stand in a text."""

    def __init__(self, words: Sequence[str], *, ordered: bool) -> None:
        self._words = [" ".join(word.split()).encode("utf-8", "replace") for word in words]
        self._ordered = ordered

    def start(self, cursor: Cursor) -> tuple[int, ...] | None:
        """The words that are left."""
        if self._ordered:
            return tuple(range(cursor[0] + 1 if cursor else 0, len(self._words))) or None
        return tuple(i for i in range(len(self._words)) if i not in cursor) or None

    def step(self, state: tuple[int, ...], length: int, byte: int) -> tuple[int, ...]:
        """The words whose next byte this is."""
        return tuple(
            i for i in state if length < len(self._words[i]) and self._words[i][length] == byte
        )

    def whole(self, state: tuple[int, ...], length: int) -> Cursor | None:
        """The first word that ends here, and equal ones with it."""
        done = tuple(i for i in state if len(self._words[i]) == length)
        if not done:
            return None
        return done[:1] if self._ordered else done


class Figures:
    """Figures with single marks between them, for values that are no copy of the text.

    The state is whether a mark came last, and how many there were.
    """

    def __init__(self, marks: bytes, most_marks: int) -> None:
        self._marks = marks
        self._most = most_marks

    def start(self, cursor: Cursor) -> tuple[int, ...] | None:
        """Before the first figure."""
        return None if len(cursor) >= MOST_VALUES else (1, 0)

    def step(self, state: tuple[int, ...], length: int, byte: int) -> tuple[int, ...]:
        """A figure, or a mark behind one."""
        last, marks = state
        if length >= MOST_FIGURES:
            return ()
        if 0x30 <= byte <= 0x39:
            return (0, marks)
        return (1, marks + 1) if byte in self._marks and not last and marks < self._most else ()

    def whole(self, state: tuple[int, ...], length: int) -> Cursor | None:
        """Behind a figure."""
        return None if state[0] else (length,)


def words_of(own: FieldSet, field: Field, text: str) -> Words:
    """What one value of a field may be in a text."""
    if field.type is FieldType.CATEGORICAL:
        return Listed([one.word for one in field.values], ordered=False)
    if field.type is FieldType.BOOLEAN:
        return Listed([own.yes, own.no], ordered=False)
    if field.type is FieldType.TEXT:
        return Copied(text, field.most)
    if not field.copied:
        return Figures(b"-./", 2) if field.type is FieldType.DATE else Figures(b".,", 1)
    return Listed([text[a:b] for a, b in candidates(field, text)], ordered=True)


@dataclass(frozen=True, slots=True)
class State:
    """How far a line is behind its key.

    Attributes:
        places: of the unfinished value; ``None`` between values.
        length: bytes of the unfinished value, or of what stands between two.
        cursor: what has been said before it.
        count: finished values.
        done: whether the line is at its end.
    """

    places: tuple[int, ...] | None = None
    length: int = 0
    cursor: Cursor = ()
    count: int = 0
    done: bool = False


class LineGuide(ByteWise[State]):
    """What may stand behind a key, to the end of the line: ``value``, or ``value | value``."""

    def __init__(self, own: FieldSet, field: Field, text: str) -> None:
        self._words = words_of(own, field, text)
        self._many = field.many
        self._adds = field.type in (FieldType.CATEGORICAL, FieldType.BOOLEAN)

    def start(self) -> State:
        """The state behind the key."""
        return State()

    def may_end(self, state: State) -> bool:
        """Whether the line is complete."""
        return state.done

    def step(self, state: State, byte: int) -> State | None:
        """The state behind one byte."""
        if state.done:
            return None
        if state.places is None:
            mark = b" " if state.count == 0 else _PARTED
            if mark[state.length] != byte:
                return None
            if state.length + 1 < len(mark):
                return replace(state, length=state.length + 1)
            places = self._words.start(state.cursor)
            return None if places is None else replace(state, places=places, length=0)
        ends = self._words.whole(state.places, state.length) if state.length else None
        if byte == NEWLINE:
            return None if ends is None else State(cursor=self._said(state, ends), done=True)
        if ends is not None and self._many and byte == _PARTED[0] and self._more(state, ends):
            on = self._words.step(state.places, state.length, byte)
            if not on:
                return self._next(state, ends)
            # A blank may go on with the value or stand before the mark; the value comes first,
            # since a word of the text can be the mark itself nowhere but there.
            return State(on, state.length + 1, state.cursor, state.count)
        if self._many and byte == _PARTED[1] and state.length > 1:
            before = self._words.whole(state.places, state.length - 1)
            if before is not None and self._more(state, before):
                return replace(self._next(state, before), length=2)
        on = self._words.step(state.places, state.length, byte)
        return State(on, state.length + 1, state.cursor, state.count) if on else None

    def more(self, cursor: Cursor) -> bool:
        """Whether another value may follow what has been said."""
        return self._words.start(cursor) is not None

    def _more(self, state: State, ends: Cursor) -> bool:
        return state.count + 1 < MOST_VALUES and self.more(self._said(state, ends))

    def _said(self, state: State, ends: Cursor) -> Cursor:
        return (*state.cursor, *ends) if self._adds else ends

    def _next(self, state: State, ends: Cursor) -> State:
        return State(None, 1, self._said(state, ends), state.count + 1)


@dataclass(frozen=True, slots=True)
class Written:
    """How far an answer of lines is: the field that is written, and the one that comes next.

    Attributes:
        cursor: what the lines so far have said of the next field, which may have many.
    """

    head: bytes = b""
    field: int = -1
    line: State | None = None
    next: int = 0
    lines: int = 0
    cursor: Cursor = ()
    done: bool = False


class AnswerGuide(ByteWise[Written]):
    """Which answers of lines are valid: fields in order, each with words that it may have."""

    def __init__(self, label_set: LabelSet, text: str) -> None:
        self._own = fields_of(label_set)
        self._text = text
        self._fields = [one for one in self._own.asked if self._able(one, text)]
        self._heads = [field.key.encode() for field in self._fields]
        self._lines: dict[int, LineGuide] = {}
        self._none = NONE.encode()

    def _able(self, field: Field, text: str) -> bool:
        """Whether there is anything that the field could say."""
        return words_of(self._own, field, text).start(()) is not None

    def start(self) -> Written:
        """The state before the first byte."""
        return Written()

    def may_end(self, state: Written) -> bool:
        """Whether the answer may end here."""
        if state.done:
            return True
        if state.line is None:
            return False
        return self._line(state.field).advance(state.line, b"\n") is not None

    def step(self, state: Written, byte: int) -> Written | None:
        """The state behind one byte."""
        if state.done:
            return None
        if state.line is not None:
            return self._in_line(state, state.line, byte)
        if byte == 0x20 and state.head in self._heads[state.next :]:
            field = self._heads.index(state.head, state.next)
            again = field == state.next
            cursor = state.cursor if again else ()
            line = self._line(field).advance(State(cursor=cursor), b" ")
            count = state.lines if again else 0
            return None if line is None else Written(b"", field, line, field, count, cursor)
        head = state.head + bytes([byte])
        if not state.lines and state.next == 0 and head == self._none and not self._known(head, 0):
            return replace(state, head=head, done=True)
        if self._known(head, state.next) or (
            state.lines == 0 and state.next == 0 and self._none.startswith(head)
        ):
            return replace(state, head=head)
        return None

    def _in_line(self, state: Written, line: State, byte: int) -> Written | None:
        guide, field = self._line(state.field), self._fields[state.field]
        after = guide.advance(line, bytes([byte]))
        if after is None:
            return None
        if not after.done:
            return replace(state, line=after)
        if field.many and state.lines < MOST_VALUES and guide.more(after.cursor):
            return Written(next=state.field, lines=state.lines + 1, cursor=after.cursor)
        following = state.field + 1
        return Written(next=following, lines=1) if following < len(self._fields) else None

    def _known(self, head: bytes, first: int) -> bool:
        return any(key.startswith(head) for key in self._heads[first:])

    def _line(self, field: int) -> LineGuide:
        if field not in self._lines:
            one = replace(self._fields[field], many=False)
            self._lines[field] = LineGuide(self._own, one, self._text)
        return self._lines[field]
