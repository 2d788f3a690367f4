"""The form of any label set; where answers are choices, one item per label, said as an option."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.records import Prediction
from labelwright.tasks import extension, kind_of
from review.kinds.base import Form, Item, Option


class ChoicesForm(Form):
    """All labels of the set, in its order; what nobody says is the silent option."""

    mode: ClassVar[str] = "choices"

    def __init__(self, label_set: LabelSet) -> None:
        super().__init__(label_set)
        choices = self.kind.choices(label_set)
        assert choices is not None, "form_of asked"  # noqa: S101
        self._slots = {slot.label: slot for slot in choices.slots}

    def options(self, name: str) -> tuple[Option, ...]:
        """Those of the label's slot."""
        return tuple(Option(str(option), str(option)) for option in self._slots[name].options)

    def items(self, value: Any) -> list[Item]:
        """One per label."""
        picks = self.kind.picks(self.label_set, value)
        return [Item(name, said=self._said(name, picks.get(name))) for name in self._slots]

    def value(self, items: Sequence[Item], text: str) -> Any:
        """What the items pick; the silent option where there is none."""
        del text
        picks = {item.name: item.said for item in items}
        whole = {name: self._said(name, picks.get(name)) for name in self._slots}
        return self.kind.picked(self.label_set, whole)

    def proposals(self, prediction: Prediction) -> list[Item]:
        """One per label; those that the labeler left open are the silent option, with a doubt."""
        value = prediction.value
        picks = {} if value is None else self.kind.picks(self.label_set, value)
        probs, evidence = prediction.probs or {}, prediction.evidence or {}
        second = (prediction.second or {}).get(self.kind.row_key) or {}
        found = []
        for name in self._slots:
            said = self._said(name, picks.get(name))
            other = second.get(name)
            chance = probs.get(name, {}).get(str(said))
            found.append(
                Item(
                    name,
                    said=said,
                    prob=None if chance is None else round(float(chance), 4),
                    evidence=tuple((int(a), int(b)) for a, b in evidence.get(name, ())),
                    doubt="" if other is None or str(other) == said else str(other),
                )
            )
        return found

    def blank(self) -> list[Item]:
        """All labels, silent."""
        return [Item(name, said=self._said(name, None)) for name in self._slots]

    def troubles(self, items: Sequence[Item]) -> list[str]:
        """Labels whose option does not go with the others."""
        broken = self.kind.broken(self.label_set, self.value(items, ""))
        return [f"{name} does not go with the other labels" for name in broken]

    def statements(self, items: Sequence[Item]) -> list[Item]:
        """Those that are not silent; where they stand is no part of what they say."""
        return [
            replace(item, spans=())
            for item in items
            if item.name in self._slots and item.said != self._said(item.name, None)
        ]

    def _said(self, name: str, pick: Any) -> str:
        slot = self._slots[name]
        return slot.silent or next(iter(slot.options)) if pick is None else str(pick)


def form_of(label_set: LabelSet) -> Form:
    """The form of a label set's kind.

    Raises:
        ConfigError: labels of this kind cannot be reviewed.
    """
    kind = kind_of(label_set)
    if (module := extension(kind, "review.kinds")) is not None:
        made: Form = module.FORM(label_set)
        return made
    if kind.choices(label_set) is None:
        raise ConfigError(
            f"label sets of the task {kind.name} cannot be reviewed",
            remedy="give one whose answers are choices, or of another task",
        )
    return ChoicesForm(label_set)
