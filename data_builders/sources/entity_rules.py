"""How the types and entities of the input become those of a label set, and what cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Entity, Span, in_order

OVERLAPS = ("reject", "longest")
"""What to do with a note whose entities overlap where the label set has no nesting."""


class UnusableError(Exception):
    """Why a note cannot become a record."""


@dataclass(frozen=True)
class EntityRules:
    """How the types and entities of the input become those of the label set.

    Attributes:
        only: types of the label set that are kept, all others are left out; empty keeps all and
            makes an unknown type an error.
        renames: type of the input -> type of the label set.
        overlaps: one of :data:`OVERLAPS`.
        unmarked: the certainty of an entity that has none, where the label set asks for one.
    """

    only: tuple[str, ...] = ()
    renames: Mapping[str, str] = field(default_factory=dict)
    overlaps: str = "reject"
    unmarked: Certainty | None = None

    def check(self, label_set: LabelSet) -> None:
        """Check the rules against the label set.

        Raises:
            ConfigError: a type or certainty is none of the label set's.
        """
        for flag, names in (("only-types", self.only), ("rename-type", self.renames.values())):
            if missing := [name for name in names if name not in label_set.by_name]:
                raise ConfigError(
                    f"--{flag}: label set {label_set.name} has no type {missing[0]!r}",
                    remedy=f"its types are: {', '.join(label_set.names)}",
                )
        if self.unmarked is not None and self.unmarked not in label_set.words:
            known = ", ".join(label_set.words) or "none at all"
            raise ConfigError(
                f"--unmarked {self.unmarked}: label set {label_set.name} has no such certainty",
                remedy=f"its certainties are: {known}",
            )

    def facts(self) -> dict[str, Any]:
        """The rules for the manifest."""
        return {
            "only_types": list(self.only),
            "renamed_types": dict(self.renames),
            "overlaps": self.overlaps,
            "unmarked": None if self.unmarked is None else self.unmarked.value,
        }


class Types:
    """The types of a label set as an input may write them: name, key or synonym, in any case."""

    def __init__(self, label_set: LabelSet, renames: Mapping[str, str]) -> None:
        forms = {
            _plain(form): label.name
            for label in label_set.labels
            for form in (*label.synonyms, label.key, label.name)
        }
        self._forms = forms
        self._exact = {name: name for name in label_set.names} | dict(renames)

    def find(self, given: str) -> str | None:
        """The type's name, or ``None`` if the label set has no such type."""
        return self._exact.get(given) or self._forms.get(_plain(given))


def _plain(name: str) -> str:
    """A type's name for comparing: without case, ``_`` and ``-`` as spaces."""
    return " ".join(name.replace("_", " ").replace("-", " ").casefold().split())


def checked_spans(text: str, entity: Entity) -> tuple[Span, ...]:
    """The spans of an entity.

    Raises:
        UnusableError: it does not stand in the text as it says.
    """
    if not entity.spans:
        raise UnusableError("an entity has no place in the text")
    last = 0
    for start, end in entity.spans:
        if not 0 <= start < end <= len(text):
            raise UnusableError("an entity's offsets are outside the text")
        if start < last:
            raise UnusableError("the parts of an entity are out of order or overlap")
        last = end
    covered = " ".join(text[start:end] for start, end in entity.spans)
    if entity.text.split() != covered.split():
        raise UnusableError("an entity's text is not what stands at its offsets")
    return entity.spans


def different(entities: Iterable[Entity], left_out: Counter[str]) -> list[Entity]:
    """The entities, each once, in order; repeats are counted.

    Raises:
        UnusableError: one is given with two certainties.
    """
    kept: dict[tuple[str, tuple[Span, ...]], Entity] = {}
    for entity in entities:
        first = kept.setdefault((entity.type, entity.spans), entity)
        if first is not entity:
            if first.certainty != entity.certainty:
                raise UnusableError("one mention has two certainties")
            left_out["given twice"] += 1
    return in_order(kept.values())


def apart(
    entities: Sequence[Entity], names: Sequence[str], overlaps: str, left_out: Counter[str]
) -> list[Entity]:
    """The entities, none overlapping another; the longest win where that is the rule.

    Raises:
        UnusableError: some overlap and the rule is to reject such notes.
    """
    spans = sorted(span for entity in entities for span in entity.spans)
    if not any(one[1] > other[0] for one, other in pairwise(spans)):
        return list(entities)
    if overlaps == "reject":
        raise UnusableError("entities overlap, and the label set has no nesting")
    order = {name: place for place, name in enumerate(names)}
    ranked = sorted(
        entities,
        key=lambda e: (-sum(end - start for start, end in e.spans), e.start, order[e.type]),
    )
    kept: list[Entity] = []
    taken = bytearray(max(entity.end for entity in entities))
    for entity in ranked:
        if any(any(taken[start:end]) for start, end in entity.spans):
            left_out["overlaps a longer entity"] += 1
            continue
        kept.append(entity)
        for start, end in entity.spans:
            taken[start:end] = b"\1" * (end - start)
    return in_order(kept)
