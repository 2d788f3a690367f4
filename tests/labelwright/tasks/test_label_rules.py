"""The likeliest labels that obey exclusive rules, compared with trying all labels."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelwright.label_set import Exclusive, Label, LabelSet
from labelwright.records import FLOOR, Certainty
from labelwright.tasks.certainty.rules import Probabilities, settle

P, N, U, B = Certainty.POSITIVE, Certainty.NEGATIVE, Certainty.UNCERTAIN, Certainty.BLANK


def with_rules(base: LabelSet, labels: list[Label], rules: list[Exclusive]) -> LabelSet:
    return replace(base, labels=tuple(labels), exclusive=tuple(rules))


def plain(base: LabelSet, names: str, **rules: str) -> LabelSet:
    """Observations named by letters; ``A="BC"`` forbids B and C beside A."""
    made = [Exclusive(label, tuple(others)) for label, others in rules.items()]
    return with_rules(base, [Label(name, name) for name in names], made)


def score(labels: dict[str, Certainty], probs: Probabilities) -> float:
    return sum(math.log(max(probs[name][value], FLOOR)) for name, value in labels.items())


def best_of_all(label_set: LabelSet, probs: Probabilities) -> float:
    """The score of the likeliest labels that obey, found by trying all."""
    vectors = itertools.product(*(label_set.by_name[n].certainties for n in label_set.names))
    named = (dict(zip(label_set.names, vector, strict=True)) for vector in vectors)
    return max(score(labels, probs) for labels in named if not label_set.contradictions(labels))


@st.composite
def cases(
    draw: st.DrawFn,
) -> tuple[list[Label], list[Exclusive], dict[str, dict[Certainty, float]]]:
    names = "ABCDE"[: draw(st.integers(2, 5))]
    kinds = st.sampled_from([(P, N, U, B), (P, B), (P, N, B), (P, U, B)])
    labels = [Label(name, name, certainties=draw(kinds)) for name in names]
    rules = []
    for _ in range(draw(st.integers(1, 3))):
        head = draw(st.sampled_from(names))
        others = draw(st.sets(st.sampled_from([n for n in names if n != head]), min_size=1))
        rules.append(Exclusive(head, tuple(sorted(others))))
    weight = st.sampled_from([0.0, 1e-9, 0.1, 0.3, 0.5, 1.0, 2.0]) | st.floats(1e-6, 1)
    probs = {}
    for label in labels:
        weights = [draw(weight) + 1e-12 for _ in label.certainties]
        probs[label.name] = {
            c: w / sum(weights) for c, w in zip(label.certainties, weights, strict=True)
        }
    return labels, rules, probs


@settings(max_examples=400, deadline=None)
@given(case=cases())
def test_no_other_labels_that_obey_are_likelier(
    chexpert: LabelSet,
    case: tuple[list[Label], list[Exclusive], dict[str, dict[Certainty, float]]],
) -> None:
    labels, rules, probs = case
    label_set = with_rules(chexpert, labels, rules)
    settled, changed = settle(label_set, probs)
    assert tuple(settled) == label_set.names
    assert not label_set.contradictions(settled)
    assert score(settled, probs) == pytest.approx(best_of_all(label_set, probs), abs=1e-9)
    for name in label_set.names:
        top = max(probs[name].values())
        assert (name in changed) or probs[name][settled[name]] == top


def test_what_gives_way_is_what_costs_least(chexpert: LabelSet) -> None:
    """0.6 · 0.3 for keeping A against 0.3 · 0.7 for keeping B; then 0.9 · 0.3 for A."""
    label_set = plain(chexpert, "AB", A="B")
    probs = {"A": {P: 0.6, N: 0.1, U: 0.0, B: 0.3}, "B": {P: 0.7, N: 0.0, U: 0.0, B: 0.3}}
    assert settle(label_set, probs) == ({"A": B, "B": P}, ("A",))
    probs["A"] = {P: 0.9, N: 0.0, U: 0.0, B: 0.1}
    assert settle(label_set, probs) == ({"A": P, "B": B}, ("B",))


def test_uncertain_is_forbidden_too_and_negative_is_not(chexpert: LabelSet) -> None:
    label_set = plain(chexpert, "AB", A="B")
    probs = {"A": {P: 0.9, B: 0.1}, "B": {P: 0.1, N: 0.2, U: 0.6, B: 0.1}}
    assert settle(label_set, probs) == ({"A": P, "B": N}, ("B",))
    probs["B"] = {P: 0.0, N: 0.9, U: 0.1, B: 0.0}
    assert settle(label_set, probs) == ({"A": P, "B": N}, ())


def test_a_chain_in_which_the_middle_gives_way_twice(chexpert: LabelSet) -> None:
    """A forbids B and B forbids C: giving up B alone frees both others."""
    label_set = plain(chexpert, "ABC", A="B", B="C")
    sure, doubtful = {P: 0.9, N: 0.0, U: 0.0, B: 0.1}, {P: 0.5, N: 0.2, U: 0.2, B: 0.1}
    probs = {"A": sure, "B": doubtful, "C": sure}
    assert settle(label_set, probs) == ({"A": P, "B": N, "C": P}, ("B",))


def test_the_shipped_rule(chexpert: LabelSet) -> None:
    probs = {
        n: dict.fromkeys(chexpert.by_name[n].certainties, 0.0) | {B: 1.0} for n in chexpert.names
    }
    probs["No Finding"] = {P: 0.8, B: 0.2}
    probs["Edema"] = {P: 0.45, N: 0.3, U: 0.05, B: 0.2}
    labels, changed = settle(chexpert, probs)
    assert (labels["No Finding"], labels["Edema"], changed) == (P, N, ("Edema",))
    probs["Edema"] = {P: 0.9, N: 0.05, U: 0.05, B: 0.0}
    labels, changed = settle(chexpert, probs)
    assert (labels["No Finding"], labels["Edema"], changed) == (B, P, ("No Finding",))


def test_thirty_observations_that_exclude_each_other_take_no_time(chexpert: LabelSet) -> None:
    """All pairs exclusive: at most one may be positive, the likeliest by its odds."""
    names = [f"L{number}" for number in range(30)]
    rules = [Exclusive(name, tuple(n for n in names if n != name)) for name in names]
    label_set = with_rules(chexpert, [Label(n, n, certainties=(P, N, U, B)) for n in names], rules)
    probs = {n: {P: 0.5 + k / 100, N: 0.4 - k / 100, U: 0.0, B: 0.1} for k, n in enumerate(names)}
    began = time.process_time()
    labels, changed = settle(label_set, probs)
    assert time.process_time() - began < 2
    assert [name for name in names if labels[name] is P] == ["L29"]
    assert len(changed) == 29
