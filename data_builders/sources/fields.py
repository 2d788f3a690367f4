"""Known values of fields on their way to records: each led back to the words that say it.

Answers copy dates, numbers and text, so a value needs a place. Where the gold file gives none, the
value is looked for: a date or number among those of the text that mean the same, text as it is
written. A value that the text does not hold stays known and is scored, but no answer is taught to
say it where its field asks for evidence; the manifest counts these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from data_builders.sources.base import GoldFile
from labelwright.label_set import LabelSet
from labelwright.records import Report
from labelwright.tasks.base import Known
from labelwright.tasks.fields.answer import place
from labelwright.tasks.fields.normalise import candidates, read_value
from labelwright.tasks.fields.places import Places
from labelwright.tasks.fields.schema import Field, FieldType, fields_of
from labelwright.tasks.fields.values import Fields, FieldValue, Item


class FieldValues(GoldFile):
    """Values by the document's id, placed in its text.

    Attributes:
        counted: values by what became of them: given with their place, found, not in the text.
        gaps: fields of documents of which the file says nothing.
    """

    def __init__(self, path: Path, label_set: LabelSet) -> None:
        super().__init__(path, label_set)
        self._own = fields_of(label_set)
        self.counted: Counter[str] = Counter()
        self.absent: Counter[str] = Counter()
        self.gaps = 0

    def known(self, reports: Sequence[Report], label_set: LabelSet) -> list[Known[Any] | str]:
        """The values of every document, or why there are none."""
        found = super().known(reports, label_set)
        return [
            one if isinstance(one, str) else self._placed(report.text, one.value)
            for report, one in zip(reports, found, strict=True)
        ]

    def counts(self) -> dict[str, Any]:
        """What became of the values."""
        return {
            "values": dict(sorted(self.counted.items())),
            "not_in_the_text": dict(sorted(self.absent.items())),
            "not_known": self.gaps,
        }

    def _placed(self, text: str, value: Fields) -> Known[Any] | str:
        places = Places(text)
        found: dict[str, FieldValue] = {}
        for name, one in value.items():
            field = self._own.by_name[name]
            items = tuple(self._item(text, places, field, item) for item in one.items)
            if any(item is None for item in items):
                return f"the place of {name} is outside the text, or holds other words"
            kept = _apart(field, places, [item for item in items if item is not None])
            found[name] = replace(one, items=tuple(kept))
        self.gaps += sum(field.name not in value for field in self._own.asked)
        return Known(found)

    def _item(self, text: str, places: Places, field: Field, item: Item) -> Item | None:
        """The item with its place; ``None`` where the one that is given is wrong."""
        if field.derived is not None:
            return item
        if item.spans:
            if item.spans[-1][1] > len(text):
                return None
            self.counted["place given"] += 1
            return self._whole(text, field, item)
        if field.type in (FieldType.NUMBER, FieldType.DATE) and item.value is not None:
            spans = self._meaning(text, field, item)
        else:
            spans = place(places, self._own, field, item.raw, item.value)
        if spans:
            self.counted["found in the text"] += 1
            if not field.copied:
                return replace(item, spans=spans)
            raw = text[spans[0][0] : spans[-1][1]]
            unit = read_value(self._own, field, raw).unit or item.unit
            return replace(item, raw=raw, unit=unit, spans=spans)
        if field.copied:
            self.absent[field.name] += 1
        self.counted["no place" if not field.copied else "not in the text"] += 1
        return item

    def _meaning(self, text: str, field: Field, item: Item) -> tuple[tuple[int, int], ...]:
        """The first date or number of the text that means the item's value."""
        found = candidates(field, text)
        for signed in (True, False):  # a gold without its sign is looked for all the same
            for start, end in found:
                if self._means(field, text[start:end], item, signed=signed):
                    return ((start, end),)
        return ()

    def _means(self, field: Field, raw: str, item: Item, *, signed: bool) -> bool:
        """Whether words mean an item's value, as near as the label set asks."""
        read = read_value(self._own, field, raw)
        value = read.value
        if signed and read.comparator != item.comparator:
            return False
        if isinstance(value, float) and isinstance(item.value, float):
            return field.near(item.value, value)
        return value == item.value

    def _whole(self, text: str, field: Field, item: Item) -> Item:
        """A number with its unit, a date whole, where people marked a part of it."""
        if not field.copied:
            return item
        start, end = item.spans[0][0], item.spans[-1][1]
        raw = " ".join(text[a:b] for a, b in item.spans)
        for a, b in candidates(field, text):
            if (
                a < end
                and start < b
                and read_value(self._own, field, text[a:b]).value == item.value
            ):
                return replace(item, raw=text[a:b], spans=((a, b),))
        return replace(item, raw=raw)


def _apart(field: Field, places: Places, items: list[Item]) -> list[Item]:
    """Equal words at places of their own."""
    if not field.many or not field.copied:
        return items
    kept: list[Item] = []
    for item in items:
        taken = {one.spans for one in kept}
        if item.spans and item.spans in taken:
            free = [spans for spans in places.find(field, item.raw) if spans not in taken]
            item = replace(item, spans=free[0] if free else ())
        kept.append(item)
    return sorted(kept, key=lambda one: (not one.spans, one.spans))
