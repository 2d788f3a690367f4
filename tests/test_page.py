"""The comparison page: what it says, that it is safe, and that it never changes by itself."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from eval.analysis import Analysis, analyse
from eval.error_list import errors_csv
from eval.load import Comparison, Coverage
from eval.plots import Estimate
from eval.provenance import Independence, Source
from eval.report import Page, Section
from eval.score_file import scores_json
from eval.significance import Settings
from eval.tables import Column, Table
from eval.verdict import facts, notices, verdicts
from labelwright.label_set import LabelSet

HOSTILE = "<script>alert('x')</script>"
VOID = {"meta", "br", "input", "wbr"}
FAST = Settings(resamples=200, permutations=400, margin=0.02, seed=5)


def coverage(**known: object) -> Coverage:
    plain = {
        "source": "p.jsonl",
        "rows": 0,
        "missing": (),
        "extra": 0,
        "undetermined": (),
        "undetermined_cells": 0,
        "problems": {},
        "read_as_blank": 0,
    }
    return Coverage(**(plain | known))  # type: ignore[arg-type]


def compared(
    rates: dict[str, float], *, reports: int = 60, seed: int = 1, ids: tuple[str, ...] = ()
) -> Comparison:
    """Random gold of the head-CT set; each labeler is wrong in a share of the cells."""
    label_set = LabelSet.load("head-ct-5")
    draw = np.random.default_rng(seed)
    gold = draw.integers(0, 4, size=(reports, 5)).astype(np.int8)
    pred = {}
    for name, rate in rates.items():
        wrong = draw.random(gold.shape) < rate
        pred[name] = np.where(wrong, (gold + 1) % 4, gold).astype(np.int8)
    return Comparison(
        label_set=label_set,
        observations=label_set.names,
        ids=ids or tuple(f"r{i}" for i in range(reports)),
        clusters=None,
        gold=gold,
        pred=pred,
        coverage={name: coverage(rows=reports) for name in rates},
        gold_source="gold.csv",
    )


def page(comparison: Comparison, **options: object) -> Page:
    metric = str(options.pop("metric", "chexbert_all"))
    analysis = analyse(comparison, FAST, metric=metric)
    sources = [Source(n, f"{n}.jsonl", "ab" * 32, None) for n in analysis.comparison.names]
    return Page(analysis=analysis, sources=sources, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def two() -> Page:
    return page(compared({"ours": 0.02, "rules": 0.4}))


@pytest.fixture(scope="module")
def three() -> Page:
    return page(compared({"ours": 0.05, "other": 0.06, "rules": 0.5}))


class Tags(HTMLParser):
    """Notes unbalanced tags, duplicated ids, and everything that points out of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.wrong: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.ids += [known["id"] or ""] if "id" in known else []
        self.scripts += tag == "script"
        self.links += [
            v or "" for k, v in attrs if k in {"src", "href", "action", "data", "poster"}
        ]
        self.wrong += [f"{tag} {k}" for k, _ in attrs if k.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"/{tag}")


