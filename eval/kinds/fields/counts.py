"""Counts of fields per document: what every score of fields is a function of.

One document is a table of whole numbers, one row per field and a last row for the document as a
whole. Tables add up, as those of :mod:`eval.stats.counts` do, so resampling and tests are those of
every other kind. Shares (how alike two texts are, how far two numbers apart) are counted in
ten-thousandths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from eval.kinds.fields.asked import Asked
from eval.kinds.fields.equality import (
    all_in,
    distinct,
    folded,
    likeness,
    matched,
    relative_error,
    words,
)
from labelwright.tasks.fields.values import FieldValue, Item

FieldCounts = NDArray[np.int32]
"""``[documents, fields + 1, columns]``."""
FINE = 10_000
"""Parts of a share."""


class Count(IntEnum):
    """Columns of a table.

    ``GOLD`` and ``SAID`` count values that are stated: one of a field, or those of its list. Every
    one of the answer's is ``RIGHT``, ``WRONG`` (another than the gold's) or ``INVENTED`` (the gold
    states none, or none that is left); the gold's others are ``MISSED``. The next count documents:
    those whose gold scores the field, states nothing of it, states nothing as the answer does,
    states nothing although the answer does, states something exactly where the answer does, and
    says the very same. Of texts: likeness, and the words of both, of the gold and of the answer;
    of numbers: relative error. The last three are the paper's points, of all that is said whether
    or not the gold scores it.
    """

    GOLD = 0
    SAID = 1
    RIGHT = 2
    WRONG = 3
    MISSED = 4
    INVENTED = 5
    SCORED = 6
    NULL = 7
    RIGHT_NULL = 8
    ON_NULL = 9
    PRESENCE = 10
    WHOLE = 11
    LIKE = 12
    LIKE_OF = 13
    WORDS_BOTH = 14
    WORDS_GOLD = 15
    WORDS_SAID = 16
    OFF = 17
    OFF_OF = 18
    TYPE_ERRORS = 19
    UNSUPPORTED = 20
    UNKNOWN = 21


WIDTH = len(Count)
_C = Count
Document = Mapping[str, FieldValue]


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong with a field of a document.

    Attributes:
        field: its place among the fields.
        gold, said: the items that have no partner; either may be empty.
    """

    field: int
    gold: tuple[Item, ...]
    said: tuple[Item, ...]


def field_counts(
    asked: Sequence[Asked], gold: Sequence[Document], said: Sequence[Document | None]
) -> tuple[FieldCounts, list[list[Wrong]]]:
    """Compare and count every document; the last three columns stay 0.

    Args:
        gold: of a field that a document's gold lacks nothing is scored there.
        said: ``None`` for a document without an answer, which is wrong in all that is scored; so
            is a field that an answer lacks.

    Returns:
        The counts, and per document what is wrong.
    """
    table = np.zeros((len(gold), len(asked) + 1, WIDTH), dtype=np.int32)
    wrong: list[list[Wrong]] = [[] for _ in gold]
    for place, field in enumerate(asked):
        _one_field(field, place, gold, said, table[:, place], wrong)
    scored = table[:, :-1, _C.SCORED]
    table[:, -1, _C.SCORED] = scored.any(axis=1)
    right = (table[:, :-1, _C.WHOLE] == scored).all(axis=1)
    table[:, -1, _C.WHOLE] = right & scored.any(axis=1)
    return table, wrong


def _one_field(
    asked: Asked,
    place: int,
    gold: Sequence[Document],
    said: Sequence[Document | None],
    table: NDArray[np.int32],
    wrong: list[list[Wrong]],
) -> None:
    """Fill one field's ``[documents, columns]``; the frequent cases cost nothing but the look."""
    name, nulls, empty = asked.name, [], ()
    for document, (truth, answer) in enumerate(zip(gold, said, strict=True)):
        known = truth.get(name)
        if known is None:
            continue
        given = None if answer is None else answer.get(name)
        of_gold = asked.stated(known)
        if given is None:
            row = table[document]
            row[_C.SCORED] = 1
            row[_C.GOLD] = row[_C.MISSED] = (
                len(distinct(asked.sameness, of_gold)) if asked.many else bool(of_gold)
            )
            row[_C.NULL] = not of_gold
            wrong[document].append(Wrong(place, of_gold, empty))
            if of_gold:
                _measures(asked, of_gold, empty, row)
            continue
        of_answer = asked.stated(given)
        if not of_gold and not of_answer:
            nulls.append(document)
            continue
        _cell(asked, of_gold, of_answer, table[document])
        if not table[document, _C.WHOLE]:
            wrong[document].append(Wrong(place, *_apart(asked, of_gold, of_answer)))
    both = [_C.SCORED, _C.NULL, _C.RIGHT_NULL, _C.PRESENCE, _C.WHOLE]
    table[np.ix_(nulls, both)] = 1


