"""Answers that a guide allows: greedy, but only valid tokens.

At every step the likeliest token is taken that keeps the answer valid, as the task kind's guide
says (:class:`labelwright.tasks.base.Guide`). The probability of a token is the one that the model
gave it among all tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from inference.decode.token_bytes import token_bytes
from inference.load import Loaded
from labelwright.errors import CheckpointError
from labelwright.tasks import kind_of
from labelwright.tasks.base import Guide

if TYPE_CHECKING:
    import torch

FIRST_LOOK = 64
"""Likeliest tokens that are tried before all are."""


class Guided:
    """Lets a batch of answers be written with valid tokens only.

    Raises:
        CheckpointError: the task has no guide, or the tokenizer cannot write every byte, so that an
            answer could get stuck.
    """

    def __init__(self, loaded: Loaded) -> None:
        kind, label_set = kind_of(loaded.label_set), loaded.label_set
        if kind.guide(label_set, "") is None:
            raise CheckpointError(
                f"nothing says which answers are valid for the task {kind.name}",
                remedy="use --decode free",
                source=loaded.name,
            )
        self._guide = partial(cast(Callable[..., Guide], kind.guide), label_set)
        self._pieces = pieces_of(loaded)

    def processor(
        self, texts: Sequence[str], ends: Sequence[int], chances: list[Any]
    ) -> Callable[[Any, Any], Any]:
        """A logits processor for one batch.

        Args:
            texts: of the batch's rows.
            ends: the tokens that end an answer.
            chances: gets the probabilities of the tokens taken, a tensor per step.
        """
        import torch

        guides = [self._guide(text) for text in texts]
        states = [guide.start() for guide in guides]

        def process(_: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            rows = scores.float()
            taken = []
            for place, state in enumerate(states):
                token, after = ends[0], None
                if state is not None:
                    found = best(rows[place], guides[place], state, self._pieces, ends)
                    token, after = found or (ends[0], None)
                taken.append(token)
                states[place] = after
            picked = torch.tensor(taken, device=scores.device)[:, None]
            chosen = rows.gather(1, picked)[:, 0]
            chances.append((chosen - rows.logsumexp(dim=-1)).exp())
            return torch.full_like(scores, float("-inf")).scatter_(1, picked, 0.0)

        return process


def pieces_of(loaded: Loaded) -> dict[int, bytes]:
    """The bytes of every token.

    Raises:
        CheckpointError: the tokenizer cannot write every byte, so that an answer could get stuck.
    """
    pieces = token_bytes(loaded.tokenizer)
    if len({piece for piece in pieces.values() if len(piece) == 1}) < 256:
        raise CheckpointError(
            "the tokenizer cannot write every byte, which constrained answers need",
            remedy="use --decode free",
            source=loaded.name,
        )
    return pieces


def best(
    row: torch.Tensor, guide: Guide, state: Any, pieces: Mapping[int, bytes], ends: Sequence[int]
) -> tuple[int, Any | None] | None:
    """The likeliest token that keeps the answer valid, and the state behind it.

    The state is ``None`` behind a token that ends the answer; without any valid token there is
    nothing.

    Args:
        row: a score per token.
    """
    for token in _likeliest(row):
        if token in ends:
            if guide.may_end(state):
                return token, None
        elif piece := pieces.get(token):
            after = guide.advance(state, piece)
            if after is not None:
                return token, after
    return None


def _likeliest(row: torch.Tensor) -> Iterator[int]:
    """All tokens, the likeliest first; all are sorted only if the first do not serve."""
    first = min(FIRST_LOOK, len(row))
    yield from row.topk(first).indices.tolist()
    yield from row.argsort(descending=True).tolist()[first:]
