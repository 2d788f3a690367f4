"""Annotated notes on their way to records: types, offsets, overlaps and certainties checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from data_builders.prepare import Prepared, cut, rejected
from data_builders.sources.entities import EntitySource
from data_builders.sources.entity_rules import (
    EntityRules,
    Types,
    UnusableError,
    apart,
    checked_spans,
    different,
)
from labelwright.errors import InputError
from labelwright.io.delimited import shown
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Entity, Reject, Report
from labelwright.text.normalise import Normaliser


class EntityNotes:
    """Prepares annotated notes and counts what became of every entity.

    Attributes:
        read: entities of all notes that could be read.
        rejected: those in notes that were rejected here.
        left_out: those left out of notes that stay, by reason.
        unknown: types that the label set lacks, with their number of entities.
        widened: entities that covered a part of what normalising replaced, and now cover it all.
        unasked: certainties of entities that the label set does not ask for.
        trimmed: entities that had white space at their edges in the input.
    """

    def __init__(
        self,
        label_set: LabelSet,
        source: EntitySource,
        rules: EntityRules | None = None,
        *,
        normaliser: Normaliser | None = None,
    ) -> None:
        self.source = source
        self.rules = EntityRules() if rules is None else rules
        self.rules.check(label_set)
        self.normaliser = normaliser
        self.read = 0
        self.rejected = 0
        self.left_out: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self.widened = 0
        self.unasked = 0
        self.trimmed = 0
        self._label_set = label_set
        self._types = Types(label_set, self.rules.renames)

    def prepare(self, found: Iterable[Report | Reject]) -> Iterator[Prepared | Reject]:
        """Yield every note with its entities, or the reject it became, in order.

        The presence of a type stands as its label: positive or blank.

        Raises:
            InputError: at the end, if there were types that the label set lacks.
        """
        for each in found:
            item = cut(each, "full")
            yield item if isinstance(item, Reject) else self._prepared(item)
        self.refuse_unknown()

    def refuse_unknown(self) -> None:
        """Raise if types were met that the label set lacks.

        Raises:
            InputError: there were some; the message lists them.
        """
        if not self.unknown:
            return
        names = sorted(self.unknown, key=lambda name: (-self.unknown[name], name))
        raise InputError(
            f"{self.unknown.total()} entities have types that label set "
            f"{self._label_set.name} lacks: {shown(names)}",
            remedy="map a type with --rename-type OLD=NEW, or name those to keep with "
            f"--only-types A,B; its types are: {', '.join(self._label_set.names)}",
        )

    def describe(self) -> dict[str, Any]:
        """Source and rules, for the manifest."""
        table = self.normaliser
        return {
            **self.source.describe(),
            **self.rules.facts(),
            "normalised_by": None if table is None else table.facts(),
        }

    def counts(self) -> dict[str, Any]:
        """What became of the entities so far."""
        counted: dict[str, Any] = {
            "in": self.read,
            "rejected": self.rejected,
            "left_out": dict(sorted(self.left_out.items())),
        }
        if self.unasked:
            counted["certainties_not_asked_for"] = self.unasked
        if self.trimmed:
            counted["white_space_trimmed"] = self.trimmed
        if self.normaliser is not None:
            counted["widened_by_normalising"] = self.widened
        return counted

    def _prepared(self, report: Report) -> Prepared | Reject:
        marked = self.source.entities(report)
        self.read += marked.given
        left_out = Counter(marked.left_out)
        try:
            if marked.reason is not None:
                raise UnusableError(marked.reason)
            entities = self._typed(report.text, marked.entities, left_out)
            text, entities, widened = self._normalised(report.text, entities, left_out)
            entities = different(entities, left_out)
            if not self._label_set.nesting:
                names, how = self._label_set.names, self.rules.overlaps
                entities = apart(entities, names, how, left_out)
        except UnusableError as reason:
            self.rejected += marked.given
            return rejected(report, str(reason))
        self.trimmed += report.trimmed
        self.left_out += left_out
        self.widened += widened
        present = {entity.type for entity in entities}
        labels = tuple(
            Certainty.POSITIVE if name in present else Certainty.BLANK
            for name in self._label_set.names
        )
        used = report if text == report.text else replace(report, text=text, sections=())
        return Prepared(used, labels, None, 0, tuple(entities))

    def _typed(self, text: str, given: Sequence[Entity], left_out: Counter[str]) -> list[Entity]:
        """The entities with types and certainties of the label set."""
        found: list[Entity] = []
        unknown: Counter[str] = Counter()
        for entity in given:
            kind = self._types.find(entity.type)
            if self.rules.only and kind not in self.rules.only:
                left_out["type not asked for"] += 1
            elif kind is None:
                unknown[entity.type] += 1
            else:
                spans, certainty = checked_spans(text, entity), self._certainty(entity)
                found.append(Entity.of(text, kind, *spans, certainty=certainty))
        if unknown:
            self.unknown += unknown
            raise UnusableError("an entity has a type that the label set lacks")
        return found

    def _certainty(self, entity: Entity) -> Certainty | None:
        words = self._label_set.words
        if not words:
            self.unasked += entity.certainty is not None
            return None
        found = self.rules.unmarked if entity.certainty is None else entity.certainty
        if found is None:
            raise UnusableError(f"an entity has no certainty; {entity.type}; see --unmarked")
        if found not in words:
            raise UnusableError(f"an entity has a certainty that the label set lacks; {found}")
        return found

    def _normalised(
        self, text: str, entities: Sequence[Entity], left_out: Counter[str]
    ) -> tuple[str, list[Entity], int]:
        """Text and entities as the table has them, and how many of these were widened."""
        if self.normaliser is None:
            return text, list(entities), 0
        normalised = self.normaliser.apply(text)
        if not normalised.text.strip():
            raise UnusableError("normalising leaves no text")
        found: list[Entity] = []
        widened = 0
        for entity in entities:
            moved = normalised.entity_to_normalised(entity)
            if moved is None:
                left_out["normalising leaves nothing of it"] += 1
                continue
            widened += normalised.widens(entity)
            found.append(moved)
        return normalised.text, found, widened
