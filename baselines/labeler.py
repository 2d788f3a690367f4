"""What labelers over a trained encoder share: settings, batches, what they say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import torch
from transformers import PreTrainedTokenizerBase

from labelwright.checkpoint import TaskInfo
from labelwright.errors import ConfigError
from labelwright.io.manifest import versions
from labelwright.label_set import LabelSet
from labelwright.runtime.pretrained import float_kind, own_label_set, pick_device

EMPTY = "the report is empty"


@dataclass(frozen=True)
class Loaded:
    """A folder that training wrote, read and checked.

    Attributes:
        model: an encoder, its ``encoder``, and a layer over it.
    """

    name: str
    model: Any
    tokenizer: PreTrainedTokenizerBase
    label_set: LabelSet
    task: TaskInfo
    sha256: str


Folder = TypeVar("Folder", bound=Loaded)


class EncoderBased(Generic[Folder]):
    """A labeler whose model is an encoder and a layer over it.

    Attributes:
        sections: what of a report it was trained on.
        batch_size: inputs of the model that are read together.
    """

    def __init__(
        self, loaded: Folder, *, device: torch.device, batch_size: int | None = None
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise ConfigError("a batch holds at least one text", remedy="give --batch-size 1")
        self.sections = loaded.task.sections or "full"
        self.batch_size = batch_size or (16 if device.type == "cpu" else 128)
        self.name, self.label_set = loaded.name, loaded.label_set
        self._loaded = loaded
        self._device = device
        self._model = loaded.model.to(device).eval()

    @classmethod
    def load(cls, path: str | Path, dtype: torch.dtype) -> Folder:
        """Read the folder that training wrote."""
        raise NotImplementedError

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        *,
        label_set: LabelSet | str | Path | None = None,
        device: str = "auto",
        dtype: str = "auto",
        **options: Any,
    ) -> Self:
        """Load a folder that training wrote.

        Args:
            label_set: where given, it must be the checkpoint's own.
            device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
            dtype: of the encoder; ``auto`` is float32.
            options: ``batch_size`` (16 on CPU and 128 elsewhere if not given), and the further
                settings of the labeler.

        Raises:
            CheckpointError: the folder is incomplete, unreadable or made for other labels.
            ConfigError: a choice cannot work.
            LabelSetError: the label set has mistakes.
        """
        place = pick_device(device)
        loaded = cls.load(path, float_kind(dtype))
        own_label_set(label_set, loaded.label_set, path)
        return cls(loaded, device=place, **options)

    def _described(self, kind: str, **more: Any) -> Mapping[str, Any]:
        """All that the answers depend on; ``runtime`` may differ between parts of a run."""
        loaded, encoder = self._loaded, self._loaded.model.encoder
        return {
            "kind": kind,
            "name": loaded.name,
            "model_sha256": loaded.sha256,
            "architecture": type(encoder).__name__,
            "parameters": sum(p.numel() for p in loaded.model.parameters()),
            "base_model": loaded.task.base_model,
            "label_set": loaded.label_set.name,
            "label_set_sha256": loaded.label_set.fingerprint,
            "dtype": str(next(encoder.parameters()).dtype).removeprefix("torch."),
            **more,
            "versions": versions("labelwright", "torch", "transformers"),
            "runtime": {"batch_size": self.batch_size, "device": self._device.type},
        }

    def _logits(self, padded: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """What the model answers to a padded batch."""
        logits: torch.Tensor = self._model(**{k: v.to(self._device) for k, v in padded.items()})[
            "logits"
        ]
        return logits
