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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from baselines.tagger.choices import PREFIX
from baselines.tagger.sections import Sections
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
        sections: for each token the number of its word's section; ``None`` where nobody asks.
        prefix: tokens after the opening ones that name the section and are no part of the text.
    """

    ids: NDArray[np.int32]
    firsts: NDArray[np.int32]
    start: int
    keep: tuple[int, int]
    sections: NDArray[np.int16] | None = None
    prefix: int = 0

    def without_prefix(self, opening: int) -> Window:
        """The same window without the section's name.

        Args:
            opening: number of the tokens that open a text.
        """
        end = opening + self.prefix
        return self._replace(
            ids=np.delete(self.ids, slice(opening, end)),
            firsts=self.firsts - self.prefix,
            sections=None
            if self.sections is None
            else np.delete(self.sections, slice(opening, end)),
            prefix=0,
        )


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
        sections: where given, windows know which sections their words stand in; with the way
            ``prefix`` they hold one section each.

    Attributes:
        head: the tokens that open a text.
        tail: those that close it.
        room: how many a window holds between them.

    Raises:
        CheckpointError: the tokenizer cannot say where its tokens stand in a text.
        ConfigError: the limit leaves no room for a word.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        limit: int,
        stride: int,
        sections: Sections | None = None,
    ) -> None:
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
        self._sections = sections
        self._prefixes = self._spelled(sections)

    def read(self, texts: Sequence[str]) -> list[Words]:
        """One result per text, in order; a text without words has no windows."""
        return [
            Words(p.spans, tuple(self._read(text, p)) if len(p.spans) else ())
            for text, p in zip(texts, self.pieces(texts), strict=True)
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

    def _spelled(self, sections: Sections | None) -> list[list[int]]:
        """The tokens of each section's name, where they are read."""
        if sections is None or sections.way != PREFIX:
            return []
        titles = [sections.title(number) for number in range(sections.count)]
        found = [
            list(
                self._tokenizer(title, add_special_tokens=False, split_special_tokens=True)[
                    "input_ids"
                ]
            )
            if title
            else []
            for title in titles
        ]
        if max(map(len, found)) > self.room // 2:
            raise ConfigError(
                f"the name of a section takes more than half of {self.limit} tokens",
                remedy="raise --max_length, or shorten the names in the table of headings",
            )
        return found

    def _read(self, text: str, pieces: Pieces) -> Iterator[Window]:
        """The windows of a text, each with the sections of its tokens."""
        tokens, firsts = pieces.tokens, pieces.firsts
        if self._sections is None:
            yield from self._windows(tokens, firsts, [])
            return
        numbers = self._sections.of_words(text, pieces.spans)
        if not self._prefixes:
            for window in self._windows(tokens, firsts, []):
                yield self._told(window, numbers)
            return
        edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
        bounds = np.append(firsts[1:], len(tokens))
        for start, end in pairwise(edges):
            title = self._prefixes[int(numbers[start])]
            for window in self._windows(tokens[: bounds[end - 1]], firsts[start:end], title):
                first, last = window.keep
                moved = window._replace(
                    start=window.start + start, keep=(first + start, last + start)
                )
                yield self._told(moved, numbers)

    def _told(self, window: Window, numbers: NDArray[np.int16]) -> Window:
        """A window with the section of each token: of those between two words, the first one's."""
        own = numbers[window.start : window.start + len(window.firsts)]
        body = len(window.ids) - len(self.tail)
        sizes = np.diff(np.append(window.firsts, body))
        told = np.zeros(len(window.ids), dtype=np.int16)
        told[window.firsts[0] : body] = np.repeat(own, sizes)
        return window._replace(sections=told)

    def _windows(
        self, tokens: NDArray[np.int32], firsts: NDArray[np.int64], title: Sequence[int]
    ) -> list[Window]:
        """Windows of words, each behind the tokens of a title."""
        count, room = len(firsts), self.room - len(title)
        bounds = np.append(firsts[1:], len(tokens))  # where the tokens of each word end
        cuts: list[tuple[int, int]] = []
        start = before = 0
        while True:
            end = _end(firsts, bounds, start, room)
            if end <= before:  # the shared words leave no room for the next one
                start = before
                end = _end(firsts, bounds, start, room)
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
            ids = tokens[origin : int(bounds[end - 1])][:room]
            near = firsts[start:end] - origin + len(self.head) + len(title)
            whole = np.concatenate([self.head, title, ids, self.tail]).astype(np.int32)
            windows.append(Window(whole, near.astype(np.int32), start, keep, prefix=len(title)))
        return windows


def _end(firsts: NDArray[np.int64], bounds: NDArray[np.int64], start: int, room: int) -> int:
    """The end of the longest window from a word on, which it always holds."""
    fits = int(np.searchsorted(bounds, firsts[start] + room, side="right"))
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
