"""Annotated notes on their way to records: types, offsets, overlaps and certainties checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

from data_builders.prepare import Prepared, cut, rejected
from labelwright.delimited import shown
from labelwright.entities import in_order
from labelwright.errors import ConfigError, InputError
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Entity, Reject, Report, Span

OVERLAPS = ("reject", "longest")
"""What to do with a note whose entities overlap where the label set has no nesting."""


class EntitySource(Protocol):
    """Where the entities of a note come from; ``name`` stands in every record's meta."""

    name: str

    def entities(self, report: Report) -> tuple[Entity, ...] | str:
        """The entities, or the reason why the note has none (fit for ``rejects.jsonl``)."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """What the entities depend on, for the manifest."""
        ...


class Annotations:
    """The entities that the input itself marks."""

    name = "annotations"

    def entities(self, report: Report) -> tuple[Entity, ...] | str:
        """Those of the report; a note with none at all is a note without mentions."""
        if report.entities is None:
            return "no annotations: the input says nothing of entities"
        return report.entities

    def describe(self) -> Mapping[str, Any]:
        """Its kind only: the inputs stand beside it in the manifest."""
        return {"kind": self.name}


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


class _UnusableError(Exception):
    """Why a note cannot become a record."""


class EntityNotes:
    """Prepares annotated notes and counts what became of every entity.

    Attributes:
        read: entities of all notes that could be read.
        rejected: those in notes that were rejected here.
        left_out: those left out of notes that stay, by reason.
        unknown: types that the label set lacks, with their number of entities.
    """

    def __init__(
        self, label_set: LabelSet, source: EntitySource, rules: EntityRules | None = None
    ) -> None:
        self.source = source
        self.rules = EntityRules() if rules is None else rules
        self.rules.check(label_set)
        self.read = 0
        self.rejected = 0
        self.left_out: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self._label_set = label_set
        self._types = {name: name for name in label_set.names}
        self._forms = {
            _plain(form): label.name
            for label in label_set.labels
            for form in (*label.synonyms, label.key, label.name)
        }

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
        return {**self.source.describe(), **self.rules.facts()}

    def _prepared(self, report: Report) -> Prepared | Reject:
        given = self.source.entities(report)
        if isinstance(given, str):
            return rejected(report, given)
        self.read += len(given)
        left_out: Counter[str] = Counter()
        try:
            entities = self._checked(report.text, given, left_out)
        except _UnusableError as reason:
            self.rejected += len(given)
            return rejected(report, str(reason))
        self.left_out += left_out
        present = {entity.type for entity in entities}
        labels = tuple(
            Certainty.POSITIVE if name in present else Certainty.BLANK
            for name in self._label_set.names
        )
        return Prepared(report, labels, None, 0, entities)

    def _checked(
        self, text: str, given: Sequence[Entity], left_out: Counter[str]
    ) -> tuple[Entity, ...]:
        kept: dict[tuple[str, tuple[Span, ...]], Entity] = {}
        unknown: Counter[str] = Counter()
        for entity in given:
            kind = self._type(entity.type)
            if kind is None or (self.rules.only and kind not in self.rules.only):
                (left_out if self.rules.only else unknown)[
                    "type not asked for" if self.rules.only else entity.type
                ] += 1
                continue
            made = Entity.of(text, kind, *_spans(text, entity), certainty=self._certainty(entity))
            first = kept.setdefault((made.type, made.spans), made)
            if first is not made:
                if first.certainty != made.certainty:
                    raise _UnusableError("one mention has two certainties")
                left_out["given twice"] += 1
        if unknown:
            self.unknown += unknown
            raise _UnusableError("an entity has a type that the label set lacks")
        entities = in_order(kept.values())
        if self._label_set.nesting:
            return tuple(entities)
        return tuple(self._apart(entities, left_out))

    def _type(self, given: str) -> str | None:
        if given in self.rules.renames:
            return self.rules.renames[given]
        return self._types.get(given) or self._forms.get(_plain(given))

    def _certainty(self, entity: Entity) -> Certainty | None:
        words = self._label_set.words
        if not words:
            return None
        found = self.rules.unmarked if entity.certainty is None else entity.certainty
        if found is None:
            raise _UnusableError(f"an entity has no certainty; {entity.type}; see --unmarked")
        if found not in words:
            raise _UnusableError(f"an entity has a certainty that the label set lacks; {found}")
        return found

    def _apart(self, entities: list[Entity], left_out: Counter[str]) -> list[Entity]:
        """The entities, none overlapping another; :class:`_UnusableError` where they do."""
        if not overlapping(entities):
            return entities
        if self.rules.overlaps == "reject":
            raise _UnusableError("entities overlap, and the label set has no nesting")
        order = {name: place for place, name in enumerate(self._label_set.names)}
        ranked = sorted(
            entities,
            key=lambda e: (-sum(end - start for start, end in e.spans), e.start, order[e.type]),
        )
        kept: list[Entity] = []
        taken: list[bool] = [False] * max(entity.end for entity in entities)
        for entity in ranked:
            if any(any(taken[start:end]) for start, end in entity.spans):
                left_out["overlaps a longer entity"] += 1
                continue
            kept.append(entity)
            for start, end in entity.spans:
                taken[start:end] = [True] * (end - start)
        return in_order(kept)


def overlapping(entities: Iterable[Entity]) -> bool:
    """Whether two of the entities share a character."""
    spans = sorted(span for entity in entities for span in entity.spans)
    return any(one[1] > other[0] for one, other in pairwise(spans))


def _plain(name: str) -> str:
    """A type's name for comparing: without case, ``_`` and ``-`` as spaces."""
    return " ".join(name.replace("_", " ").replace("-", " ").casefold().split())


def _spans(text: str, entity: Entity) -> tuple[Span, ...]:
    """The spans of an entity that stands in the text as it says; else :class:`_UnusableError`."""
    if not entity.spans:
        raise _UnusableError("an entity has no place in the text")
    last = 0
    for start, end in entity.spans:
        if not 0 <= start < end <= len(text):
            raise _UnusableError("an entity's offsets are outside the text")
        if start < last:
            raise _UnusableError("the parts of an entity are out of order or overlap")
        last = end
    covered = " ".join(text[start:end] for start, end in entity.spans)
    if entity.text.split() != covered.split():
        raise _UnusableError("an entity's text is not what stands at its offsets")
    return entity.spans
