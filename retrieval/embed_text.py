"""Sentence-transformers models as embedders: MiniLM from its package, a folder, the hub.

Only safetensors are read and no code of the model's own runs. Models for which Sentence
Transformers would need either are refused with a reason.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.errors import CheckpointError, MissingExtraError
from labelwright.io.manifest import sha256_model
from labelwright.runtime.pretrained import (
    MINILM,
    UNUSED,
    check_folder,
    find_folder,
    gaps,
    pick_device,
    positions,
    read_settings,
    readable,
    refuse_gaps,
    silent,
)
from retrieval.embed_windows import WindowedEmbedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PARTS = frozenset({"Transformer", "Pooling", "Dense", "Normalize", "LayerNorm"})
"""Modules of Sentence Transformers that are read; others may bring code or pickled weights."""
NO_LIMIT_ROOM = 512
"""Window of models that set no limit of their own, in tokens."""
NO_LIMIT = 1_000_000
"""Tokenizers without a limit of their own give a huge number instead."""


class TextEmbedder(WindowedEmbedder):
    """A Sentence Transformers model; made by :meth:`load`."""

    def __init__(self, model: Any, *, name: str, files: Mapping[str, str]) -> None:
        self._model = model
        self._files = dict(files)
        self._dimension = int(model.get_embedding_dimension())
        self._prompt = str((model.prompts or {}).get(model.default_prompt_name) or "")
        self._frame = self._lengths([self._prompt])[0]
        super().__init__(
            name=name, limit=_limit(model), frame=self._frame, device=model.device.type
        )

    @classmethod
    def load(cls, name: str, *, device: str = "auto") -> TextEmbedder:
        """MiniLM, a model folder or a hub model.

        Args:
            name: ``minilm``, a folder, or a hub name with or without ``@REVISION``.

        Raises:
            CheckpointError: the folder is incomplete, damaged or of a kind that is not read.
            ConfigError: there is no such model or device.
            MissingExtraError: a package is not installed.
        """
        if importlib.util.find_spec("sentence_transformers") is None:
            raise MissingExtraError("sentence-transformers", f"the embedder {name}", "retrieval")
        folder = find_folder(name)
        files = _check_parts(folder)
        place = pick_device(device)
        with readable(folder):
            import torch
            from sentence_transformers import SentenceTransformer

            _check_weights(folder)
            model = SentenceTransformer(
                str(folder),
                device=str(place),
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True, "dtype": torch.float32},
                processor_kwargs={"split_special_tokens": True},
            )
            if name == MINILM:
                full_name = MINILM
            else:
                full_name = f"text:{folder if Path(name).expanduser().is_dir() else name}"
            return cls(model.eval(), name=full_name, files=files)

    def describe(self) -> Mapping[str, Any]:
        """All that the vectors depend on."""
        return {
            "kind": "text",
            "name": self._name,
            "dimension": self._dimension,
            "sha256": self._files,
            "prompt": self._prompt,
            "window": self._windows.room,
            "windows": "sentences, mean weighted by tokens",
        }

    def _encode(self, windows: list[str]) -> NDArray[np.float32]:
        with silent():
            rows: NDArray[np.float32] = self._model.encode(
                windows, batch_size=len(windows), show_progress_bar=False, convert_to_numpy=True
            )
        return rows

    def _count(self, texts: Sequence[str]) -> list[int]:
        return [n - self._frame for n in self._lengths([self._prompt + text for text in texts])]

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        encoded = self._model.tokenizer(list(texts), truncation=False, padding=False, verbose=False)
        return [len(ids) for ids in encoded["input_ids"]]


def _check_parts(folder: Path) -> dict[str, str]:
    """SHA-256 of every part of a model folder, all found safe to read.

    Raises:
        CheckpointError: a part is missing or not safe.
    """
    listed = folder / "modules.json"
    if not listed.is_file():
        check_folder(folder)
        return {"": sha256_model(folder)}
    try:
        parts = [(str(m["type"]), str(m.get("path", ""))) for m in read_settings(listed)]
    except (TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(
            "not a list of modules", remedy="restore the model folder", source=listed
        ) from error
    sums = {"": sha256_model(folder)}
    for kind, path in parts:
        name = kind.rpartition(".")[2]
        if not kind.startswith("sentence_transformers.") or name not in PARTS:
            raise CheckpointError(
                f"the model has a part of the type {kind}, which is not read",
                remedy=f"use a model made of these parts only: {', '.join(sorted(PARTS))}",
                source=folder,
            )
        place = folder / path
        if not place.resolve().is_relative_to(folder.resolve()):
            raise CheckpointError(
                "a part of the model lies outside its folder",
                remedy="do not use this model",
                source=folder,
            )
        if name == "Transformer":
            check_folder(place)
        elif name in ("Dense", "LayerNorm") and not (place / "model.safetensors").is_file():
            raise CheckpointError(
                f"the part {path} has no weights in safetensors",
                remedy="save the model again with a current sentence-transformers",
                source=folder,
            )
        if path and place.is_dir():
            sums[path] = sha256_model(place)
    return sums


def _check_weights(folder: Path) -> None:
    """Sentence Transformers itself would fill missing weights with random numbers, in silence."""
    from transformers import AutoModel

    listed = folder / "modules.json"
    places = (
        {""}
        if not listed.is_file()
        else {
            str(part.get("path", ""))
            for part in read_settings(listed)
            if str(part["type"]).endswith(".Transformer")
        }
    )
    for place in sorted(places):
        _, facts = AutoModel.from_pretrained(
            folder / place,
            device_map="meta",
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
        refuse_gaps(folder, gaps(facts), unused=UNUSED)


def _limit(model: Any) -> int:
    """The longest sequence in tokens that the model reads without cutting it."""
    known = [model.max_seq_length]
    inner = model.transformers_model
    if inner is not None:
        known += [getattr(inner.config, "max_position_embeddings", None), positions(inner)]
    return min((int(n) for n in known if n and 0 < n < NO_LIMIT), default=NO_LIMIT_ROOM)
