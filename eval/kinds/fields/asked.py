"""What a comparison must know of a field: how its values compare, and what counts as an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from eval.kinds.fields.equality import Sameness, folded
from labelwright.label_set import LabelSet
from labelwright.tasks.fields.schema import Field, FieldType, fields_of
from labelwright.tasks.fields.values import FieldValue, Item, Status

Bound = float | str | None
NOTHING: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """One field of a label set as a comparison sees it.

    Attributes:
        sameness: when two of its values are the same.
        many: whether it may have several values.
        closed: whether *not mentioned* means *no*; what is scored is *yes*.
        categories: the values that it can take; empty but for categories.
        unit: of its numbers; ``factors``: of the other units that texts may use.
        range: least and most that is plausible; ``None`` for open.
        epsilon: of the relative error, in the field's unit.
        evident: whether a value without a place in the text is a fault.
    """

    name: str
    key: str
    type: str
    sameness: Sameness
    many: bool = False
    closed: bool = False
    categories: tuple[str, ...] = ()
    unit: str = ""
    factors: tuple[float, ...] = ()
    range: tuple[Bound, Bound] = (None, None)
    epsilon: float = 0.0
    evident: bool = True

    @classmethod
    def of(cls, field: Field) -> Asked:
        """What the label set says of a field.

        A value needs a place where it is copied, and a category where evidence is required; the
        word of a boolean is the label set's and stands nowhere.
        """
        required = field.evidence == "required" and field.type is FieldType.CATEGORICAL
        evident = required or (field.copied and field.evidence != "none")
        return cls(
            name=field.name,
            key=field.key,
            type=field.type.value,
            sameness=Sameness(field.type.value, field.tolerance, field.relative, field.precision),
            many=field.many,
            closed=field.closed_world,
            categories=tuple(category.value for category in field.values),
            unit=field.unit,
            factors=tuple(unit.factor for unit in field.units),
            range=field.range,
            epsilon=field.tolerance if field.epsilon is None else field.epsilon,
            evident=evident and field.derived is None,
        )

    def stated(self, value: FieldValue) -> tuple[Item, ...]:
        """What is stated of it; of a closed-world field *yes* alone is."""
        if value.status is Status.NOT_MENTIONED:
            return NOTHING
        if self.closed and all(item.value is False for item in value.items):
            return NOTHING
        return value.items

    def type_error(self, item: Item) -> bool:
        """Whether an item is no value of the type, is no category, or is out of range."""
        value = item.value
        if value is None:
            return True
        if self.type == "boolean":
            return not isinstance(value, bool)
        if self.type == "number":
            return isinstance(value, (bool, str)) or not self._plausible(value)
        if not isinstance(value, str):
            return True
        if self.type == "date":
            return not self._plausible(value)
        return self.type == "categorical" and value not in self.categories

    def _plausible(self, value: float | str) -> bool:
        low, high = self.range
        if isinstance(value, str):
            # ISO dates of the same precision are in the order of their text.
            within = not isinstance(low, str) or value >= low[: len(value)]
            return within and (not isinstance(high, str) or value[: len(high)] <= high)
        within = not isinstance(low, float) or value >= low
        return within and (not isinstance(high, float) or value <= high)

    def unsupported(self, item: Item, text: str | None) -> bool:
        """Whether an item should have a place and the text does not hold its words.

        A date or number that is given without its words cannot be looked for, and passes.
        """
        if not self.evident or item.spans or (not item.raw and self.type in ("number", "date")):
            return False
        words = folded(item.raw or ("" if item.value is None else str(item.value)))
        return text is None or not words or words not in _folded_document(text)


@lru_cache(maxsize=4)
def _folded_document(text: str) -> str:
    return folded(text)


def asked_of(label_set: LabelSet) -> tuple[Asked, ...]:
    """The fields of a label set, in its order."""
    return tuple(map(Asked.of, fields_of(label_set).fields))


def names_of(asked: Sequence[Asked]) -> tuple[str, ...]:
    """The fields' names."""
    return tuple(field.name for field in asked)
