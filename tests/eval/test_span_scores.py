"""Scores of entities: those of seqeval and scikit-learn where these have them, else by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import classification_report, f1_score
from seqeval.scheme import IOB2
from sklearn.metrics import accuracy_score, precision_recall_fscore_support
from span_tools import TYPES, answers, e, from_tags, mentions, tag_pairs

from eval.kinds.entities.counts import Borders, span_counts
from eval.kinds.entities.scores import SCHEMES, SpanScores, schemes_of, span_scores, span_statistics
from labelwright.records import Entity

QUICK = settings(max_examples=50, deadline=None)
ALL = schemes_of(certainties=False, texts=True)


def scored(
    gold: list[list[Entity]],
    pred: list[list[Entity]],
    *,
    words: list[Borders] | None = None,
    undefined: str = "zero",
) -> SpanScores:
    counts, _ = span_counts(gold, pred, TYPES, words=words)
    schemes = schemes_of(certainties=False, texts=words is not None)
    return span_scores(counts, TYPES, schemes=schemes, undefined=undefined)  # type: ignore[arg-type]


def one_word_per_character(length: int) -> Borders:
    return list(range(length)), list(range(1, length + 1))


@QUICK
@given(tag_pairs())
def test_strict_scores_are_those_of_seqeval(
    pair: tuple[list[list[str]], list[list[str]]],
) -> None:
    gold, pred = pair
    ours = scored([from_tags(t) for t in gold], [from_tags(t) for t in pred], undefined="skip")
    strict = ours.schemes["strict"]
    if not strict.gold.any() and not strict.pred.any():  # seqeval has no macro mean then
        assert strict.macro.f1 == strict.micro.f1 == 0
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = classification_report(
            gold, pred, mode="strict", scheme=IOB2, output_dict=True, zero_division=0
        )
        conlleval = f1_score(gold, pred, average="micro", zero_division=0)
    for row, kind in enumerate(TYPES):
        if kind in theirs:
            values = strict.precision[row], strict.recall[row], strict.f1[row]
            assert values == pytest.approx(
                [theirs[kind][k] for k in ("precision", "recall", "f1-score")]
            )
        else:
            assert strict.undefined[row]
    micro, macro = theirs["micro avg"], theirs["macro avg"]
    assert strict.micro.f1 == pytest.approx(micro["f1-score"])
    assert strict.micro.f1 == pytest.approx(conlleval)
    assert strict.micro.precision == pytest.approx(micro["precision"])
    assert strict.micro.recall == pytest.approx(micro["recall"])
    assert strict.macro.f1 == pytest.approx(macro["f1-score"])


@QUICK
@given(tag_pairs())
def test_word_scores_are_those_of_sklearn_on_flat_marks(
    pair: tuple[list[list[str]], list[list[str]]],
) -> None:
    gold, pred = pair
    words = [one_word_per_character(len(t)) for t in gold]
    ours = scored([from_tags(t) for t in gold], [from_tags(t) for t in pred], words=words)
    flat = [[tag[2:] or "O" for tags in side for tag in tags] for side in (gold, pred)]
    labels = [*TYPES, "O"]
    p, r, f, _ = precision_recall_fscore_support(*flat, labels=labels, zero_division=0)
    with_o = ours.schemes["words_o"]
    assert with_o.precision == pytest.approx(p)
    assert with_o.recall == pytest.approx(r)
    assert with_o.f1 == pytest.approx(f)
    assert with_o.macro.f1 == pytest.approx(f.mean())
    assert ours.schemes["words"].macro.f1 == pytest.approx(f[:-1].mean())
    micro = precision_recall_fscore_support(
        *flat, labels=labels[:-1], average="micro", zero_division=0
    )
    assert ours.schemes["words"].micro.f1 == pytest.approx(micro[2])
    assert ours.accuracy == pytest.approx(accuracy_score(*flat))


def test_accuracy_over_words_praises_a_labeler_that_finds_nothing() -> None:
    gold = [[e("A", (0, 1)), e("B", (5, 6))]]
    found = scored(gold, [[]], words=[one_word_per_character(50)])
    assert found.accuracy == pytest.approx(48 / 50)
    assert found.schemes["words_o"].macro.f1 == pytest.approx((2 * 48 / 98) / 4)
    assert found.schemes["words"].macro.f1 == 0
    assert found.schemes["strict"].micro.f1 == 0


def test_partial_gives_half_a_credit() -> None:
    # One right, one with other borders, one spurious; one of the gold is missed.
    gold = [[e("A", (0, 5)), e("A", (10, 15)), e("A", (20, 25))]]
    pred = [[e("A", (0, 5)), e("A", (10, 13)), e("A", (30, 33)), e("A", (40, 43))]]
    partial = scored(gold, pred).schemes["partial"]
    assert partial.micro.precision == pytest.approx(1.5 / 4)
    assert partial.micro.recall == pytest.approx(1.5 / 3)
    assert partial.micro.f1 == pytest.approx(2 * 1.5 / 7)


def test_overlap_counts_each_side_by_itself() -> None:
    # One long answer over two mentions: the answer is right, and both are found.
    gold, pred = [[e("A", (0, 5)), e("A", (6, 9))]], [[e("A", (0, 9)), e("A", (20, 25))]]
    overlap, kind = (scored(gold, pred).schemes[s] for s in ("overlap", "type"))
    assert (overlap.micro.precision, overlap.micro.recall) == (0.5, 1.0)
    assert (kind.micro.precision, kind.micro.recall) == (0.5, 0.5)
    assert overlap.micro.f1 == pytest.approx(2 / 3)


def test_a_place_with_another_type_is_right_by_exact_under_each_sides_own_type() -> None:
    exact = scored([[e("A", (0, 5))]], [[e("B", (0, 5))]]).schemes["exact"]
    assert exact.micro.f1 == 1
    assert exact.recall[TYPES.index("A")] == 1
    assert exact.precision[TYPES.index("B")] == 1
    # Neither type has both sides, so neither has an F1 above 0.
    assert exact.f1.tolist() == [0, 0, 0]


@pytest.mark.parametrize(("rule", "macro"), [("zero", 0.5 / 3), ("one", 2.5 / 3), ("skip", 0.5)])
def test_types_that_nobody_has_follow_the_rule(rule: str, macro: float) -> None:
    gold, pred = [[e("A", (0, 5)), e("A", (6, 9))]], [[e("A", (0, 5)), e("A", (20, 22))]]
    strict = scored(gold, pred, undefined=rule).schemes["strict"]
    assert strict.macro.f1 == pytest.approx(macro)
    assert strict.undefined.tolist() == [False, True, True]
    assert strict.micro.f1 == pytest.approx(0.5)


@QUICK
@given(
    st.lists(
        st.tuples(st.lists(mentions, max_size=5), st.lists(answers, max_size=5)),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(("zero", "one", "skip")),
)
def test_statistics_of_summed_counts_are_the_scores(
    reports: list[tuple[list[Entity], list[Entity]]], rule: str
) -> None:
    words = [one_word_per_character(60) for _ in reports]
    gold, pred = [g for g, _ in reports], [p for _, p in reports]
    counts, _ = span_counts(gold, pred, TYPES, words=words)
    scores = span_scores(counts, TYPES, schemes=ALL, undefined=rule)  # type: ignore[arg-type]
    known = span_statistics(TYPES, schemes=ALL, undefined=rule)  # type: ignore[arg-type]
    total = np.asarray(counts.sum(axis=0), dtype=np.float64)
    for scheme in ALL:
        found = scores.schemes[scheme]
        micro, *each = known[f"micro_f1_{scheme}"].of(total).tolist()
        macro = known[f"macro_f1_{scheme}"].of(np.stack([total, total]))
        assert micro == pytest.approx(found.micro.f1)
        assert each == pytest.approx(found.f1[: len(TYPES)].tolist())
        assert macro[:, 0].tolist() == pytest.approx([found.macro.f1] * 2)
        for value in (*found.precision, *found.recall, *found.f1, found.micro.f1, found.macro.f1):
            assert 0 <= value <= 1


def test_schemes_and_perfect_reports() -> None:
    assert schemes_of(certainties=False, texts=False) == (*SCHEMES, "words")
    assert schemes_of(certainties=True, texts=True) == (*SCHEMES, "certainty", "words", "words_o")
    gold = [[e("A", (0, 5))], [], [e("A", (0, 5))], []]
    pred = [[e("A", (0, 5))], [], [], [e("B", (1, 2))]]
    assert scored(gold, pred).perfect == 0.5
    assert scored(gold, pred).accuracy is None
