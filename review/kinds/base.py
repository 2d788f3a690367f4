"""What the review app asks of a task kind: its values as items that people keep, change or delete.

A kind's form is the attribute ``FORM`` of ``review/kinds/<kind>.py``; kinds whose answers are
choices need none (:mod:`review.kinds.forms`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from labelwright.label_set import LabelSet
from labelwright.records import Prediction, Span
from labelwright.tasks import TaskKind, kind_of

NO_ITEM = 0.5
"""How unsure a note is in which a labeler found nothing, so that missed things are seen too."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing said of a note.

    Attributes:
        name: the label's.
        said: the certainty, option or status, where the kind has one.
        spans: the parts of a mention, or what carries the label; in order, apart.
        value: what else the kind says, as JSON.
        prob: the labeler's probability.
        evidence: places that explain it but are no part of it.
        doubt: what a second reader said instead.
        by: the people who said it, where it comes from annotators.
    """

    name: str
    said: str | None = None
    spans: tuple[Span, ...] = ()
    value: Any = None
    prob: float | None = None
    evidence: tuple[Span, ...] = ()
    doubt: str = ""
    by: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for items that say the same."""
        return (self.name, self.said, self.spans, repr(self.value))

    def to_json(self) -> dict[str, Any]:
        """The item as it is kept."""
        row: dict[str, Any] = {"name": self.name}
        for name in ("said", "value", "doubt", "by", "prob"):
            if (given := getattr(self, name)) not in (None, "", ()):
                row[name] = list(given) if name == "by" else given
        for name in ("spans", "evidence"):
            if given := getattr(self, name):
                row[name] = [list(span) for span in given]
        return row

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Item:
        """The inverse of :meth:`to_json`."""
        return cls(
            name=row["name"],
            said=row.get("said"),
            spans=_spans(row.get("spans", ())),
            value=row.get("value"),
            prob=row.get("prob"),
            evidence=_spans(row.get("evidence", ())),
            doubt=row.get("doubt", ""),
            by=tuple(row.get("by", ())),
        )


def _spans(given: Sequence[Sequence[int]]) -> tuple[Span, ...]:
    return tuple((int(start), int(end)) for start, end in given)


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that can be said: its name in files, its word on the page."""

    name: str
    word: str


class Form(ABC):
    """The values of a label set's kind, as items."""

    mode: ClassVar[str]
    """``marks``: items are places in the text; ``choices``: one item per label, with an option;
    ``values``: one or more items per label, with a value."""

    def __init__(self, label_set: LabelSet) -> None:
        self.label_set = label_set
        self.kind: TaskKind[Any] = kind_of(label_set)

    @abstractmethod
    def options(self, name: str) -> tuple[Option, ...]:
        """What can be said of a label; none where nothing is."""

    @abstractmethod
    def items(self, value: Any) -> list[Item]:
        """A value as items."""

    @abstractmethod
    def value(self, items: Sequence[Item], text: str) -> Any:
        """The inverse: what a person made of the items, as a value of the kind.

        Raises:
            ValueError: they are no value.
        """

    @abstractmethod
    def proposals(self, prediction: Prediction) -> list[Item]:
        """What a labeler said, with its probabilities and evidence."""

    def settled(self, item: Item, text: str, what: frozenset[str]) -> Item:
        """An item whose parts agree, after a person changed ``what`` of it: said, value, spans.

        Raises:
            ValueError: nothing follows from it, for the user.
        """
        del text, what
        return item

    def takes_many(self, name: str) -> bool:
        """Whether a label can be said several times of one note."""
        del name
        return True

    def unit(self, name: str) -> str:
        """What a label's values are measured in, where they are; not what a note writes."""
        del name
        return ""

    def blank(self) -> list[Item]:
        """The items of a note that nobody said anything of."""
        return []

    def statements(self, items: Sequence[Item]) -> list[Item]:
        """The items that say something, for counting agreement."""
        return list(items)

    def troubles(self, items: Sequence[Item]) -> list[str]:
        """What does not go together; a note with any is not done."""
        del items
        return []

    def fits(self, prediction: Prediction, text: str) -> str:
        """Why a prediction is of another text than this one; empty where it need not be."""
        del prediction, text
        return ""

    def check(self, item: Item, length: int) -> None:
        """Refuse an item that the label set does not know, or that leaves the text.

        Args:
            length: of the text in characters.

        Raises:
            ValueError: what is wrong, for the user.
        """
        if item.name not in self.label_set.by_name:
            raise ValueError("no such label")
        options = [option.name for option in self.options(item.name)]
        if options and item.said not in options:
            raise ValueError("this label cannot be said so")
        if not options and item.said is not None:
            raise ValueError("this label takes no certainty")
        last = 0
        for start, end in item.spans:
            if not last <= start < end <= length:
                raise ValueError("a place lies outside the text or overlaps the one before")
            last = end

    def faulty(self, items: Sequence[Item], length: int) -> str:
        """What is wrong with the first of the items that is, for a reject; else nothing."""
        for item in items:
            try:
                self.check(item, length)
            except ValueError as error:
                return f"{item.name[:60]}: {error}"
            if any(not 0 <= start < end <= length for start, end in item.evidence):
                return f"{item.name[:60]}: evidence lies outside the text"
        return ""

    def unsure(self, prediction: Prediction, items: Sequence[Item]) -> tuple[float, str]:
        """How unsure the labeler is of a note, from 0 to 2, and why.

        A note in which two readers differ comes before all others, then by ``1 - p`` of the
        item that is least sure.
        """
        second = prediction.second or {}
        differ = [name for name in second.get("disagree", ()) if name in self.label_set.by_name]
        known = [item for item in items if item.prob is not None]
        least = min(known, key=lambda item: item.prob or 0.0, default=None)
        base = NO_ITEM if least is None else 1.0 - (least.prob or 0.0)
        if differ:
            return 1.0 + base, f"two readers differ: {', '.join(differ[:3])}"
        if least is None:
            what = "no probabilities" if items else "nothing found"
            return base, what
        return base, f"least sure: {least.name} {least.prob:.2f}"
