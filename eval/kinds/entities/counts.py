"""Counts of mentions per report and type: what every score of entities is a function of.

One report is a table of whole numbers, one row per type and a last row for the words of no type.
Tables add up, as those of :mod:`eval.stats.counts` do, so the same resampling serves both tasks.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from eval.kinds.entities.matching import Matching, match
from labelwright.records import Entity

WORD = re.compile(r"[^\W_]+|[^\w\s]|_")
"""A word of the word scores: a run of letters and digits, or any other mark by itself."""

SpanCounts = NDArray[np.int32]
"""``[reports, types + 1, columns]``."""


class Column(IntEnum):
    """Columns of a table: ``_GOLD`` in the row of the gold's type, ``_PRED`` of the answer's.

    ``GOLD`` and ``PRED`` count mentions. ``PAIR`` counts ``strict``, ``exact`` and ``partial``
    pairs, so that ``EXACT + PAIR`` are half credits. ``CERTAIN`` counts strict pairs of the same
    certainty. ``WORDS`` are words (characters where texts are not known), a word in every type
    whose mention touches it; ``WORDS_RIGHT`` and ``WORDS_ALL`` stand in the last row only.
    """

    GOLD = 0
    PRED = 1
    STRICT = 2
    CERTAIN = 3
    EXACT_GOLD = 4
    EXACT_PRED = 5
    PAIR_GOLD = 6
    PAIR_PRED = 7
    TYPE = 8
    MISTYPED_GOLD = 9
    MISTYPED_PRED = 10
    OVERLAP_GOLD = 11
    OVERLAP_PRED = 12
    WORDS_GOLD = 13
    WORDS_PRED = 14
    WORDS_BOTH = 15
    WORDS_RIGHT = 16
    WORDS_ALL = 17


WIDTH = len(Column)
Borders = tuple[list[int], list[int]]
"""Starts and ends of a text's words."""


def borders(text: str) -> Borders:
    """Where the words of a text begin and end, as :data:`WORD` cuts them."""
    spans = [m.span() for m in WORD.finditer(text)]
    return [s for s, _ in spans], [e for _, e in spans]


def span_counts(
    gold: Sequence[Sequence[Entity]],
    pred: Sequence[Sequence[Entity]],
    types: Sequence[str],
    *,
    words: Sequence[Borders] | None = None,
    certainties: bool = False,
) -> tuple[SpanCounts, list[Matching]]:
    """Match and count every report.

    Args:
        gold, pred: mentions per report; all types are among ``types``.
        words: borders of the words per report; without them characters are counted, and those of
            no type cannot be.
        certainties: whether the certainties of strict pairs are compared.

    Returns:
        The counts, and who was matched with whom.
    """
    row_of = {name: number for number, name in enumerate(types)}
    table = np.zeros((len(gold), len(types) + 1, WIDTH), dtype=np.int32)
    matchings = []
    for place, (truth, answer) in enumerate(zip(gold, pred, strict=True)):
        found = match(truth, answer)
        matchings.append(found)
        rows = [[0] * WIDTH for _ in range(len(types) + 1)]
        _count_mentions(rows, row_of, truth, answer, found)
        if certainties:
            _count_certainties(rows, row_of, truth, answer)
        _count_words(rows, row_of, truth, answer, None if words is None else words[place])
        table[place] = rows
    return table, matchings


def _count_mentions(
    rows: list[list[int]],
    row_of: Mapping[str, int],
    gold: Sequence[Entity],
    pred: Sequence[Entity],
    found: Matching,
) -> None:
    of_gold = [rows[row_of[g.type]] for g in gold]
    of_pred = [rows[row_of[p.type]] for p in pred]
    for row in of_gold:
        row[Column.GOLD] += 1
    for row in of_pred:
        row[Column.PRED] += 1
    for i, _ in found.strict:
        of_gold[i][Column.STRICT] += 1
    for row in rows:
        if strict := row[Column.STRICT]:
            for column in _AT_LEAST_STRICT:
                row[column] = strict
    if found.gold_left or found.pred_left:
        _count_rest(of_gold, of_pred, found)


def _count_rest(of_gold: list[list[int]], of_pred: list[list[int]], found: Matching) -> None:
    for pairs, in_gold, in_pred in (
        (found.exact, Column.EXACT_GOLD, Column.EXACT_PRED),
        ([*found.exact, *found.partial], Column.PAIR_GOLD, Column.PAIR_PRED),
        (found.mistyped, Column.MISTYPED_GOLD, Column.MISTYPED_PRED),
    ):
        for i, j in pairs:
            of_gold[i][in_gold] += 1
            of_pred[j][in_pred] += 1
    for i, _ in found.typed:
        of_gold[i][Column.TYPE] += 1
    for i in found.gold_touched:
        of_gold[i][Column.OVERLAP_GOLD] += 1
    for j in found.pred_touched:
        of_pred[j][Column.OVERLAP_PRED] += 1


_AT_LEAST_STRICT = (
    Column.EXACT_GOLD,
    Column.EXACT_PRED,
    Column.PAIR_GOLD,
    Column.PAIR_PRED,
    Column.TYPE,
    Column.OVERLAP_GOLD,
    Column.OVERLAP_PRED,
)


def _count_certainties(
    rows: list[list[int]],
    row_of: Mapping[str, int],
    gold: Sequence[Entity],
    pred: Sequence[Entity],
) -> None:
    given = Counter((p.type, p.spans, p.certainty) for p in pred if p.spans)
    for key, count in (Counter((g.type, g.spans, g.certainty) for g in gold) & given).items():
        rows[row_of[key[0]]][Column.CERTAIN] += count


def _count_words(
    rows: list[list[int]],
    row_of: Mapping[str, int],
    gold: Sequence[Entity],
    pred: Sequence[Entity],
    words: Borders | None,
) -> None:
    truth, answer = _touched(gold, words), _touched(pred, words)
    wrong: set[int] = set()
    empty: set[int] = set()
    for name in truth.keys() | answer.keys():
        in_gold, in_pred = truth.get(name, empty), answer.get(name, empty)
        row = rows[row_of[name]]
        row[Column.WORDS_GOLD] = len(in_gold)
        row[Column.WORDS_PRED] = len(in_pred)
        row[Column.WORDS_BOTH] = len(in_gold & in_pred)
        wrong |= in_gold ^ in_pred
    if words is None:
        return
    total = len(words[0])
    marked_gold, marked_pred = empty.union(*truth.values()), empty.union(*answer.values())
    last = rows[-1]
    last[Column.WORDS_GOLD] = total - len(marked_gold)
    last[Column.WORDS_PRED] = total - len(marked_pred)
    last[Column.WORDS_BOTH] = total - len(marked_gold | marked_pred)
    last[Column.WORDS_RIGHT] = total - len(wrong)
    last[Column.WORDS_ALL] = total


def _touched(mentions: Sequence[Entity], words: Borders | None) -> dict[str, set[int]]:
    """Numbers of the words (or characters) that the mentions of each type touch."""
    found: dict[str, set[int]] = {}
    for mention in mentions:
        numbers = found.setdefault(mention.type, set())
        for start, end in mention.spans:
            if words is None:
                numbers.update(range(start, end))
            else:
                numbers.update(range(bisect_right(words[1], start), bisect_left(words[0], end)))
    return found
