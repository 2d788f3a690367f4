"""Answers that are remembered come back as they were, in little memory."""

from __future__ import annotations

import sys

from inference.decode.by_sentence import LONGEST, Remembered
from inference.prompts import Refusal
from labelwright.chances import Chances
from labelwright.labelers.base import Ask
from labelwright.records import Answer, Certainty

LABELS = [f"label {n}" for n in range(14)]


def answer(number: int) -> Answer:
    """An answer with probabilities of six decimals, all different."""
    probs = {}
    for place, label in enumerate(LABELS):
        first = round((number * 7919 + place * 104729) % 1_000_003 / 1_000_003, 6)
        probs[label] = {"positive": first, "blank": round(1 - first, 6)}
    value = dict.fromkeys(LABELS, list(Certainty)[number % 4])
    return Answer(value=value, raw=f"line {number % 4}", notes=("x",), probs=probs, seconds=0.5)


def test_answers_come_back_to_the_last_bit_and_the_oldest_goes() -> None:
    kept = Remembered(100)
    for number in range(101):
        kept.put(Ask(f"sentence {number}"), answer(number))
        assert kept.get(Ask("sentence 0")) == answer(0)  # asked for again and again: it stays
    assert len(kept) == 100
    assert kept.get(Ask("sentence 1")) is None
    assert all(kept.get(Ask(f"sentence {n}")) == answer(n) for n in range(2, 101))


def test_lead_and_text_are_told_apart_and_long_ones_are_not_kept() -> None:
    kept = Remembered(10)
    kept.put(Ask("b", lead="a"), answer(1))
    assert kept.get(Ask("ab")) is None
    assert kept.get(Ask("b", lead="a")) == answer(1)
    kept.put(Ask("x" * (LONGEST + 1)), answer(2))
    assert kept.get(Ask("x" * (LONGEST + 1))) is None
    kept.put(Ask("no words"), Refusal("nothing to read"))
    assert kept.get(Ask("no words")) == Refusal("nothing to read")
    plain = Answer(value=(), raw="none")
    kept.put(Ask("lone \ud800 surrogate"), plain)
    assert kept.get(Ask("lone \ud800 surrogate")) == plain


def test_what_answers_share_is_kept_once() -> None:
    kept = Remembered(1000)
    for number in range(400):
        kept.put(Ask(f"s {number}"), answer(number))
    found = [kept.get(Ask(f"s {number}")) for number in range(400)]
    packed = [one for one in found if isinstance(one, Answer) and isinstance(one.probs, Chances)]
    assert len(packed) == 400
    assert len({id(one.value) for one in packed}) == 4
    assert len({id(one.probs.layout) for one in packed if isinstance(one.probs, Chances)}) == 1
    assert all(sys.getsizeof(o.probs.millionths) < 300 for o in packed if o.probs)  # type: ignore[attr-defined]
