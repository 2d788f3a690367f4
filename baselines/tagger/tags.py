"""Tags: how entities become one or more tags a word, and how tags become entities again.

A class is a type of the label set, or a type with a certainty where the label set asks for one.
With one tag a word (softmax) there is ``O`` and the tags of each class; with several (sigmoid)
every class has tags of its own and may overlap others. Of entities that overlap and cannot, the
longest is kept.

======== =================== =====================================================
scheme   tags of a class     what it cannot say
======== =================== =====================================================
``BIO``  ``B`` first word    entities of one class that overlap
``IO``   ``I`` every word    also: entities of one class that touch each other
``BIOES`` ``B I E``, ``S``   entities of one class that overlap
======== =================== =====================================================

Reading tags never fails. A mention is a run of words of one class; within a run a new one begins
at ``B`` and ``S`` and after ``E`` and ``S``. So ``I`` after ``O``, after another class or at the
beginning begins a mention, as conlleval has it. The parts of a discontinuous entity are tagged
as mentions of their own. An entity whose borders lie inside words takes the whole words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baselines.tagger.choices import SCHEMES
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Entity

OPENING, CLOSING = "BS", "ES"

Key = tuple[str, Certainty | None, tuple[tuple[int, int], ...]]
"""What two entities must share to be the same one."""


class Mention(NamedTuple):
    """A run of words: number of the class, first word and end, mean probability of its tags."""

    place: int
    start: int
    end: int
    prob: float


def key_of(entity: Entity) -> Key:
    """Type, certainty and places of an entity."""
    return entity.type, entity.certainty, entity.spans


def strict_f1(said: Iterable[Iterable[Entity]], gold: Sequence[Set[Key]]) -> float:
    """Micro F1 of whole entities of some texts; 0 where neither side has one."""
    found = [{key_of(entity) for entity in entities} for entities in said]
    right = sum(len(a & b) for a, b in zip(found, gold, strict=True))
    return 2 * right / max(sum(map(len, found)) + sum(map(len, gold)), 1)


@dataclass(frozen=True)
class Tagging:
    """The tags of a label set.

    Attributes:
        scheme: ``BIO``, ``IO`` or ``BIOES``.
        multilabel: whether a word can have several tags.
    """

    label_set: LabelSet
    scheme: str
    multilabel: bool

    @cached_property
    def classes(self) -> tuple[tuple[str, Certainty | None], ...]:
        """Type and certainty, types in the label set's order."""
        words: tuple[Certainty | None, ...] = tuple(self.label_set.words) or (None,)
        return tuple((name, word) for name in self.label_set.names for word in words)

    @cached_property
    def kinds(self) -> str:
        """The tags of one class, a letter each."""
        return SCHEMES[self.scheme]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every tag by name, in the order of the model's outputs."""
        tags = [
            f"{kind}-{name}" if certainty is None else f"{kind}-{name}|{certainty.value}"
            for name, certainty in self.classes
            for kind in self.kinds
        ]
        return tuple(tags) if self.multilabel else ("O", *tags)

    def encode(self, spans: NDArray[np.int64], entities: Sequence[Entity]) -> NDArray[np.uint16]:
        """Tags of a text's words.

        Args:
            spans: start and end of every word.
            entities: of this label set.

        Returns:
            With one tag a word its number, ``[words]``; else 0 or 1 for each, ``[words, tags]``.
        """
        width, places = len(self.kinds), {name: n for n, name in enumerate(self.classes)}
        tags = np.zeros((len(spans), len(self.classes) * width), dtype=np.uint16)
        taken = np.zeros(len(spans), dtype=bool)
        for entity in sorted(entities, key=_length, reverse=True):
            parts = [_words(spans, *span) for span in entity.spans]
            column = places[entity.type, entity.certainty] * width
            own = tags[:, column : column + width]
            if any((own if self.multilabel else taken)[a:b].any() for a, b in parts):
                continue
            for start, end in parts:
                taken[start:end] = True
                for row, kind in zip(range(start, end), self._kinds(end - start), strict=True):
                    own[row, self.kinds.index(kind)] = 1
        if self.multilabel:
            return tags
        single = np.where(tags.any(axis=1), tags.argmax(axis=1) + 1, 0)
        return single.astype(np.uint16)

    def decode(self, kinds: NDArray[np.integer], chances: NDArray[np.floating]) -> list[Mention]:
        """Mentions in order of their first word.

        Args:
            kinds: for each word and class the number of its tag in :attr:`kinds`, -1 for none,
                ``[words, classes]``.
            chances: the probabilities of these tags.
        """
        found: list[Mention] = []
        opening = np.array([kind in OPENING for kind in self.kinds])
        closing = np.array([kind in CLOSING for kind in self.kinds])
        for place in np.flatnonzero((kinds >= 0).any(axis=0)):
            rows = np.flatnonzero(kinds[:, place] >= 0)
            own, sure = kinds[rows, place], chances[rows, place]
            begins = opening[own]
            begins[0] = True
            begins[1:] |= (np.diff(rows) != 1) | closing[own[:-1]]
            cuts = np.flatnonzero(begins)
            sizes = np.diff(np.append(cuts, len(rows)))
            means = np.add.reduceat(sure, cuts) / sizes
            found += [
                Mention(int(place), int(rows[cut]), int(rows[cut]) + int(size), float(mean))
                for cut, size, mean in zip(cuts, sizes, means, strict=True)
            ]
        return sorted(found, key=lambda mention: (mention.start, -mention.end, mention.place))

    def entities(
        self, text: str, spans: NDArray[np.int64], mentions: Sequence[Mention]
    ) -> tuple[Entity, ...]:
        """Mentions as entities of a text, with their probabilities."""
        found = []
        for mention in mentions:
            start, end = int(spans[mention.start, 0]), int(spans[mention.end - 1, 1])
            name, certainty = self.classes[mention.place]
            found.append(Entity(name, ((start, end),), text[start:end], certainty, mention.prob))
        return tuple(found)

    def kinds_of(self, tags: NDArray[np.integer]) -> NDArray[np.int8]:
        """What :meth:`encode` gives as what :meth:`decode` takes."""
        width = len(self.kinds)
        if self.multilabel:
            cells = tags.reshape(len(tags), len(self.classes), width)
            return np.where(cells.any(axis=2), cells.argmax(axis=2), -1).astype(np.int8)
        kinds = np.full((len(tags), len(self.classes)), -1, dtype=np.int8)
        rows = np.flatnonzero(tags)
        place, kind = np.divmod(tags[rows].astype(np.int64) - 1, width)
        kinds[rows, place] = kind
        return kinds

    def learnable(self, text: str, spans: NDArray[np.int64], entities: Sequence[Entity]) -> int:
        """How many entities come back from their own tags, exactly as they are."""
        kinds = self.kinds_of(self.encode(spans, entities))
        mentions = self.decode(kinds, np.ones(kinds.shape))
        again = {key_of(entity) for entity in self.entities(text, spans, mentions)}
        return len(again & {key_of(entity) for entity in entities})

    def _kinds(self, size: int) -> str:
        """The tags of a mention of so many words."""
        if self.scheme == "IO":
            return "I" * size
        if self.scheme == "BIO":
            return "B" + "I" * (size - 1) if size else ""
        return "S" if size == 1 else "B" + "I" * (size - 2) + "E" if size else ""


def _length(entity: Entity) -> tuple[int, int, str]:
    """Longest first; of equal ones the earlier, then by type."""
    return sum(end - start for start, end in entity.spans), -entity.start, entity.type


def _words(spans: NDArray[np.int64], start: int, end: int) -> tuple[int, int]:
    """First and end of the words that ``[start, end)`` touches."""
    first = int(np.searchsorted(spans[:, 1], start, side="right"))
    return first, max(first, int(np.searchsorted(spans[:, 0], end, side="left")))
