"""``labelwright eval ablation``: real runs with and without neighbours, labeled and compared."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from page_tools import checked
from statsmodels.stats.multitest import multipletests

from labelwright.cli import main
from labelwright.label_set import LabelSet

FAST = ("--resamples", "150", "--permutations", "200")
HEAD = LabelSet.load("head-ct-5")
Run = Callable[..., int]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic head CT reports in a data folder, and an index of it."""
    root = tmp_path_factory.mktemp("ablation")
    flags = ["--synthetic", "120", "--label-set", "head-ct-5", "--seed", "5"]
    assert main(["build", *flags, "--out", str(root / "data")]) == 0
    index = ["--data", str(root / "data"), "--embedder", "hashed:256"]
    assert main(["index", "build", *index, "--out", str(root / "index")]) == 0
    return root


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny generative model for head CT, with random weights."""
    from conftest import REPORTS

    from labelwright.checkpoint import TaskInfo, save_task
    from labelwright.tasks.certainty.answer import PROMPT_VERSION
    from sft.scratch import Shape, make_scratch_model

    folder = tmp_path_factory.mktemp("models") / "tiny"
    make_scratch_model(REPORTS, folder, label_set=HEAD, shape=Shape())
    info = TaskInfo(HEAD.fingerprint, PROMPT_VERSION, ("line",), "full", "scratch")
    save_task(folder, HEAD, info)
    return folder


@pytest.fixture(scope="module")
def votes(data: Path) -> Path:
    """An ablation of the rules (k = 0) and votes of one and three neighbours."""
    out = data / "votes"
    assert run(data, out, "--model", "rules", "--methods", "knn", "--k", "0,1,3") == 0
    return out


def run(data: Path, out: Path, *flags: str) -> int:
    fixed = ["--gold", str(data / "data/test.labels.csv"), "--label-set", "head-ct-5"]
    reports = ["--reports", str(data / "data/test.reports.jsonl"), "--index", str(data / "index")]
    return main(["eval", "ablation", *fixed, *reports, "--out", str(out), *FAST, *flags])


def score(data: Path, out: Path, *flags: str) -> int:
    fixed = ["--gold", str(data / "data/test.labels.csv"), "--label-set", "head-ct-5"]
    return main(["eval", "ablation", *fixed, "--out", str(out), *FAST, *flags])


def table(out: Path) -> list[dict[str, str]]:
    with open(out / "tables" / "ablation.csv", encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def scores(out: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    return value


def test_labels_every_cell_and_compares_it_with_the_one_without(data: Path, votes: Path) -> None:
    assert sorted(p.name for p in (votes / "runs").iterdir()) == ["knn-k1", "knn-k3", "none"]
    assert [(row["Method"], row["k"]) for row in table(votes)] == [
        ("none", "0"),
        ("knn", "1"),
        ("knn", "3"),
    ]
    found = scores(votes)
    cells = found["sections"]["ablation"]
    base = cells["k=0"]["score"]["value"]
    for name in ("knn k=1", "knn k=3"):
        change = cells[name]["difference"]
        assert change["value"] == pytest.approx(cells[name]["score"]["value"] - base)
        assert change["low"] < change["value"] < change["high"]
        assert cells[name]["neighbours_per_report"] == cells[name]["k"]
        assert cells[name]["reports_per_second"] > 0
    assert cells["k=0"]["difference"] is None
    # Two comparisons, both with k = 0, and no third between the numbers of neighbours.
    assert [(pair["a"], pair["b"]) for pair in found["pairs"]] == [
        ("k=0", "knn k=1"),
        ("k=0", "knn k=3"),
    ]
    raw = [pair["randomization"]["p"] for pair in found["pairs"]]
    expected = multipletests(raw, method="holm")[1]
    assert [cells[n]["p_holm"] for n in ("knn k=1", "knn k=3")] == pytest.approx(list(expected))


def test_scores_are_those_of_the_ordinary_comparison(data: Path, votes: Path) -> None:
    fixed = ["--gold", str(data / "data/test.labels.csv"), "--label-set", "head-ct-5"]
    out = data / "ordinary"
    pred = [f"--pred=one={votes / 'runs/knn-k1'}", f"--pred=none={votes / 'runs/none'}"]
    assert main(["eval", *fixed, *pred, "--out", str(out), *FAST]) == 0
    here, there = scores(votes), scores(out)
    cells = here["sections"]["ablation"]
    for cell, name in (("knn k=1", "one"), ("k=0", "none")):
        own = there["labelers"][name]
        assert cells[cell]["score"] == own["scores"]["chexbert_all"]["mean"]
        assert cells[cell]["micro_f1_positive"] == own["tasks"]["positive"]["micro"]["f1"]
        assert cells[cell]["macro_f1_positive"] == own["scores"]["macro_f1_positive"]["mean"]
    (pair,) = there["pairs"]  # one minus none
    assert cells["knn k=1"]["difference"]["value"] == pytest.approx(
        pair["differences"]["chexbert_all"]["mean"]["value"]
    )


def test_the_page_holds_the_section_and_no_report(data: Path, votes: Path) -> None:
    page = (votes / "index.html").read_text(encoding="utf-8")
    assert page.split('<p class="verdict"><strong>')[1].startswith("Votes (knn) ")
    checked(page)
    assert '<section id="ablation">' in page
    assert "Votes (knn) do " in page
    assert (votes / "figures" / "ablation-1.svg").is_file()
    rows = (data / "data/test.reports.jsonl").read_text(encoding="utf-8").splitlines()
    for text in (json.loads(row)["text"] for row in rows):
        assert max(text.split("."), key=len).strip() not in page


def test_the_same_command_labels_nothing_again(
    data: Path, votes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "again"
    shutil.copytree(votes, out)
    shutil.rmtree(out / "runs/knn-k3")
    flags = ("--model", "rules", "--methods", "knn", "--k", "0,1,3")
    assert run(data, out, *flags) == 0
    said = capsys.readouterr().out
    assert said.count("already finished") == 2
    assert (out / "runs/knn-k3/manifest.json").is_file()
    before = (out / "scores.json").read_bytes()
    assert run(data, out, *flags) == 0
    assert capsys.readouterr().out.count("already finished") == 3
    assert (out / "scores.json").read_bytes() == before


def test_a_run_with_other_flags_does_not_pass_for_the_cell(
    data: Path, votes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--model", "rules", "--methods", "knn", "--k", "0,1,3", "--most-similar", "0.9")
    assert run(data, votes, *flags) == 2
    assert "differs in" in capsys.readouterr().err


def test_finished_runs_say_their_cells_themselves(data: Path, votes: Path, tmp_path: Path) -> None:
    runs = [f"--pred={votes / 'runs' / name}" for name in ("knn-k3", "none", "knn-k1")]
    assert score(data, tmp_path / "out", *runs) == 0
    here, there = table(tmp_path / "out"), table(votes)
    assert here == there
    # Fewer cells are labeled where a finished run is given, the rest as before.
    flags = ("--model", "rules", "--methods", "knn", "--k", "0,1,3", *runs[1:])
    assert run(data, tmp_path / "part", *flags) == 0
    assert [p.name for p in (tmp_path / "part/runs").iterdir()] == ["knn-k3"]
    fixed = [{k: v for k, v in row.items() if k != "Reports per second"} for row in there]
    part = table(tmp_path / "part")
    assert [{k: v for k, v in row.items() if k != "Reports per second"} for row in part] == fixed


def test_a_cell_may_be_told_and_a_table_needs_it(
    data: Path, votes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_ = votes / "runs"
    shutil.copy(run_ / "knn-k1" / "labels.csv", tmp_path / "labels.csv")
    none, told = f"--pred={run_ / 'none'}", f"--pred=few-shot:5={tmp_path / 'labels.csv'}"
    assert score(data, tmp_path / "out", none, told, f"--pred=context:2={run_ / 'knn-k3'}") == 0
    rows = {row["Method"]: row for row in table(tmp_path / "out")}
    assert rows["few-shot"]["k"] == "5"
    assert rows["few-shot"]["Neighbours per report"] == ""  # a table does not say
    assert rows["few-shot"]["Reports per second"] == ""
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "context k=2: so named on the command line; its manifest says knn k=3." in page
    capsys.readouterr()
    assert score(data, tmp_path / "no", none, f"--pred={tmp_path / 'labels.csv'}") == 2
    error = capsys.readouterr().err
    assert "no telling with which neighbours" in error
    assert error.count("\n") == 1


def test_prompts_with_neighbours_by_a_generative_model(
    data: Path, model: Path, tmp_path: Path
) -> None:
    # A second model of the same weights, as if it was trained with two neighbours.
    trained = tmp_path / "trained"
    shutil.copytree(model, trained)
    task = json.loads((trained / "labelwright.json").read_text(encoding="utf-8"))
    recipe = {"method": "few-shot", "k": 2, "words": 300, "split": "train", "most_similar": None}
    recipe |= {"embedder": "hashed:256", "dimension": 256, "version": "1"}
    task["neighbours"] = recipe
    (trained / "labelwright.json").write_text(json.dumps(task), encoding="utf-8")
    out = tmp_path / "out"
    cells = ("--methods", "context", "--k", "0,1", "--cell", f"few-shot:2={trained}")
    flags = ("--limit", "4", "--missing", "drop", "--neighbour-words", "60", "--device", "cpu")
    assert run(data, out, "--model", str(model), *cells, *flags) == 0
    rows = scores(out)["sections"]["ablation"]
    assert list(rows) == ["k=0", "context k=1", "few-shot k=2"]
    manifests = {
        name: json.loads((out / "runs" / name / "manifest.json").read_text(encoding="utf-8"))
        for name in ("none", "context-k1", "few-shot-k2")
    }
    assert "neighbours" not in manifests["none"]["labeler"]
    shown = manifests["few-shot-k2"]["labeler"]["neighbours"]
    assert (shown["method"], shown["k"], shown["words"]) == ("few-shot", 2, 60)
    # 60 words hold one worked example of a head CT report rather than two: the notes tell.
    lines = (out / "runs/few-shot-k2/predictions.jsonl").read_text(encoding="utf-8").splitlines()
    notes = [json.loads(line).get("notes", []) for line in lines]
    found = [int(n.split()[1]) for row in notes for n in row if n.endswith("of 2")]
    full = 2 * (len(notes) - len(found))
    assert rows["few-shot k=2"]["neighbours_per_report"] == (sum(found) + full) / len(notes) < 2
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "context k=1: labeled by the same model as k = 0." in page
    assert "few-shot k=2: labeled by another model than k = 0" in page


def errors(data: Path, votes: Path) -> dict[str, tuple[list[str], str]]:
    runs = votes / "runs"
    none, one = f"--pred={runs / 'none'}", f"--pred={runs / 'knn-k1'}"
    reports = ["--reports", str(data / "data/test.reports.jsonl")]
    index = ["--index", str(data / "index")]
    return {
        "nothing": ([], "neither finished runs nor reports to label"),
        "no cell without": ([one], "no run is without neighbours"),
        "only one": ([none], "the only run is without neighbours"),
        "twice": ([none, one, one], "two runs are of one cell, knn k=1"),
        "unknown method": ([none, f"--pred=votes:3={runs / 'knn-k1'}"], "unknown method 'votes'"),
        "no number": ([none, f"--pred=knn={runs / 'knn-k1'}"], "'knn' is not a cell"),
        "knn without": ([none, f"--pred=knn:0={runs / 'knn-k1'}"], "knn cannot have k = 0"),
        "no run": ([none, "--pred=knn:3="], "names no run"),
        "gold": ([none, one, "--label-set", "chexpert-14"], "no column of the label set"),
        "lone flag": ([none, one, "--k", "3"], "--k is for labeling"),
        "unknown flag": ([none, one, "--decoed", "free"], "unknown flag --decoed"),
        "no index": ([*reports, "--model", "rules"], "need --index"),
        "methods": ([*reports, *index, "--methods", "rag"], "unknown method 'rag'"),
        "numbers": ([*reports, *index, "--k", "0,three"], "--k 'three' is not a number"),
        "empty": ([*reports, *index, "--k", "0,,1"], "has an empty part"),
        "no zero": (
            [*reports, *index, "--methods", "knn", "--k", "1", "--limit", "3"],
            "no run is without neighbours",
        ),
        "own flag": ([*reports, *index, "--neighbours", "context"], "--neighbours is not for"),
        "dry": ([*reports, *index, "--dry-run"], "--dry-run is not for an ablation"),
        "unknown labeling flag": ([*reports, *index, "--decoed", "free"], "did you mean --decode?"),
        "votes of a model": ([*reports, *index, "--cell", "knn:3=rules"], "need no model"),
        "two models": (
            [*reports, *index, "--cell", "none=a", "--cell", "context:0=b"],
            "two models for k=0",
        ),
        "entities": ([none, one, "--label-set", "disease-1"], "asks for entities"),
        "margin": ([none, one, "--margin", "2"], "margin 2 is not between 0 and 1"),
        "joined ids": ([*reports, *index, "--id-column", "a,b"], "joins columns"),
    }


@pytest.mark.parametrize("case", list(errors(Path(), Path())))
def test_mistakes_are_told_in_one_line(
    case: str, data: Path, votes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags, told = errors(data, votes)[case]
    capsys.readouterr()
    try:
        code = score(data, tmp_path / "out", *flags)
    except SystemExit as stop:  # argparse's own
        code = int(str(stop.code))
    assert code == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out" / "scores.json").exists()


def test_runs_of_other_reports_are_refused(
    data: Path, votes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.jsonl"
    lines = (data / "data/test.reports.jsonl").read_text(encoding="utf-8").splitlines()
    other.write_text("\n".join(lines[:5]) + "\n", encoding="utf-8")
    flags = ["--model", "knn", "--index", str(data / "index"), "--k", "2"]
    assert main(["label", str(other), *flags, "--out", str(tmp_path / "two")]) == 0
    none = f"--pred={votes / 'runs/none'}"
    assert score(data, tmp_path / "out", none, f"--pred={tmp_path / 'two'}") == 2
    assert "the run is of other reports" in capsys.readouterr().err


def test_another_text_of_the_label_set_is_refused(
    data: Path, votes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(f"{HEAD.text}# another text\n", encoding="utf-8")
    runs = [f"--pred={votes / 'runs' / name}" for name in ("none", "knn-k1")]
    assert score(data, tmp_path / "out", *runs, "--label-set", str(own)) == 2
    assert "the run was made for another label set" in capsys.readouterr().err
    flags = ("--model", "rules", "--methods", "knn", "--k", "0,1", "--label-set", str(own))
    assert run(data, tmp_path / "out", *flags) == 2
    assert "the index" in (error := capsys.readouterr().err)
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()  # before anything is labeled


def test_an_edited_run_has_lost_its_manifest(
    data: Path, votes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(votes / "runs/knn-k1", tmp_path / "edited")
    path = tmp_path / "edited" / "predictions.jsonl"
    path.write_bytes(path.read_bytes() + b"\n")
    none = f"--pred={votes / 'runs/none'}"
    assert score(data, tmp_path / "out", none, f"--pred={tmp_path / 'edited'}") == 2
    assert "no manifest of labelwright label belongs to it" in capsys.readouterr().err


def test_help_answers_without_torch_and_eval_keeps_working() -> None:
    code = (
        "import sys; from labelwright.cli import main\n"
        "try: main(['eval', 'ablation', '--help'])\n"
        "finally: assert not {'torch', 'numpy', 'pyarrow'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage: labelwright eval ablation" in done.stdout
    with pytest.raises(SystemExit) as stop:
        main(["eval", "--help"])
    assert stop.value.code == 0
