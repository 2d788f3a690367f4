"""The folder of a trained encoder: written whole, read with every part checked.

It holds the encoder as transformers saves it (``config.json``, ``model.safetensors``,
tokenizer), ``heads.safetensors`` and ``heads.json``, and the two files that say what it labels
(:mod:`labelwright.checkpoint`). ``AutoModel`` can load the encoder alone from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from baselines.encoder.model import EncoderModel
from baselines.encoder.start import context_of, load_parts
from baselines.labeler import Loaded
from labelwright.checkpoint import HEADS, TaskInfo, load_task, save_task
from labelwright.errors import CheckpointError
from labelwright.io.jsonl import write_json, writing
from labelwright.io.manifest import sha256_model
from labelwright.label_set import LabelSet
from labelwright.prompt import prompt_version
from labelwright.runtime.pretrained import silent

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WEIGHTS, SETTINGS = "heads.safetensors", "heads.json"


@dataclass(frozen=True)
class LoadedEncoder(Loaded):
    """An encoder with its heads.

    Attributes:
        max_length: the longest sequence in tokens that it was trained on.
        dropout: the dropout before the heads while it was trained.
    """

    model: EncoderModel
    max_length: int
    dropout: float


def save_encoder(
    folder: Path,
    model: EncoderModel,
    tokenizer: PreTrainedTokenizerBase,
    label_set: LabelSet,
    *,
    max_length: int,
    sections: str,
    base_model: str,
) -> None:
    """Write every file that :func:`load_encoder` reads; weights as safetensors only.

    Raises:
        OutputError: the folder cannot be written.
    """
    with writing(folder), silent():
        folder.mkdir(parents=True, exist_ok=True)
        model.encoder.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        weights = {name: w.detach().cpu().contiguous() for name, w in _heads(model).items()}
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    settings = {
        "max_length": max_length,
        "dropout": model.dropout.p,
        "observations": _observations(label_set),
    }
    write_json(folder / SETTINGS, settings)
    info = TaskInfo(
        label_set_sha256=label_set.fingerprint,
        prompt_version=prompt_version(label_set),
        layouts=(HEADS,),
        sections=sections,
        base_model=base_model,
    )
    save_task(folder, label_set, info)


def load_encoder(folder: str | Path, *, dtype: torch.dtype = torch.float32) -> LoadedEncoder:
    """Read a folder that :func:`save_encoder` wrote; the model is on the CPU, ready to answer.

    Raises:
        CheckpointError: it is no such folder, or a part is missing, damaged or of other labels.
    """
    root = Path(folder).resolve()
    label_set, task = load_task(root)
    if task.layouts != (HEADS,):
        raise CheckpointError(
            "the folder holds a generative model, not an encoder with heads",
            remedy="give a folder that labelwright train-encoder wrote",
            source=root,
        )
    settings = _settings(root, label_set)
    encoder, tokenizer = load_parts(root, name=str(root), dtype=dtype)
    model = EncoderModel(encoder, label_set, dropout=settings["dropout"])
    try:
        model.heads.load_state_dict(load_file(root / WEIGHTS))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"{WEIGHTS} cannot be loaded ({type(error).__name__})",
            remedy="restore it from the training output",
            source=root,
        ) from None
    limit = min(settings["max_length"], context_of(encoder, tokenizer) or settings["max_length"])
    return LoadedEncoder(
        name=root.name,
        model=model.to(dtype).eval(),
        tokenizer=tokenizer,
        label_set=label_set,
        task=task,
        max_length=limit,
        dropout=settings["dropout"],
        sha256=sha256_model(root),
    )


def _heads(model: EncoderModel) -> Mapping[str, torch.Tensor]:
    heads: nn.ModuleList = model.heads
    return heads.state_dict()


def _observations(label_set: LabelSet) -> list[dict[str, Any]]:
    """Name and classes of every head, in order: what the rows of its weights mean."""
    return [
        {"name": label.name, "certainties": [c.value for c in label.certainties]}
        for label in label_set.labels
    ]


def _settings(root: Path, label_set: LabelSet) -> dict[str, Any]:
    try:
        value = json.loads((root / SETTINGS).read_text(encoding="utf-8"))
        found: dict[str, Any] = {
            "max_length": int(value["max_length"]),
            "dropout": float(value["dropout"]),
            "observations": value["observations"],
        }
    except (OSError, ValueError, KeyError, TypeError):
        raise CheckpointError(
            f"{SETTINGS} is missing or damaged",
            remedy="restore it from the training output",
            source=root,
        ) from None
    if found["observations"] != _observations(label_set):
        raise CheckpointError(
            f"the heads in {SETTINGS} are not the observations of the label set",
            remedy="restore both files from the training output",
            source=root,
        )
    return found
