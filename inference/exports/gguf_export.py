"""A trained model as one GGUF file, for llama.cpp and the tools built on it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.checkpoint import LABEL_SET_FILE, TASK_FILE, load_task
from labelwright.errors import CheckpointError, ConfigError, MissingExtraError, OutputError
from labelwright.io.jsonl import writing
from labelwright.io.manifest import sha256_model
from labelwright.prompt import prompt_version

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TYPES = ("f32", "f16", "bf16", "q8_0")
BLOCK = 32
"""Values that q8_0 stores with one scale; rows that do not divide by it stay f16."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        unquantized: weights that were to be q8_0 and are f16, since their rows do not fit.
    """

    tensors: int
    tokens: int
    bytes: int
    unquantized: int


def export_gguf(folder: str | Path, out: str | Path, kind: str = "f16") -> Exported:
    """Write a Qwen2-architecture model folder as GGUF: weights, tokenizer, chat template.

    Norms and biases stay float32, as in llama.cpp's own converter. Weights are read and
    written one by one, so memory holds no more than the largest of them.

    Args:
        folder: a full model (adapters are merged by training, see ``--merge``).
        out: the file; it must not exist yet.
        kind: how weight matrices are stored, one of :data:`TYPES`.

    Raises:
        CheckpointError: the folder is no complete Qwen2 model, or has parts that GGUF files
            of this architecture cannot say.
        ConfigError: an unknown type.
        OutputError: the file exists or cannot be written.
        MissingExtraError: the package gguf is not installed.
    """
    source, target = Path(folder), Path(out)
    if kind not in TYPES:
        raise ConfigError(f"unknown type {kind!r}", remedy=f"choose one of: {', '.join(TYPES)}")
    if target.exists():
        raise OutputError("the file exists", remedy="delete it or choose another", source=target)
    _need_gguf()
    config = _config(source)
    tensors = _tensors(source, config)
    torn = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    with writing(target):
        try:
            done = _write(torn, source, config, tensors, kind)
            torn.replace(target)
        finally:
            torn.unlink(missing_ok=True)
    return done


def _need_gguf() -> None:
    try:
        import gguf  # noqa: F401
    except ImportError:
        raise MissingExtraError("gguf", "the export to GGUF", "gguf") from None


def _config(folder: Path) -> Mapping[str, Any]:
    """``config.json``, if llama.cpp's Qwen2 computes what it asks for."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        hint = "the folder of an adapter" if (folder / "adapter_config.json").is_file() else ""
        raise CheckpointError(
            f"no model configuration here{hint and f': this is {hint}'}",
            remedy="give the folder of a full model (training writes one with --merge)",
            source=folder,
        ) from None
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    wrong = {
        f"architecture {config.get('model_type')}": config.get("model_type") != "qwen2",
        "quantised weights": bool(config.get("quantization_config")),
        "sliding windows": bool(config.get("use_sliding_window")),
        "stretched positions": rope.get("rope_type", rope.get("type", "default")) != "default",
        f"activation {config.get('hidden_act')}": config.get("hidden_act") != "silu",
    }
    for what, is_so in wrong.items():
        if is_so:
            raise CheckpointError(
                f"the export does not know models with this: {what}",
                remedy="export an unquantised Qwen2 model; use llama.cpp's converter for others",
                source=folder,
            )
    return dict(config)


