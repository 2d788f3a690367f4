"""A grid run for real: two trainings with pseudo-labels, resumed, refused, failed; its tables."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grid_tools import write_notes

from eval.studies.grid import GridRun, Scored, every_run, markdown, page, summary
from labelwright.cli import main

CANARY = "Zyxwellian"
OPTIONS = {"encoder": "distilbert", "notes": "labeled"}
CELL = "encoder=distilbert+notes="


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with notes, and in ``grid`` the shipped grid run on them with a tiny encoder."""
    base = tmp_path_factory.mktemp("aprilia")
    write_notes(base, labeled=40, unlabeled=20, canary=CANARY)
    assert main(command(base)) == 0
    return base


def command(base: Path, *more: str) -> list[str]:
    given = [
        *("build.id-column=id", "build.text-columns=text", "build.split=0.6,0.2,0.2"),
        f"build.entity-table={base / 'gold.csv'}",
        f"build.normalise={base / 'table.yaml'}",
        *("pseudo.id-column=id", "pseudo.text-columns=text"),
        *("train.scratch=tiny", "train.learning_rate=1e-2", "train.num_train_epochs=12"),
        *("train.report_to=none", "train.disable_tqdm=true", "train.head_dropout=0"),
    ]
    flags = [word for text in given for word in ("--set", text)]
    return [
        *("grid", "aprilia2025", str(base / "notes.csv"), "--unlabeled", str(base / "more.csv")),
        *("--only", "encoder=distilbert", "--seeds=7", "--out", str(base / "grid")),
        *(*flags, *more),
    ]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def jsonl(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def mentions(path: Path) -> set[tuple[str, str, str]]:
    return {
        (row["id"], entity["type"], json.dumps(entity["spans"]))
        for row in jsonl(path)
        for entity in row["entities"]
    }


def stamps(folder: Path) -> dict[str, int]:
    """When the end mark of each step was written."""
    return {str(p.parent): p.stat().st_mtime_ns for p in folder.glob("*/*/manifest.json")}


def test_both_cells_are_scored_on_the_same_notes(place: Path) -> None:
    """The scores in the tables are those of a count by hand."""
    grid = place / "grid"
    table = {row["notes"]: row for row in rows(grid / "grid.csv")}
    assert list(table) == ["labeled", "with-pseudo-labels"]
    gold = mentions(grid / "data/all/test.entities.jsonl")
    for name, row in table.items():
        said = mentions(grid / f"runs/{CELL}{name}+seed=7/predictions.jsonl")
        right = len(gold & said)
        assert float(row["strict micro F1 mean"]) == pytest.approx(
            2 * right / (len(gold) + len(said)), abs=1e-6
        )
        assert (row["runs"], row["strict micro F1 sd"]) == ("1", "")
    assert float(table["labeled"]["strict micro F1 mean"]) > 0.5, "it has learned"
    types = {row["notes"]: row for row in rows(grid / "types.csv")}
    assert list(types["labeled"])[2:7] == [
        *("Anatomy", "Procedure", "Measurement", "Finding", "Disease"),
    ]


def test_the_second_training_reads_the_pseudo_labels(place: Path) -> None:
    """Twenty notes more, and the seconds of both trainings."""
    grid = place / "grid"
    name = f"{CELL}with-pseudo-labels+seed=7+round=1"
    before = len(list(jsonl(grid / "data/all/train.jsonl")))
    after = list(jsonl(grid / "data" / name / "train.jsonl"))
    assert len(after) == before + 20
    manifest = json.loads((grid / "models" / name / "manifest.json").read_text())
    first = json.loads((grid / "models/encoder=distilbert+seed=7/manifest.json").read_text())
    assert manifest["counts"]["train"]["reports"] == len(after)
    seconds = [facts["metrics"]["train_runtime"] for facts in (first, manifest)]
    found = {row["notes"]: float(row["training seconds"]) for row in rows(grid / "runs.csv")}
    assert found["labeled"] == pytest.approx(seconds[0], rel=1e-4)
    assert found["with-pseudo-labels"] == pytest.approx(sum(seconds), rel=1e-4)


def test_what_the_page_shows(place: Path) -> None:
    text = (place / "grid/grid.html").read_text(encoding="utf-8")
    assert "2 cells; 2 of 2 runs finished, 0 failed, 0 to do." in text
    assert text.count('aria-label="Losses and validation scores by epoch"') == 1 + 2
    assert "one run only" in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    head, _, first, _ = (place / "grid/grid.md").read_text(encoding="utf-8").splitlines()
    assert head.startswith("| encoder | notes | runs | strict micro F1 | strict macro F1 |")
    assert first.startswith("| distilbert | labeled | 1 | ")


def test_no_text_outside_the_data_and_the_predictions(place: Path) -> None:
    grid = place / "grid"
    files = [*grid.glob("*.*"), *(grid / "logs").iterdir()]
    assert len(files) == 6 + 7
    for path in files:
        assert CANARY.lower() not in path.read_text(encoding="utf-8").lower(), path
    assert all(path.stat().st_mode & 0o77 == 0 for path in (grid / "logs").iterdir())


def test_finished_steps_are_not_made_again(place: Path) -> None:
    grid = place / "grid"
    before, old = stamps(grid), (grid / "grid.csv").read_bytes()
    assert len(before) == 7
    assert main(command(place)) == 0
    assert stamps(grid) == before
    last = grid / f"runs/{CELL}with-pseudo-labels+seed=7"
    shutil.rmtree(last)
    (grid / "grid.csv").unlink()
    assert main(command(place)) == 0
    after = stamps(grid)
    assert {name for name in after if after[name] != before[name]} == {str(last)}
    assert (grid / "grid.csv").read_bytes() == old


def refused(base: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    before = stamps(base / "grid")
    assert main(command(base, *more)) == 2
    assert stamps(base / "grid") == before
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_other_flags_and_files_are_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = refused(place, capsys, "--set", "train.num_train_epochs=13")
    assert "made with other flags: --num_train_epochs=12 --num_train_epochs=13" in error
    gold = place / "gold.csv"
    kept = gold.read_bytes()
    gold.write_bytes(kept + b"n1,Disease,kista\n")
    assert "gold.csv, which has changed" in refused(place, capsys)
    gold.write_bytes(kept)
    manifest = place / "grid/data/all/manifest.json"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(f"{text} ", encoding="utf-8")
    assert "made from an earlier data/all; delete it" in refused(place, capsys)
    manifest.write_text(text, encoding="utf-8")
    shutil.copytree(place / "grid/data/all", place / "grid/data/all+seed=7")
    ledger = place / "grid/steps.json"
    whole = ledger.read_text(encoding="utf-8")
    steps = json.loads(whole)
    del steps["data/all"]
    ledger.write_text(json.dumps(steps), encoding="utf-8")
    assert "the folder was not made by this grid" in refused(place, capsys)
    ledger.write_text("{", encoding="utf-8")
    assert "steps.json is damaged" in refused(place, capsys)
    ledger.write_text(whole, encoding="utf-8")


FAILING = """\
name: one cell cannot work
build: {label-set: disease-1, split: "0.6,0.2,0.2"}
train: {scratch: tiny, num_train_epochs: 1, report_to: none}
axes:
  mentions:
    lost: {build: {entity-table: no-such.csv}}
    marked: {}
"""


def test_a_cell_that_fails_does_not_end_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "grid.yaml", tmp_path / "out"
    path.write_text(FAILING, encoding="utf-8")
    assert main(["grid", str(path), "examples/notes.jsonl", "--out", str(out)]) == 2
    error = capsys.readouterr().err.splitlines()
    said = "1 of 2 runs failed; the first, mentions=lost, seed 42: no-such.csv: "
    assert said in error[-1]
    lost, marked = rows(out / "runs.csv")
    assert (lost["state"], marked["state"]) == ("failed", "finished")
    assert lost["why it failed"].startswith("no-such.csv: ")
    assert (lost["strict micro F1"], marked["why it failed"]) == ("", "")
    assert [row["runs"] for row in rows(out / "grid.csv")] == ["0", "1"]


def made(option: str, seed: int, **scores: float) -> Scored:
    run = GridRun({"weights": option}, seed, Path("g"), Path("f"), (), finished=bool(scores))
    named = {name.replace("_", " ").replace("f1", "F1"): value for name, value in scores.items()}
    if not scores:
        return Scored(run)
    return Scored(run, scores=named, seconds=10.0 * seed, gold=option)


def test_means_and_deviations() -> None:
    """0.5, 0.6, 0.7: mean 0.6, deviation 0.1 (n - 1); 10, 20, 30 seconds: 20 and 10."""
    scored = [
        *(made("none", seed, strict_micro_f1=0.4 + seed / 10) for seed in (1, 2, 3)),
        made("plain", 1, strict_micro_f1=0.25),
        made("plain", 2),
        made("clamped", 1),
    ]
    table = summary(scored)
    assert [row[:2] for row in table.rows] == [("none", 3), ("plain", 1), ("clamped", 0)]
    assert table.rows[0][2:] == pytest.approx((0.6, 0.1, 20.0, 10.0))
    assert table.rows[1][2:] == (0.25, None, 10.0, None)
    assert table.rows[2][2:] == (None, None, None, None)
    assert markdown(table).splitlines() == [
        "| weights | runs | strict micro F1 | training seconds |",
        "| --- | --- | --- | --- |",
        "| none | 3 | 0.600 ± 0.100 | 20.0 ± 10.0 |",
        "| plain | 1 | 0.250 | 10.0 |",
        "| clamped | 0 | – | – |",
    ]
    assert [row[2] for row in every_run(scored).rows] == [*["finished"] * 4, "to do", "to do"]
    text = page(scored, title="A < B")
    assert "2 different sets of test notes" in text
    assert "<title>A &lt; B</title>" in text
    assert "4 of 6 runs finished, 0 failed, 2 to do" in text
