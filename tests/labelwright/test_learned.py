"""What a training says of itself at its end: F1 of findings beside one fixed answer, by hand."""

from __future__ import annotations

import pytest

from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Entity
from labelwright.runtime.learned import Learned, fixed_answer, measure

P, N, B = Certainty.POSITIVE, Certainty.NEGATIVE, Certainty.BLANK


def value(label_set: LabelSet, **said: Certainty) -> dict[str, Certainty]:
    blank = dict.fromkeys(label_set.names, B)
    return blank | {name.replace("_", " "): certainty for name, certainty in said.items()}


def test_the_fixed_answer_is_the_best_one(chexpert: LabelSet) -> None:
    """Ten reports, 8 + 5 + 1 findings of which 4 more are the rival of the five.

    Pneumothorax negative in 8: F1 = 16 / (10 + 18) = .571. With Edema, negative in 5 and positive
    in 4, so negative: 26 / (20 + 18) = .684. With Fracture positive in 1: 28 / (30 + 18) = .583.
    """
    known = [
        value(
            chexpert,
            Pneumothorax=N if n < 8 else B,
            Edema=N if n < 5 else P if n < 9 else B,
            Fracture=P if n == 9 else B,
        )
        for n in range(10)
    ]
    assert {key[:2] for key in fixed_answer(chexpert, known)} == {("Pneumothorax", N), ("Edema", N)}


def test_scores_beside_the_fixed_answer(chexpert: LabelSet) -> None:
    """Twenty reports: 10 with Edema, 20 without Pneumothorax; fixed says the latter of each.

    Fixed: right 20, given 20, wanted 30: 40 / 50. All right: 1. Nothing read (``None``): 0.
    """
    gold = [value(chexpert, Pneumothorax=N, Edema=P if n % 2 else B) for n in range(20)]
    known = gold[:5]  # Edema in two of five: 10 / (5 + 7) alone, 14 / (10 + 7) with it
    fixed = fixed_answer(chexpert, known[:3] + known[:1] * 9)
    assert [key[:2] for key in fixed] == [("Pneumothorax", N)]
    start = known[:3] + known[:1] * 9
    found = measure(chexpert, start, zip(gold, gold, strict=True))
    assert found == Learned(reports=20, f1=1.0, fixed=pytest.approx(0.8), better=True)
    assert found.sentence("x") == (
        "F1 1.000 on 20 validation reports, one fixed answer for all gets 0.800"
    )
    silent = measure(chexpert, start, ((one, None) for one in gold))
    assert silent is not None
    assert (silent.f1, silent.better) == (0, False)
    assert silent.sentence("give more").endswith("it has learned nothing yet; give more")
    same = measure(chexpert, start, ((one, value(chexpert, Pneumothorax=N)) for one in gold))
    assert same is not None
    assert not same.better
    assert measure(chexpert, start, []) is None


def test_mentions_count_by_place_and_inventions_as_errors() -> None:
    """Gold one mention a note; said: it, elsewhere, and one that the text does not hold.

    Right 1, given 3, wanted 3: 2 / 6. No place stands in most notes, so the fixed answer says none.
    """
    label_set = LabelSet.load("disease-1")
    text = "asthma and asthma"
    first, second = (Entity.of(text, "Disease", span) for span in ((0, 6), (11, 17)))
    invented = Entity("Disease", (), "gout")
    others = [(Entity.of(text, "Disease", (n, n + 1)),) for n in range(9)]
    pairs = [((first,), (first,)), ((first,), (second,)), ((first,), (invented,))]
    found = measure(label_set, others, pairs)
    assert found is not None
    assert (round(found.f1, 6), found.fixed) == (round(2 / 6, 6), 0)
    assert "too few to tell whether it has learned more than that; x" in found.sentence("x")
