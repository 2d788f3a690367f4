"""The page of entities: its numbers, its sections, its safety; curves and runs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from page_tools import FAST, checked
from scipy import stats
from sklearn.metrics import average_precision_score, precision_recall_curve
from span_tools import CANARY, WITH_CERTAINTIES, label_set, load_span_comparison, write_case

from eval.kinds.base import More
from eval.kinds.entities import SCHEMES
from eval.kinds.entities.curves import ALL, curves
from eval.kinds.entities.errors import GOLD, KINDS, PRED
from eval.kinds.entities.page import VIEW, contents
from eval.kinds.entities.read import SpanComparison
from eval.kinds.entities.scores import SpanAnalysis, matched, span_statistics
from eval.kinds.entities.seeds import run_test, seeds_section
from eval.page.frame import Page
from eval.page.tables import Table
from eval.page.verdict import verdicts
from eval.read.aligned import Inputs
from eval.read.provenance import Independence, read_source
from eval.stats.resampling import bootstrap_score, randomization
from eval.stats.significance import analysed
from labelwright.errors import ConfigError

RATES = {"ours": 0.1, "other": 0.12, "rules": 0.6}


def compared(folder: Path, rates: Mapping[str, float] = RATES, **options: bool) -> SpanComparison:
    write_case(folder, rates, **options)
    text = WITH_CERTAINTIES if options.get("certain") else None
    return load_span_comparison(
        folder / "gold.jsonl",
        {name: folder / name for name in rates},
        label_set() if text is None else label_set(text),
    )


def made(folder: Path, comparison: SpanComparison, *, metric: str = "micro_f1_strict") -> Page:
    return page_of(folder, analysed(VIEW, comparison, FAST, metric=metric))


def page_of(
    folder: Path, analysis: SpanAnalysis, *, texts: bool = False, title: str = "Entities"
) -> Page:
    c = analysis.comparison
    found = VIEW.texts(c, Inputs(c.label_set, "", {})) if texts else None
    return Page(
        analysis=analysis,
        contents=contents(analysis, found),
        sources=[read_source(n, folder / (n if "<" not in n else "m")) for n in c.names],
        title=title,
        texts=found,
        sections=VIEW.sections(analysis, Inputs(analysis.comparison.label_set, "", {}), More()),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spans")


@pytest.fixture(scope="module")
def three(folder: Path) -> Page:
    return made(folder, compared(folder))


@pytest.fixture(scope="module")
def certain(tmp_path_factory: pytest.TempPathFactory) -> Page:
    root = tmp_path_factory.mktemp("certain")
    return made(root, compared(root, {"ours": 0.3}, certain=True))


def by_name(page: Page) -> dict[str, Table]:
    return {table.name: table for table in page.tables}


def test_the_page_is_well_formed_and_loads_nothing(three: Page) -> None:
    html = three.html
    tags = checked(html)
    assert tags.scripts == 2
    for anchor in ("verdict", "scores", "schemes", "tests", "kinds", "words", "curves", "errors"):
        assert anchor in tags.ids
    assert html == three.html


def test_tables_agree_with_each_other_and_with_the_json(three: Page) -> None:
    tables, value = by_name(three), json.loads(json.dumps(three.scores(), allow_nan=False))
    a = three.analysis
    for place, name in enumerate(a.comparison.names):
        strict = value["labelers"][name]["schemes"]["strict"]
        shown = tables["labelers"].rows[place][1]
        assert shown is not None
        assert not isinstance(shown, str | int | float)
        assert shown.value == pytest.approx(strict["micro"]["f1"])
        assert shown.low is not None
        assert shown.high is not None
        assert shown.low < shown.value < shown.high
        assert value["labelers"][name]["scores"]["micro_f1_strict"]["pooled"]["value"] == (
            pytest.approx(shown.value)
        )
        outcome = strict["outcomes"]
        wrong = value["sections"]["kinds"][name]
        assert sum(wrong[GOLD].values()) == outcome["incorrect"] + outcome["missed"]
        assert sum(wrong[PRED].values()) == outcome["incorrect"] + outcome["spurious"]
        assert wrong[PRED]["absent"] == value["labelers"][name]["not_in_the_text"] > 0
    foot = tables["error-kinds"].foot
    assert foot[1:3] == (
        sum(value["sections"]["kinds"]["ours"][GOLD].values()),
        sum(value["sections"]["kinds"]["ours"][PRED].values()),
    )
    lines = three.errors().splitlines()
    assert len(lines) - 1 == sum(int(str(n)) for n in foot[1:])
    assert CANARY not in three.errors()


def test_the_verdict_rests_on_the_tests_over_reports(three: Page) -> None:
    a = three.analysis
    first, second = (str(v) for v in verdicts(a))
    assert first.startswith("No difference shown between ours and other: ")
    assert second.startswith("ours is better than rules by ")
    assert "in strict micro F1" in second
    known = span_statistics(a.parts, schemes=a.schemes)["micro_f1_strict"]
    plain = randomization(
        a.counts["ours"],
        a.counts["rules"],
        known.of,
        permutations=FAST.permutations,
        seed=FAST.seed,
    )
    assert a.test(a.pairs[1]).p.tolist() == pytest.approx(plain.p.tolist())
    drawn = bootstrap_score(a.counts["ours"], known.of, resamples=FAST.resamples, seed=FAST.seed)
    assert a.mean("ours").low == pytest.approx(drawn.low[0])


def test_the_reference_and_macro_metrics(folder: Path, three: Page) -> None:
    analysis = analysed(
        VIEW, three.analysis.comparison, FAST, metric="macro_f1_overlap", reference="rules"
    )
    page = page_of(folder, analysis)
    table = by_name(page)["scores"]
    assert table.foot[0] == "Mean"
    assert analysis.comparison.names[0] == "rules"
    assert "overlap macro F1" in page.html
    checked(page.html)


def test_metrics_that_the_files_do_not_allow(tmp_path: Path) -> None:
    comparison = compared(tmp_path, {"ours": 0.3}, texts=False)
    for metric, message in {
        "micro_f1_certainty": "the label set has no certainties",
        "macro_f1_words_o": "texts lack",
        "chexbert_all": "unknown metric",
    }.items():
        with pytest.raises(ConfigError, match=message):
            analysed(VIEW, comparison, FAST, metric=metric)
    page = made(tmp_path, comparison)
    assert "Character by character" in page.html
    assert by_name(page)["words"].title == "Characters per type"
    assert "word-accuracy" not in by_name(page)


def test_certainties_have_a_section(certain: Page) -> None:
    table = by_name(certain)["certainty"]
    _, placed, right, share, f1 = table.rows[0]
    assert isinstance(placed, int)
    assert isinstance(right, int)
    assert 0 < right < placed
    assert share == pytest.approx(right / placed)
    scores = certain.analysis.scores["ours"].schemes["certainty"]
    assert f1 == pytest.approx(2 * right / (scores.gold.sum() + scores.pred.sum()))
    checked(certain.html)


def test_text_is_only_there_when_asked_for(folder: Path, three: Page) -> None:
    assert CANARY not in three.html
    assert three.texts is None
    analysis = analysed(VIEW, three.analysis.comparison, FAST, metric="micro_f1_strict")
    html = page_of(folder, analysis, texts=True).html
    assert CANARY in html
    checked(html)
    data = re.search(r'id="error-data">(.*?)</script>', html, re.DOTALL)
    assert data
    row = json.loads(data[1])["rows"][0]
    assert CANARY in row["t"]


def test_the_browser_has_every_wrong_mention(three: Page) -> None:
    data = re.search(r'id="error-data">(.*?)</script>', three.html, re.DOTALL)
    assert data
    value = json.loads(data[1])
    a = three.analysis
    for place, name in enumerate(a.comparison.names):
        here = [w for row in value["rows"] for w in row["l"][place]]
        assert len(here) == sum(map(len, a.wrong[name]))
        assert {value["kinds"][kind] for _, kind, _, _ in here} <= set(KINDS.values())


def test_hostile_names_and_texts_stay_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    write_case(tmp_path, {"m": 0.5}, count=8)
    rows = (tmp_path / "gold.jsonl").read_text(encoding="utf-8").replace(CANARY, "</script><b>")
    (tmp_path / "gold.jsonl").write_text(rows.replace('"n0"', json.dumps(evil)), encoding="utf-8")
    comparison = load_span_comparison(tmp_path / "gold.jsonl", {evil: tmp_path / "m"}, label_set())
    analysis = analysed(VIEW, comparison, FAST, metric="micro_f1_strict")
    page = page_of(tmp_path, analysis, title=evil, texts=True)
    assert checked(page.html).scripts == 2


def test_warnings_stand_above_the_numbers(three: Page) -> None:
    leaky = replace(three, split=Independence("data", 100, 3, None))
    assert any("not independent" in words for words in leaky.notices.grave)
    c = three.analysis.comparison
    moved = replace(c, elsewhere={**c.elsewhere, "ours": 4})
    page = replace(three, contents=contents(replace(three.analysis, comparison=moved), None))
    assert any("4 mentions of ours name other words" in words for words in page.notices.grave)


def test_average_precision_is_that_of_sklearn(three: Page) -> None:
    c = three.analysis.comparison
    found = curves(c.gold, c.pred["rules"], c.types)
    assert found is not None
    pairs = []
    for gold, pred in zip(c.gold, c.pred["rules"], strict=True):
        left = [(g.type, g.spans) for g in gold]
        for mention in sorted(pred, key=lambda e: -(e.prob or 0)):
            hit = (mention.type, mention.spans) in left
            if hit:
                left.remove((mention.type, mention.spans))
            pairs.append((hit, mention.prob))
    hits, probs = (np.array(side) for side in zip(*pairs, strict=True))
    curve, total = found[ALL], sum(map(len, c.gold))
    # scikit-learn knows only the mentions given; recall here is over all of the gold.
    share = hits.sum() / total
    assert curve.average == pytest.approx(average_precision_score(hits, probs) * share)
    precision, recall, _ = precision_recall_curve(hits, probs)
    assert curve.precision.tolist() == pytest.approx(
        precision[-2::-1].tolist()[: len(curve.precision)]
    )
    assert curve.recall.tolist() == pytest.approx(
        (recall[-2::-1] * share).tolist()[: len(curve.recall)]
    )
    assert curve.best is not None
    assert curve.best[0] >= three.analysis.scores["rules"].schemes["strict"].micro.f1
    assert sum(found[t].given for t in c.types) == curve.given


def test_no_curve_without_probabilities(tmp_path: Path) -> None:
    comparison = compared(tmp_path, {"ours": 0.3}, probs=False)
    assert curves(comparison.gold, comparison.pred["ours"], comparison.types) is None
    assert "curves" not in [s.id for s in made(tmp_path, comparison).sections]


def test_runs_are_tested_like_scipy_does() -> None:
    values = {
        "a": np.array([0.81, 0.83, 0.82, 0.84]),
        "b": np.array([0.80, 0.79, 0.82]),
        "c": np.array([0.70, 0.71, 0.69]),
    }
    found = run_test(values)
    expected = stats.f_oneway(*values.values())
    assert found.anova.f == pytest.approx(expected.statistic)
    assert found.anova.p == pytest.approx(expected.pvalue)
    assert found.anova.df == (2, 7)
    tukey = stats.tukey_hsd(*values.values())
    assert [pair.p for pair in found.pairs] == pytest.approx(
        [tukey.pvalue[0, 1], tukey.pvalue[0, 2], tukey.pvalue[1, 2]]
    )
    assert found.pairs[1].difference == pytest.approx(0.825 - 0.70)
    same = run_test({"a": np.array([0.5, 0.5]), "b": np.array([0.6, 0.6])})
    assert (same.anova.f, same.anova.p, same.pairs) == (None, None, ())


def test_the_section_on_runs(tmp_path: Path) -> None:
    runs = {"a1": 0.1, "a2": 0.12, "a3": 0.11, "b1": 0.5, "b2": 0.52}
    comparison = compared(tmp_path, runs)
    section = seeds_section(
        comparison,
        {"a": ["a1", "a2", "a3"], "b": ["b1", "b2"]},
        metric="micro_f1_strict",
        settings=FAST,
        shown=["b"],
        first_only=True,
    )
    values: list[float] = section.numbers["labelers"]["a"]["micro_f1_strict"]["runs"]
    counts, _ = matched(comparison)
    strict = span_statistics(comparison.types, schemes=SCHEMES)["micro_f1_strict"]
    totals = [counts[name].sum(axis=0) for name in ("a1", "a2", "a3")]
    assert values == pytest.approx([float(strict.of(total)[0]) for total in totals])
    spread, types, means, tukey = section.tables
    row = next(r for r in spread.rows if r[0] == "Strict micro F1")
    assert row[1] == pytest.approx(np.mean(values))
    assert row[2] == pytest.approx(np.std(values, ddof=1))
    assert [r[0] for r in types.rows] == list(comparison.types)
    assert [r[0] for r in means.rows] == ["a", "b", "a − b"]
    assert means.rows[0][1].value == pytest.approx(np.mean(values))
    assert section.numbers["means"]["a − b"]["low"] < means.rows[2][2].value
    assert tukey.rows[0][0] == "a − b"
    assert "Tukey's test separates a and b." in section.statements[1]
    assert any("first run" in note for note in section.notes)


def test_an_analysis_of_one_report_gives_no_interval(tmp_path: Path) -> None:
    write_case(tmp_path, {"m": 0.5}, count=1)
    comparison = load_span_comparison(tmp_path / "gold.jsonl", {"m": tmp_path / "m"}, label_set())
    analysis: SpanAnalysis = analysed(VIEW, comparison, FAST, metric="micro_f1_strict")
    assert analysis.mean("m").low is None
    page = page_of(tmp_path, analysis)
    assert "no interval and no test" in page.html
