"""Entities: every item is a mention, with its place in the text."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, ClassVar

from labelwright.records import Certainty, Entity, Prediction, in_order
from review.kinds.base import Form, Item, Option


class EntitiesForm(Form):
    """Mentions; they may be in several parts, and overlap where the label set allows it."""

    mode: ClassVar[str] = "marks"

    def options(self, name: str) -> tuple[Option, ...]:
        """The certainties, where the label set asks for them."""
        label = self.label_set.by_name[name]
        words = self.label_set.words
        return tuple(Option(c.value, words[c]) for c in label.certainties if c in words)

    def items(self, value: Any) -> list[Item]:
        """One per mention that stands in the text."""
        return [_item(entity) for entity in value if entity.spans]

    def value(self, items: Sequence[Item], text: str) -> tuple[Entity, ...]:
        """The mentions in order of the text."""
        made = [
            Entity.of(
                text,
                item.name,
                *item.spans,
                certainty=None if item.said is None else Certainty(item.said),
            )
            for item in items
        ]
        return tuple(in_order(made))

    def proposals(self, prediction: Prediction) -> list[Item]:
        """The mentions; those that the text does not hold have no place to be shown at."""
        return self.items(in_order(prediction.value or ()))

    def troubles(self, items: Sequence[Item]) -> list[str]:
        """Mentions that overlap although the label set has no nesting, and doubles."""
        seen: set[tuple[Any, ...]] = set()
        found = []
        for item in items:
            if (key := (item.name, item.spans)) in seen:
                found.append(f"{item.name} is marked twice at the same place")
            seen.add(key)
        if not self.label_set.nesting:
            spans = sorted((start, end, item.name) for item in items for start, end in item.spans)
            for one, next_one in itertools.pairwise(spans):
                if next_one[0] < one[1] and (one[2], one[:2]) != (next_one[2], next_one[:2]):
                    found.append(
                        f"{one[2]} and {next_one[2]} overlap, and this label set has no nesting"
                    )
        return found

    def fits(self, prediction: Prediction, text: str) -> str:
        """Whether every mention stands where it is said to."""
        for entity in prediction.value or ():
            if entity.spans and Entity.of(text, entity.type, *entity.spans).text != entity.text:
                return "a mention stands elsewhere in the note; was another text labeled?"
        return ""

    def check(self, item: Item, length: int) -> None:
        """A mention has a place."""
        super().check(item, length)
        if not item.spans:
            raise ValueError("mark some words first")


def _item(entity: Entity) -> Item:
    said = None if entity.certainty is None else entity.certainty.value
    prob = None if entity.prob is None else round(entity.prob, 4)
    return Item(entity.type, said=said, spans=entity.spans, prob=prob)


FORM = EntitiesForm
