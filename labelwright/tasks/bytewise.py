"""Guides that decide byte by byte, so that no token can slip past what may be written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

S = TypeVar("S")
"""The state of a guide; never ``None``."""


class ByteWise(ABC, Generic[S]):
    """The part of a :class:`labelwright.tasks.shapes.Guide` that walks through a token's bytes."""

    @abstractmethod
    def step(self, state: S, byte: int) -> S | None:
        """The state behind one byte; ``None`` where it would not be valid."""

    def advance(self, state: S, piece: bytes) -> S | None:
        """The state behind a token's bytes; ``None`` where they would not be valid."""
        now: S | None = state
        for byte in piece:
            now = None if now is None else self.step(now, byte)
        return now
