"""An adapter cut out of a trained model: its weights, its base, its answers, what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.exports.adapter_export import extract_adapter
from inference.labeler import Labeler
from labelwright.checkpoint import load_task
from labelwright.cli import main
from labelwright.errors import CheckpointError, ConfigError, OutputError

TEXTS = ["No pneumothorax. Small effusion.", "The heart is enlarged."]


@pytest.fixture
def pair(learned: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A trained model and a base that differs from it in two matrices, by known factors."""
    base = tmp_path / "base"
    shutil.copytree(learned, base)
    weights = load_file(base / "model.safetensors")
    torch.manual_seed(3)
    for name in ("layers.0.self_attn.q_proj", "layers.1.mlp.down_proj"):
        matrix = weights[f"model.{name}.weight"]
        rows, columns = matrix.shape
        for size in (1.0, 0.1):
            matrix += size * torch.outer(unit(rows), unit(columns))
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    return learned, base


def unit(length: int) -> torch.Tensor:
    vector = torch.randn(length)
    return vector / vector.norm()


@pytest.mark.parametrize(
    ("kind", "dtype", "near"), [("bf16", torch.bfloat16, 2e-3), ("f8", torch.float8_e4m3fn, 2e-2)]
)
def test_the_whole_change_at_its_own_rank(
    kind: str, dtype: torch.dtype, near: float, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    """Two matrices of rank two: an adapter of rank two is the model again, but for rounding.

    bfloat16 has 8 bits of precision, float8_e4m3fn 4; the largest number of the change is near .3.
    """
    trained, base = pair
    done = extract_adapter(trained, base, tmp_path / "adapter", 2, kind)
    assert done.matrices == 2
    assert done.kept == pytest.approx(1.0, abs=1e-5)
    assert done.bytes == sum(path.stat().st_size for path in (tmp_path / "adapter").iterdir())
    parts = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert {part.dtype for part in parts.values()} == {dtype}
    module = "base_model.model.model.layers.0.self_attn.q_proj.lora_"
    change = parts[f"{module}B.weight"].float() @ parts[f"{module}A.weight"].float()
    settings = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    change *= settings["lora_alpha"] / settings["r"]
    name = "model.layers.0.self_attn.q_proj.weight"
    ours, theirs = (load_file(folder / "model.safetensors")[name] for folder in pair)
    torch.testing.assert_close(change, ours - theirs, atol=near, rtol=0)
    whole = Labeler.from_checkpoint(trained).label(TEXTS)
    adapted = Labeler.from_checkpoint(tmp_path / "adapter").label(TEXTS)
    for one, other in zip(whole, adapted, strict=True):
        assert one.labels == other.labels
        for label, probs in (one.probs or {}).items():
            assert (other.probs or {})[label] == pytest.approx(probs, abs=10 * near)


def test_the_largest_part_at_a_lower_rank(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """Singular values near 1 and 0.1, as the factors are nearly at right angles: 1 / 1.01."""
    done = extract_adapter(*pair, tmp_path / "adapter", 1)
    assert done.kept == pytest.approx(1 / 1.01, abs=0.01)
    settings = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert (settings["r"], settings["lora_alpha"]) == (1, 1)
    assert sorted(settings["target_modules"]) == [
        "model.layers.0.self_attn.q_proj",
        "model.layers.1.mlp.down_proj",
    ]
    assert settings["base_model_name_or_path"] == str(pair[1])
    assert load_task(tmp_path / "adapter")[1].base_model == "base"


def test_the_command(
    pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained, base = map(str, pair)
    out = str(tmp_path / "adapter")
    words = ["export", "adapter", trained, "--base", base, "--rank", "2", "--out", out]
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("2 matrices at rank 2, 100% of the change (squared)")
    assert main(words) == 2
    assert capsys.readouterr().err.endswith("the folder exists; delete it or choose another\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["adapter"], "an adapter needs its base; give --base"),
        (["adapter", "--base", "b", "--check", "r"], "--check does not apply to the form adapter"),
        (["gguf", "--rank", "3"], "--rank does not apply to the form gguf; remove it"),
    ],
)
def test_flags_of_the_other_form(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["export", words[0], "model", *words[1:], "--out", str(tmp_path / "out")]
    assert main(command) == 2
    assert said in capsys.readouterr().err


def test_an_unknown_type(pair: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown type 'f16'; choose one of: bf16, f8"):
        extract_adapter(*pair, tmp_path / "adapter", 2, "f16")


def test_what_is_no_pair(pair: tuple[Path, Path], learned: Path, tmp_path: Path) -> None:
    trained, base = pair
    out = tmp_path / "adapter"
    with pytest.raises(CheckpointError, match="no matrix differs from the base's"):
        extract_adapter(base, base, out, 2)
    weights = load_file(base / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"][:-1].clone()
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"model\.norm\.weight is not of the base's size"):
        extract_adapter(trained, base, out, 2)
    weights["another"] = weights.pop("model.norm.weight")
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"not have the same weights \(another\)"):
        extract_adapter(trained, base, out, 2)
    assert not list(tmp_path.glob("*adapter*"))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        extract_adapter(trained, base, tmp_path / "file" / "adapter", 2)
