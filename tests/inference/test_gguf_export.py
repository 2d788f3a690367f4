"""GGUF files: what stands in them, who can read them, and whether llama.cpp answers alike."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from conftest import REPORTS
from safetensors.torch import load_file, save_file

from inference.exports.gguf_export import TYPES, export_gguf
from inference.load import load
from labelwright.cli import main
from labelwright.errors import CheckpointError, ConfigError, OutputError
from labelwright.label_set import LabelSet
from labelwright.tasks.certainty.answer import system_prompt
from sft.scratch import Shape, make_scratch_model


def field(reader: gguf.GGUFReader, name: str) -> Any:
    found = reader.get_field(name)
    assert found is not None, name
    return found.contents()


def weights(file: Path) -> dict[str, np.ndarray]:
    return {
        tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        for tensor in gguf.GGUFReader(file).tensors
    }


@pytest.fixture
def folder(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy with biases, which a fresh model has at zero."""
    place = tmp_path / "chest"
    shutil.copytree(tiny_checkpoint, place)
    own = load_file(place / "model.safetensors")
    torch.manual_seed(5)
    moved = {name: w + torch.randn_like(w) * 0.05 for name, w in own.items()}
    save_file(moved, place / "model.safetensors", metadata={"format": "pt"})
    return place


def test_weights_are_those_of_the_folder(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "chest.gguf"
    done = export_gguf(folder, file, "f32")
    own = load_file(folder / "model.safetensors")
    found = weights(file)
    assert done.tensors == len(found) == len(own) == 26
    assert done.bytes == file.stat().st_size
    pairs = {
        "token_embd.weight": "model.embed_tokens.weight",
        "output_norm.weight": "model.norm.weight",
        "blk.1.attn_q.bias": "model.layers.1.self_attn.q_proj.bias",
        "blk.1.attn_output.weight": "model.layers.1.self_attn.o_proj.weight",
        "blk.0.ffn_down.weight": "model.layers.0.mlp.down_proj.weight",
        "blk.0.ffn_norm.weight": "model.layers.0.post_attention_layernorm.weight",
    }
    for name, other in pairs.items():
        np.testing.assert_array_equal(found[name], own[other].numpy())
    total = sum(float(np.abs(w).sum()) for w in found.values())
    assert total == pytest.approx(sum(float(w.abs().sum()) for w in own.values()), rel=1e-5)


def test_tokenizer_and_settings(folder: Path, tmp_path: Path, chexpert: LabelSet) -> None:
    export_gguf(folder, tmp_path / "f.gguf")
    reader = gguf.GGUFReader(tmp_path / "f.gguf")
    tokenizer = load(folder, device="cpu").tokenizer
    tokens = field(reader, "tokenizer.ggml.tokens")
    kinds = field(reader, "tokenizer.ggml.token_type")
    assert {text: place for place, text in enumerate(tokens)} == tokenizer.get_vocab()
    of = {text: gguf.TokenType(kind) for text, kind in zip(tokens, kinds, strict=True)}
    assert of["<|im_end|>"] is of["<|im_start|>"] is gguf.TokenType.CONTROL
    assert of[system_prompt(chexpert)] is gguf.TokenType.USER_DEFINED
    assert of["Ġblank"] is gguf.TokenType.NORMAL
    merges = json.loads((folder / "tokenizer.json").read_text())["model"]["merges"]
    assert field(reader, "tokenizer.ggml.merges") == [" ".join(pair) for pair in merges]
    assert field(reader, "tokenizer.ggml.pre") == "qwen2"
    assert field(reader, "tokenizer.chat_template") == tokenizer.chat_template
    assert field(reader, "tokenizer.ggml.eos_token_id") == tokenizer.eos_token_id
    assert not field(reader, "tokenizer.ggml.add_bos_token")
    assert field(reader, "qwen2.context_length") == 2048
    assert field(reader, "qwen2.attention.head_count_kv") == 2
    assert field(reader, "labelwright.label_set") == chexpert.text
    assert field(reader, "labelwright.sections") == "both"
    assert field(reader, "general.name") == "chest"


def test_another_reader_computes_the_same(folder: Path, tmp_path: Path) -> None:
    """transformers has a GGUF reader of its own, with its own table of names."""
    from transformers import AutoModelForCausalLM

    export_gguf(folder, tmp_path / "f.gguf", "f32")
    own = load(folder, device="cpu")
    other = AutoModelForCausalLM.from_pretrained(
        tmp_path, gguf_file="f.gguf", dtype=torch.float32, local_files_only=True
    ).eval()
    tokens = torch.tensor([own.tokenizer(" ".join(REPORTS))["input_ids"]])
    with torch.inference_mode():
        ours, theirs = own.model(tokens).logits, other(tokens).logits
    assert ours.abs().max() > 1
    torch.testing.assert_close(theirs, ours, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("kind", "error"),
    # Half of the last place: 11 bits of significand, 8 bits, and half of 1/127 of the largest
    # of 32 values (with its scale in f16).
    [("f32", 0.0), ("f16", 2**-11), ("bf16", 2**-8), ("q8_0", 0.5 / 127 + 2**-10)],
)
def test_types(folder: Path, tmp_path: Path, kind: str, error: float) -> None:
    done = export_gguf(folder, tmp_path / "f.gguf", kind)
    assert done.unquantized == 0
    found = weights(tmp_path / "f.gguf")
    own = load_file(folder / "model.safetensors")["model.layers.0.mlp.up_proj.weight"].numpy()
    rows = own.reshape(-1, 32)
    size = np.abs(rows)
    bound = error * (size.max(axis=1, keepdims=True) if kind == "q8_0" else size)
    difference = np.abs(found["blk.0.ffn_up.weight"].reshape(-1, 32) - rows)
    assert (difference <= bound + 1e-7).all()
    assert (difference.max() > 0) == (kind != "f32")
    norm = load_file(folder / "model.safetensors")["model.norm.weight"].numpy()
    np.testing.assert_array_equal(found["output_norm.weight"], norm)


def test_rows_that_do_not_fit_into_blocks_stay_f16(tmp_path: Path, chexpert: LabelSet) -> None:
    make_scratch_model(
        REPORTS, tmp_path / "m", label_set=chexpert, shape=Shape(hidden_size=48, layers=1)
    )
    done = export_gguf(tmp_path / "m", tmp_path / "f.gguf", "q8_0")
    assert done.unquantized == 8
    kinds = {tensor.tensor_type.name for tensor in gguf.GGUFReader(tmp_path / "f.gguf").tensors}
    assert kinds == {"F16", "F32"}
    reader = gguf.GGUFReader(tmp_path / "f.gguf")
    assert reader.get_field("labelwright.label_set") is None


def test_an_output_layer_of_its_own(folder: Path, tmp_path: Path) -> None:
    own = load_file(folder / "model.safetensors")
    own["lm_head.weight"] = own["model.embed_tokens.weight"] * 2
    save_file(own, folder / "model.safetensors", metadata={"format": "pt"})
    change(folder, tie_word_embeddings=False)
    export_gguf(folder, tmp_path / "f.gguf", "f32")
    found = weights(tmp_path / "f.gguf")
    np.testing.assert_array_equal(found["output.weight"], found["token_embd.weight"] * 2)


def change(folder: Path, **settings: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model_type": "llama"}, "does not know models with this: architecture llama"),
        ({"quantization_config": {"bits": 4}}, "quantised weights"),
        ({"use_sliding_window": True}, "sliding windows"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "stretched positions"),
        ({"num_hidden_layers": 3}, "12 weights are missing, the first is blk.2.attn_norm.weight"),
        ({"vocab_size": 300}, "the tokenizer has more tokens than the model"),
    ],
)
def test_models_that_cannot_be_exported(
    folder: Path, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    change(folder, **settings)
    with pytest.raises(CheckpointError, match=message):
        export_gguf(folder, tmp_path / "f.gguf")
    assert list(tmp_path.glob("*f.gguf*")) == list(tmp_path.glob(".*")) == []


def test_what_else_is_refused(folder: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken.gguf"
    taken.write_text("mine")
    with pytest.raises(OutputError, match=r"taken.gguf: the file exists; delete it or choose"):
        export_gguf(folder, taken)
    assert taken.read_text() == "mine"
    with pytest.raises(ConfigError, match="unknown type 'q4'; choose one of: f32, f16, bf16, q8_0"):
        export_gguf(folder, tmp_path / "f.gguf", "q4")
    with pytest.raises(OutputError, match="cannot write"):
        export_gguf(folder, tmp_path / "no" / "f.gguf")
    (folder / "config.json").unlink()
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="this is the folder of an adapter; give the folder"):
        export_gguf(folder, tmp_path / "f.gguf")


def test_the_export_command(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    words = ["export", "gguf", str(folder), "--out", str(tmp_path / "f.gguf")]
    assert main([*words, "--type", "q8_0"]) == 0
    said = capfd.readouterr().out
    assert said.startswith("26 weights, ")
    assert said.endswith(f" tokens, 0.2 MB -> {tmp_path / 'f.gguf'}\n")
    assert main(words) == 2
    assert "the file exists" in capfd.readouterr().err
    assert main([*words, "--check-rows", "3"]) == 2
    assert "--check-rows is for --check" in capfd.readouterr().err
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    other = [*words[:-1], str(tmp_path / "g.gguf"), "--check", str(tmp_path / "r.csv")]
    assert main(other) == 2
    assert "pip install -e '.[llama-cpp]'" in capfd.readouterr().err
    assert not (tmp_path / "g.gguf").exists()


def test_llama_cpp_answers_alike(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    from inference.exports.gguf_check import check_gguf

    for kind in TYPES:
        export_gguf(folder, tmp_path / f"{kind}.gguf", kind)
        found = check_gguf(folder, tmp_path / f"{kind}.gguf", REPORTS, threads=1)
        assert found.same_tokens == found.reports == len(REPORTS)
        if kind == "f32":
            assert found.same_answers == len(REPORTS)
            assert found.difference < 0.01
