"""What is read together, and who sees whom in it: in NumPy, for whatever library computes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass
class Memory:
    """Keys and values of tokens already read, by layer, in the shape of who computed them.

    ``positions`` are those of the tokens.
    """

    keys: dict[int, Any] = field(default_factory=dict)
    values: dict[int, Any] = field(default_factory=dict)
    positions: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @property
    def size(self) -> int:
        """Number of tokens."""
        return len(self.positions)

    def copy(self) -> Memory:
        """Another memory of the same tokens; adding to one leaves the other as it is."""
        return Memory(dict(self.keys), dict(self.values), self.positions)


@dataclass(frozen=True, slots=True)
class Segment:
    """A sequence of new tokens.

    Attributes:
        positions: of the new tokens.
        past: indices of the remembered tokens that all of them see.
        visible: ``[tokens, tokens]`` bool, which of the new tokens a new token sees; ``None``
            for itself and those before it.
        wanted: the tokens whose output is wanted.
        seen: ``[tokens, past]`` bool, which remembered tokens a new token sees; ``None`` for all.
    """

    tokens: Sequence[int]
    positions: Sequence[int] | np.ndarray
    past: np.ndarray
    wanted: Sequence[int] | np.ndarray
    visible: np.ndarray | None = None
    seen: np.ndarray | None = None


class PackHead(Protocol):
    """The rows of the output matrix that decide.

    Attributes:
        place: the column of each of their tokens.
    """

    place: Mapping[int, int]

    def __call__(self, hidden: Sequence[Any]) -> np.ndarray:
        """What :meth:`PackEngine.run` returns to logits ``[all rows, tokens]``, float32."""
        ...


class PackEngine(ABC):
    """Reads packs of segments with some library."""

    @abstractmethod
    def attending(self) -> AbstractContextManager[None]:
        """Within the block :meth:`run` may be called."""

    @abstractmethod
    def run(self, memory: Memory, segments: Sequence[Segment], *, keep: bool) -> list[Any]:
        """Read segments that see ``memory`` and themselves.

        Args:
            keep: whether the new tokens are added to the memory, in the order of the segments.

        Returns:
            Per segment the last hidden states ``[wanted, hidden]`` of its wanted tokens.
        """

    @abstractmethod
    def options(self, tokens: Sequence[int]) -> PackHead:
        """What scores these tokens as the next."""

    def prefix(self, tokens: Sequence[int]) -> Memory:
        """The memory of what all prompts begin with."""
        memory = Memory()
        if tokens:
            nothing = np.empty(0, dtype=np.int64)
            whole = Segment(tokens, range(len(tokens)), nothing, [len(tokens) - 1])
            self.run(memory, [whole], keep=True)
        return memory


@dataclass(frozen=True)
class Plan:
    """Segments side by side as one row of tokens, and padded to the longest for the attention.

    Attributes:
        tokens, positions: of all new tokens, ``[tokens]``.
        wanted: indices into them.
        queries: per segment the indices of its tokens, ``[rows * longest]``.
        keys: the same into remembered and new tokens, ``[rows * longest with past]``.
        back: where each token stands in the padded queries, ``[tokens]``.
        mask: what is added to attention scores, 0 or -inf, ``[rows, longest, longest with past]``.
        query_at, key_at: positions of what ``queries`` and ``keys`` index, by rows.
    """

    tokens: Ints
    positions: Ints
    wanted: Ints
    queries: Ints
    keys: Ints
    back: Ints
    mask: NDArray[np.float32]
    rows: int
    query_at: Ints
    key_at: Ints

    @classmethod
    def of(cls, memory: Memory, segments: Sequence[Segment]) -> Plan:
        """The plan of segments that see ``memory`` and themselves."""
        rows = len(segments)
        news = [len(segment.tokens) for segment in segments]
        pasts = [len(segment.past) for segment in segments]
        most_new = max(news)
        most = max(past + new for past, new in zip(pasts, news, strict=True))
        queries = np.zeros((rows, most_new), dtype=np.int64)
        keys = np.zeros((rows, most), dtype=np.int64)
        mask = np.full((rows, most_new, most), -np.inf, dtype=np.float32)
        mask[:, :, 0] = 0.0  # padding rows must see something; their output is never read
        query_at = np.zeros((rows, most_new), dtype=np.int64)
        key_at = np.zeros((rows, most), dtype=np.int64)
        back, wanted = [], []
        start = 0
        for row, (segment, new, past) in enumerate(zip(segments, news, pasts, strict=True)):
            queries[row, :new] = np.arange(start, start + new)
            keys[row, :past] = segment.past
            keys[row, past : past + new] = np.arange(start, start + new) + memory.size
            mask[row, :new, 0] = -np.inf
            mask[row, :new, :past] = 0.0 if segment.seen is None else hidden(segment.seen)
            visible = np.tri(new, dtype=bool) if segment.visible is None else segment.visible
            mask[row, :new, past : past + new][visible] = 0.0
            query_at[row, :new] = segment.positions
            key_at[row, :past] = memory.positions[segment.past]
            key_at[row, past : past + new] = segment.positions
            back.append(row * most_new + np.arange(new))
            wanted.append(start + np.asarray(segment.wanted, dtype=np.int64))
            start += new
        return cls(
            tokens=np.concatenate([np.asarray(s.tokens, dtype=np.int64) for s in segments]),
            positions=np.concatenate([np.asarray(s.positions, dtype=np.int64) for s in segments]),
            wanted=np.concatenate(wanted),
            queries=queries.ravel(),
            keys=keys.ravel(),
            back=np.concatenate(back),
            mask=mask,
            rows=rows,
            query_at=query_at,
            key_at=key_at,
        )


def hidden(seen: np.ndarray) -> np.ndarray:
    """What is added to attention scores: 0 where something is seen, -inf elsewhere."""
    return np.where(seen, np.float32(0), np.float32(-np.inf))