def _cell(
    asked: Asked, gold: tuple[Item, ...], said: tuple[Item, ...], row: NDArray[np.int32]
) -> None:
    """Count one field of one document of which the gold or the answer says something."""
    if asked.many:
        gold, said = tuple(distinct(asked.sameness, gold)), tuple(distinct(asked.sameness, said))
        right = len(matched(asked.sameness, gold, said))
        in_gold, in_answer = len(gold), len(said)
    else:
        # Two different answers to one question are a wrong one, whichever comes first.
        in_gold, in_answer = int(bool(gold)), int(bool(said))
        right = int(in_gold and in_answer and all_in(asked.sameness, gold, said))
    other = min(in_gold, in_answer) - right
    row[: _C.WHOLE + 1] = (
        in_gold,
        in_answer,
        right,
        other,
        in_gold - right - other,
        in_answer - right - other,
        1,
        not gold,
        0,
        not gold and bool(said),
        bool(gold) == bool(said),
        right == in_gold == in_answer,
    )
    _measures(asked, gold, said, row)


def _apart(
    asked: Asked, gold: tuple[Item, ...], said: tuple[Item, ...]
) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """The items that have no partner on the other side."""
    if not asked.many:
        return gold, said
    gold, said = tuple(distinct(asked.sameness, gold)), tuple(distinct(asked.sameness, said))
    pairs = matched(asked.sameness, gold, said)
    left, right = {i for i, _ in pairs}, {j for _, j in pairs}
    return (
        tuple(item for i, item in enumerate(gold) if i not in left),
        tuple(item for j, item in enumerate(said) if j not in right),
    )


def _measures(
    asked: Asked, gold: tuple[Item, ...], said: tuple[Item, ...], row: NDArray[np.int32]
) -> None:
    """How near text and number are, beside whether they are right."""
    if asked.type == "text":
        one, other = (" ".join(map(_text, items)) for items in (gold, said))
        row[_C.LIKE_OF] = 1
        if folded(one) == folded(other):
            count = words(one).total()
            row[_C.LIKE] = FINE
            row[[_C.WORDS_BOTH, _C.WORDS_GOLD, _C.WORDS_SAID]] = count
            return
        of_gold, of_answer = words(one), words(other)
        row[_C.LIKE] = round(FINE * likeness(one, other)) if gold and said else 0
        row[_C.WORDS_BOTH] = (of_gold & of_answer).total()
        row[_C.WORDS_GOLD], row[_C.WORDS_SAID] = of_gold.total(), of_answer.total()
    elif asked.type == "number" and not asked.many and gold and said:
        true, given = gold[0].value, said[0].value
        if isinstance(true, float) and isinstance(given, float):
            row[_C.OFF_OF] = 1
            row[_C.OFF] = round(FINE * relative_error(true, given, asked.epsilon))


def _text(item: Item) -> str:
    return item.raw if item.value is None else str(item.value)


def pointed(
    asked: Sequence[Asked],
    said: Sequence[Document | None],
    table: FieldCounts,
    *,
    texts: Sequence[str] | None,
    unknown: Sequence[int],
) -> bool:
    """Count the paper's points into ``table``: type errors, values without support, unknown keys.

    Args:
        texts: of the documents, to look for values that have no place.
        unknown: keys outside the label set, per document.

    Returns:
        Whether support could be judged: there are texts, or the labeler gives places.
    """
    placed = texts is not None or any(
        item.spans for each in said if each for one in each.values() for item in one.items
    )
    table[:, -1, _C.UNKNOWN] = unknown
    # Document by document, so that a long text is folded once for all of its fields.
    for document, answer in enumerate(said):
        text = None if texts is None else texts[document]
        for place, field in enumerate(asked):
            given = None if answer is None else answer.get(field.name)
            if given is None or not given.items:
                continue
            row = table[document, place]
            for item in given.items:
                if field.type_error(item):
                    row[_C.TYPE_ERRORS] += 1
                elif placed and field.unsupported(item, text):
                    row[_C.UNSUPPORTED] += 1
    return placed
