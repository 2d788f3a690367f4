"""Sentences that were read before: reports repeat each other, and rules read them alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from baselines.rules.mentions import Finder, Mention, Reading
from baselines.rules.phrases import Sentence
from labelwright.labelers.recent import Recent, digest

REMEMBERED = 200_000
"""Sentences whose readings are kept, those used last: some 80 MB where there are that many."""


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
        self._known: Recent[Reading] = Recent(most)
        self.verdict, self.is_about = finder.verdict, finder.is_about

    def read(self, sentence: Sentence) -> Reading:
        """As :meth:`baselines.rules.mentions.Finder.read`."""
        key = digest(" ".join(sentence.words))
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
