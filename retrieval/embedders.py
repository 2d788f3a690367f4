"""Embedders by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labelwright.errors import ConfigError
from retrieval.embed import Embedder

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMES = "hashed, hashed:DIMENSIONS, minilm, text:FOLDER_OR_HUB_NAME, clip:FOLDER_OR_HUB_NAME"
"""What a user may ask for, as shown in help and errors."""


def embedder_for(
    name: str,
    *,
    device: str = "auto",
    state: Mapping[str, NDArray[Any]] | None = None,
) -> Embedder:
    """The embedder of a name (:data:`NAMES`).

    Args:
        device: where models run: ``auto`` (a GPU if there is one), ``cpu``, ``cuda:1``, ``mps``.
        state: what ``state()`` of the embedder gave after ``fit``; only ``hashed`` has one.

    Raises:
        CheckpointError: a model folder is incomplete, damaged or of a kind that is not read.
        ConfigError: there is no such embedder, model or device.
        MissingExtraError: a package is not installed.
    """
    kind, colon, rest = name.partition(":")
    if kind == "hashed" and (rest or not colon):
        from retrieval.embed_hashed import HashedEmbedder

        return HashedEmbedder.named(name, state=state)
    if state is not None:
        raise ValueError(f"the embedder {kind} has no state")
    if name == "minilm" or (kind == "text" and rest):
        from retrieval.embed_text import TextEmbedder

        return TextEmbedder.load(name if name == "minilm" else rest, device=device)
    if kind == "clip" and rest:
        from retrieval.embed_clip import ClipEmbedder

        return ClipEmbedder.load(rest, device=device)
    raise ConfigError(f"unknown embedder {name!r}", remedy=f"choose one of: {NAMES}")
