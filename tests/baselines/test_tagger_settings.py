"""Flags, recipes and data of a tagger's training: what is refused, and what a dry run says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tagger_tools import CANARY, FLAT, NESTED, command, write_notes

from baselines.arguments import parse
from baselines.tagger.arguments import RECIPES, TAGGER
from labelwright.cli import main
from labelwright.errors import ConfigError


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Thirty notes without and with nested entities; one holds a word that must not leak."""
    base = tmp_path_factory.mktemp("built")
    text, found = FLAT[0]
    flat = [(f"{text}{CANARY}.", found), *FLAT[1:]]
    return {
        "flat": write_notes(base / "flat", flat),
        "nested": write_notes(base / "nested", NESTED),
    }


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.yaml")))
def test_recipes(name: str) -> None:
    settings = parse(TAGGER, ["--config", name, "--data", "x", "--output_dir", "y"])
    assert settings.evaluates
    assert settings.training.metric_for_best_model == "micro_f1"


def test_defaults_are_the_published_settings() -> None:
    """Almeida et al.: rate 5e-5, batch 10, accumulation 5, 512 tokens, patience 5."""
    settings = parse(TAGGER, ["--data=x", "--output_dir=y", "--scratch=tiny"])
    training, task = settings.training, settings.task
    assert (training.learning_rate, training.per_device_train_batch_size) == (5e-5, 10)
    assert (training.gradient_accumulation_steps, task.max_length, task.patience) == (5, 512, 5)


MISTAKES = [
    (["--shceme=IO"], "unknown flag --shceme; did you mean --scheme"),
    (["--scheme=IOB"], "invalid choice"),
    (["--crf", "--head=multilabel"], "one tag a word"),
    (["--crf", "--class-weights=plain"], "class weights do not apply to a random field"),
    (["--thresholds=per-label"], "thresholds are for --head multilabel"),
    (["--thresholds=test-set", "--head=multilabel"], "searched on the evaluated reports"),
    (["--stride=-1"], "stride is below 0"),
    (["--metric_for_best_model=accuracy"], "choose one of: micro_f1, macro_f1, loss"),
    (["--config", "no-such"], "give a YAML file or one of: almeida2025, .*scratch-cpu"),
]


@pytest.mark.parametrize(("flags", "words"), MISTAKES)
def test_mistakes_in_flags(flags: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse(TAGGER, ["--data=x", "--output_dir=y", "--scratch=tiny", *flags])


def add(row: dict[str, Any]) -> Callable[[list[str]], list[str]]:
    return lambda lines: [*lines, json.dumps(row)]


def change(**parts: Any) -> Callable[[list[str]], list[str]]:
    """Another entity in the first row."""
    entity = {"type": "Site", "spans": [[0, 3]], "text": "abc"} | parts
    return lambda lines: [json.dumps({"id": "train-0", "entities": [entity]}), *lines[1:]]


DAMAGE = [
    ("train.entities.jsonl", lambda lines: lines[:-1], "no row in train.entities.jsonl"),
    ("train.reports.jsonl", lambda lines: lines[:-1], "1 row of train.entities.jsonl without"),
    ("train.entities.jsonl", add({"id": "train-0", "entities": []}), "the id appears twice"),
    ("train.entities.jsonl", add({"id": "z"}), "no list of entities"),
    ("train.entities.jsonl", change(type="Organ"), "label set lesion-2 has no type 'Organ'"),
    ("train.entities.jsonl", change(spans=[]), "no place in the text"),
    ("train.entities.jsonl", change(spans=[[3, 3]]), "one of them is none"),
    ("train.entities.jsonl", change(spans=[[3, 99999]]), "ends behind the report's end"),
    ("train.entities.jsonl", change(certainty="negative"), "an entity has a certainty"),
    ("label_set.yaml", lambda lines: [*lines, "# changed"], "not the one that the records"),
]


@pytest.mark.parametrize(("name", "harm", "words"), DAMAGE)
def test_damaged_data(
    folders: dict[str, Path],
    tmp_path: Path,
    name: str,
    harm: Callable[[list[str]], list[str]],
    words: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = Path(shutil.copytree(folders["flat"], tmp_path / "data"))
    path = folder / name
    path.write_text("\n".join(harm(path.read_text().splitlines())) + "\n", encoding="utf-8")
    assert main(command(folder, tmp_path / "out")) == 2
    error = capfd.readouterr().err
    assert words in error
    assert CANARY not in error
    assert error.count("\n") == 1


def test_dry_run_says_what_cannot_be_learned(
    folders: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each of the 90 sites lies within a lesion, and one tag a word keeps the longer one."""
    out = tmp_path / "out"
    flags = ("--dry-run", "--class-weights=plain", "--eval_strategy=no")
    assert main(command(folders["nested"], out, *flags)) == 0
    shown = capfd.readouterr()
    assert "head: softmax, 5 BIO tags for 2 classes of label set lesion-2" in shown.out
    assert "180 entities, 90 of them exact in tags" in shown.out
    assert "weights: O 1, B-Lesion 0, I-Lesion 0, B-Site 0, I-Site 0" in shown.out
    assert "steps: 24 of 10 windows, 3 an epoch" in shown.out
    assert "90 of 180 entities cannot be said exactly" in shown.err
    assert "overlapping ones want --head multilabel" in shown.err
    assert "weight 0; --class-weights clamped keeps it at 1" in shown.err
    assert not out.exists()
    assert CANARY not in shown.out + shown.err


def test_certainty_data_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    build = ["build", "--synthetic", "20", "--label-set", "head-ct-5", "--out", str(folder)]
    assert main(build) == 0
    assert main(command(folder, tmp_path / "out")) == 2
    error = capfd.readouterr().err
    assert "is of the task certainty, which labelwright train-tagger cannot learn" in error
    assert "use labelwright train-encoder" in error
