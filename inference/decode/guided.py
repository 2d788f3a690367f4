"""Answers that a guide allows: greedy, but only valid tokens.

At every step the likeliest token is taken that keeps the answer valid, as the task kind's guide
says (:class:`labelwright.tasks.base.Guide`). The probability of a token is the one that the model
gave it among all tokens.

The bytes that every token of a tokenizer stands for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

from inference.load import Loaded
from labelwright.errors import CheckpointError
from labelwright.tasks import kind_of
from labelwright.tasks.base import Guide

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
SPACE = "▁"


def token_bytes(tokenizer: PreTrainedTokenizerBase) -> dict[int, bytes]:
    """Token id to bytes, special and added tokens left out.

    Byte-level BPE (GPT-2, Qwen, Llama 3) writes every byte as a letter of its own; SentencePiece
    (Llama 2, Gemma) writes a space as ``▁`` and rare bytes as ``<0xNN>``.
    """
    added = set(tokenizer.added_tokens_decoder) | set(tokenizer.all_special_ids)
    vocabulary = {i: t for t, i in tokenizer.get_vocab().items() if i not in added}
    if _byte_level(tokenizer):
        letters = _letters()
        return {
            i: bytes(letters[char] for char in token)
            for i, token in vocabulary.items()
            if all(char in letters for char in token)
        }
    return {i: _piece(token) for i, token in vocabulary.items()}


def _piece(token: str) -> bytes:
    byte = _BYTE.fullmatch(token)
    return bytes([int(byte[1], 16)]) if byte else token.replace(SPACE, " ").encode()


def _byte_level(tokenizer: PreTrainedTokenizerBase) -> bool:
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return False
    return '"ByteLevel"' in json.dumps(json.loads(backend.to_str()).get("decoder"))


@cache
def _letters() -> dict[str, int]:
    """The letter of every byte in GPT-2's byte-level BPE (Radford et al. 2019, its encoder.py)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(b): b for b in plain} | {chr(256 + n): b for n, b in enumerate(others)}


TEXT_BYTES = frozenset({0x0A, *range(0x20, 0x7F), *range(0x80, 0xC0), *range(0xC2, 0xF1)})
"""Bytes that text in UTF-8 holds; SmolLM2 lacks some others: control characters, and those that
begin no assigned character. An answer that needs one of them ends before it."""
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
        CheckpointError: the tokenizer cannot write every byte of text, so that an answer could get
            stuck.
    """
    pieces = token_bytes(loaded.tokenizer)
    if not {piece[0] for piece in pieces.values() if len(piece) == 1} >= TEXT_BYTES:
        raise CheckpointError(
            "the tokenizer cannot write every byte of text, which constrained answers need",
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
