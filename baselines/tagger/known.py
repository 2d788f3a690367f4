"""A tagger that looks its training mentions up: who decides where both see something else.

A tagger's mention stays if the tagger is sure of it, or if the dictionary of the training mentions
has it too; what the dictionary alone has is added where nothing else stands. How sure is sure
enough, and how often a string must have been marked, is tuned for strict micro F1 on validation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from baselines.dictionary import CANDIDATES, Dictionary
from baselines.tagger.tags import key_of, strict_f1
from labelwright.records import Entity

SURE = (0.0, *(n / 20 for n in range(10, 20)), 0.975, 0.99)
"""Probabilities of a tagger's mention that are tried."""
NEVER = 2.0
"""A share that no string has: the tagger alone."""


@dataclass(frozen=True, eq=False)
class Known:
    """The mentions of the training notes beside a tagger.

    Attributes:
        sure: probability from which on a mention of the tagger stays by itself.
        share: share of its occurrences in which a string must have been marked.
        overlaps: whether mentions of different types may share words.
    """

    dictionary: Dictionary
    sure: float
    share: float
    overlaps: bool

    @classmethod
    def alone(cls) -> Known:
        """Nothing to look up, and every mention stays."""
        return cls(Dictionary({}, {}), 0.0, NEVER, overlaps=False)

    @classmethod
    def tuned(
        cls,
        dictionary: Dictionary,
        texts: Sequence[str],
        said: Sequence[Sequence[Entity]],
        gold: Sequence[Sequence[Entity]],
        *,
        overlaps: bool,
    ) -> Known:
        """With the thresholds that are best on these texts; of equal ones those that change least.

        Args:
            said: the tagger's mentions.
        """
        right = [{key_of(entity) for entity in entities} for entities in gold]
        best, chosen = -1.0, cls(dictionary, 0.0, NEVER, overlaps)
        for share in (NEVER, *CANDIDATES):
            looked = [list(dictionary.find(text, least=share)) for text in texts]
            for sure in SURE:
                tried = replace(chosen, sure=sure, share=share)
                score = strict_f1(map(tried.join, said, looked), right)
                if score > best + 1e-12:
                    best, chosen = score, tried
        return chosen

    def from_probability(self, least: float) -> Known:
        """The same, where no mention is less probable than ``least``, whoever has it."""
        return replace(self, sure=least, share=max(self.share, least))

    def reread(self, text: str, said: Sequence[Entity]) -> tuple[Entity, ...]:
        """The mentions of a text, of those that the tagger found."""
        return self.join(said, list(self.dictionary.find(text, least=self.share)))

    def join(self, said: Sequence[Entity], looked: Sequence[Entity]) -> tuple[Entity, ...]:
        """The tagger's mentions and those that were looked up, in order; what both have is as
        probable as the more certain of them says."""
        there = {key_of(entity): entity.prob or 0.0 for entity in looked}
        kept = []
        for entity in said:
            share = there.get(key_of(entity), 0.0)
            if share or (entity.prob or 0.0) >= self.sure:
                kept.append(replace(entity, prob=max(entity.prob or 0.0, share)))
        kept += [
            entity for entity in looked if not any(self._collide(entity, other) for other in kept)
        ]
        return tuple(sorted(kept, key=lambda entity: (entity.start, entity.end)))

    def _collide(self, one: Entity, other: Entity) -> bool:
        if self.overlaps and (one.type, one.certainty) != (other.type, other.certainty):
            return False
        return one.start < other.end and other.start < one.end

    def to_json(self) -> dict[str, Any]:
        """What ``tags.json`` and manifests say of it."""
        return {
            "sure": self.sure,
            "share": self.share,
            "strings": len(self.dictionary.entries),
        }
