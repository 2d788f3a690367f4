"""Image-text models of CLIP's kind as embedders: reports and images as comparable vectors.

Reads folders of transformers' CLIP, SigLIP and VisionTextDualEncoder models (PubMedCLIP is of the
first kind): safetensors only, no code of the model's own.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.errors import CheckpointError, InputError, MissingExtraError
from labelwright.io.manifest import sha256_model
from labelwright.runtime.pretrained import (
    UNUSED,
    check_folder,
    find_folder,
    gaps,
    pick_device,
    positions,
    read_settings,
    readable,
    refuse_gaps,
)
from retrieval.embed_windows import WindowedEmbedder, unit_rows
from retrieval.images import read_image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

KINDS = frozenset({"clip", "siglip", "vision-text-dual-encoder"})
"""Architectures that are read, as ``model_type`` in config.json."""
FULL_LENGTH = frozenset({"siglip"})
"""Architectures trained on texts padded to the full context, which read them no other way."""
PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")
IMAGE_BATCH = 16


class ClipEmbedder(WindowedEmbedder):
    """An image-text model; made by :meth:`load`."""

    def __init__(self, parts: tuple[Any, Any, Any], *, name: str, digest: str) -> None:
        self._model, self._tokenizer, self._processor = parts
        self._digest = digest
        self._kind = str(self._model.config.model_type)
        known = (
            positions(self._model.text_model),
            self._model.config.text_config.max_position_embeddings,
            self._tokenizer.model_max_length,
        )
        super().__init__(
            name=name,
            limit=min(int(limit) for limit in known if limit),
            frame=len(self._ids([""])[0]),
            device=self._model.device.type,
        )
        self._dimension = int(self._encode(["report"]).shape[1])

    @classmethod
    def load(cls, name: str, *, device: str = "auto") -> ClipEmbedder:
        """A model folder or a hub model.

        Args:
            name: a folder, or a hub name with or without ``@REVISION``.

        Raises:
            CheckpointError: the folder is incomplete, damaged or of a kind that is not read.
            ConfigError: there is no such model or device.
            MissingExtraError: Pillow is not installed.
        """
        if importlib.util.find_spec("PIL") is None:
            raise MissingExtraError("pillow", f"the embedder clip:{name}", "images")
        folder = find_folder(name)
        check_folder(folder)
        _check_kind(folder)
        place = pick_device(device)
        options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
        with readable(folder):
            import torch
            from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

            images: Any = AutoImageProcessor
            tokenizer = AutoTokenizer.from_pretrained(folder, **options)
            processor = images.from_pretrained(folder, backend="pil", **options)
            model, facts = AutoModel.from_pretrained(
                folder,
                dtype=torch.float32,
                use_safetensors=True,
                output_loading_info=True,
                **options,
            )
            refuse_gaps(folder, gaps(facts), unused=UNUSED)
            full_name = str(folder) if Path(name).expanduser().is_dir() else name
            return cls(
                (model.eval().to(place), tokenizer, processor),
                name=f"clip:{full_name}",
                digest=sha256_model(folder),
            )

    def describe(self) -> Mapping[str, Any]:
        """All that the vectors depend on."""
        return {
            "kind": "clip",
            "name": self._name,
            "dimension": self._dimension,
            "architecture": self._kind,
            "sha256": {"": self._digest},
            "window": self._windows.room,
            "windows": "sentences, mean weighted by tokens",
        }

    def images(self, paths: Sequence[Path]) -> list[NDArray[np.float32] | str]:
        """One vector of length one per image, or the reason why it cannot be read.

        Raises:
            CheckpointError: the model gives values that are no numbers.
            MissingExtraError: a DICOM image, and pydicom is not installed.
        """
        found: list[NDArray[np.float32] | str] = []
        waiting = iter(paths)
        while block := list(islice(waiting, IMAGE_BATCH)):
            read = [_read(path) for path in block]
            pictures = [picture for picture in read if not isinstance(picture, str)]
            vectors = iter(self._look(pictures))
            found += [one if isinstance(one, str) else next(vectors) for one in read]
        return found

    def _look(self, pictures: list[Image]) -> Iterator[NDArray[np.float32]]:
        import torch

        if not pictures:
            return
        with torch.inference_mode():
            pixels = self._processor(images=pictures, return_tensors="pt")["pixel_values"]
            features = self._model.get_image_features(pixel_values=pixels.to(self._model.device))
        yield from unit_rows(_array(features))

    def _encode(self, windows: list[str]) -> NDArray[np.float32]:
        """Vectors of windows of like lengths, in order."""
        import torch

        full = self._kind in FULL_LENGTH
        encoded = self._tokenizer(
            windows,
            padding="max_length" if full else True,
            max_length=self.limit if full else None,
            split_special_tokens=True,
            return_tensors="pt",
        ).to(self._model.device)
        kept = ["input_ids"] if full else list(encoded)
        with torch.inference_mode():
            features = self._model.get_text_features(**{name: encoded[name] for name in kept})
        return _array(features)

    def _count(self, texts: Sequence[str]) -> list[int]:
        frame = len(self._ids([""])[0])
        return [len(ids) - frame for ids in self._ids(texts)]

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        encoded = self._tokenizer(
            list(texts), truncation=False, padding=False, split_special_tokens=True, verbose=False
        )
        return [list(ids) for ids in encoded["input_ids"]]


def _check_kind(folder: Path) -> None:
    settings = read_settings(folder / "config.json")
    kind = settings.get("model_type") if isinstance(settings, dict) else None
    if str(kind) not in KINDS:
        raise CheckpointError(
            f"the architecture {str(kind)[:40]!r} is not read as an image-text model",
            remedy=f"use one of: {', '.join(sorted(KINDS))}; for text models text:FOLDER",
            source=folder,
        )
    if not any((folder / name).is_file() for name in PROCESSOR_FILES):
        raise CheckpointError(
            f"the model folder has no {PROCESSOR_FILES[0]}",
            remedy="save the image processor into the folder too",
            source=folder,
        )


def _read(path: Path) -> Image | str:
    try:
        return read_image(path)
    except InputError as error:
        return error.what


def _array(features: Any) -> NDArray[np.float32]:
    """The projected vectors; transformers 4 gave them bare, 5 as one field of several."""
    vectors = getattr(features, "pooler_output", features)
    array: NDArray[np.float32] = vectors.float().cpu().numpy()
    return array
