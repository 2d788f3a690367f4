"""Which words of a report say something of which observation: side, lobe, size, change of it.

The rules of the observations say which are positive or uncertain and in which words. A word belongs
to the mention that stands nearest in its sentence, where commas, semicolons and "and" count as
distance; words of absent observations and of what is not spoken of belong to nobody who is asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from baselines.rules.labeler import RulesLabeler
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction, Report, Span
from labelwright.text.sentences import sentence_spans

PARTING = 25
"""Characters that a comma, semicolon, colon or "and" between two words counts as."""
_PARTS = re.compile(r"[,;:]|\band\b|\bwith\b|\bbut\b", re.IGNORECASE)
ASKED = (Certainty.POSITIVE, Certainty.UNCERTAIN)
"""Attributes are asked of what is there, or may be."""


@dataclass(frozen=True, slots=True)
class Mentions:
    """Where a report speaks of which observation.

    Attributes:
        places: every mention with its observation, in order.
        asked: the observations that are positive or uncertain.
    """

    text: str
    sentences: Sequence[Span]
    places: Sequence[tuple[Span, str]]
    asked: frozenset[str]

    def distance(self, observation: str, span: Span) -> int | None:
        """How far a word stands from the mention that it belongs to.

        ``None`` where that is another observation's, or none of its sentence.
        """
        if observation not in self.asked:
            return None
        inside = next((s for s in self.sentences if s[0] <= span[0] < s[1]), None)
        if inside is None:
            return None
        near = [
            (self._between(span, place), name)
            for place, name in self.places
            if inside[0] <= place[0] < inside[1]
        ]
        least = min((distance for distance, _ in near), default=0)
        own = [distance for distance, name in near if name == observation]
        return least if own and min(own) == least else None

    def _between(self, one: Span, other: Span) -> int:
        first, second = sorted((one, other))
        gap = self.text[first[1] : second[0]]
        return len(gap) + PARTING * len(_PARTS.findall(gap))


class Observed:
    """Finds the observations that attributes belong to, by their own rules."""

    def __init__(self, label_set: LabelSet) -> None:
        self._rules = RulesLabeler.for_label_set(label_set)

    def mentions(self, report: Report) -> Mentions:
        """What the rules find in a report."""
        (said,) = self._rules.label_reports([report])
        places: list[tuple[Span, str]] = []
        asked: set[str] = set()
        if isinstance(said, Prediction):
            evidence: Mapping[str, Sequence[Sequence[int]]] = said.evidence or {}
            for name, spans in evidence.items():
                places += [((int(start), int(end)), name) for start, end in spans]
            asked = {name for name, found in said.labels.items() if found in ASKED}
        return Mentions(report.text, sentence_spans(report.text), sorted(places), frozenset(asked))
