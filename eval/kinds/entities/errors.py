"""What is wrong with a mention that is not right: one kind for each, on both sides.

Wrong are the mentions without a strict partner: the gold's (missed) and the answer's (false).
Each gets the first kind of this list that fits; only wrong mentions of the other side count,
unless said otherwise:

``absent``
    An answer that the text does not hold.
``repeated``
    Equal to a mention of its side that has its partner already.
``type``
    Paired with a mention of the same place and another type.
``repeated`` again
    Equal to another wrong mention of its side, of which only the first gets a kind below.
``joined``
    One answer over several gold mentions of its type, such as both sides of an "and".
``split``
    Several answers over one gold mention of their type.
``short``, ``long``, ``shifted``
    One answer over one gold mention of its type: inside it, around it, or neither.
``type`` again
    Shares characters with mentions of other types only.
``missing``, ``invented``
    Shares no character with a wrong mention of the other side.

The kinds of the gold's wrong mentions add up to its misses, those of the answer's to its false
alarms; nothing depends on the order of mentions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from eval.kinds.entities.matching import Matching, common
from labelwright.records import Entity

KINDS: Mapping[str, str] = {
    "short": "part of it missed",
    "long": "too much marked",
    "shifted": "borders moved",
    "joined": "several as one",
    "split": "one as several",
    "type": "other type",
    "repeated": "marked twice",
    "missing": "missing",
    "invented": "invented",
    "absent": "not in the text",
}
"""The kinds in the page's order, with their names there."""

GOLD, PRED = "gold", "answer"


@dataclass(frozen=True, slots=True)
class Wrong:
    """One wrong mention: ``side`` has it at ``place`` of its list."""

    side: str
    place: int
    kind: str


def wrong_mentions(gold: Sequence[Entity], pred: Sequence[Entity], found: Matching) -> list[Wrong]:
    """The wrong mentions of one report, the gold's first, each by place and type."""
    if not (found.gold_left or found.pred_left):
        return []
    judge = _Judge(gold, pred, found)
    return [
        *(Wrong(GOLD, i, judge.of_gold(i)) for i in found.gold_left),
        *(Wrong(PRED, j, judge.of_pred(j)) for j in found.pred_left),
    ]


class _Judge:
    """Who overlaps whom among the wrong mentions of one report."""

    def __init__(self, gold: Sequence[Entity], pred: Sequence[Entity], found: Matching) -> None:
        self.gold, self.pred = gold, pred
        self.right = {(gold[i].type, gold[i].spans) for i, _ in found.strict}
        self.retyped = {i for i, _ in found.exact}, {j for _, j in found.exact}
        self.twice = (
            _later(gold, found.gold_left) - self.retyped[0],
            _later(pred, found.pred_left) - self.retyped[1],
        )
        self.near = {i for i, _, _ in found.edges}, {j for _, j, _ in found.edges}
        self.kin_of_gold: dict[int, list[int]] = {}
        self.kin_of_pred: dict[int, list[int]] = {}
        for i, j, _ in found.edges:
            once = i not in self.twice[0] and j not in self.twice[1]
            if once and gold[i].type == pred[j].type:
                self.kin_of_gold.setdefault(i, []).append(j)
                self.kin_of_pred.setdefault(j, []).append(i)

    def of_gold(self, i: int) -> str:
        kin = self.kin_of_gold.get(i, [])
        return (
            self._first(self.gold[i], i, 0)
            or (self._of_kin([i], kin) if kin else "")
            or ("type" if i in self.near[0] else "missing")
        )

    def of_pred(self, j: int) -> str:
        kin = self.kin_of_pred.get(j, [])
        return (
            self._first(self.pred[j], j, 1)
            or (self._of_kin(kin, [j]) if kin else "")
            or ("type" if j in self.near[1] else "invented")
        )

    def _first(self, mention: Entity, place: int, side: int) -> str:
        if not mention.spans:
            return "absent"
        if (mention.type, mention.spans) in self.right or place in self.twice[side]:
            return "repeated"
        return "type" if place in self.retyped[side] else ""

    def _of_kin(self, golds: list[int], preds: list[int]) -> str:
        if any(len(self.kin_of_pred[j]) > 1 for j in preds):
            return "joined"
        if any(len(self.kin_of_gold[i]) > 1 for i in golds):
            return "split"
        return borders_kind(self.gold[golds[0]], self.pred[preds[0]])


def _later(mentions: Sequence[Entity], places: Sequence[int]) -> set[int]:
    """Of equal mentions among ``places``, in their order by place and type, all but the first."""
    return {
        after
        for before, after in pairwise(places)
        if mentions[before].spans == mentions[after].spans
        and mentions[before].type == mentions[after].type
    }


def borders_kind(gold: Entity, pred: Entity) -> str:
    """``short``, ``long`` or ``shifted`` for two different places with a common character."""
    shared = common(gold.spans, pred.spans)
    if shared == sum(end - start for start, end in pred.spans):
        return "short"
    if shared == sum(end - start for start, end in gold.spans):
        return "long"
    return "shifted"
