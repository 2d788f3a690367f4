"""The verdict and its notices: never more than the data show."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from page_tools import FAST, checked, compared, coverage, page, said

from eval.kinds.certainty.page import VIEW
from eval.page.frame import Page
from eval.page.verdict import facts, verdicts
from eval.stats.significance import analysed


@pytest.fixture(scope="module")
def two() -> Page:
    return page(compared({"ours": 0.02, "rules": 0.4}))


def test_verdict_names_the_better_labeler_with_its_numbers(two: Page) -> None:
    (verdict,) = verdicts(two.analysis)
    change = two.analysis.change(two.analysis.pairs[0])
    assert verdict.claim == "ours is better than rules"
    assert f"by {change.value:.3f} in mean weighted F1" in verdict.numbers
    assert verdict.numbers.endswith("on 60 reports.")
    assert verdict.claim in two.html


def test_verdict_says_how_many_observations_are_scored() -> None:
    """Gold with columns for some only would else look like gold for all."""
    comparison = compared({"ours": 0.02, "rules": 0.4})
    kept = 2
    some = replace(
        comparison,
        observations=comparison.observations[:kept],
        unscored=comparison.observations[kept:],
        gold=comparison.gold[:, :kept],
        pred={name: codes[:, :kept] for name, codes in comparison.pred.items()},
    )
    (verdict,) = verdicts(analysed(VIEW, some, FAST, metric="chexbert_all"))
    assert verdict.numbers.endswith(", on 60 reports; 2 of 5 observations scored.")


def test_verdict_turns_round_with_the_reference() -> None:
    comparison = compared({"ours": 0.02, "rules": 0.4})
    analysis = analysed(VIEW, comparison, FAST, metric="chexbert_all", reference="rules")
    (verdict,) = verdicts(analysis)
    assert verdict.claim == "rules is worse than ours"


@pytest.mark.parametrize(
    ("reports", "words"),
    [
        (20, "on 20 reports."),
        (60, "a loss of 0.02 or more is not ruled out"),
        (200, "the two are equivalent within ±0.02"),
    ],
)
def test_equal_labelers_show_no_difference(reports: int, words: str) -> None:
    """The same answers 60 times leave room for a share of 1 - 0.05 ** (1 / 60) = 5 %."""
    comparison = compared({"a": 0.2}, reports=reports)
    twins = replace(
        comparison,
        pred={"a": comparison.pred["a"], "b": comparison.pred["a"]},
        coverage={n: coverage(rows=reports) for n in "ab"},
    )
    made = page(twins)
    (verdict,) = verdicts(made.analysis)
    assert verdict.claim == "No difference shown between a and b"
    assert "0.000 in mean" in verdict.numbers
    assert "CI" not in verdict.numbers
    assert words in verdict.numbers
    assert "would be found" not in facts(made.analysis)
    checked(made.html)


def test_few_reports_show_neither_equivalence_nor_its_p_values() -> None:
    made = page(compared({"a": 0.0, "b": 0.3}, reports=20))
    assert "not worse" not in str(verdicts(made.analysis)[0])
    assert made.scores()["pairs"][0]["noninferiority_p"] is None


@pytest.mark.parametrize(
    ("metric", "code"),
    [
        ("chexbert_all", 3),
        ("chexbert_posneg", 2),
        ("macro_f1_uncertain", 0),
        ("macro_f1_mention", 3),
        ("kappa", 0),
    ],
)
def test_a_gold_without_any_case_allows_no_verdict(metric: str, code: int) -> None:
    """Here one labeler is perfect and the other is not, and the score is the same for both."""
    comparison = compared({"a": 0.0, "b": 0.3})
    comparison.gold[:] = code
    comparison.pred["a"][:] = code
    comparison.pred["b"][:] = (code + 1) % 4
    made = page(comparison, metric=metric)
    (verdict,) = verdicts(made.analysis)
    assert verdict.claim.endswith("is not defined")
    assert "equivalent" not in verdict.numbers
    assert made.scores()["pairs"][0]["equivalence_p"] is None
    checked(made.html)


def test_a_single_labeler_gets_scores_and_no_tests() -> None:
    made = page(compared({"only": 0.1}))
    (verdict,) = verdicts(made.analysis)
    assert verdict.claim.startswith("only reaches a mean weighted F1 of 0.")
    tags = checked(made.html)
    assert "tests" not in tags.ids
    assert not {"tests", "mcnemar"} & {t.name for t in made.tables}


def test_one_report_gets_scores_but_no_interval() -> None:
    made = page(compared({"a": 0.0, "b": 1.0}, reports=1))
    assert not made.analysis.mean("a").known
    assert "No difference shown" in str(verdicts(made.analysis)[0])
    assert "no interval and no test" in said(made.analysis)
    html = made.html
    checked(html)
    assert "nan" not in html.partition("<main>")[2].partition('id="error-data"')[0].casefold()
    json.dumps(made.scores(), allow_nan=False)


@pytest.mark.parametrize("metric", ["paper_all", "macro_f1_uncertain", "kappa", "accuracy"])
def test_every_kind_of_metric_makes_a_page(metric: str) -> None:
    made = page(compared({"a": 0.1, "b": 0.3}), metric=metric)
    assert f"score:{metric}|" in made.html.replace("<wbr>", "")


def test_all_blank_observation_shows_a_dash_and_is_named() -> None:
    comparison = compared({"a": 0.0, "b": 0.0})
    comparison.gold[:, 2] = 3
    for codes in comparison.pred.values():
        codes[:, 2] = 3
    made = page(comparison)
    scores = {t.name: t for t in made.tables}["scores"]
    assert scores.rows[2][4:] == (None, None)
    assert "Mass Effect" in said(made.analysis)
    assert ",,," in scores.to_csv().splitlines()[3]


def test_gold_without_a_certainty_is_said() -> None:
    comparison = compared({"a": 0.1})
    comparison.gold[comparison.gold == 1] = 3
    comparison.gold[comparison.gold == 2] = 3
    text = said(page(comparison).analysis)
    assert "no negative and no uncertain at all" in text


def test_missing_reports_are_said() -> None:
    comparison = compared({"a": 0.1, "b": 0.1})
    comparison.pred["b"][:2] = -1
    holes = {"a": coverage(rows=60), "b": coverage(rows=58, missing=("r0", "r1"))}
    made = page(replace(comparison, coverage=holes))
    assert "b has no prediction for 2 reports (3.3\u00a0%)" in said(made.analysis)
    failures = {t.name: t for t in made.tables}["failures"]
    assert failures.rows[1][:3] == ("b", 58, 2)