def checked(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    assert not tags.wrong
    assert not tags.open
    assert len(tags.ids) == len(set(tags.ids))
    assert all(link.startswith("#") for link in tags.links)
    assert {link[1:] for link in tags.links} <= set(tags.ids)
    assert not re.search(r"https?://|@import|url\(", html.partition('id="methods"')[0])
    return tags


def said(analysis: Analysis) -> str:
    found = notices(analysis)
    return " ".join([*found.grave, *found.other])


def test_the_page_is_well_formed_and_loads_nothing(three: Page) -> None:
    html = three.html()
    tags = checked(html)
    assert tags.scripts == 2  # the page's own, and the data of the error browser
    assert "default-src 'none'" in html
    for anchor in ("verdict", "scores", "figures", "tests", "confusion", "errors", "provenance"):
        assert anchor in tags.ids


def test_the_script_is_the_one_the_policy_names(two: Page) -> None:
    import base64
    import hashlib

    html = two.html()
    script = re.search(r"<script>(.*?)</script>", html, re.DOTALL)
    assert script
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;" in html or f"'sha256-{digest}'" in html


def test_same_inputs_and_seed_give_the_same_bytes() -> None:
    first, second = (page(compared({"a": 0.1, "b": 0.2, "c": 0.3})) for _ in range(2))
    assert first.html() == second.html()
    assert scores_json(first) == scores_json(second)
    assert [t.to_csv() for t in first.tables()] == [t.to_csv() for t in second.tables()]


def test_hostile_names_ids_and_texts_stay_text() -> None:
    ids = (HOSTILE, "</script><b>", "=1+1", *(f"r{i}" for i in range(57)))
    comparison = compared({HOSTILE: 0.5, 'a"onload="x': 0.5}, ids=ids)
    made = page(comparison, title=HOSTILE, texts=dict.fromkeys(ids, f"{HOSTILE} & more"))
    html = made.html()
    tags = checked(html)
    assert tags.scripts == 2
    assert "<b>" not in html.partition("</style>")[2].replace('<p class="caption"><b>', "")
    data = re.search(r'id="error-data">(.*?)</script>', html, re.DOTALL)
    assert data
    rows = json.loads(data[1])["rows"]
    assert {row["id"] for row in rows} <= set(ids)
    assert any(row["t"] == f"{HOSTILE} & more" for row in rows)
    assert "'=1+1" in errors_csv(comparison)


def test_report_text_is_only_there_when_asked_for(two: Page) -> None:
    texts = dict.fromkeys(two.analysis.comparison.ids, "canary in the text")
    assert "canary" not in two.html()
    assert "canary" in replace(two, texts=texts).html()


def test_verdict_names_the_better_labeler_with_its_numbers(two: Page) -> None:
    (verdict,) = verdicts(two.analysis)
    change = two.analysis.change(two.analysis.pairs[0])
    assert verdict.claim == "ours is better than rules"
    assert f"by {change.value:.3f} in mean weighted F1" in verdict.numbers
    assert verdict.numbers.endswith("on 60 reports.")
    assert verdict.claim in two.html()


def test_verdict_turns_round_with_the_reference() -> None:
    comparison = compared({"ours": 0.02, "rules": 0.4})
    analysis = analyse(comparison, FAST, metric="chexbert_all", reference="rules")
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
    checked(made.html())


def test_few_reports_show_neither_equivalence_nor_its_p_values() -> None:
    made = page(compared({"a": 0.0, "b": 0.3}, reports=20))
    assert "not worse" not in str(verdicts(made.analysis)[0])
    assert scores_json(made)["pairs"][0]["noninferiority_p"] is None


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
    assert scores_json(made)["pairs"][0]["equivalence_p"] is None
    checked(made.html())


def test_a_single_labeler_gets_scores_and_no_tests() -> None:
    made = page(compared({"only": 0.1}))
    (verdict,) = verdicts(made.analysis)
    assert verdict.claim.startswith("only reaches a mean weighted F1 of 0.")
    tags = checked(made.html())
    assert "tests" not in tags.ids
    assert not {"tests", "mcnemar"} & {t.name for t in made.tables()}


def test_one_report_gets_scores_but_no_interval() -> None:
    made = page(compared({"a": 0.0, "b": 1.0}, reports=1))
    assert not made.analysis.mean("a").known
    assert "No difference shown" in str(verdicts(made.analysis)[0])
    assert "no interval and no test" in said(made.analysis)
    html = made.html()
    checked(html)
    assert "nan" not in html.partition("<main>")[2].partition('id="error-data"')[0].casefold()
    json.dumps(scores_json(made), allow_nan=False)


@pytest.mark.parametrize("metric", ["paper_all", "macro_f1_uncertain", "kappa", "accuracy"])
def test_every_kind_of_metric_makes_a_page(metric: str) -> None:
    made = page(compared({"a": 0.1, "b": 0.3}), metric=metric)
    assert f"score:{metric}|" in made.html().replace("<wbr>", "")


def test_all_blank_observation_shows_a_dash_and_is_named() -> None:
    comparison = compared({"a": 0.0, "b": 0.0})
    comparison.gold[:, 2] = 3
    for codes in comparison.pred.values():
        codes[:, 2] = 3
    made = page(comparison)
    scores = {t.name: t for t in made.tables()}["scores"]
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
    failures = {t.name: t for t in made.tables()}["failures"]
    assert failures.rows[1][:3] == ("b", 58, 2)


def test_shared_reports_are_a_warning_and_open_the_checklist(two: Page) -> None:
    leaky = replace(two, split=Independence("data", 100, 3, None))
    assert "not independent of the training data" in leaky.html()
    clean = replace(two, split=Independence("data", 100, 0, 0))
    rows = {row[0]: row for row in {t.name: t for t in clean.tables()}["checklist"].rows}
    assert rows["Test data independent of training"][1] == "recorded"
    assert "to be written" in [row[1] for row in rows.values()]


def test_a_manifest_fills_checklist_methods_and_prompt(two: Page) -> None:
    manifest = {
        "labeler": {
            "kind": "generative",
            "name": "mine",
            "base_model": "some/base",
            "model_sha256": "cd" * 32,
            "prompt": "You label <reports>.",
            "decoding": {"mode": "free", "strategy": "greedy"},
            "runtime": {"device": "cpu"},
        },
        "label_set_sha256": "other",
        "counts": {"rows": 60, "labeled": 59, "rejected": 1},
        "versions": {"labelwright": "0.1.0", "torch": "2.13.0"},
        "finished": "2026-11-21T10:00:00+00:00",
    }
    first, second = two.sources
    html = replace(two, sources=[replace(first, manifest=manifest), second]).html()
    assert "You label &lt;reports&gt;." in html
    assert "mine, fine-tuned from some/base (SHA-256 cdcdcdcdcdcd…)" in html
    assert "mode free, strategy greedy" in html
    assert "another text of the label set" in html


def test_further_sections_have_their_place(two: Page) -> None:
    table = Table("extra", "Extra table", (Column("a"),), (("x",),))
    html = replace(two, sections=[Section("calibration", "Calibration", tables=(table,))]).html()
    tags = checked(html)
    assert "calibration" in tags.ids
    assert "Extra table" in html


def test_a_signature_stands_beside_every_score(three: Page) -> None:
    scored = [t for t in three.tables() if any(c.kind in {"score", "delta"} for c in t.columns)]
    assert len(scored) > 8
    for table in scored:
        assert "labelwright:" in table.signature
        assert "set:head-ct-5/1.0" in table.signature
    assert "seed:5" in three.analysis.signature()


def test_three_labelers_get_ranks_and_adjusted_pairs(three: Page) -> None:
    names = {t.name for t in three.tables()}
    assert {"overall", "pairwise", "over-observations"} <= names
    html = three.html()
    assert "Mean ranks over observations" in html
    assert "Holm over 3 pairs" in html


def test_confusion_counts_add_up_to_the_reports(two: Page) -> None:
    table = {t.name: t for t in two.tables()}["confusion"]
    counts = [row[4] for row in table.rows if row[:2] == ("ours", "Mass Effect")]
    assert sum(count for count in counts if isinstance(count, int)) == 60


def test_analysis_is_what_the_page_says(two: Page) -> None:
    """The first table's mean is the value of the scores module itself."""
    a: Analysis = two.analysis
    table = {t.name: t for t in two.tables()}["scores"]
    mean = table.foot[4]
    assert isinstance(mean, Estimate)
    assert mean.value == pytest.approx(a.scores["ours"].chexbert["all"].mean)
