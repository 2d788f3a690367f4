"""Annotated notes on their way to records: types, offsets, overlaps and certainties checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from data_builders.sources.base import Source
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
from labelwright.records import Certainty, Entity, Report
from labelwright.tasks.base import Known
from labelwright.tasks.entities.answer import parse
from labelwright.text.amounts import amount
from labelwright.text.normalise import Normaliser


class EntityNotes(Source):
    """Prepares annotated notes and counts what became of every entity.

    Attributes:
        read: entities of all notes that could be read.
        rejected: those in notes that were rejected here.
        reasons: why entities were left out of notes that stay, counted.
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
        self.reasons: Counter[str] = Counter()
        self._records = 0
        self._dropped = 0
        self._unsaid: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self.widened = 0
        self.unasked = 0
        self.trimmed = 0
        self._label_set = label_set
        self._types = Types(label_set, self.rules.renames)

    @property
    def name(self) -> str:  # type: ignore[override]
        """That of the entities' origin."""
        return self.source.name

    def known(self, reports: Sequence[Report], label_set: LabelSet) -> list[Known[Any] | str]:
        """The entities of every note, or why it has none that can be used."""
        del label_set
        return [self._known(report) for report in reports]

    def finish(self) -> None:
        """Refuse types that the label set lacks.

        Raises:
            InputError: there were some.
        """
        self.refuse_unknown()

    def kept(self, split: str, value: tuple[Entity, ...]) -> None:
        """Count the entities of one report."""
        del split
        self._records += len(value)

    def left_out(self, value: tuple[Entity, ...]) -> None:
        """Count the entities of a report that is left out."""
        self._dropped += len(value)

    def said(self, split: str, value: tuple[Entity, ...], answer: str, text: str) -> None:
        """Count the entities whose place reading the answer does not give back.

        Such as a mention whose words stand earlier in the text too, where only the later one is
        marked.
        """
        read = parse(self._label_set, answer, text, ended=True).value or ()
        said = Counter((e.type, e.spans, e.certainty) for e in read)
        told = Counter((e.type, e.spans, e.certainty) for e in value)
        self._unsaid[split] += (told - said).total()

    def refuse_unknown(self) -> None:
        """Raise if types were met that the label set lacks.

        Raises:
            InputError: there were some; the message lists them.
        """
        if not self.unknown:
            return
        names = sorted(self.unknown, key=lambda name: (-self.unknown[name], name))
        raise InputError(
            f"{amount(self.unknown.total(), 'entity', 'have')} types that label set "
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
        """What became of every entity: in = records + rejected + left out."""
        counted: dict[str, Any] = {
            "in": self.read,
            "rejected": self.rejected + self._dropped,
            "left_out": dict(sorted(self.reasons.items())),
        }
        if self.unasked:
            counted["certainties_not_asked_for"] = self.unasked
        if self.trimmed:
            counted["white_space_trimmed"] = self.trimmed
        if self.normaliser is not None:
            counted["widened_by_normalising"] = self.widened
        counted["records"] = self._records
        counted["place_not_said_by_answer"] = {s: n for s, n in self._unsaid.items() if n}
        return {"entities": counted}

    def _known(self, report: Report) -> Known[Any] | str:
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
            return str(reason)
        self.trimmed += report.trimmed
        self.reasons += left_out
        self.widened += widened
        return Known(tuple(entities), text=None if text == report.text else text)

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
