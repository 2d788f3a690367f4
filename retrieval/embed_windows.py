"""Texts in windows at sentence borders that fit a model's context, and one vector out of many.

Nothing is cut away: the vector of a text is the mean of its windows' vectors, each weighing as
many tokens as it has, brought back to length one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from labelwright.errors import CheckpointError
from labelwright.text.sentences import sentence_spans
from retrieval.embed import check_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_ROOM = 8
"""Tokens of text that a window must hold; a context that leaves less is no context."""
LENGTH_FLOOR = 1e-6
"""A mean shorter than this is no direction: its windows cancel each other out."""

NEAR, FAR = (32, 8192), (256, 65_536)
"""Windows, and tokens with padding, that are read together: on a CPU, on other devices. Larger
batches are no faster, and windows of long contexts would fill the memory."""

Counter = Callable[[Sequence[str]], list[int]]
"""Tokens of each text, without what the model puts around it."""


class Window(NamedTuple):
    """Part of a text, white space evened out, with its tokens counted."""

    text: str
    tokens: int


class Windows:
    """Cuts texts into windows.

    Args:
        count: tokens of each text.
        room: the most tokens of a window.
    """

    def __init__(self, count: Counter, room: int) -> None:
        self._count = count
        self.room = room

    def of(self, texts: Sequence[str]) -> list[list[Window]]:
        """The windows of each text, in order; at least one each. A text that fits is one window."""
        if not texts:
            return []
        whole = [" ".join(text.split()) for text in texts]
        counts = self._count(whole)
        return [
            [Window(even, tokens)] if tokens <= self.room else self._cut(text)
            for text, even, tokens in zip(texts, whole, counts, strict=True)
        ]

    def _cut(self, text: str) -> list[Window]:
        parts = [" ".join(text[start:end].split()) for start, end in sentence_spans(text)]
        pieces: list[Window] = []
        for part, tokens in zip(parts, self._count(parts), strict=True):
            pieces += [Window(part, tokens)] if tokens <= self.room else self._halves(part)
        windows: list[Window] = []
        first = 0
        for last, group in enumerate(pieces):
            held = sum(piece.tokens for piece in pieces[first:last])
            if held and held + group.tokens > self.room:
                windows += self._joined(pieces[first:last])
                first = last
        return windows + self._joined(pieces[first:])

    def _joined(self, pieces: Sequence[Window]) -> list[Window]:
        """One window of sentences; more if they have more tokens together than one by one."""
        text = " ".join(piece.text for piece in pieces)
        tokens = self._count([text])[0]
        if tokens <= self.room:
            return [Window(text, tokens)]
        if len(pieces) == 1:
            return self._halves(text)
        middle = len(pieces) // 2
        return self._joined(pieces[:middle]) + self._joined(pieces[middle:])

    def _halves(self, text: str) -> list[Window]:
        """A sentence that is too long, cut at the white space nearest its middle or in a word."""
        tokens = self._count([text])[0]
        if tokens <= self.room or len(text) < 2:
            return [Window(text, tokens)]
        middle = len(text) // 2
        before, after = text.rfind(" ", 1, middle), text.find(" ", middle, len(text) - 1)
        places = [place for place in (before, after) if place > 0]
        cut = min(places, key=lambda place: abs(place - middle), default=middle)
        return self._halves(text[:cut].rstrip()) + self._halves(text[cut:].lstrip())


class WindowedEmbedder(ABC):
    """What embedders with a model have in common; subclasses set ``_dimension``.

    Args:
        limit: the longest sequence in tokens that the model reads.
        frame: tokens of it that the model itself, or its prompt, puts around a text.
        device: kind of the device that the model is on.

    Raises:
        CheckpointError: the model leaves no room for a text.
    """

    _dimension: int

    def __init__(self, *, name: str, limit: int, frame: int, device: str) -> None:
        self._name = name
        self.limit = limit
        room = limit - frame
        if room < LEAST_ROOM:
            raise CheckpointError(
                f"the model reads {limit} tokens at once, of which {max(room, 0)} are left "
                "for the report",
                remedy="use another model",
                source=name,
            )
        self._windows = Windows(self._count, room)
        self._batch = NEAR if device == "cpu" else FAR

    @property
    def name(self) -> str:
        """As :func:`retrieval.embed.embedder_for` takes it; a folder in it is absolute."""
        return self._name

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._dimension

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row of length one per text.

        Raises:
            CheckpointError: the model gives values that are no numbers.
            ValueError: a text is empty; the row is named.
        """
        check_texts(texts)
        return vectors_of(
            texts, self._windows, self._encode, dimension=self._dimension, batch=self._batch
        )

    @abstractmethod
    def _encode(self, windows: list[str]) -> NDArray[np.float32]:
        """Vectors of windows of like lengths, in order."""

    @abstractmethod
    def _count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text without the frame."""


def vectors_of(
    texts: Sequence[str],
    windows: Windows,
    encode: Callable[[list[str]], NDArray[np.float32]],
    *,
    dimension: int,
    batch: tuple[int, int] = NEAR,
) -> NDArray[np.float32]:
    """One row of length one per text; equal windows are encoded once, like lengths together.

    Args:
        encode: one vector per window of a batch, of any length above zero.
        batch: the most windows of a batch, and the most tokens with padding.

    Raises:
        CheckpointError: the model gives values that are no numbers, or zeros.
    """
    parts = windows.of(texts)
    order = sorted(
        {window for group in parts for window in group}, key=lambda w: (w.tokens, w.text)
    )
    places = {window.text: place for place, window in enumerate(order)}
    vectors = np.zeros((len(texts), dimension), dtype=np.float32)
    if not places:
        return vectors
    encoded = unit_rows(np.concatenate([encode(block) for block in _batches(order, *batch)]))
    for row, group in enumerate(parts):
        own = encoded[[places[window.text] for window in group]]
        weights = np.array([max(window.tokens, 1) for window in group], dtype=np.float32)
        mean = weights @ own / weights.sum()
        length = np.linalg.norm(mean)
        vectors[row] = mean / length if length > LENGTH_FLOOR else own[weights.argmax()]
    return vectors


def _batches(windows: Sequence[Window], most: int, most_tokens: int) -> Iterator[list[str]]:
    """Windows, given from short to long, in batches within the limits; one window at least."""
    block: list[str] = []
    for window in windows:
        if block and (len(block) == most or (len(block) + 1) * window.tokens > most_tokens):
            yield block
            block = []
        block.append(window.text)
    if block:
        yield block


def unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows with length one.

    Raises:
        CheckpointError: a row has no length, or values that are no numbers.
    """
    exact = np.asarray(rows, dtype=np.float64)
    length = np.linalg.norm(exact, axis=1, keepdims=True)
    if not np.isfinite(length).all() or (length <= 0).any():
        raise CheckpointError(
            "the embedder gives vectors that are zero or not numbers",
            remedy="its weights are damaged; restore the model or use another one",
        )
    unit: NDArray[np.float32] = (exact / length).astype(np.float32)
    return unit
