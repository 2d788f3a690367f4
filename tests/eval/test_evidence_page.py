"""The evidence page: what it holds, that it is safe, and the command that writes it."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from page_tools import VOID

from eval.page.evidence_page import collect, html
from labelwright.cli import main
from labelwright.errors import InputError
from labelwright.io.jsonl import write_jsonl
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction, Reject, Report

NASTY = '</script><script>alert(1)</script> \u2028 🫁 <b>No</b> effusion & "more".'
REPORTS = {
    "a": f"Heart large. {NASTY}",
    "b": "FINDINGS: Clear lungs.\n\nIMPRESSION: No edema.",
    "c": "Nothing to say.",
}


def prediction(identifier: str, spans: dict[str, list[list[int]]]) -> Prediction:
    labels: dict[str, Certainty | None] = {
        "Cardiomegaly": Certainty.POSITIVE,
        "Effusion": Certainty.BLANK,
        "Edema": Certainty.NEGATIVE,
        "Other": None,
    }
    probs = {"Cardiomegaly": {"positive": 0.98765, "blank": 0.01235}}
    return Prediction(
        id=identifier, model="m1", task="certainty", value=labels, probs=probs, evidence=spans
    )


def reports() -> list[Report | Reject]:
    found: list[Report | Reject] = [
        Report(identifier, text, "r.csv", row)
        for row, (identifier, text) in enumerate(REPORTS.items())
    ]
    return [*found, Reject(None, "r.csv", 9, "empty")]


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    path = tmp_path / "predictions.jsonl"
    size = len(REPORTS["a"])
    rows = [
        prediction("a", {"Cardiomegaly": [[0, 12]], "Edema": [[13, size]]}),
        prediction("b", {"Edema": [[36, 45]]}),
    ]
    write_jsonl(path, [row.to_json() for row in rows])
    return path


def embedded(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_the_data_quote_the_report(predictions: Path) -> None:
    """``"IMPRESSION: No edema."`` begins at 24, so "No edema." is 36 to 45."""
    found = collect(predictions, reports())
    assert (found.labels, found.carried, found.missing, found.left) == (6, 3, 1, 0)
    data = embedded(html(found, title="T"))
    assert data["observations"] == ["Cardiomegaly", "Effusion", "Edema", "Other"]
    quoted = [
        (row["id"], label[:3], [row["t"][start:end] for start, end in label[3]])
        for row in data["rows"]
        for label in row["l"]
    ]
    assert quoted == [
        ("a", [0, "p", 0.988], ["Heart large."]),
        ("a", [2, "n", None], [NASTY]),
        ("a", [3, "-", None], []),
        ("b", [0, "p", 0.988], []),
        ("b", [2, "n", None], ["No edema."]),
        ("b", [3, "-", None], []),
    ]


def test_no_text_can_leave_its_place(predictions: Path) -> None:
    page = html(collect(predictions, reports()), title="<i>T</i> & more")
    assert "<title>&lt;i&gt;T&lt;/i&gt; &amp; more</title>" in page
    assert "alert(1)</script>" not in page
    assert "\u2028" not in page
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in page
    assert not re.search(r"(src|href)=\"?(https?:)?//|@import|url\(", page)
    assert "innerHTML" not in scripts[0]
    opened = [t for t in re.findall(r"<([a-z0-9]+)[ >]", page) if t not in VOID | {"link"}]
    assert len(opened) >= len(re.findall(r"</[a-z0-9]+>", page)) > 20


def test_a_limit_and_reports_without_predictions_are_said(predictions: Path) -> None:
    found = collect(predictions, reports(), most=1)
    assert found.facts() == (
        "1 report, 3 labels not blank; 2 with a place in the text; "
        "1 more report not on this page; 1 report without a prediction."
    )


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "there is no prediction"),
        ([prediction("z", {}).to_json()], "no report of these files has a prediction here"),
        ([prediction("a", {"Edema": [[3, 900]]}).to_json()], "lies outside its text"),
        ([prediction("a", {"Edema": [[5, 5]]}).to_json()], "lies outside its text"),
        ([{"id": "a", "labels": {"Edema": "perhaps"}}], "the row is not a prediction"),
        ([{"labels": {}}], "the row is not a prediction"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path: Path, rows: list[Any], said: str) -> None:
    path = tmp_path / "predictions.jsonl"
    write_jsonl(path, rows)
    with pytest.raises(InputError, match=said) as error:
        collect(path, reports())
    assert "Heart" not in error.value.line()


def test_a_label_that_gave_way_to_a_rule_is_marked_with_its_own_probability(tmp_path: Path) -> None:
    labels = {"Edema": "positive", "Fracture": "negative", "No Finding": "blank"}
    probs = {"No Finding": {"positive": 0.98, "blank": 0.02}}
    row = {"id": "a", "labels": labels, "model": "m", "probs": probs, "notes": ["rule: No Finding"]}
    path = tmp_path / "predictions.jsonl"
    path.write_text(json.dumps(row))
    found = collect(path, [Report("a", "Edema.", "f", 1)])
    assert found.rows[0]["l"] == [
        [0, "p", None, []],
        [1, "n", None, []],
        [2, "b", 0.02, [], "", 1],
    ]
    assert found.labels == 2


def test_what_says_that_nothing_was_found_is_named(tmp_path: Path) -> None:
    """Its positive has a colour of its own, not that of disease; where nothing tells, none has."""
    labels = {"No Finding": "positive", "Fracture": "negative"}
    path = tmp_path / "predictions.jsonl"
    path.write_text(json.dumps({"id": "a", "labels": labels, "model": "m"}))
    report = [Report("a", "Normal.", "f", 1)]
    known = html(collect(path, report, label_set=LabelSet.load("chexpert-14")), title="t")
    assert embedded(known)["nothing"] == [0]
    assert '<span class="chip h">nothing found</span>' in known
    unknown = html(collect(path, report), title="t")
    assert embedded(unknown)["nothing"] == []
    assert "nothing found</span>" not in unknown


def test_two_readers_are_shown_side_by_side(tmp_path: Path) -> None:
    second = {
        "model": "rules",
        "labels": {"Edema": "positive", "Fracture": "negative", "Pneumonia": "blank"},
        "disagree": ["Edema", "Pneumonia"],
        "first": {"Edema": "blank", "Pneumonia": "uncertain"},
        "decided": ["Pneumonia"],
    }
    labels = {"Edema": "blank", "Fracture": "negative", "Pneumonia": "blank"}
    path = tmp_path / "predictions.jsonl"
    path.write_text(json.dumps({"id": "a", "labels": labels, "model": "m", "second": second}))
    found = collect(path, [Report("a", "No fracture.", "f", 1)])
    # A blank label stands there where the readers differ, with what the other one says.
    assert found.rows[0]["l"] == [
        [0, "b", None, [], "p"],
        [1, "n", None, []],
        [2, "b", None, [], "u"],
    ]
    assert found.facts() == (
        "1 report, 1 label not blank; 0 with a place in the text; "
        "2 labels where m and rules differ, 1 of them decided by rules."
    )
    assert embedded(html(found, title="t"))["second"] == "rules"


@pytest.mark.parametrize(("column", "header"), [("key", "key"), ("#", "id")])
def test_from_labeling_to_the_page(
    column: str, header: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Columns and sections come from the manifest, so the same files are all that is needed."""
    table = tmp_path / "reports.csv"
    with open(table, "w", newline="") as handle:
        rows = [("key", "findings", "impression"), ("r1", "Clear lungs. 🫁", "Small effusion.")]
        csv.writer(handle).writerows([*rows, ("r2", "Heart large.", "No edema.")])
    columns = [
        "--id-column",
        column,
        "--text-columns",
        "findings,impression",
        "--sections",
        "impression",
    ]
    out, page = tmp_path / "out", tmp_path / "page.html"
    assert main(["label", str(table), *columns, "--model", "rules", "--out", str(out)]) == 0
    capfd.readouterr()
    assert (out / "labels.csv").read_text(encoding="utf-8").startswith(f"{header},")
    assert main(["evidence", str(table), "--pred", str(out), "--out", str(page)]) == 0
    assert capfd.readouterr().out == (
        f"2 reports, 3 labels not blank; 3 with a place in the text.\n{page}\n"
    )
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    data = embedded(page.read_text(encoding="utf-8"))
    assert [data["observations"][place] for place in data["nothing"]] == ["No Finding"]
    quoted = {
        row["t"][start:end].lower()
        for row in data["rows"]
        for label in row["l"]
        for start, end in label[3]
    }
    assert quoted == {"effusion", "edema", "no edema."}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--pred", "nowhere", "--out", "p.html"], "no such file"),
        (["--pred", ".", "--out", "page"], "--out names no HTML file"),
        (["--pred", ".", "--out", "p.html", "--limit", "0"], "--limit"),
    ],
)
def test_mistakes_are_one_line(
    given: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("r.csv").write_text("id,text\na,Clear.\n")
    try:
        code = main(["evidence", "r.csv", *given])
    except SystemExit as stopped:
        code = int(str(stopped.code))
    assert code == 2
    error = capfd.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_what_was_said_of_the_labeled_file_is_not_said_of_another(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Labeled from a table that needed --encoding and --input-format; shown from JSON lines too."""
    table, lines = tmp_path / "reports.export", tmp_path / "reports.jsonl"
    table.write_bytes("id,text\na,Größe normal. There is a pleural effusion.\n".encode("latin-1"))
    text = "Größe normal. There is a pleural effusion."
    lines.write_text(json.dumps({"id": "a", "text": text}) + "\n", encoding="utf-8")
    out = tmp_path / "out"
    how = ["--input-format", "csv", "--encoding", "latin-1"]
    assert main(["label", str(table), *how, "--model", "rules", "--out", str(out)]) == 0
    for file in (table, lines):
        page = tmp_path / f"{file.stem}-{file.suffix[1:]}.html"
        assert main(["evidence", str(file), "--pred", str(out), "--out", str(page)]) == 0
        assert "Größe normal" in page.read_text(encoding="utf-8")
    assert capfd.readouterr().err.count("labelwright:") == 0


@pytest.mark.parametrize("model", ["rules"])
def test_labelers_without_a_choice_refuse_the_flag(
    model: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.csv").write_text("id,text\na,Clear.\n")
    flags = ["--model", model, "--evidence", "context", "--out", str(tmp_path / "o")]
    assert main(["label", str(tmp_path / "r.csv"), *flags]) == 2
    assert "--evidence does not apply to the rules" in capfd.readouterr().err
