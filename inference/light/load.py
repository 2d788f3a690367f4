"""When a model is read with NumPy alone, and what is loaded for it."""

from __future__ import annotations

import sys
from pathlib import Path

from inference.light.model import LightModel
from inference.light.tokenizer import LightTokenizer

NEEDED = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
GPU_FILES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""What Linux shows where there is a GPU that torch may know how to use."""


def light(
    folder: Path, *, device: str, dtype: str, quantize: str | None
) -> tuple[LightModel, LightTokenizer] | None:
    """Model and tokenizer read with NumPy; ``None`` where torch has to do it.

    That is so for a device other than the CPU, for other types than float32, and for all models
    but small ones of the two architectures of :mod:`inference.light.model`.
    """
    if device == "auto":
        device = "gpu" if _maybe_a_gpu() else "cpu"
    if device != "cpu" or dtype not in ("auto", "float32") or quantize is not None:
        return None
    if not all((folder / name).is_file() for name in NEEDED):
        return None
    model = LightModel.load(folder)
    tokenizer = None if model is None else LightTokenizer.load(folder)
    return None if model is None or tokenizer is None else (model, tokenizer)


def _maybe_a_gpu() -> bool:
    return sys.platform == "darwin" or any(Path(name).exists() for name in GPU_FILES)
