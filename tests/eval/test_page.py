"""The comparison page: what it says, that it is safe, and that it never changes by itself."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from page_tools import checked, compared, page

from eval.kinds.certainty.scores import Analysis
from eval.page.contents import Section
from eval.page.frame import Page
from eval.page.tables import Column, Table
from eval.read.provenance import Independence
from eval.stats.estimates import Estimate

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def two() -> Page:
    return page(compared({"ours": 0.02, "rules": 0.4}))


@pytest.fixture(scope="module")
def three() -> Page:
    return page(compared({"ours": 0.05, "other": 0.06, "rules": 0.5}))


def test_the_page_is_well_formed_and_loads_nothing(three: Page) -> None:
    html = three.html
    tags = checked(html)
    assert tags.scripts == 2  # the page's own, and the data of the error browser
    assert "default-src 'none'" in html
    for anchor in ("verdict", "scores", "figures", "tests", "confusion", "errors", "provenance"):
        assert anchor in tags.ids


def test_the_script_is_the_one_the_policy_names(two: Page) -> None:
    import base64
    import hashlib

    html = two.html
    script = re.search(r"<script>(.*?)</script>", html, re.DOTALL)
    assert script
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;" in html or f"'sha256-{digest}'" in html


def test_same_inputs_and_seed_give_the_same_bytes() -> None:
    first, second = (page(compared({"a": 0.1, "b": 0.2, "c": 0.3})) for _ in range(2))
    assert first.html == second.html
    assert first.scores() == second.scores()
    assert [t.to_csv() for t in first.tables] == [t.to_csv() for t in second.tables]


def test_hostile_names_ids_and_texts_stay_text() -> None:
    ids = (HOSTILE, "</script><b>", "=1+1", *(f"r{i}" for i in range(57)))
    comparison = compared({HOSTILE: 0.5, 'a"onload="x': 0.5}, ids=ids)
    made = page(comparison, title=HOSTILE, texts=dict.fromkeys(ids, f"{HOSTILE} & more"))
    html = made.html
    tags = checked(html)
    assert tags.scripts == 2
    assert "<b>" not in html.partition("</style>")[2].replace('<p class="caption"><b>', "")
    data = re.search(r'id="error-data">(.*?)</script>', html, re.DOTALL)
    assert data
    rows = json.loads(data[1])["rows"]
    assert {row["id"] for row in rows} <= set(ids)
    assert any(row["t"] == f"{HOSTILE} & more" for row in rows)
    assert "'=1+1" in made.errors()


def test_report_text_is_only_there_when_asked_for(two: Page) -> None:
    texts = dict.fromkeys(two.analysis.comparison.ids, "canary in the text")
    assert "canary" not in two.html
    assert "canary" in replace(two, texts=texts).html


def test_shared_reports_are_a_warning_and_open_the_checklist(two: Page) -> None:
    leaky = replace(two, split=Independence("data", 100, 3, None))
    assert "not independent of the training data" in leaky.html
    clean = replace(two, split=Independence("data", 100, 0, 0))
    rows = {row[0]: row for row in {t.name: t for t in clean.tables}["checklist"].rows}
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
    html = replace(two, sources=[replace(first, manifest=manifest), second]).html
    assert "You label &lt;reports&gt;." in html
    assert "mine, fine-tuned from some/base (SHA-256 cdcdcdcdcdcd…)" in html
    assert "mode free, strategy greedy" in html
    assert "another text of the label set" in html


def test_further_sections_have_their_place(two: Page) -> None:
    table = Table("extra", "Extra table", (Column("a"),), (("x",),))
    html = replace(two, sections=[Section("calibration", "Calibration", tables=(table,))]).html
    tags = checked(html)
    assert "calibration" in tags.ids
    assert "Extra table" in html


def test_subgroups_with_a_result_fill_their_item_of_the_checklist(two: Page) -> None:
    def state(made: Page) -> str:
        table = next(t for t in made.tables if t.name == "checklist")
        return str(next(row[1] for row in table.rows if row[0] == "Subgroups and fairness"))

    audited = Section("subgroups", "Subgroups", statements=("No gap is shown.",))
    assert state(two) == "to be written"
    assert state(replace(two, sections=[replace(audited, statements=())])) == "to be written"
    assert state(replace(two, sections=[audited])) == "recorded"


def test_scores_json_holds_the_numbers_of_the_tables(three: Page) -> None:
    """P values per observation, counts of McNemar's test and ranks are those of the CSV tables."""
    value = json.loads(json.dumps(three.scores(), allow_nan=False))
    tables = {t.name: t for t in three.tables}
    first = value["pairs"][0]
    for row in tables["differences"].rows:
        found = first["randomization"]["observations"][row[0]]
        assert (found["p"], found["p_holm"]) == (row[2], row[3])
    for row in tables["mcnemar"].rows:
        found = first["mcnemar"][row[0]]
        assert list(row[1:6]) == [found[k] for k in ("a_only", "b_only", "p", "p_holm", "p_bh")]
    pairwise = [pair["p_holm"] for pair in value["several"]["wilcoxon_holm_nemenyi"]]
    assert pairwise == [row[4] for row in tables["pairwise"].rows]
    task = value["labelers"][three.analysis.reference]["tasks"]["positive"]
    each = [found["f1"] for found in task["observations"].values()]
    assert task["macro"]["f1"] == pytest.approx(np.mean(each))


