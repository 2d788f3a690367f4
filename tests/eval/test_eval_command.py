"""``labelwright eval`` from the command line, with good and with bad input."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from label_tables import write_labels

from eval.read.aligned import read_column
from labelwright.cli import main
from labelwright.commands.comparing.flags import named_paths
from labelwright.errors import ConfigError
from labelwright.io.jsonl import write_json, write_jsonl
from labelwright.io.manifest import sha256_file
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction

HEAD = LabelSet.load("head-ct-5")
FAST = ("--resamples", "150", "--permutations", "200")
CANARY = "canary-phrase-of-a-report"


def gold_rows(count: int) -> list[tuple[str, dict[str, Certainty]]]:
    kinds = list(Certainty)
    return [
        (f"r{i}", {name: kinds[(i + k * k) % 4] for k, name in enumerate(HEAD.names)})
        for i in range(count)
    ]


def write_table(path: Path, rows: list[tuple[str, dict[str, Certainty]]], column: str) -> Path:
    with open(path, "w", encoding="utf-8", newline="") as handle:
        write_labels(handle, HEAD, rows, id_column=column)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Gold, a perfect run folder with manifest, a table with errors, patients and texts."""
    rows = gold_rows(40)
    write_table(tmp_path / "gold.csv", rows, "study")
    run = tmp_path / "perfect"
    run.mkdir()
    write_jsonl(
        run / "predictions.jsonl",
        (
            Prediction(id=i, model="m", task="certainty", value=labels).to_json()
            for i, labels in rows
        ),
    )
    write_json(
        run / "manifest.json",
        {
            "labeler": {"kind": "generative", "name": "mine", "prompt": "Label this."},
            "label_set_sha256": HEAD.fingerprint,
            "counts": {"rows": 40, "labeled": 40, "rejected": 0},
            "outputs": {"predictions.jsonl": sha256_file(run / "predictions.jsonl")},
        },
    )
    wrong = [
        (i, labels | ({HEAD.names[0]: Certainty.BLANK} if int(i[1:]) % 2 else {}))
        for i, labels in rows
    ]
    write_table(tmp_path / "rules.csv", wrong, "study")
    write_jsonl(
        tmp_path / "reports.jsonl",
        ({"id": i, "text": f"{CANARY} {i}", "patient": f"p{int(i[1:]) // 2}"} for i, _ in rows),
    )
    return tmp_path


Run = Callable[..., int]


@pytest.fixture
def evaluate(folder: Path) -> Run:
    """Runs the command with gold, label set and fast tests; flags given later win."""

    def run(*flags: str, gold: str = "gold.csv", out: str = "report") -> int:
        fixed = ("--gold", str(folder / gold), "--out", str(folder / out))
        common = ("--label-set", "head-ct-5", "--id-column", "study")
        return main(["eval", *fixed, *common, *FAST, *flags])

    return run


