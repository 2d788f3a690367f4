"""A kind that lives with the tests alone goes all the way: build, train, label, eval, its page."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labelwright import kinds
from labelwright.cli import main
from labelwright.io.jsonl import write_jsonl

LABELS = "name: history\nversion: '1'\ntask: yes-no\nlabels: [Smoker, Diabetes, Stroke]\n"
SENTENCES = {
    "Smoker": ("He smokes.", "He never smoked."),
    "Diabetes": ("Diabetes for years.", "No diabetes."),
    "Stroke": ("He had a stroke.", "No stroke so far."),
}
ONCE = ("--disable_tqdm=true", "--save_strategy=no", "--report_to=none", "--logging_steps=40")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("toy")
    draw = random.Random(1)
    (folder / "labels.yaml").write_text(LABELS, encoding="utf-8")
    gold = {f"r{i}": {name: draw.random() < 0.5 for name in SENTENCES} for i in range(120)}
    write_jsonl(folder / "gold.jsonl", ({"id": i, "answers": v} for i, v in gold.items()))
    reports = []
    for identifier, value in gold.items():
        said = [SENTENCES[name][not yes] for name, yes in value.items()]
        draw.shuffle(said)
        text = " ".join([f"Visit {identifier[1:]}.", *said])
        reports.append({"id": identifier, "text": text, "patient": identifier})
    write_jsonl(folder / "reports.jsonl", reports)
    with kinds.registered("yes-no", "yes_no_kind:KIND"):
        yield folder


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_build_train_label_and_eval(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, model, out = case / "data", case / "model", case / "out"
    given = ["--label-set", str(case / "labels.yaml"), "--labels", str(case / "gold.jsonl")]
    assert main(["build", str(case / "reports.jsonl"), *given, "--out", str(data)]) == 0
    manifest = json.loads((data / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["task"], manifest["counts"]["records"]) == ("yes-no", 120)
    record = rows(data / "train.jsonl")[0]
    value = {row["id"]: row["answers"] for row in rows(data / "train.answers.jsonl")}[record["id"]]
    line = ", ".join(f"{name} {'yes' if yes else 'no'}" for name, yes in value.items()) + "."
    assert record["completion"][0]["content"] == line
    with open(data / "classes.csv", encoding="utf-8", newline="") as handle:
        counted = list(csv.DictReader(handle))
    assert sum(int(row["yes"]) + int(row["no"]) for row in counted) == 3 * 120

    flags = ["--scratch", "tiny", "--num_train_epochs", "4", "--learning_rate", "3e-3", *ONCE]
    assert main(["train", "--data", str(data), "--output_dir", str(model), *flags]) == 0
    assert "reads one report" in (model / "README.md").read_text(encoding="utf-8")

    reports = data / "test.reports.jsonl"
    assert main(["label", str(reports), "--model", str(model), "--out", str(out)]) == 0
    told = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert told["labeler"]["decoding"]["mode"] == "one-pass"
    found = rows(out / "predictions.jsonl")
    assert {row["id"] for row in found} == {row["id"] for row in rows(reports)}
    for row in found:
        assert set(row["answers"]) == set(SENTENCES)
        for name, yes in row["answers"].items():
            chances = row["probs"][name]
            assert sum(chances.values()) == pytest.approx(1, abs=1e-5)
            assert (chances["yes"] > chances["no"]) == yes
    with open(out / "answers.csv", encoding="utf-8", newline="") as handle:
        table = {row["id"]: row for row in csv.DictReader(handle)}
    assert all(table[row["id"]]["Smoker"] == str(row["answers"]["Smoker"]) for row in found)

    gold = data / "test.answers.jsonl"
    page = ["--gold", str(gold), "--pred", f"ours={out}", "--out", str(case / "page")]
    sets = ["--label-set", str(case / "labels.yaml")]
    capsys.readouterr()
    assert main(["eval", *page, *sets, "--resamples", "150", "--permutations", "300"]) == 0
    known = {row["id"]: row["answers"] for row in rows(gold)}
    right = [known[row["id"]][name] == yes for row in found for name, yes in row["answers"].items()]
    scores = json.loads((case / "page/scores.json").read_text(encoding="utf-8"))
    mean = scores["labelers"]["ours"]["scores"]["accuracy"]["mean"]["value"]
    assert mean == pytest.approx(sum(right) / len(right))
    assert (case / "page/index.html").is_file()


def test_what_it_cannot_do_is_refused(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = str(case / "reports.jsonl")
    given = ["--label-set", str(case / "labels.yaml"), "--labels", str(case / "gold.jsonl")]
    flags = ["--windows", "20", "--out", str(case / "windows")]
    assert main(["build", report, *given, *flags]) == 2
    assert "--windows" in capsys.readouterr().err
