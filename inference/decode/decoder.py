"""What every way of decoding looks like, and what may be chosen for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from inference.prompts import Prompt
from labelwright.records import Answer


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """What may be chosen for decoding; no choice changes a label beyond rounding.

    Attributes:
        batch_size: prompts generated together (free decoding).
        batch_tokens: tokens computed together (packed decoding); halved where memory is short.
        deterministic: one prompt at a time, so that an answer is the same to the last bit
            whatever stands beside it.
        evidence: a name of :data:`inference.decode.evidence_views.VIEWS`; ``None`` for labels
        alone.
    """

    batch_size: int
    batch_tokens: int
    deterministic: bool = False
    evidence: str | None = None


class Decoder(Protocol):
    """A way of decoding, set up for one model."""

    @property
    def room(self) -> int:
        """Tokens of the context that the answer needs behind the prompt."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """What its answers depend on, for the manifest."""
        ...

    def decode(self, prompts: Sequence[Prompt]) -> list[Answer]:
        """One answer per prompt, in the order given."""
        ...
