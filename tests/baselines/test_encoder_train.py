"""Training of the encoder: from a built folder to a checkpoint, twice, killed, in two processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from close_tools import weights_apart
from processes.forks import Forks
from processes.ports import free_port

from baselines.encoder.arguments import RECIPES, parse
from baselines.encoder.labeler import EncoderLabeler
from labelwright.cli import main
from labelwright.errors import ConfigError
from labelwright.io.run_folder import whole
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction, Report

ROOT = Path(__file__).parents[2]
CANARY = "Zyxwellian"
FAST = ["--scratch=tiny", "--learning_rate=3e-3", "--logging_steps=1", "--report_to=none"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some sixty synthetic reports, built by the command; one holds a word that must not leak."""
    folder = tmp_path_factory.mktemp("built") / "data"
    command = ["build", "--synthetic", "58", "--label-set", "chexpert-14", "--split", "0.6,0.3,0.1"]
    assert main([*command, "--out", str(folder)]) == 0
    path = folder / "train.reports.jsonl"
    first, *rest = path.read_text(encoding="utf-8").splitlines()
    row = json.loads(first)
    row["text"] = f"{CANARY} {row['text']}"
    path.write_text("\n".join([json.dumps(row), *rest]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three epochs without interruption."""
    out = tmp_path_factory.mktemp("runs") / "encoder"
    assert main(command(data, out, "--num_train_epochs=3")) == 0
    return out


def command(data: Path, out: Path, *flags: str) -> list[str]:
    return ["train-encoder", "--data", str(data), "--output_dir", str(out), *FAST, *flags]


def manifest(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return value


def losses(folder: Path) -> list[float]:
    return [row["loss"] for row in manifest(folder)["history"] if "loss" in row]


def test_defaults_are_the_published_recipe() -> None:
    """Smit et al. 2020 and the authors' constants.py, run_bert.py and bert_labeler.py."""
    settings = parse(["--data", "x", "--output_dir", "y", "--model_name_or_path", "z"])
    training, task = settings.training, settings.task
    assert (training.learning_rate, training.per_device_train_batch_size) == (2e-5, 18)
    assert (training.num_train_epochs, task.max_length, task.head_dropout) == (8, 512, 0.1)
    assert training.lr_scheduler_type == "constant"
    assert (training.weight_decay, training.max_grad_norm, training.warmup_steps) == (0, 0, 0)
    assert training.load_best_model_at_end
    assert (training.metric_for_best_model, training.greater_is_better) == ("macro_f1", True)


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.yaml")))
def test_shipped_recipes(name: str) -> None:
    assert parse(["--config", name, "--data", "x", "--output_dir", "y"]).recipe
    second = parse(["--config", name, "--data", "x", "--output_dir", "y", "--init_from", "z"])
    assert (second.task.model_name_or_path, second.task.scratch) == (None, None)


MISTAKES = [
    (["--learning_rat=1"], "unknown flag --learning_rat; did you mean --learning_rate"),
    (["--init_from", "a"], "exactly one start"),
    (["--max_length=2"], "too short"),
    (["--head_dropout=1"], "not a share"),
    (["--metric_for_best_model=f1"], "no metric 'f1'"),
    (["--save_strategy=no"], "does not fit eval_strategy epoch"),
    (["--label_smoothing_factor=0.1"], "cannot be set"),
    (["--load_best_model_at_end=true"], "it follows from eval_strategy"),
    (["--push_to_hub=true"], "nothing leaves this computer"),
    (["--batch_eval_metrics=true"], "scored together"),
    (["--label_names", "x"], "what a batch holds"),
    (["--lr_scheduler_type=cosine_with_min_lr"], "give its numbers with --lr_scheduler_kwargs"),
    (["--use_liger_kernel=true"], "kernels are those of language models"),
    (["--seed=-1"], "seed cannot be -1; give 0 or more, below 4294967296"),
    (["--per_device_train_batch_size=0"], "per_device_train_batch_size cannot be 0; give 1"),
    (["--learning_rate=nan"], "learning_rate cannot be nan; give 0 or more"),
    (["--on_long=guess"], "invalid choice"),
    (["--config", "no-such"], "give a YAML file or one of: chexbert, minilm, scratch-cpu"),
]


@pytest.mark.parametrize(("flags", "words"), MISTAKES)
def test_mistakes_in_flags(flags: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse(["--data", "x", "--output_dir", "y", "--scratch", "tiny", *flags])


def test_unknown_keys_of_a_recipe(tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("scratch: tiny\nlearnin_rate: 1\n")
    with pytest.raises(ConfigError, match=r"r\.yaml:2: .*did you mean 'learning_rate'"):
        parse(["--config", str(recipe), "--data", "x", "--output_dir", "y"])


def test_what_a_training_leaves(trained: Path, data: Path) -> None:
    names = {path.name for path in trained.iterdir() if path.is_file()}
    assert names == {
        "README.md",
        "config.json",
        "heads.json",
        "heads.safetensors",
        "label_set.yaml",
        "labelwright.json",
        "manifest.json",
        "metrics.jsonl",
        "model.safetensors",
        "run.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    facts = manifest(trained)
    assert facts["layouts"] == ["heads"]
    assert facts["sections"] == "full"
    assert facts["counts"]["train"]["reports"] == len(
        (data / "train.reports.jsonl").read_text(encoding="utf-8").splitlines()
    )
    assert facts["epochs"] == 3
    assert losses(trained)[-1] < losses(trained)[0]
    for name in ("manifest.json", "README.md", "metrics.jsonl", "run.json"):
        assert CANARY not in (trained / name).read_text(encoding="utf-8")


def test_the_best_epoch_is_kept(trained: Path, data: Path) -> None:
    """Its macro F1, computed again from the labels that the saved folder gives."""
    import numpy as np

    from baselines.encoder.data import read_split
    from baselines.encoder.model import scores
    from labelwright.io.data_folder import open_data_folder

    facts = manifest(trained)
    rows = [row for row in facts["history"] if "eval_macro_f1" in row]
    best = max(rows, key=lambda row: row["eval_macro_f1"])
    assert len(rows) == 3
    assert facts["best"]["value"] == best["eval_macro_f1"]
    assert facts["best"]["epoch"] == best["epoch"]
    folder = open_data_folder(data, ["train.jsonl"])
    examples = list(read_split(folder, "validation"))
    labeler = EncoderLabeler.from_checkpoint(trained, device="cpu")
    reports = [Report(id=e.id, text=e.text, source="s", row=1) for e in examples]
    order = folder.label_set.certainties
    logits = np.zeros((len(reports), 14, 4))
    for row, found in enumerate(labeler.label_reports(reports)):
        assert isinstance(found, Prediction)
        for column, certainty in enumerate(found.labels.values()):
            assert certainty is not None
            logits[row, column, order.index(certainty)] = 1
    again = scores(logits, np.stack([e.classes for e in examples]), folder.label_set)
    assert again["macro_f1"] == pytest.approx(best["eval_macro_f1"])
    said, gold = logits.argmax(-1), np.stack([e.classes for e in examples])
    blank = order.index(Certainty.BLANK)
    right = ((said == gold) & (gold != blank)).sum()
    both = (said != blank).sum() + (gold != blank).sum()
    assert facts["learned"]["f1_of_findings"] == pytest.approx(2 * right / both, abs=1e-6)


def test_a_finished_training_is_left_alone(
    trained: Path, data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = (trained / "manifest.json").stat().st_mtime_ns
    assert main(command(data, trained, "--num_train_epochs=3")) == 0
    assert "nothing to do" in capfd.readouterr().err
    assert main(command(data, trained, "--num_train_epochs=4")) == 2
    assert "belongs to another run (different: num_train_epochs)" in capfd.readouterr().err
    assert (trained / "manifest.json").stat().st_mtime_ns == before


def test_second_stage_goes_on_from_encoder_and_heads(
    trained: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "second"
    flags = [f for f in FAST if not f.startswith("--scratch")]
    start = ["train-encoder", "--data", str(data), "--output_dir", str(out), *flags]
    more = ["--init_from", str(trained), "--num_train_epochs=1", "--max_length=16"]
    assert main([*start, *more]) == 0
    assert losses(out)[0] < losses(trained)[0]
    assert manifest(out)["base_model"] == "encoder"
    assert manifest(out)["counts"]["train"]["cut_too_long"] > 0
    assert EncoderLabeler.from_checkpoint(out, device="cpu").describe()["context"] == 16


def test_second_stage_for_other_observations_is_refused(
    trained: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, label_set = tmp_path / "data", tmp_path / "mine.yaml"
    text = LabelSet.load("chexpert-14").text.replace('version: "1.0"', 'version: "1.1"', 1)
    label_set.write_text(text, encoding="utf-8")
    build = ["build", "--synthetic", "20", "--label-set", str(label_set), "--out", str(folder)]
    assert main(build) == 0
    start = ["train-encoder", "--data", str(folder), "--output_dir", str(tmp_path / "o")]
    assert main([*start, "--init_from", str(trained)]) == 2
    assert "trained on label set chexpert-14 1.0" in capfd.readouterr().err


def test_dry_run(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(command(data, out, "--dry-run", "--max_length=24", "--num_train_epochs=2")) == 0
    shown = capfd.readouterr()
    assert "heads: 14 of label set chexpert-14" in shown.out
    assert "steps: 4 of 18 reports, 2 an epoch" in shown.out
    assert "cut at 24 tokens" in shown.out
    assert not out.exists()
    assert CANARY not in shown.out + shown.err


def harmed(data: Path, tmp_path: Path, name: str, change: Any) -> Path:
    folder = Path(shutil.copytree(data, tmp_path / "data"))
    path = folder / name
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(change(lines)) + "\n", encoding="utf-8")
    return folder


DAMAGE = [
    ("train.labels.csv", lambda lines: lines[:-1], "no labels in train.labels.csv"),
    ("train.reports.jsonl", lambda lines: lines[:-1], "1 row of train.labels.csv without a report"),
    ("train.reports.jsonl", lambda lines: [*lines, lines[0]], "or its id appears twice"),
    ("train.labels.csv", lambda lines: [*lines, lines[1]], "the id appears twice"),
    (
        "train.labels.csv",
        lambda lines: [*lines[:-1], lines[-1].rpartition(",")[0] + ",0.0"],
        "No Finding cannot be negative",
    ),
    ("label_set.yaml", lambda lines: [*lines, "# changed"], "not the one that the records"),
]


@pytest.mark.parametrize(("name", "change", "words"), DAMAGE)
def test_damaged_data(
    data: Path,
    tmp_path: Path,
    name: str,
    change: Any,
    words: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = harmed(data, tmp_path, name, change)
    assert main(command(folder, tmp_path / "out")) == 2
    error = capfd.readouterr().err
    assert words in error
    assert CANARY not in error


def test_no_validation_reports(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = harmed(data, tmp_path, "classes.csv", lambda lines: lines)
    (folder / "validation.reports.jsonl").unlink()
    flags = ("--num_train_epochs=1",)
    assert main(command(folder, tmp_path / "out", *flags)) == 2
    assert "keep the last with --eval_strategy no" in capfd.readouterr().err
    assert main(command(folder, tmp_path / "last", *flags, "--eval_strategy=no")) == 0
    assert manifest(tmp_path / "last")["best"] is None
    assert "kept: the last epoch" in (tmp_path / "last" / "README.md").read_text()


def test_long_reports_can_stop_a_training(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    flags = ("--max_length=16", "--on-long=error")
    assert main(command(data, tmp_path / "out", *flags)) == 2
    error = capfd.readouterr().err
    assert "is longer than 16 tokens" in error
    assert CANARY not in error


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    home = tmp_path_factory.mktemp("home")
    places = {name: str(home) for name in ("HOME", "HF_HOME", "XDG_CACHE_HOME", "TMPDIR")}
    quick = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "PYTHONUNBUFFERED": "1"}
    env = {**os.environ, **places, **quick}
    made = Forks("transformers.trainer", place=home, cwd=ROOT, env=env)
    yield made
    made.close()


@pytest.mark.slow
def test_killed_and_resumed_is_the_same_run(
    data: Path, trained: Path, forks: Forks, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    flags = command(data, out, "--num_train_epochs=3")
    process = forks.start(*flags)
    deadline = time.monotonic() + 900
    while not whole(out / "checkpoint-2", processes=1):
        assert not (out / "manifest.json").exists(), process.err[-2000:]
        assert time.monotonic() < deadline, process.err[-2000:]
        time.sleep(0.01)
    process.send(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (out / "manifest.json").exists()
    assert main(flags) == 0
    assert manifest(out)["resumed_from"] in {"checkpoint-2", "checkpoint-4"}
    assert losses(out) == pytest.approx(losses(trained), rel=1e-4)
    for name in ("heads.safetensors", "model.safetensors"):
        assert weights_apart(out / name, trained / name) < 1e-4, "a step moves them by 3e-3"
    assert CANARY not in process.out + process.err


@pytest.mark.slow
def test_two_processes_learn_what_one_does(
    data: Path, trained: Path, forks: Forks, tmp_path: Path
) -> None:
    """Batch 9 twice against 18 once, from the same weights; dropout differs: tolerance 2 %.

    They start with the variables that ``torchrun`` and ``accelerate launch`` set.
    """
    out = tmp_path / "out"
    mine = command(data, out, "--num_train_epochs=1", "--per_device_train_batch_size=9")
    world = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    world |= {"ACCELERATE_USE_CPU": "true", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    ranks = ({"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(2))
    for process in [forks.start(*mine, env=world | rank) for rank in ranks]:
        assert process.wait() == 0, process.err[-3000:]
    facts = manifest(out)
    assert facts["processes"] == 2
    assert facts["steps"] == 2
    assert losses(out)[0] == pytest.approx(losses(trained)[0], rel=0.02)