def _tensors(folder: Path, config: Mapping[str, Any]) -> dict[str, tuple[Path, str]]:
    """GGUF name -> file and name there, in the model's order; complete or an error."""
    import gguf
    from safetensors import safe_open

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, int(config["num_hidden_layers"]))
    found: dict[str, tuple[Path, str]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118  no mapping
                known = names.get_name(name, try_suffixes=(".weight", ".bias"))
                if known is None:
                    raise CheckpointError(
                        f"the export does not know the weight {name}",
                        remedy="give the folder of a Qwen2 model",
                        source=folder,
                    )
                found[known] = (file, name)
    if config.get("tie_word_embeddings"):
        found.pop("output.weight", None)
    missing = [name for name in _wanted(config) if name not in found]
    if missing:
        raise CheckpointError(
            f"{len(missing)} weights are missing, the first is {missing[0]}",
            remedy="the folder is incomplete; restore it from the training output",
            source=folder,
        )
    return {name: found[name] for name in _wanted(config)}


def _wanted(config: Mapping[str, Any]) -> Iterator[str]:
    yield "token_embd.weight"
    for layer in range(int(config["num_hidden_layers"])):
        for part in ("attn_norm.weight", "attn_output.weight", "ffn_norm.weight"):
            yield f"blk.{layer}.{part}"
        for part in ("attn_q", "attn_k", "attn_v"):
            yield f"blk.{layer}.{part}.weight"
            yield f"blk.{layer}.{part}.bias"
        for part in ("ffn_gate", "ffn_up", "ffn_down"):
            yield f"blk.{layer}.{part}.weight"
    yield "output_norm.weight"
    if not config.get("tie_word_embeddings"):
        yield "output.weight"


def _write(
    torn: Path,
    folder: Path,
    config: Mapping[str, Any],
    tensors: Mapping[str, tuple[Path, str]],
    kind: str,
) -> Exported:
    import gguf
    from safetensors import safe_open

    writer: Any = gguf.GGUFWriter(torn, "qwen2")
    _add_settings(writer, folder, config, kind)
    tokens = _add_tokenizer(writer, folder, int(config["vocab_size"]))
    unquantized = 0
    stored: dict[str, Any] = {}
    for name, (file, own) in tensors.items():
        with safe_open(file, framework="pt") as weights:
            shape = list(weights.get_slice(own).get_shape())
        stored[name] = _stored_as(kind, shape)
        unquantized += kind == "q8_0" and len(shape) > 1 and stored[name].name != "Q8_0"
        size = _bytes(shape, stored[name])
        raw = gguf.quants.quant_shape_to_byte_shape(shape, stored[name])
        plain = {"F32": "float32", "F16": "float16"}.get(stored[name].name)
        writer.add_tensor_info(
            name,
            shape if plain else raw,
            _numpy_type(plain or "uint8"),
            size,
            raw_dtype=None if plain else stored[name],
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for name, (file, own) in tensors.items():
        with safe_open(file, framework="pt") as weights:
            values: NDArray[np.float32] = weights.get_tensor(own).float().numpy()
        writer.write_tensor_data(gguf.quants.quantize(values, stored[name]))
    writer.close()
    return Exported(len(tensors), tokens, torn.stat().st_size, unquantized)


def _numpy_type(name: str) -> Any:
    import numpy as np

    return np.dtype(name)


def _stored_as(kind: str, shape: list[int]) -> Any:
    from gguf import GGMLQuantizationType as Kinds

    if len(shape) == 1:
        return Kinds.F32
    if kind == "q8_0" and shape[-1] % BLOCK:
        return Kinds.F16
    return Kinds[kind.upper()]


def _bytes(shape: list[int], stored: Any) -> int:
    from math import prod

    from gguf.constants import GGML_QUANT_SIZES

    block, size = GGML_QUANT_SIZES[stored]
    return int(prod(shape) // block * size)


def _add_settings(writer: Any, folder: Path, config: Mapping[str, Any], kind: str) -> None:
    import gguf

    heads = int(config["num_attention_heads"])
    width = int(config.get("head_dim") or config["hidden_size"] // heads)
    rope = config.get("rope_parameters") or config
    files = {"f32": "ALL_F32", "f16": "MOSTLY_F16", "bf16": "MOSTLY_BF16", "q8_0": "MOSTLY_Q8_0"}
    writer.add_name(folder.resolve().name)
    writer.add_file_type(gguf.LlamaFileType[files[kind]])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(int(config["max_position_embeddings"]))
    writer.add_embedding_length(int(config["hidden_size"]))
    writer.add_block_count(int(config["num_hidden_layers"]))
    writer.add_feed_forward_length(int(config["intermediate_size"]))
    writer.add_head_count(heads)
    writer.add_head_count_kv(int(config["num_key_value_heads"]))
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(float(rope.get("rope_theta", 10000.0)))
    writer.add_layer_norm_rms_eps(float(config["rms_norm_eps"]))
    writer.add_string("labelwright.model_sha256", sha256_model(folder))
    if (folder / TASK_FILE).is_file() or (folder / LABEL_SET_FILE).is_file():
        label_set, task = load_task(folder)
        writer.add_string("labelwright.label_set", label_set.text)
        writer.add_string("labelwright.prompt_version", prompt_version(label_set))
        writer.add_string("labelwright.sections", task.sections)


def _add_tokenizer(writer: Any, folder: Path, size: int) -> int:
    """Byte-level BPE with Qwen2's pre-tokenizer; ids without a token are marked unused.

    Added tokens that are not special (such as the instruction of a model from scratch) are
    "user defined": llama.cpp takes them whole out of any text, as transformers does.
    """
    import gguf
    from transformers import AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
        model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
        pairs: list[Any] = model["merges"]
    except (OSError, ValueError, KeyError, AttributeError):
        raise CheckpointError(
            "the model folder has no byte-level BPE tokenizer",
            remedy="copy tokenizer.json and tokenizer_config.json of the model into it",
            source=folder,
        ) from None
    by_id = {index: text for text, index in tokenizer.get_vocab().items()}
    if max(by_id) >= size:
        raise CheckpointError(
            f"the tokenizer has more tokens than the model ({max(by_id) + 1}, {size})",
            remedy="the folder mixes two models; restore it",
            source=folder,
        )
    added = tokenizer.added_tokens_decoder
    kinds = gguf.TokenType
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([by_id.get(index, f"[PAD{index}]") for index in range(size)])
    writer.add_token_types(
        [
            kinds.UNUSED
            if index not in by_id
            else kinds.NORMAL
            if index not in added
            else kinds.CONTROL
            if added[index].special
            else kinds.USER_DEFINED
            for index in range(size)
        ]
    )
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in pairs])
    writer.add_eos_token_id(int(tokenizer.eos_token_id))
    if tokenizer.pad_token_id is not None:
        writer.add_pad_token_id(int(tokenizer.pad_token_id))
    writer.add_add_bos_token(False)
    if tokenizer.chat_template:
        writer.add_chat_template(str(tokenizer.chat_template))
    return len(by_id)
