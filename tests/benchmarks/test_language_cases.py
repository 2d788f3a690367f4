"""The language cases are sound, and their benchmark counts as it says."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labelwright.label_set import LabelSet
from labelwright.records import Certainty

ROOT = Path(__file__).parents[2]
LABEL_SET = LabelSet.load("chexpert-14")
P, N, U, B = Certainty.POSITIVE, Certainty.NEGATIVE, Certainty.UNCERTAIN, Certainty.BLANK


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    folder = str(ROOT / "benchmarks")
    sys.path.insert(0, folder)
    import language_cases

    yield language_cases
    sys.path.remove(folder)


def test_each_id_is_one_text_and_asks_for_each_observation_once(bench: Any) -> None:
    for cases in (
        bench.read_cases(bench.EXAMPLES / "language_cases.csv"),
        bench.read_reports(bench.EXAMPLES / "language_reports.csv"),
    ):
        texts = {c.id: c.text for c in cases}
        assert len(set(texts.values())) == len(texts)
        assert all(texts[c.id] == c.text for c in cases)
        assert max(Counter((c.id, c.observation) for c in cases).values()) == 1
        for case in cases:
            assert case.expected in LABEL_SET.by_name[case.observation].certainties


def test_expected_labels_obey_the_rules_of_the_label_set(bench: Any) -> None:
    cases = bench.read_cases(bench.EXAMPLES / "language_cases.csv")
    cases += bench.read_reports(bench.EXAMPLES / "language_reports.csv")
    by_text: dict[str, dict[str, Certainty]] = {}
    for case in cases:
        by_text.setdefault(case.text, {})[case.observation] = case.expected
    for labels in by_text.values():
        assert LABEL_SET.contradictions(labels) == []


def test_cases_of_every_kind_and_certainty(bench: Any) -> None:
    cases = bench.read_cases(bench.EXAMPLES / "language_cases.csv")
    kinds = Counter(case.kind for case in cases)
    assert len(kinds) == 28
    assert min(kinds.values()) >= 8
    assert min(Counter(case.expected for case in cases).values()) >= 40


def test_scores_by_hand(bench: Any) -> None:
    """Two texts, five labels; the second text is rejected, so it counts as blank."""
    cases = [
        bench.Case("a", "x", "Edema", P, "k"),
        bench.Case("a", "x", "Fracture", U, "k"),
        bench.Case("a", "x", "Pneumonia", N, "k"),
        bench.Case("b", "y", "Edema", P, "l"),
        bench.Case("b", "y", "No Finding", B, "l"),
    ]
    said = {"a": {"Edema": P, "Fracture": P, "Pneumonia": None}}
    outcomes = bench.judge(cases, said)
    assert [o.got for o in outcomes] == [P, P, None, B, B]
    assert bench.accuracy(outcomes) == 2 / 5
    # Edema: 2 * 1 / (2 expected + 1 said) = 2/3; Fracture: nothing right, one said = 0
    assert bench.macro_f1(outcomes, P) == pytest.approx((2 / 3 + 0) / 2)
    assert bench.macro_f1(outcomes, U) == 0
    assert bench.all_right(outcomes) == (0, 2)
    assert bench.all_right([o for o in outcomes if o.case.observation == "Edema"]) == (1, 2)
    lines = bench.table({"m": outcomes}).splitlines()
    assert lines[1].split() == ["k", "3", "0.333"]
    assert lines[-1].split() == ["all", "5", "0.400"]


def test_the_rules_read_the_cases(bench: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A floor well below today's figures: worse than this is no rule-based labeler."""
    bench.main(["--model", "rules", "--wrong"])
    printed = capsys.readouterr().out
    everything = re.search(r"^all +(\d+) +([\d.]+)$", printed, re.MULTILINE)
    assert everything is not None
    count, share = int(everything[1]), float(everything[2])
    right = re.search(r"rules: (\d+) of 50 reports", printed)
    assert right is not None
    assert share >= 0.80
    assert int(right[1]) >= 35
    wrong = [line for line in printed.splitlines() if line.startswith("rules | g")]
    assert len(wrong) == round(count * (1 - share))
