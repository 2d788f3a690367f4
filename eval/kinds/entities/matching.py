"""Marked mentions against the gold's, one report at a time: who is matched with whom.

A **place** is the set of character ranges that a mention covers. Mentions are matched one to one
in this order, so that a mention found exactly is never given to another one:

1. *strict*: same place, same type. Of n equal mentions in the gold and m in the answer, min(n, m)
   are matched; the others stay over.
2. *exact*: of those left, same place, whatever the type.
3. *partial*: of those left, any common character, whatever the type. The largest possible number
   of pairs; among such matchings the one with most pairs of one type, then most common
   characters.
4. *type* (beside 2 and 3, after 1): of those left, any common character and the same type, the
   largest possible number of pairs; ``mistyped`` are the pairs of other types that can be added.
5. *overlap* (after 1) is not one to one: a mention is right when it shares a character with any
   mention of its type on the other side.

Mentions are put in order by place and type before they are matched, so nothing depends on the
order in which they were written. Mentions without a place (written by a labeler, but not in the
text) are matched with nothing.

Schemes 1 to 4 are those of SemEval-2013 task 9 (Segura-Bedmar et al. 2013), which leaves open how
several overlapping mentions are matched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from labelwright.records import Entity, Span

Edge = tuple[int, int, int]
"""Place in the gold, place in the answer, common characters."""
Pair = tuple[int, int]

BRUTE = 2_000
"""Up to so many pairs are looked at one by one; beyond, both sides are swept in order."""
WEIGHED = 400
"""Groups of overlapping mentions with more on a side than this get a matching of the same
number of pairs, but not the one with most common characters."""


@dataclass(frozen=True, slots=True)
class Matching:
    """One report's mentions matched, as places in the lists of gold and answer.

    Attributes:
        strict, exact, partial: pairs found in that step.
        typed: pairs of step 4; ``mistyped``: those of other types that can be added.
        gold_left, pred_left: those without a strict partner, by place and type.
        gold_touched, pred_touched: of those, the ones right by ``overlap``.
        edges: all pairs of ``gold_left`` and ``pred_left`` with a common character.
    """

    strict: list[Pair]
    exact: list[Pair] = field(default_factory=list)
    partial: list[Pair] = field(default_factory=list)
    typed: list[Pair] = field(default_factory=list)
    mistyped: list[Pair] = field(default_factory=list)
    gold_left: list[int] = field(default_factory=list)
    pred_left: list[int] = field(default_factory=list)
    gold_touched: list[int] = field(default_factory=list)
    pred_touched: list[int] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)


def match(gold: Sequence[Entity], pred: Sequence[Entity]) -> Matching:
    """Match one report's mentions; every mention of the gold has a place."""
    waiting: dict[tuple[str, tuple[Span, ...]], list[int]] = {}
    for i, mention in enumerate(gold):
        waiting.setdefault((mention.type, mention.spans), []).append(i)
    strict: list[Pair] = []
    pred_left: list[int] = []
    for j, mention in enumerate(pred):
        equal = waiting.get((mention.type, mention.spans))
        if equal and mention.spans:
            strict.append((equal.pop(), j))
        else:
            pred_left.append(j)
    if len(strict) == len(gold) and not pred_left:
        return Matching(strict)
    gold_left = [i for places in waiting.values() for i in places]
    gold_left.sort(key=lambda i: (gold[i].spans, gold[i].type))
    pred_left.sort(key=lambda j: (pred[j].spans, pred[j].type))
    return _rest(gold, pred, strict, gold_left, pred_left)


def common(a: Sequence[Span], b: Sequence[Span]) -> int:
    """Characters that two places share; the parts of each are apart from each other."""
    return sum(max(0, min(e, f) - max(s, t)) for s, e in a for t, f in b)


def _rest(
    gold: Sequence[Entity],
    pred: Sequence[Entity],
    strict: list[Pair],
    gold_left: list[int],
    pred_left: list[int],
) -> Matching:
    placed = [j for j in pred_left if pred[j].spans]
    right_gold, right_pred = [i for i, _ in strict], [j for _, j in strict]
    edges = overlaps(gold, gold_left, pred, placed)
    exact = _same_place(gold, gold_left, pred, placed)
    in_exact = {i for i, _ in exact}, {j for _, j in exact}
    free = [e for e in edges if e[0] not in in_exact[0] and e[1] not in in_exact[1]]
    same = [e for e in edges if gold[e[0]].type == pred[e[1]].type]

    def kin(edge: Edge) -> bool:
        return gold[edge[0]].type == pred[edge[1]].type

    typed = best_pairs(same)
    in_typed = {i for i, _ in typed}, {j for _, j in typed}
    others = [e for e in edges if e[0] not in in_typed[0] and e[1] not in in_typed[1]]
    touched_gold, touched_pred = {i for i, _, _ in same}, {j for _, j, _ in same}
    for i, j, _ in overlaps(gold, right_gold, pred, placed):
        if gold[i].type == pred[j].type:
            touched_pred.add(j)
    for i, j, _ in overlaps(gold, gold_left, pred, right_pred):
        if gold[i].type == pred[j].type:
            touched_gold.add(i)
    return Matching(
        strict=strict,
        exact=exact,
        partial=best_pairs(free, kin),
        typed=typed,
        mistyped=best_pairs(others),
        gold_left=gold_left,
        pred_left=pred_left,
        gold_touched=sorted(touched_gold),
        pred_touched=sorted(touched_pred),
        edges=edges,
    )


