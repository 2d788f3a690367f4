"""Matching of mentions: against brute force, against published scorers, and by hand."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nervaluate import Evaluator
from numpy.typing import NDArray
from span_tools import TYPES, answers, e, from_tags, mentions, tag_pairs

from eval.kinds.entities import matching as spans
from eval.kinds.entities.counts import Column, borders, span_counts
from eval.kinds.entities.errors import GOLD, KINDS, PRED, wrong_mentions
from eval.kinds.entities.matching import common, match, overlaps
from eval.kinds.entities.scores import Tally, tally
from labelwright.records import Certainty, Entity

QUICK = settings(max_examples=60, deadline=None)


def counted(gold: list[Entity], pred: list[Entity]) -> dict[str, int]:
    """All counts of one report over its types, without zeros."""
    table, _ = span_counts([gold], [pred], TYPES)
    return {c.name: int(n) for c, n in zip(Column, table[0].sum(axis=0), strict=True) if n}


def kinds(gold: list[Entity], pred: list[Entity]) -> tuple[list[str], list[str]]:
    found = wrong_mentions(gold, pred, match(gold, pred))
    sides = {side: [w.kind for w in found if w.side == side] for side in (GOLD, PRED)}
    return sides[GOLD], sides[PRED]


def total(gold: list[list[Entity]], pred: list[list[Entity]]) -> NDArray[np.int64]:
    return np.asarray(span_counts(gold, pred, TYPES)[0].sum(axis=0), dtype=np.int64)


@QUICK
@given(tag_pairs())
def test_outcomes_are_those_of_nervaluate_on_flat_mentions(
    pair: tuple[list[list[str]], list[list[str]]],
) -> None:
    gold, pred = pair
    theirs = Evaluator(gold, pred, tags=list(TYPES), loader="list").evaluate()["overall"]
    truth, said = [from_tags(t) for t in gold], [from_tags(t) for t in pred]
    ours = total(truth, said)
    for scheme in ("strict", "exact", "partial"):
        their = theirs[scheme]
        expected = Tally(
            their.correct, their.incorrect, their.partial, their.missed, their.spurious
        )
        assert tally(ours, scheme) == expected, scheme
    # nervaluate gives a mention away to the first one that touches it, whatever its type.
    found = tally(ours, "type")
    assert found is not None
    their = theirs["ent_type"]
    shared = [
        overlaps(g, range(len(g)), p, range(len(p))) for g, p in zip(truth, said, strict=True)
    ]
    single = all(
        max(Counter(edge[side] for edge in edges).values(), default=0) < 2
        for edges in shared
        for side in (0, 1)
    )
    if single:
        assert found == Tally(their.correct, their.incorrect, 0, their.missed, their.spurious)
    assert found.correct >= their.correct


@QUICK
@given(st.lists(mentions, max_size=7), st.lists(answers, max_size=7), st.randoms())
def test_the_order_of_mentions_does_not_matter(
    gold: list[Entity], pred: list[Entity], rng: random.Random
) -> None:
    before, wrong = counted(gold, pred), kinds(gold, pred)
    rng.shuffle(gold)
    rng.shuffle(pred)
    assert counted(gold, pred) == before
    assert tuple(map(Counter, kinds(gold, pred))) == tuple(map(Counter, wrong))


def best(gold: list[Entity], pred: list[Entity]) -> tuple[int, int, int]:
    """By trying all: most pairs with a common character, then most of one type, then characters."""
    if len(gold) > len(pred):
        return best(pred, gold)
    top = (0, 0, 0)
    for size in range(len(gold) + 1):
        for chosen in combinations(gold, size):
            for partners in permutations(pred, size):
                both = list(zip(chosen, partners, strict=True))
                shared = [common(g.spans, p.spans) for g, p in both]
                if all(shared):
                    kin = sum(g.type == p.type for g, p in both)
                    top = max(top, (size, kin, sum(shared)))
    return top


@QUICK
@given(st.lists(mentions, max_size=4), st.lists(mentions, max_size=4))
def test_pairs_are_as_many_and_as_good_as_can_be(gold: list[Entity], pred: list[Entity]) -> None:
    found = match(gold, pred)
    assert len({i for i, _ in found.strict}) == len({j for _, j in found.strict})
    strict = Counter((g.type, g.spans) for g in gold) & Counter((p.type, p.spans) for p in pred)
    assert len(found.strict) == strict.total()
    same_place = Counter(g.spans for g in gold) & Counter(p.spans for p in pred)
    assert len(found.strict) + len(found.exact) == same_place.total()
    taken = {i for i, _ in [*found.strict, *found.exact]}
    given_away = {j for _, j in [*found.strict, *found.exact]}
    free_gold = [g for i, g in enumerate(gold) if i not in taken]
    free_pred = [p for j, p in enumerate(pred) if j not in given_away]
    pairs = [(gold[i], pred[j]) for i, j in found.partial]
    quality = (
        len(pairs),
        sum(g.type == p.type for g, p in pairs),
        sum(common(g.spans, p.spans) for g, p in pairs),
    )
    assert quality == best(free_gold, free_pred)
    by_type = [
        best(
            [gold[i] for i in found.gold_left if gold[i].type == kind],
            [pred[j] for j in found.pred_left if pred[j].type == kind],
        )[0]
        for kind in TYPES
    ]
    assert len(found.typed) == sum(by_type)


@QUICK
@given(st.lists(mentions, max_size=12), st.lists(mentions, max_size=12))
def test_sweeping_finds_what_looking_at_every_pair_finds(
    gold: list[Entity], pred: list[Entity]
) -> None:
    every = range(len(gold)), range(len(pred))
    plain = overlaps(gold, every[0], pred, every[1])
    assert spans._swept(gold, every[0], pred, every[1]) == plain


@QUICK
@given(st.lists(mentions, min_size=1, max_size=9), st.lists(mentions, min_size=1, max_size=9))
def test_large_groups_get_as_many_pairs(gold: list[Entity], pred: list[Entity]) -> None:
    edges = overlaps(gold, range(len(gold)), pred, range(len(pred)))
    plain = spans.best_pairs(edges)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spans, "WEIGHED", 1)
        large = spans.best_pairs(edges)
    assert len(large) == len(plain)
    assert len({i for i, _ in large}) == len({j for _, j in large}) == len(large)


@QUICK
@given(st.lists(mentions, max_size=7), st.lists(answers, max_size=7))
def test_stricter_schemes_never_count_more(gold: list[Entity], pred: list[Entity]) -> None:
    found = counted(gold, pred)

    def n(name: str) -> int:
        return found.get(name, 0)

    assert n("STRICT") <= n("EXACT_GOLD") == n("EXACT_PRED") <= n("PAIR_GOLD") == n("PAIR_PRED")
    assert n("STRICT") <= n("TYPE") <= min(n("OVERLAP_GOLD"), n("OVERLAP_PRED"))
    assert n("PAIR_GOLD") <= min(n("GOLD"), n("PRED"))
    assert n("TYPE") + n("MISTYPED_GOLD") <= min(n("GOLD"), n("PRED"))


@QUICK
@given(st.lists(mentions, max_size=7), st.lists(answers, max_size=7))
def test_every_wrong_mention_has_one_kind(gold: list[Entity], pred: list[Entity]) -> None:
    strict = len(match(gold, pred).strict)
    missed, false = kinds(gold, pred)
    assert len(missed) == len(gold) - strict
    assert len(false) == len(pred) - strict
    assert {*missed, *false} <= KINDS.keys()
    assert "invented" not in missed
    assert "absent" not in missed
    assert "missing" not in false
    assert false.count("absent") == sum(not p.spans for p in pred)


def test_borders_and_types_by_hand() -> None:
    gold = [e("A", (0, 10)), e("A", (20, 30)), e("B", (40, 50)), e("C", (60, 70))]
    pred = [e("A", (0, 10)), e("A", (20, 25)), e("A", (40, 50)), e("C", (80, 90))]
    assert counted(gold, pred) == {
        "GOLD": 4,
        "PRED": 4,
        "STRICT": 1,
        "EXACT_GOLD": 2,  # A 0-10, and the place of B 40-50
        "EXACT_PRED": 2,
        "PAIR_GOLD": 3,
        "PAIR_PRED": 3,
        "TYPE": 2,
        "MISTYPED_GOLD": 1,
        "MISTYPED_PRED": 1,
        "OVERLAP_GOLD": 2,
        "OVERLAP_PRED": 2,
        "WORDS_GOLD": 40,
        "WORDS_PRED": 35,
        "WORDS_BOTH": 15,
    }
    assert kinds(gold, pred) == (["short", "type", "missing"], ["short", "type", "invented"])
    summed = total([gold], [pred])
    assert tally(summed, "strict") == Tally(1, 2, 0, missed=1, spurious=1)
    assert tally(summed, "exact") == Tally(2, 1, 0, missed=1, spurious=1)
    assert tally(summed, "partial") == Tally(2, 0, 1, missed=1, spurious=1)
    assert tally(summed, "type") == Tally(2, 1, 0, missed=1, spurious=1)
    assert tally(summed, "overlap") is None


def test_one_answer_over_two_mentions_is_one_pair_but_touches_both() -> None:
    gold, pred = [e("A", (0, 4)), e("A", (9, 12))], [e("A", (0, 12))]
    found = counted(gold, pred)
    assert (found["PAIR_GOLD"], found["TYPE"], found["OVERLAP_GOLD"]) == (1, 1, 2)
    assert kinds(gold, pred) == (["joined", "joined"], ["joined"])
    assert kinds(pred, gold) == (["split"], ["split", "split"])
    # The longer common part decides which of the two is the pair.
    assert match(gold, pred).partial == [(0, 0)]


def test_an_exact_mention_is_never_given_away() -> None:
    gold = [e("A", (0, 10)), e("A", (1, 3))]
    pred = [e("A", (5, 8)), e("A", (0, 10))]
    found = match(gold, pred)
    assert found.strict == [(0, 1)]
    assert found.typed == found.partial == []
    # Both are wrong for themselves; what they touch has its partner already.
    assert kinds(gold, pred) == (["missing"], ["invented"])
    assert found.gold_touched == [1]
    assert found.pred_touched == [0]


def test_mentions_that_the_text_does_not_hold_are_false_in_every_scheme() -> None:
    gold, pred = [e("A", (0, 4))], [e("A", (0, 4)), e("A"), e("A")]
    found = counted(gold, pred)
    assert found["PRED"] == 3
    assert {n for c, n in found.items() if c.startswith(("STRICT", "EXACT", "PAIR", "TYPE"))} == {1}
    assert kinds(gold, pred) == ([], ["absent", "absent"])
    outcomes = [tally(total([gold], [pred]), name) for name in ("strict", "exact", "type")]
    assert [found and found.spurious for found in outcomes] == [2, 2, 2]


def test_equal_mentions_are_matched_as_often_as_both_sides_have_them() -> None:
    gold, pred = [e("A", (0, 4))] * 2, [e("A", (0, 4))] * 3
    assert counted(gold, pred)["STRICT"] == 2
    assert kinds(gold, pred) == ([], ["repeated"])
    assert kinds(pred, gold) == (["repeated"], [])


def test_a_wrong_mention_marked_twice_is_wrong_once_for_itself() -> None:
    assert kinds([e("A", (0, 4))], [e("A", (0, 9))] * 3) == (["long"], ["long", *["repeated"] * 2])
    assert kinds([], [e("A", (0, 9))] * 2) == ([], ["invented", "repeated"])
    assert kinds([e("A", (0, 4))], [e("B", (0, 4))] * 2) == (["type"], ["type", "repeated"])


def test_parts_of_a_discontinuous_mention_must_all_agree() -> None:
    whole = e("A", (0, 4), (10, 14))
    assert counted([whole], [whole])["STRICT"] == 1
    assert kinds([whole], [e("A", (0, 14))]) == (["long"], ["long"])
    assert kinds([whole], [e("A", (10, 14))]) == (["short"], ["short"])
    assert kinds([whole], [e("A", (4, 10))]) == (["missing"], ["invented"])
    assert kinds([whole], [e("A", (2, 12))]) == (["shifted"], ["shifted"])


def test_kinds_of_types() -> None:
    assert kinds([e("A", (0, 4))], [e("B", (2, 9))]) == (["type"], ["type"])
    # The same place comes first, then the same type.
    gold, pred = [e("A", (0, 4))], [e("B", (0, 4)), e("A", (2, 6))]
    assert kinds(gold, pred) == (["type"], ["type", "shifted"])


def test_certainty_is_asked_of_strict_pairs_only() -> None:
    def sure(certainty: Certainty, *span: tuple[int, int]) -> Entity:
        return Entity("A", span, "x", certainty)

    yes, no = Certainty.POSITIVE, Certainty.NEGATIVE
    gold = [sure(yes, (0, 4)), sure(no, (0, 4)), sure(no, (9, 12)), sure(yes, (20, 24))]
    pred = [sure(no, (0, 4)), sure(yes, (0, 4)), sure(yes, (9, 12)), sure(yes, (20, 23))]
    table, _ = span_counts([gold], [pred], TYPES, certainties=True)
    assert table[0, 0, Column.STRICT] == 3
    assert table[0, 0, Column.CERTAIN] == 2


def test_words_are_runs_of_letters_and_single_marks() -> None:
    text = "Ca. 3,5cm mácula_x"
    starts, ends = borders(text)
    found = [text[s:t] for s, t in zip(starts, ends, strict=True)]
    assert found == ["Ca", ".", "3", ",", "5cm", "mácula", "_", "x"]


def test_a_word_belongs_to_every_type_that_touches_it() -> None:
    text = "left lower lobe opacity"  # four words
    gold = [e("A", (0, 15)), e("B", (16, 23))]
    pred = [e("A", (5, 12)), e("C", (11, 15))]
    table, _ = span_counts([gold], [pred], TYPES, words=[borders(text)])
    got = {
        kind: tuple(
            int(table[0, row, c]) for c in (Column.WORDS_GOLD, Column.WORDS_PRED, Column.WORDS_BOTH)
        )
        for row, kind in enumerate((*TYPES, "O"))
    }
    # gold: A A A B; answer: - A AC -; hence A in both at "lower" and "lobe" is 2 words.
    assert got == {"A": (3, 2, 2), "B": (1, 0, 0), "C": (0, 1, 0), "O": (0, 2, 0)}
    assert table[0, 3, Column.WORDS_RIGHT] == 1  # "lower" alone has the same types
    assert table[0, 3, Column.WORDS_ALL] == 4


def test_a_crowded_note_is_matched_in_little_time() -> None:
    gold = [e("A", (10 * i, 10 * i + 9)) for i in range(5_000)]
    pred = [e("A", (10 * i + 5, 10 * i + 14)) for i in range(5_000)]
    found = match(gold, pred)
    assert len(found.typed) == len(found.partial) == 5_000
