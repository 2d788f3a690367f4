"""The words that a tagger tags, and the windows of tokens through which it reads them.

A word is a run of letters and digits, each with its combining marks; every other character that
is no white space is a word by itself (``T2``, ``-``, ``weighted``). Texts are read as they are,
so offsets are those of the report. The first token of a word stands for it: words that the
tokenizer joins in one token (``))``) are one word, and one for which it has no token (a stray
control character) is left out.

A text longer than the context is read in windows that overlap. For a word of two windows the one
in which it stands farther from the border decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelwright.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WORD = re.compile(r"(?:[^\W_][\u0300-\u036f]*)+|\S")
BATCH = 256
"""Texts that are tokenized together."""


class Window(NamedTuple):
    """A part of a text that is read at once.

    Attributes:
        ids: token ids, those that open and close a text included.
        firsts: for each word of the window, the place of its first token in ``ids``.
        start: number of its first word in the text.
        keep: first and end of the words (numbers in the text) for which this window decides.
    """

    ids: NDArray[np.int32]
    firsts: NDArray[np.int32]
    start: int
    keep: tuple[int, int]


class Pieces(NamedTuple):
    """The tokens of a whole text.

    Attributes:
        spans: starts and ends of its words in characters, ``[words, 2]``.
        tokens: all its tokens, without those that open and close a window.
        firsts: for each word the place of its first token.
    """

    spans: NDArray[np.int64]
    tokens: NDArray[np.int32]
    firsts: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Words:
    """A text in words and windows; ``spans`` are starts and ends in characters, ``[words, 2]``."""

    spans: NDArray[np.int64]
    windows: tuple[Window, ...]

    def __len__(self) -> int:
        return len(self.spans)


def find_words(text: str) -> NDArray[np.int64]:
    """Start and end of every word, ``[words, 2]``."""
    found = [match.span() for match in WORD.finditer(text)]
    return np.array(found, dtype=np.int64).reshape(-1, 2)


class WordReader:
    """Turns texts into words and windows.

    Args:
        limit: the longest window in tokens, with those that open and close it.
        stride: words that neighbouring windows share, where they are long enough.

    Attributes:
        head: the tokens that open a text.
        tail: those that close it.
        room: how many a window holds between them.

    Raises:
        CheckpointError: the tokenizer cannot say where its tokens stand in a text.
        ConfigError: the limit leaves no room for a word.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, limit: int, stride: int) -> None:
        if not tokenizer.is_fast:
            raise CheckpointError(
                "the tokenizer cannot say where its tokens stand in the text",
                remedy="use an encoder with a fast tokenizer (tokenizer.json)",
                source=str(tokenizer.name_or_path),
            )
        self._tokenizer: Any = tokenizer
        self.limit, self.stride = limit, stride
        self.head, self.tail = self._frame()
        self.room = limit - len(self.head) - len(self.tail)
        if self.room < 1:
            raise ConfigError(f"no word fits into {limit} tokens", remedy="raise --max_length")

    def read(self, texts: Sequence[str]) -> list[Words]:
        """One result per text, in order; a text without words has no windows."""
        return [
            Words(p.spans, tuple(self._windows(p.tokens, p.firsts)) if len(p.spans) else ())
            for p in self.pieces(texts)
        ]

    def pieces(self, texts: Sequence[str]) -> list[Pieces]:
        """The tokens of each text, in order, and which of them begin its words."""
        results = []
        for start in range(0, len(texts), BATCH):
            part = list(texts[start : start + BATCH])
            encoded = self._tokenizer(
                part,
                add_special_tokens=False,
                return_offsets_mapping=True,
                return_attention_mask=False,
                split_special_tokens=True,
                truncation=False,
                padding=False,
                verbose=False,
            )
            for text, ids, offsets in zip(
                part, encoded["input_ids"], encoded["offset_mapping"], strict=True
            ):
                results.append(_pieces(text, ids, offsets))
        return results

    def _frame(self) -> tuple[list[int], list[int]]:
        """The tokens that open and close a text."""
        encoded = self._tokenizer("a", return_special_tokens_mask=True)
        ids, special = list(encoded["input_ids"]), list(encoded["special_tokens_mask"])
        if 0 not in special:
            return [], []
        return ids[: special.index(0)], ids[len(ids) - special[::-1].index(0) :]

    def _windows(self, tokens: NDArray[np.int32], firsts: NDArray[np.int64]) -> list[Window]:
        count = len(firsts)
        bounds = np.append(firsts[1:], len(tokens))  # where the tokens of each word end
        cuts: list[tuple[int, int]] = []
        start = before = 0
        while True:
            end = self._end(firsts, bounds, start)
            if end <= before:  # the shared words leave no room for the next one
                start = before
                end = self._end(firsts, bounds, start)
            cuts.append((start, end))
            if end == count:
                break
            shared = min(self.stride, (end - start) // 2)
            start, before = max(end - shared, before, start + 1), end
        borders = [0]
        for (_, end), (start, _) in pairwise(cuts):
            borders.append(start + (end - start + 1) // 2)
        borders.append(count)
        windows = []
        for (start, end), keep in zip(cuts, pairwise(borders), strict=True):
            origin = int(firsts[start])
            ids = tokens[origin : int(bounds[end - 1])][: self.room]
            near = firsts[start:end] - origin + len(self.head)
            whole = np.concatenate([self.head, ids, self.tail]).astype(np.int32)
            windows.append(Window(whole, near.astype(np.int32), start, keep))
        return windows

    def _end(self, firsts: NDArray[np.int64], bounds: NDArray[np.int64], start: int) -> int:
        """The end of the longest window from a word on, which it always holds."""
        fits = int(np.searchsorted(bounds, firsts[start] + self.room, side="right"))
        return max(fits, start + 1)


def _pieces(text: str, ids: Sequence[int], offsets: Sequence[tuple[int, int]]) -> Pieces:
    spans = find_words(text)
    tokens = np.array(ids, dtype=np.int32)
    places = np.array(offsets, dtype=np.int64).reshape(-1, 2)
    if not len(tokens) or not len(spans):
        return Pieces(spans[:0], tokens, np.zeros(0, dtype=np.int64))
    ends = np.maximum.accumulate(places[:, 1])
    firsts = np.searchsorted(ends, spans[:, 0], side="right")
    there = firsts < len(tokens)
    there[there] = places[firsts[there], 0] < spans[there, 1]
    firsts, begins, sizes = np.unique(firsts[there], return_index=True, return_counts=True)
    spans = spans[there]
    spans = np.stack([spans[begins, 0], spans[begins + sizes - 1, 1]], axis=1)
    return Pieces(spans, tokens, firsts)
