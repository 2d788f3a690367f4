"""Sentences that were read before: reports repeat each other, and rules read them alike."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from baselines.rules.mentions import Finder, Mention, Reading
from baselines.rules.phrases import Sentence

REMEMBERED = 50_000
"""Sentences whose readings are kept: at least the last half of them, some 20 MB."""

T = TypeVar("T")


class Latest(Generic[T]):
    """The latest values by key, at least half of ``most``.

    Two dictionaries of which the older is dropped as the younger is full: as quick as one, and
    threads that use it at the same time lose no more than a value.
    """

    def __init__(self, most: int) -> None:
        self._room = max(most // 2, 1)
        self._young: dict[bytes, T] = {}
        self._old: dict[bytes, T] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: bytes) -> T | None:
        """What is known of a key."""
        found = self._young.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self.put(key, found)
        return found

    def put(self, key: bytes, value: T) -> None:
        """Keep a value."""
        if len(self._young) >= self._room:
            self._old, self._young = self._young, {}
        self._young[key] = value


class _Words(NamedTuple):
    """A sentence in which a place is the number of a word."""

    words: Sequence[str]

    def span(self, first: int, end: int) -> tuple[int, int]:
        """The numbers themselves."""
        return first, end


class Repeated:
    """A finder that reads each row of words once.

    What a sentence says depends on its words alone, so readings are kept by a digest of the words,
    with words' numbers for offsets.
    """

    def __init__(self, finder: Finder, most: int = REMEMBERED) -> None:
        self._finder = finder
        self._known: Latest[Reading] = Latest(most)
        self.verdict, self.is_about = finder.verdict, finder.is_about

    def read(self, sentence: Sentence) -> Reading:
        """As :meth:`baselines.rules.mentions.Finder.read`."""
        whole = " ".join(sentence.words).encode(errors="surrogatepass")
        key = hashlib.blake2b(whole, digest_size=16).digest()
        reading = self._known.get(key)
        if reading is None:
            words: Any = _Words(sentence.words)
            reading = self._finder.read(words)
            self._known.put(key, reading)
        if not reading.named and not reading.mentions:
            return reading
        named = _placed(reading.named, sentence)
        same = reading.mentions == reading.named
        mentions = named if same else _placed(reading.mentions, sentence)
        return reading._replace(mentions=mentions, named=named)


def _placed(mentions: Sequence[Mention], sentence: Sentence) -> tuple[Mention, ...]:
    """Mentions at words' numbers, at the offsets of those words in the text."""
    return tuple(
        Mention(label, certainty, *sentence.span(first, end))
        for label, certainty, first, end in mentions
    )
