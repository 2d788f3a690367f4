"""The recipes and grids of the published comparisons have the papers' numbers."""

from __future__ import annotations

import pytest

import sft.arguments
from baselines.arguments import parse
from baselines.tagger.arguments import TAGGER
from labelwright.commands.grid.file import read_grid
from labelwright.commands.grid.steps import plan
from labelwright.label_set import LabelSet

BASE = ["--data", "x", "--output_dir", "y"]


@pytest.mark.parametrize(
    ("name", "rate", "patience"),
    [("almeida2025", 5e-5, 5), ("almeida2025-breast-cancer", 1e-4, 15)],
)
def test_almeida(name: str, rate: float, patience: int) -> None:
    """Section 2.4: rate 5e-5, batch 10, accumulation 5, 512 tokens, patience 5 on micro F1.

    Breast cancer: rate 1e-4, patience 15. Several classes a token, one threshold for all.
    """
    found = parse(TAGGER, ["--config", name, *BASE])
    task, training = found.task, found.training
    assert (training.learning_rate, task.patience) == (rate, patience)
    assert training.per_device_train_batch_size == 10
    assert training.gradient_accumulation_steps == 5
    assert (task.max_length, task.head, task.thresholds) == (512, "multilabel", "shared")
    assert training.metric_for_best_model == "micro_f1"
    assert training.load_best_model_at_end


def test_aprilia() -> None:
    """BIO tags, softmax, five epochs (figures 2 and 3 end at epoch 4, counted from 0)."""
    found = parse(TAGGER, ["--config", "aprilia2025", *BASE])
    assert (found.task.scheme, found.task.head) == ("BIO", "softmax")
    assert (found.training.num_train_epochs, found.task.patience) == (5, 0)


def test_the_grid_of_almeida_is_their_comparison() -> None:
    """Nine encoders, IO and BIO, two splits, three weights, copies by their rule or ours."""
    grid = read_grid("almeida2025")
    sizes = {axis: len(options) for axis, options in grid.axes.items()}
    assert sizes == {"encoder": 9, "scheme": 2, "split": 2, "weights": 3, "oversampling": 3}
    given = {"build": {"label_set": "semclinbr-12"}}
    runs = plan(grid, grid.cells(only={}, given=given), files=["n"], unlabeled=[], seeds=[1])
    assert len(runs) == 324
    builds = {s.folder: s.words for run in runs for s in run.steps if s.command == "build"}
    assert len(builds) == 2 * 3
    assert all("--split=0.6,0.2,0.2" in words for words in builds.values())
    words = builds["data/split=random+oversampling=paper"]
    assert {"--label-set=semclinbr-12", "--stratify=none", "--oversample=paper"} <= {*words}


def test_the_grid_of_strategies_is_their_table_6_and_one_more() -> None:
    grid = read_grid("almeida2025-imbalance")
    given = {"build": {"label_set": "breast-cancer-pt-10"}}
    runs = plan(grid, grid.cells(only={}, given=given), files=["n"], unlabeled=[], seeds=[1])
    names = [run.cell.options["strategy"] for run in runs]
    assert names[:5] == ["random", "stratified", "weighted", "clamped", "oversampled"]
    assert len(names) == 6
    assert "--class_weights=clamped" in runs[3].steps[1].words


def test_the_grid_of_aprilia_trains_twice() -> None:
    grid = read_grid("aprilia2025")
    runs = plan(grid, grid.cells(only={}, given={}), files=["n"], unlabeled=["m"], seeds=[1])
    assert [len(run.models) for run in runs] == [1, 2, 1, 2]
    assert runs[1].steps[1] == runs[0].steps[1]  # one first training for both cells
    assert "--label-set=radiology-id-5" in runs[0].steps[0].words
    assert runs[1].steps[3].words == ("m", "--min-prob=0.0", "--with-empty")


@pytest.mark.parametrize("name", ["almeida2025-generative", "aprilia2025-generative"])
def test_generative_counterparts(name: str) -> None:
    """An adapter on the named model, trained on whole answer lines as entities need."""
    found = sft.arguments.parse(["--config", name, *BASE])
    assert found.model.model_name_or_path == "Qwen/Qwen2.5-0.5B-Instruct"
    assert (found.model.use_peft, found.task.layout) == (True, "line")
    assert found.training.eval_strategy == "epoch"


@pytest.mark.parametrize("name", ["semclinbr-12", "breast-cancer-pt-10", "radiology-id-5"])
def test_the_label_sets_that_they_name(name: str) -> None:
    assert LabelSet.load(name).task == "entities"
    assert len(LabelSet.load(name).names) == int(name.rpartition("-")[2])


def test_the_grid_of_cecca_compares_ways_of_reading_the_same_letters() -> None:
    grid = read_grid("cecca2025")
    runs = plan(grid, grid.cells(only={}, given={}), files=[], unlabeled=[], seeds=[1])
    assert grid.page == "eval"
    ways = {"-".join(run.cell.options.values()): run for run in runs}
    models = ("patterns", "small", "server-a", "server-b")
    assert list(ways) == [f"{model}-{how}" for model in models for how in ("whole", "tagged")]
    assert {run.data for run in runs} == {"data/all"}  # one build for all
    assert "--synthetic=300" in runs[0].steps[0].words
    assert [step.command for step in ways["patterns-whole"].steps] == ["build", "label"]
    assert [step.command for step in ways["small-whole"].steps] == ["build", "train", "label"]
    assert ways["small-whole"].steps[1] == ways["small-tagged"].steps[1]  # one training for both
    assert "--tagger=out/cecca-tagger" in ways["small-tagged"].steps[-1].words
    assert "--server=http://127.0.0.1:8001/v1" in ways["server-a-whole"].steps[-1].words
