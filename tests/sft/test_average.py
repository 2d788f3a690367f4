"""The mean of models: every weight, and nothing where the models do not belong together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sft.average import main


def folder(path: Path, value: float, shape: tuple[int, ...] = (2, 3)) -> Path:
    path.mkdir()
    save_file({"w": torch.full(shape, value)}, path / "model.safetensors")
    (path / "manifest.json").write_text(json.dumps({"base_model": path.name}))
    (path / "run.json").write_text("{}")
    return path


def test_weights_are_averaged_and_the_manifest_names_all(tmp_path: Path) -> None:
    models = [
        folder(tmp_path / name, value) for name, value in (("a", 1.0), ("b", 2.0), ("c", 6.0))
    ]
    out = tmp_path / "out"
    assert main([*map(str, models), "--out", str(out)]) == 0
    weights = load_file(out / "model.safetensors")
    assert torch.equal(weights["w"], torch.full((2, 3), 3.0))  # (1 + 2 + 6) / 3
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["base_model"] == "a"
    assert [part["model"] for part in manifest["mean_of"]] == ["a", "b", "c"]
    assert not (out / "run.json").exists()


def test_models_of_another_shape_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = folder(tmp_path / "one", 1.0), folder(tmp_path / "other", 1.0, (3, 2))
    out = tmp_path / "out"
    assert main([str(one), str(other), "--out", str(out)]) == 2
    assert "its weights are not those of one" in capsys.readouterr().err
    assert not out.exists()
    assert main([str(one), str(tmp_path / "none"), "--out", str(out)]) == 2
    assert "no model.safetensors" in capsys.readouterr().err
    assert main([str(one), "--out", str(other)]) == 2
    assert "there already" in capsys.readouterr().err
