"""What training changed in a model's matrices, as a LoRA adapter of a few megabytes.

The difference of every matrix of a linear layer is cut to its largest singular values (Eckart and
Young 1936: no other matrix of that rank is nearer). Embeddings and norms are not carried, so train
with ``--freeze_embeddings``. What is left out is counted; whether it mattered only labeling with
the adapter can tell.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.load import find
from labelwright.checkpoint import LABEL_SET_FILE, NORMALISE_FILE, TASK_FILE, load_task, save_task
from labelwright.errors import CheckpointError, ConfigError, OutputError
from labelwright.io.jsonl import writing
from labelwright.runtime.fetched import fetched_folder

if TYPE_CHECKING:
    import torch

BESIDE = (
    *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"),
    *(LABEL_SET_FILE, TASK_FILE, NORMALISE_FILE),
)
"""What a labeling folder needs beside its weights."""
TYPES = {"bf16": 1, "f8": 16}
"""How factors are stored (f8 is float8_e4m3fn), and by what each is multiplied before, so that the
small numbers of f8 keep their digits; the adapter's own scale takes it back."""
_ADAPTER = "adapter_model.safetensors"


@dataclass(frozen=True)
class Extracted:
    """What was written.

    Attributes:
        matrices: how many of them the adapter changes.
        kept: share of the squared difference of all weights that it carries, from 0 to 1.
        bytes: of all files together.
    """

    matrices: int
    kept: float
    bytes: int


def extract_adapter(
    folder: str | Path, base: str | Path, out: str | Path, rank: int, kind: str = "bf16"
) -> Extracted:
    """Write the difference between a trained model and its base as an adapter of one rank.

    Args:
        folder: the whole model, as training wrote it.
        base: what it was trained from: a folder, a fetched model or one of the hub.
        out: the adapter's folder; it must not exist yet.
        kind: how its weights are stored, one of :data:`TYPES`.

    Raises:
        ConfigError: an unknown type.
        CheckpointError: the two are not of one architecture, or they are the same.
        OutputError: the folder exists or cannot be written.
    """
    trained, target = Path(folder), Path(out)
    if kind not in TYPES:
        raise ConfigError(f"unknown type {kind!r}", remedy=f"choose one of: {', '.join(TYPES)}")
    start = find(base)
    if target.exists():
        raise OutputError("the folder exists", remedy="delete it or choose another", source=target)
    part = target.with_name(f".{target.name}.part")
    with writing(target):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            matrices, kept = _write(trained, start, part, rank, kind)
            _settings(part, matrices, rank, _name(base, start), rank / TYPES[kind] ** 2)
            for name in BESIDE:
                if (trained / name).is_file():
                    shutil.copyfile(trained / name, part / name)
            if (part / TASK_FILE).is_file():
                label_set, info = load_task(part)
                name = Path(_name(base, start)).name
                save_task(part, label_set, replace(info, base_model=name))
            part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    size = sum(path.stat().st_size for path in target.iterdir())
    return Extracted(len(matrices), kept, size)


def _name(base: str | Path, start: Path) -> str:
    """How the adapter finds its base: a fetched or hub model by name, a folder by its path."""
    if fetched_folder(base) is not None:
        return start.name
    return str(start) if Path(base).is_dir() else str(base)


def _write(trained: Path, start: Path, out: Path, rank: int, kind: str) -> tuple[list[str], float]:
    """The adapter's weights; the names of the matrices, and the share that is carried."""
    import torch
    from safetensors.torch import save_file

    parts: dict[str, torch.Tensor] = {}
    matrices: list[str] = []
    carried = everything = 0.0
    for name, difference in _differences(trained, start):
        change = float(difference.square().sum())
        everything += change
        if not change or difference.dim() != 2 or "embed" in name or name.startswith("lm_head"):
            continue
        left, values, right = torch.linalg.svd(difference, full_matrices=False)
        size = min(rank, len(values))
        carried += float(values[:size].square().sum())
        root = values[:size].sqrt() * TYPES[kind]
        module = f"base_model.model.{name.removesuffix('.weight')}"
        parts[f"{module}.lora_A.weight"] = _padded(root[:, None] * right[:size], rank, 0, kind)
        parts[f"{module}.lora_B.weight"] = _padded(left[:, :size] * root, rank, 1, kind)
        matrices.append(name)
    if not matrices:
        raise CheckpointError(
            "no matrix differs from the base's",
            remedy="give the model that was trained, and the base that it was trained from",
            source=trained,
        )
    save_file(parts, out / _ADAPTER, metadata={"format": "pt"})
    (out / _ADAPTER).chmod(0o644)
    return matrices, carried / everything


def _padded(factor: torch.Tensor, rank: int, axis: int, kind: str) -> torch.Tensor:
    """As it is stored, with zeros where a matrix has fewer singular values than the rank."""
    import torch

    shape = list(factor.shape)
    shape[axis] = rank
    whole = torch.zeros(shape)
    whole[: factor.shape[0], : factor.shape[1]] = factor
    return whole.to(torch.bfloat16 if kind == "bf16" else torch.float8_e4m3fn)


def _differences(trained: Path, start: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Name and change of every weight, in float32."""
    with ExitStack() as stack:
        ours, theirs = (_opened(stack, folder) for folder in (trained, start))
        odd = sorted({*ours} ^ {*theirs})
        if odd or not ours:
            raise CheckpointError(
                f"model and base do not have the same weights ({(odd or ['there are none'])[0]})",
                remedy="give a whole model and the base that it was trained from",
                source=trained,
            )
        for name in sorted(ours):
            one, other = (file.get_tensor(name).float() for file in (ours[name], theirs[name]))
            if one.shape != other.shape:
                raise CheckpointError(
                    f"the weight {name} is not of the base's size",
                    remedy="give the base that the model was trained from",
                    source=trained,
                )
            yield name, one - other


def _opened(stack: ExitStack, folder: Path) -> dict[str, Any]:
    """Weight by name -> the open file that holds it; tied heads, which some files repeat, once."""
    from safetensors import safe_open

    found: dict[str, Any] = {}
    for path in sorted(folder.glob("*.safetensors")):
        file = stack.enter_context(safe_open(path, framework="pt"))
        found |= dict.fromkeys(file.keys(), file)
    found.pop("lm_head.weight", None)
    return found


def _settings(out: Path, matrices: list[str], rank: int, base: str, alpha: float) -> None:
    # It would else say that a kernel of the hub is missing.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from peft import LoraConfig

    settings: Any = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]
        target_modules=[name.removesuffix(".weight") for name in matrices],
        task_type="CAUSAL_LM",
        base_model_name_or_path=base,
        inference_mode=True,
    )
    settings.save_pretrained(out)
