"""A kind that eval knows nothing of: scores, tests and a page from its counts and statistics."""

from __future__ import annotations

import csv
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from page_tools import checked
from scipy import stats

from labelwright import kinds
from labelwright.cli import main
from labelwright.io.jsonl import read_jsonl, write_jsonl
from labelwright.label_set import LabelSet

LABELS = "name: history\nversion: '1'\ntask: yes-no\nlabels: [Smoker, Diabetes, Stroke]\n"
FAST = ("--resamples", "150", "--permutations", "300")


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Path]:
    """Gold of sixty reports, a good and a bad labeler, and one that leaves reports out."""
    draw = random.Random(3)
    names = ("Smoker", "Diabetes", "Stroke")
    (tmp_path / "labels.yaml").write_text(LABELS, encoding="utf-8")
    gold = {f"r{i}": {n: draw.random() < 0.4 for n in names} for i in range(60)}
    write_jsonl(tmp_path / "gold.jsonl", ({"id": i, "answers": v} for i, v in gold.items()))
    for name, rate in {"good": 0.05, "bad": 0.45}.items():
        (tmp_path / name).mkdir()
        rows = []
        for place, (i, value) in enumerate(gold.items()):
            said = {n: v != (draw.random() < rate) for n, v in value.items()}
            silent = name == "bad" and place % 20 == 0
            rows.append(
                {
                    "id": i,
                    "labels": {},
                    "raw": "",
                    "problems": ["no line: x"] if silent else [],
                    "notes": [],
                    "model": name,
                    "answers": None if silent else said,
                }
            )
        write_jsonl(tmp_path / name / "predictions.jsonl", rows if name == "good" else rows[:58])
    with kinds.registered("yes-no", "yes_no_kind:KIND"):
        yield tmp_path


def evaluate(case: Path, *flags: str) -> int:
    usual = ["--gold", str(case / "gold.jsonl"), "--label-set", str(case / "labels.yaml")]
    preds = [f"--pred={name}={case / name}" for name in ("good", "bad")]
    return main(["eval", *usual, *preds, "--out", str(case / "page"), *FAST, *flags])


def test_a_kind_without_a_view_gets_scores_tests_and_a_page(
    case: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(case) == 0
    said = capsys.readouterr()
    assert not said.err
    verdict, caution, path = said.out.splitlines()
    assert caution.startswith("Caution: bad has no prediction for 2 reports")
    assert verdict.startswith("good is better than bad by ")
    tags = checked(Path(path).read_text(encoding="utf-8"))
    assert {"scores", "tests", "failures", "errors", "methods"} <= set(tags.ids)
    scores = json.loads((case / "page/scores.json").read_text(encoding="utf-8"))
    assert scores["metric"] == "accuracy"
    assert scores["labelers"]["bad"]["missing"] == 2
    assert scores["labelers"]["bad"]["unusable"] == 3
    assert scores["labelers"]["bad"]["problems"] == {"no line": 3}

    def rows(name: str) -> list[dict[str, str]]:
        with open(case / name, encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle))

    gold = [row for _, row in read_jsonl(case / "gold.jsonl")]
    said = {r["id"]: r["answers"] for _, r in read_jsonl(case / "good/predictions.jsonl")}
    by_hand = [[said[g["id"]][n] == v for n, v in g["answers"].items()] for g in gold]
    shown = [float(row["good"]) for row in rows("page/tables/scores.csv")]
    assert shown == pytest.approx([*np.mean(by_hand, axis=0), np.mean(by_hand)], abs=1e-6)
    wrong = {row["id"] for row in rows("page/errors.csv") if row["labeler"] == "good"}
    assert wrong == {g["id"] for g, right in zip(gold, by_hand, strict=True) if not all(right)}


def test_its_paired_test_is_that_over_its_parts(case: Path) -> None:
    assert evaluate(case) == 0
    scores = json.loads((case / "page/scores.json").read_text(encoding="utf-8"))
    parts = LabelSet.load(case / "labels.yaml").names
    a, b = (
        [scores["labelers"][name]["scores"]["accuracy"][part]["value"] for part in parts]
        for name in ("good", "bad")
    )
    assert scores["pairs"][0]["paired_t"]["p"] == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert "mcnemar" not in scores["pairs"][0]


def test_the_browser_of_errors_has_a_line_per_wrong_report(case: Path) -> None:
    assert evaluate(case, "--missing", "drop") == 0
    html = (case / "page/index.html").read_text(encoding="utf-8")
    data = re.search(r'id="error-data">(.*?)</script>', html, re.DOTALL)
    assert data
    found = [row for row in json.loads(data[1])["rows"] if row["l"][1]]
    assert {line for row in found for line in row["l"][1]} == {"no answer", "not as the gold"}
    assert len(html.split("not as the gold")) > 20


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--metric", "kappa"), "unknown metric 'kappa'; use one of: accuracy"),
        (("--accuracy", "0.9"), "--accuracy does not apply to label set history"),
        (("--include-text",), "--include-text needs the texts"),
        (("--gold", "nowhere.jsonl"), "nowhere.jsonl"),
    ],
)
def test_mistakes_are_one_line(
    case: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], message: str
) -> None:
    assert evaluate(case, *flags) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_rows_of_another_kind_are_named(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": "r0", "labels": {"Smoker": "positive"}, "model": "m"}]
    write_jsonl(case / "good" / "predictions.jsonl", rows)
    assert evaluate(case) == 2
    assert "predictions.jsonl:1: the row is not a prediction of label set history" in (
        capsys.readouterr().err
    )
