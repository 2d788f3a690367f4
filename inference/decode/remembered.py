"""Answers to sentences that may come again, kept small: many thousands in a few megabytes."""

from __future__ import annotations

import hashlib
from array import array
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

from inference.prompts import Refusal
from labelwright.labelers.base import Ask
from labelwright.records import Answer

LONGEST = 500
"""Characters of a sentence that may come again."""
MILLION = 1_000_000
"""Probabilities have six decimals (:meth:`inference.decode.scores.Scores.by_name`)."""

Names = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class _Packed:
    """An answer whose probabilities are whole millionths in one array, ``names`` shared by all."""

    answer: Answer
    names: Names
    millionths: array[int]

    def unpacked(self) -> Answer:
        numbers = iter(self.millionths)
        probs = {
            label: {option: next(numbers) / MILLION for option in options}
            for label, options in self.names
        }
        return replace(self.answer, probs=probs)


class Remembered:
    """The answers to the ``most`` sentences that were asked for last.

    A sentence's text is not kept, only its digest. Answers that say the same share what they say.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept: OrderedDict[bytes, _Packed | Answer | Refusal] = OrderedDict()
        self._names: dict[Names, Names] = {}
        self._values: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, ask: Ask) -> Answer | Refusal | None:
        """What was answered, if it is still known."""
        key = _key(ask)
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found.unpacked() if isinstance(found, _Packed) else found

    def put(self, ask: Ask, answer: Answer | Refusal) -> None:
        """Keep an answer; the one that was not asked for the longest time gives way."""
        if len(ask.text) + len(ask.lead) > LONGEST:
            return
        self._kept[_key(ask)] = self._packed(answer)
        if len(self._kept) > self.most:
            self._kept.popitem(last=False)

    def _packed(self, answer: Answer | Refusal) -> _Packed | Answer | Refusal:
        if isinstance(answer, Refusal) or answer.probs is None:
            return answer
        names = tuple((label, tuple(row)) for label, row in answer.probs.items())
        millionths = array(
            "I", (round(p * MILLION) for row in answer.probs.values() for p in row.values())
        )
        value = answer.value
        if answer.raw and len(self._values) < self.most:
            known = self._values.setdefault(answer.raw, value)
            value = known if known == value else value
        small = replace(answer, value=value, probs=None)
        return _Packed(small, self._names.setdefault(names, names), millionths)


def _key(ask: Ask) -> bytes:
    parts = f"{len(ask.lead)} {ask.lead}{ask.text}".encode(errors="surrogatepass")
    return hashlib.blake2b(parts, digest_size=16).digest()