def test_writes_page_scores_tables_and_figures(
    folder: Path, evaluate: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--patients", str(folder / "reports.jsonl"), "--title", "Head CT")
    assert (
        evaluate(
            "--pred",
            f"ours={folder / 'perfect'}",
            "--pred",
            f"rules={folder / 'rules.csv'}",
            *flags,
        )
        == 0
    )
    out = folder / "report"
    said = capsys.readouterr().out
    assert said.startswith("ours is better than rules by ")
    assert said.endswith(f"{out / 'index.html'}\n")
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "<title>Head CT</title>" in page
    assert "40 reports of 20 patients" in page
    assert "Label this." in page  # the prompt, from the run's manifest
    scores = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    assert scores["labelers"]["ours"]["scores"]["chexbert_all"]["mean"]["value"] == 1.0
    assert scores["labelers"]["ours"]["exact_match"] == 1.0
    # Every second report has the first observation blank; its gold is blank in 10 of 40, all
    # of them even or odd, so the share of reports without an error can be counted by hand.
    wrong = sum(
        int(i[1:]) % 2 and labels[HEAD.names[0]] is not Certainty.BLANK
        for i, labels in gold_rows(40)
    )
    assert scores["labelers"]["rules"]["exact_match"] == pytest.approx(1 - wrong / 40)
    with open(out / "tables" / "scores.csv", encoding="utf-8", newline="") as handle:
        table = list(csv.DictReader(handle))
    assert [row["Observation"] for row in table] == [*HEAD.names, "Mean"]
    assert float(table[-1]["ours"]) == 1.0
    assert "set:head-ct-5/1.0" in table[0]["signature"]
    assert (out / "tables" / "scores.tex").read_text(encoding="utf-8").count("\\toprule") == 1
    assert (out / "figures" / "forest.svg").read_text(encoding="utf-8").startswith("<?xml")
    with open(out / "errors.csv", encoding="utf-8", newline="") as handle:
        assert len(list(csv.reader(handle))) == 1 + wrong


def test_same_inputs_and_seed_give_the_same_files(folder: Path, evaluate: Run) -> None:
    flags = ("--pred", f"a={folder / 'perfect'}", "--pred", f"b={folder / 'rules.csv'}")
    assert evaluate(*flags, out="one") == 0
    assert evaluate(*flags, out="two") == 0
    names = sorted(p.relative_to(folder / "one") for p in (folder / "one").rglob("*.*"))
    assert len(names) > 20
    for name in names:
        assert (folder / "one" / name).read_bytes() == (folder / "two" / name).read_bytes(), name


def test_another_seed_is_another_signature(folder: Path, evaluate: Run) -> None:
    pred = ("--pred", f"a={folder / 'rules.csv'}")
    assert evaluate(*pred, "--seed", "7") == 0
    scores = json.loads((folder / "report" / "scores.json").read_text(encoding="utf-8"))
    assert "seed:7" in scores["signature"]


def test_one_labeler_alone_is_scored(
    folder: Path, evaluate: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("--pred", str(folder / "perfect")) == 0
    assert "perfect reaches a mean weighted F1 of 1.000" in capsys.readouterr().out
    assert not (folder / "report" / "tables" / "tests.csv").exists()


def test_a_second_report_replaces_the_first(folder: Path, evaluate: Run) -> None:
    first = ("--pred", f"a={folder / 'perfect'}", "--pred", f"b={folder / 'rules.csv'}")
    assert evaluate(*first) == 0
    assert evaluate("--pred", f"a={folder / 'perfect'}") == 0
    assert not (folder / "report" / "figures" / "forest.svg").exists()
    assert not (folder / "report" / "tables" / "tests.csv").exists()


def test_text_is_shown_only_when_asked_for(folder: Path, evaluate: Run) -> None:
    pred = ("--pred", f"b={folder / 'rules.csv'}")
    assert evaluate(*pred, out="plain") == 0
    texts = ("--include-text", "--reports", str(folder / "reports.jsonl"))
    assert evaluate(*pred, *texts, out="full") == 0
    page = folder / "full" / "index.html"
    assert CANARY in page.read_text(encoding="utf-8")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    for path in (*(folder / "plain").rglob("*.*"), folder / "full" / "scores.json"):
        assert CANARY not in path.read_text(encoding="utf-8")


def test_missing_reports_count_as_errors_or_are_dropped(folder: Path, evaluate: Run) -> None:
    write_table(folder / "half.csv", gold_rows(20), "study")
    pred = ("--pred", f"half={folder / 'half.csv'}", "--metric", "accuracy")
    assert evaluate(*pred) == 0
    scores = json.loads((folder / "report" / "scores.json").read_text(encoding="utf-8"))
    assert scores["labelers"]["half"]["accuracy"] == 0.5
    assert evaluate(*pred, "--missing", "drop") == 0
    scores = json.loads((folder / "report" / "scores.json").read_text(encoding="utf-8"))
    assert scores["labelers"]["half"]["accuracy"] == 1.0
    assert scores["reports"] == 20


def test_training_data_that_holds_the_gold_is_named(folder: Path, evaluate: Run) -> None:
    data = folder / "data"
    data.mkdir()
    write_jsonl(data / "train.reports.jsonl", [{"id": "r1", "patient": "p0"}, {"id": "other"}])
    assert evaluate("--pred", f"a={folder / 'perfect'}", "--data", str(data)) == 0
    page = (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert "1 shared ids" in page
    assert "not independent of the training data" in page


def test_a_manifest_of_another_file_is_not_believed(folder: Path, evaluate: Run) -> None:
    path = folder / "perfect" / "predictions.jsonl"
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert evaluate("--pred", f"a={folder / 'perfect'}") == 0
    page = (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert "another state of the file" in page
    assert "Label this." not in page


def test_one_report_with_all_blank_gold(folder: Path, evaluate: Run) -> None:
    rows = [("r0", dict.fromkeys(HEAD.names, Certainty.BLANK))]
    write_table(folder / "single.csv", rows, "study")
    assert (
        evaluate(
            "--pred",
            f"a={folder / 'perfect'}",
            "--pred",
            f"b={folder / 'rules.csv'}",
            gold="single.csv",
        )
        == 0
    )
    page = (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert "no interval and no test" in page
    assert "mentions no observation at all" in page


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "no predictions to score; give at least one --pred NAME=PATH"),
        (("--pred", "a={d}/nothing.csv"), "no such file"),
        (("--pred", "a={d}/perfect", "--pred", "a={d}/rules.csv"), "two labelers are named 'a'"),
        (("--pred", "={d}/perfect"), "does not name a labeler and a file"),
        (("--pred", "a={d}/perfect", "--reference", "z"), "not one of the labelers; use one of: a"),
        (("--pred", "a={d}/perfect", "--margin", "0"), "margin 0 is not between 0 and 1"),
        (("--pred", "a={d}/perfect", "--resamples", "3"), "too few permutations or resamples"),
        (("--pred", "a={d}/perfect", "--seed", "-1"), "--seed is negative"),
        (("--pred", "a={d}/perfect", "--id-column", "study,"), "has an empty name"),
        (("--pred", "a={d}/perfect", "--id-column", "nope"), "no column nope"),
        (("--pred", "a={d}/perfect", "--label-set", "chexpert-14"), "no column"),
        (("--pred", "a={d}/perfect", "--label-set", "none"), "no label set 'none'"),
        (("--pred", "a={d}/perfect", "--include-text"), "give them with --reports FILE"),
        (("--pred", "a={d}/perfect", "--reports", "x"), "read only with --include-text"),
        (("--pred", "a={d}/perfect", "--data", "{d}/perfect"), "train.reports.jsonl: no such file"),
        (
            ("--pred", "a={d}/perfect", "--patients", "{d}/gold.csv"),
            "no column patient; name it with",
        ),
        (
            ("--pred", "a={d}/perfect", "--patients", "{d}/rows.jsonl"),
            "no column patient; name it with --patient-column; columns found: id, ward",
        ),
        (("--pred", "a={d}/perfect", "--out", "{d}/perfect"), "no earlier report"),
        (("--pred", "a={d}/perfect", "--out", "{d}/gold.csv"), "a file of this name exists"),
    ],
)
def test_bad_input_is_answered_in_one_line(
    folder: Path,
    evaluate: Run,
    capsys: pytest.CaptureFixture[str],
    flags: tuple[str, ...],
    message: str,
) -> None:
    write_jsonl(folder / "rows.jsonl", [{"id": "s0", "ward": "a"}])
    assert evaluate(*(flag.format(d=folder) for flag in flags)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert "; " in error  # the remedy
    assert CANARY not in error


@pytest.mark.parametrize("name", ["p.csv", "p.jsonl"])
def test_usual_names_of_ids_and_patients_are_found(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("csv"):
        path.write_text("Accession,Subject ID,sex\n7,p1,F\n8,,M\n", encoding="utf-8")
    else:
        write_jsonl(path, [{"id": "7", "meta": {"MRN": "p1"}}, {"id": "8", "meta": {}}])
    assert read_column(path, "patient") == {"7": "p1", "8": ""}


def test_a_damaged_manifest_is_named(
    folder: Path, evaluate: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "perfect" / "manifest.json").write_text("{", encoding="utf-8")
    assert evaluate("--pred", f"a={folder / 'perfect'}") == 2
    assert "the manifest is damaged" in capsys.readouterr().err


def test_an_earlier_page_survives_bad_input(folder: Path, evaluate: Run) -> None:
    assert evaluate("--pred", f"a={folder / 'perfect'}") == 0
    before = (folder / "report" / "index.html").read_bytes()
    assert evaluate("--pred", f"a={folder / 'nothing.csv'}") == 2
    assert (folder / "report" / "index.html").read_bytes() == before


def test_names_are_taken_from_folders_and_files(tmp_path: Path) -> None:
    run = tmp_path / "my run"
    run.mkdir()
    table = tmp_path / "a=b.csv"
    table.write_text("x", encoding="utf-8")
    assert named_paths([str(run), str(table), "c=d=e.csv"]) == {
        "my run": str(run),
        "a=b": str(table),
        "c": "d=e.csv",
    }
    with pytest.raises(ConfigError, match="up to 60"):
        named_paths([f"{'n' * 61}=x.csv"])
    with pytest.raises(ConfigError, match="does not name"):
        named_paths(["a\nb=x.csv"])


def test_the_label_set_is_the_one_that_the_run_names(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shipped, or beside the gold; a run of another one is refused by name."""
    usual = ["eval", "--gold", str(folder / "gold.csv"), "--id-column", "study", *FAST]
    flags = [*usual, f"--pred=mine={folder / 'perfect'}"]
    path = folder / "perfect" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    for name, text in {HEAD.name: "", "own-set": HEAD.text.replace(HEAD.name, "own-set")}.items():
        if text:
            (folder / "label_set.yaml").write_text(text, encoding="utf-8")
            manifest["label_set_sha256"] = LabelSet.from_text(text).fingerprint
        write_json(path, manifest | {"label_set": name})
        assert main([*flags, "--out", str(folder / name)]) == 0
        scores = json.loads((folder / name / "scores.json").read_text(encoding="utf-8"))
        assert scores["label_set"]["name"] == name
    write_json(path, manifest | {"label_set": "elsewhere"})
    (folder / "label_set.yaml").unlink()
    capsys.readouterr()
    assert main([*flags, "--out", str(folder / "none")]) == 2
    assert "was labeled with label set elsewhere" in capsys.readouterr().err
