"""Embedders: what turns reports, and images, into vectors of length one.

An embedder says with ``describe`` all that its vectors depend on. Vectors of two embedders may be
compared only if :func:`differences` between their descriptions finds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors."""

    @property
    def name(self) -> str:
        """As :func:`retrieval.embedders.embedder_for` takes it; a folder in it is absolute."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    def describe(self) -> Mapping[str, Any]:
        """All that the vectors depend on, ready for JSON; ``name`` says where it was found."""

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row of length one per text, in order: ``[texts, dimension]``.

        Raises:
            ValueError: a text is empty; the row is named.
        """


@runtime_checkable
class ImageEmbedder(Embedder, Protocol):
    """Turns images into vectors too, comparable with those of texts."""

    def images(self, paths: Sequence[Path]) -> list[NDArray[np.float32] | str]:
        """One vector of length one per image, or the reason why it cannot be read."""


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The keys in which two descriptions differ; where a model was found does not matter."""
    return sorted(
        key for key in (one.keys() | other.keys()) - {"name"} if one.get(key) != other.get(key)
    )


def check_texts(texts: Sequence[str]) -> None:
    """Refuse texts that no vector can stand for.

    Raises:
        ValueError: one is empty or white space; its row (from 0) is named.
    """
    for row, text in enumerate(texts):
        if not text.strip():
            raise ValueError(f"text in row {row} is empty")
