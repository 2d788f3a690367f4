"""Reports as token ids of an encoder: white space evened out, cut at the context limit.

The cut is the published one (the first tokens and the closing token are kept), but it is
always reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from labelwright.errors import CheckpointError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BATCH = 512
"""Texts that are best encoded together."""
LETTERS_PER_TOKEN = 64
"""A text with more letters than this per token of the limit is first tried by its beginning, so
that one of many megabytes costs no more than any other that is cut."""


class Tokens(NamedTuple):
    """One report; ``cut`` says whether its end did not fit."""

    ids: tuple[int, ...]
    cut: bool


class TextEncoder:
    """Turns texts into tokens of at most ``limit``.

    Args:
        limit: the longest sequence, with the tokenizer's opening and closing token.

    Raises:
        CheckpointError: the tokenizer does not put a classification token first.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, limit: int) -> None:
        self._tokenizer = tokenizer
        self.limit = limit
        frame = self._tokens([""])[0]
        if len(frame) != 2 or frame[0] != tokenizer.cls_token_id:
            raise CheckpointError(
                "the tokenizer does not open a text with a classification token",
                remedy="use an encoder of BERT's kind (BERT, RoBERTa, DeBERTa, ModernBERT, …)",
                source=str(tokenizer.name_or_path),
            )

    def encode(self, texts: Sequence[str]) -> list[Tokens]:
        """One result per text, in order."""
        even = [" ".join(text.split()) for text in texts]
        starts = [text[: LETTERS_PER_TOKEN * self.limit] for text in even]
        found = self._tokens(starts) if starts else []
        for row, (whole, start) in enumerate(zip(even, starts, strict=True)):
            if len(start) < len(whole) and len(found[row]) <= self.limit:
                found[row] = self._tokens([whole])[0]
        return [self._fitted(ids) for ids in found]

    def _fitted(self, ids: Sequence[int]) -> Tokens:
        if len(ids) <= self.limit:
            return Tokens(tuple(ids), cut=False)
        return Tokens((*ids[: self.limit - 1], ids[-1]), cut=True)

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids; a special token that a report spells out is read as ordinary letters."""
        encoded = self._tokenizer(
            list(texts), truncation=False, padding=False, split_special_tokens=True, verbose=False
        )
        return [list(ids) for ids in encoded["input_ids"]]