def _same_place(
    gold: Sequence[Entity], gold_left: list[int], pred: Sequence[Entity], placed: list[int]
) -> list[Pair]:
    waiting: dict[tuple[Span, ...], list[int]] = {}
    for i in reversed(gold_left):
        waiting.setdefault(gold[i].spans, []).append(i)
    return [(waiting[pred[j].spans].pop(), j) for j in placed if waiting.get(pred[j].spans)]


def overlaps(
    gold: Sequence[Entity], golds: Sequence[int], pred: Sequence[Entity], preds: Sequence[int]
) -> list[Edge]:
    """All pairs of the mentions listed that share a character, in the order of the lists."""
    if len(golds) * len(preds) > BRUTE:
        return _swept(gold, golds, pred, preds)
    ends = [(j, spans, spans[0][0], spans[-1][1]) for j in preds for spans in (pred[j].spans,)]
    found = []
    for i in golds:
        spans = gold[i].spans
        start, end = spans[0][0], spans[-1][1]
        for j, others, first, last in ends:
            if first < end and start < last and (shared := common(spans, others)):
                found.append((i, j, shared))
    return found


def _swept(
    gold: Sequence[Entity], golds: Sequence[int], pred: Sequence[Entity], preds: Sequence[int]
) -> list[Edge]:
    """The same in one pass over both sides by start: only what is still open is compared."""
    parts = sorted(
        [(s, e, 0, n) for n, i in enumerate(golds) for s, e in gold[i].spans]
        + [(s, e, 1, n) for n, j in enumerate(preds) for s, e in pred[j].spans]
    )
    open_parts: list[list[tuple[int, int]]] = [[], []]
    shared: dict[Pair, int] = {}
    for start, end, side, number in parts:
        other = open_parts[1 - side] = [p for p in open_parts[1 - side] if p[0] > start]
        for stop, partner in other:
            pair = (number, partner) if side == 0 else (partner, number)
            shared[pair] = shared.get(pair, 0) + min(stop, end) - start
        open_parts[side].append((end, number))
    return [(golds[a], preds[b], n) for (a, b), n in sorted(shared.items())]


def best_pairs(edges: Sequence[Edge], kin: Callable[[Edge], bool] | None = None) -> list[Pair]:
    """The largest one-to-one set of pairs, with most ``kin``, then most common characters.

    What is still equal is decided by the order of ``edges``.
    """
    found: list[Pair] = []
    for group in _groups(edges):
        if len(group) == 1:
            found.append(group[0][:2])
            continue
        rows = list(dict.fromkeys(i for i, _, _ in group))
        columns = list(dict.fromkeys(j for _, j, _ in group))
        if len(rows) == 1 or len(columns) == 1:
            found.append(max(group, key=lambda e: (kin is not None and kin(e), e[2]))[:2])
        else:
            found += _assigned(group, rows, columns, kin)
    return found


def _groups(edges: Sequence[Edge]) -> Iterator[list[Edge]]:
    """Edges that hang together, each group and its edges in the order given."""
    if len(edges) < 2:
        yield from ([edge] for edge in edges)
        return
    root: dict[tuple[int, int], tuple[int, int]] = {}

    def top(node: tuple[int, int]) -> tuple[int, int]:
        while root.setdefault(node, node) != node:
            root[node] = root[root[node]]
            node = root[node]
        return node

    for i, j, _ in edges:
        root[top((1, j))] = top((0, i))
    grouped: dict[tuple[int, int], list[Edge]] = {}
    for edge in edges:
        grouped.setdefault(top((0, edge[0])), []).append(edge)
    yield from grouped.values()


def _assigned(
    group: list[Edge], rows: list[int], columns: list[int], kin: Callable[[Edge], bool] | None
) -> Iterable[Pair]:
    import numpy as np

    row_of = {i: n for n, i in enumerate(rows)}
    column_of = {j: n for n, j in enumerate(columns)}
    at = [(row_of[i], column_of[j]) for i, j, _ in group]
    if max(len(rows), len(columns)) > WEIGHED:
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import maximum_bipartite_matching

        ones = np.ones(len(at), dtype=np.int8)
        graph = csr_array((ones, tuple(zip(*at, strict=True))), shape=(len(rows), len(columns)))
        partner = maximum_bipartite_matching(graph, perm_type="column")
        return [(rows[r], columns[c]) for r, c in enumerate(partner.tolist()) if c >= 0]
    from scipy.optimize import linear_sum_assignment

    # One more pair outweighs every kinship, and one more kinship every common character.
    related = 1 + sum(n for _, _, n in group)
    pair = (1 + min(len(rows), len(columns))) * 2 * related
    worth = np.zeros((len(rows), len(columns)))
    for (r, c), edge in zip(at, group, strict=True):
        worth[r, c] = pair + related * (kin is not None and kin(edge)) + edge[2]
    chosen = zip(*linear_sum_assignment(worth, maximize=True), strict=True)
    return [(rows[r], columns[c]) for r, c in chosen if worth[r, c]]
