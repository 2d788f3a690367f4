"""Model folders: what a loadable one needs, and what is said where a part is missing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from inference.labeler import Labeler
from inference.load import Loaded, load
from labelwright.checkpoint import LABEL_SET_FILE, TASK_FILE
from labelwright.errors import CheckpointError, ConfigError
from labelwright.label_set import LabelSet


@pytest.fixture
def copied(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "model"))


def test_a_plain_model_needs_a_label_set(copied: Path) -> None:
    (copied / LABEL_SET_FILE).unlink()
    (copied / TASK_FILE).unlink()
    with pytest.raises(CheckpointError, match="give --label-set for a plain model"):
        Labeler.from_checkpoint(copied, device="cpu")
    labeler = Labeler.from_checkpoint(copied, label_set="head-ct-5", device="cpu")
    [prediction] = labeler.label(["Midline shift."])
    assert list(prediction.labels) == list(LabelSet.load("head-ct-5").names)
    assert labeler.sections == "full"


def test_label_set_and_checkpoint_that_disagree(copied: Path) -> None:
    with pytest.raises(CheckpointError, match="trained on another label set than head-ct-5"):
        Labeler.from_checkpoint(copied, label_set="head-ct-5", device="cpu")
    assert Labeler.from_checkpoint(copied, label_set="chexpert-14", device="cpu")
    (copied / LABEL_SET_FILE).write_text(LabelSet.load("head-ct-5").text)
    with pytest.raises(CheckpointError, match="differs from the label set"):
        Labeler.from_checkpoint(copied, device="cpu")


def without_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def without_template(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()


def without_system_turn(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{{ raise_exception('no system turn') }}")


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def with_torn_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def with_a_missing_weight(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def with_torn_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def with_code_of_its_own(folder: Path) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text()) | {
        "model_type": "stranger",
        "auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"},
    }
    path.write_text(json.dumps(config))
    (folder / "evil.py").write_text("raise SystemExit('foreign code ran')\n")


HARMS = [
    (without_tokenizer, "has no tokenizer"),
    (without_template, "has no chat template"),
    (without_system_turn, "does not take a system and a user turn"),
    (without_weights, "no weights in safetensors format"),
    (with_torn_weights, "the model cannot be loaded"),
    (with_a_missing_weight, "1 weights of the model are missing.*the first is model.norm.weight"),
    (with_torn_config, "cannot be loaded"),
    (with_code_of_its_own, "cannot be loaded"),
]


@pytest.mark.parametrize(("harm", "words"), HARMS, ids=lambda value: getattr(value, "__name__", ""))
def test_incomplete_model_folders(copied: Path, harm: Callable[[Path], None], words: str) -> None:
    harm(copied)
    with pytest.raises(CheckpointError, match=words) as caught:
        Labeler.from_checkpoint(copied, device="cpu").describe()
    assert "\n" not in caught.value.line()


def test_a_model_trained_for_another_layout(copied: Path) -> None:
    path = copied / TASK_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"layouts": ["branches"]}))
    for decode in ("free", "constrained"):
        with pytest.raises(CheckpointError, match=f"not trained for --decode {decode}.*branches"):
            Labeler.from_checkpoint(copied, device="cpu", decode=decode)
    one_pass = Labeler.from_checkpoint(copied, device="cpu").describe()["decoding"]
    assert one_pass["mode"] == "one-pass"


WRONG_CHOICES = [
    ({"device": "toaster"}, "unknown device"),
    ({"device": "cuda:99"}, "no device"),
    ({"dtype": "int3"}, "unknown dtype"),
    ({"decode": "dream"}, "unknown decoding"),
    ({"sections": "middle"}, "unknown choice of sections"),
    ({"batch_size": 0}, "a batch needs at least one"),
    ({"batch_tokens": 0}, "a pack of tokens needs at least one"),
    ({"long": "short"}, "unknown way 'short'"),
    ({"quantize": "int1"}, "unknown quantisation"),
]


@pytest.mark.parametrize(("choice", "words"), WRONG_CHOICES)
def test_wrong_choices(tiny_checkpoint: Path, choice: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Labeler.from_checkpoint(tiny_checkpoint, **({"device": "cpu"} | choice))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "a/b/c"])
def test_folders_that_are_not_there(name: str) -> None:
    with pytest.raises(CheckpointError, match="no such model folder"):
        Labeler.from_checkpoint(name)


@pytest.mark.parametrize("name", ["nobody/no-such-model", "not a name"])
def test_hub_models_out_of_reach(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="neither a model folder nor a hub model"):
        Labeler.from_checkpoint(name)


def adapter(base: Path, folder: Path, base_name: str) -> Loaded:
    """Write a LoRA adapter with random weights, as training leaves it; return the base."""
    from peft import LoraConfig, get_peft_model

    loaded = load(base, device="cpu")
    torch.manual_seed(0)
    config = LoraConfig(target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    tuned = get_peft_model(load(base, device="cpu").model, config)
    tuned.save_pretrained(str(folder))
    loaded.tokenizer.save_pretrained(folder)
    for name in (LABEL_SET_FILE, TASK_FILE):
        shutil.copy(base / name, folder / name)
    path = folder / "adapter_config.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": base_name})
    )
    return loaded


@pytest.mark.parametrize("relative", [True, False])
def test_adapter_folders(copied: Path, tmp_path: Path, relative: bool) -> None:
    folder = tmp_path / "adapter"
    base = adapter(copied, folder, "../model" if relative else str(copied))
    tuned = load(folder, device="cpu")
    tokens = torch.arange(5, 30)[None]
    with torch.inference_mode():
        assert not torch.allclose(base.model(tokens).logits, tuned.model(tokens).logits)
    assert set(tuned.hashes) == {"model_sha256", "base_sha256"}
    assert Labeler.from_checkpoint(folder, device="cpu").label(["Clear."])[0].model == "adapter"


def test_adapter_folders_that_lack_a_part(copied: Path, tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    adapter(copied, folder, "../gone/away")
    with pytest.raises(CheckpointError, match="no such model folder"):
        load(folder)
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="names no base model"):
        load(folder)
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"no adapter_model\.safetensors"):
        load(folder)