def test_a_signature_stands_beside_every_score(three: Page) -> None:
    scored = [t for t in three.tables if any(c.kind in {"score", "delta"} for c in t.columns)]
    assert len(scored) > 8
    for table in scored:
        assert "labelwright:" in table.signature
        assert "set:head-ct-5/1.0" in table.signature
    assert "seed:5" in three.analysis.signature()


def test_the_page_shows_one_signature_to_copy_and_tells_kinds_of_f1_apart(two: Page) -> None:
    html = two.html
    assert html.count('class="signature"') == 1
    assert 'data-from="signature"' in html
    said = re.search(r'id="signature"[^>]*>(.*?)</code>', html)
    assert said
    assert said[1].replace("<wbr>", "") == two.analysis.signature(tests=True)
    terms = re.findall(r"<dt>([^<]*)</dt><dd>[^<]{40,}</dd>", html)
    assert terms[:3] == [
        "Weighted F1",
        "All certainties; positive and negative only",
        "Micro F1 pos.",
    ]
    assert "<details class" not in html


def test_the_narrow_forest_keeps_its_numbers(two: Page) -> None:
    """Every number of the wide figure stands in the one for phones too."""
    drawn = two.drawings["forest"]
    wide, narrow = (
        re.findall(r">([+−]?0\.\d{3} \[[^\]]*\])<", str(d)) for d in (drawn.wide, drawn.narrow)
    )
    assert len(wide) == 6  # the mean and five observations
    assert narrow == wide


def test_a_page_of_zeros_says_so_and_folds(two: Page) -> None:
    right = compared({"a": 0.0, "b": 0.0})
    gold = np.zeros_like(right.gold)  # positive everywhere, and everything answered blank
    blank = np.full_like(gold, 3)
    folded = page(replace(right, gold=gold, pred={"a": blank, "b": blank})).html
    checked(folded)
    assert (
        "Every labeler scores 0 on every observation, so tables and figures are folded." in folded
    )
    opened = re.sub(r"<details.*?</details>", "", folded, flags=re.DOTALL)
    assert "<table" not in opened.partition('id="failures"')[0]
    assert "<svg" not in opened
    assert "scores 0" not in two.html


def test_three_labelers_get_ranks_and_adjusted_pairs(three: Page) -> None:
    names = {t.name for t in three.tables}
    assert {"overall", "pairwise", "over-observations"} <= names
    html = three.html
    assert "Mean ranks over observations" in html
    assert "Holm over 3 pairs" in html


def test_confusion_counts_add_up_to_the_reports(two: Page) -> None:
    table = {t.name: t for t in two.tables}["confusion"]
    counts = [row[4] for row in table.rows if row[:2] == ("ours", "Mass Effect")]
    assert sum(count for count in counts if isinstance(count, int)) == 60


def test_analysis_is_what_the_page_says(two: Page) -> None:
    """The first table's mean is the value of the scores module itself."""
    a: Analysis = two.analysis
    table = {t.name: t for t in two.tables}["scores"]
    mean = table.foot[4]
    assert isinstance(mean, Estimate)
    assert mean.value == pytest.approx(a.scores["ours"].chexbert["all"].mean)
