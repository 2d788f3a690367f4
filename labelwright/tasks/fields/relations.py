"""What lies between fields: conditions, order of dates, exclusions; and computed fields.

A breach is named, and both values stay: which of them is wrong the text alone can tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from itertools import pairwise

from labelwright.tasks.fields.schema import Condition, Field, FieldSet
from labelwright.tasks.fields.values import (
    NOT_MENTIONED,
    Fields,
    FieldValue,
    Item,
    Scalar,
    Status,
    stated,
)


def breaches(own: FieldSet, value: Fields) -> Iterator[str]:
    """Every relation that the values break, as a problem."""
    for field in own.fields:
        if field.asked_if is not None and says_more(value.get(field.name)):
            other = value.get(field.asked_if.field, NOT_MENTIONED)
            if not holds(other, field.asked_if.values):
                yield f"not asked: {field.name}"
        alone = [c.value for c in field.values if c.alone]
        said = value.get(field.name, NOT_MENTIONED).values
        if len(set(said)) > 1 and any(one in alone for one in said):
            yield f"excludes all others: {field.name}"
    for chain in own.order:
        known = [(name, str(v)) for name in chain if (v := _value(value, name)) is not None]
        for (first, a), (second, b) in pairwise(known):
            size = min(len(a), len(b))
            if a[:size] > b[:size]:
                yield f"order of dates: {first} / {second}"
    for conditions in own.exclusive:
        true = [one.field for one in conditions if _true(value, one)]
        if len(true) > 1:
            yield f"exclude each other: {' / '.join(true)}"


def says_more(one: FieldValue | None) -> bool:
    """Whether a field says anything, be it readable or not."""
    return one is not None and one.status is not Status.NOT_MENTIONED


def holds(one: FieldValue, values: tuple[Scalar, ...]) -> bool:
    """Whether a field is stated, with one of the values where there are any."""
    if one.status is not Status.STATED:
        return False
    return not values or any(value in values for value in one.values)


def _value(value: Fields, name: str) -> Scalar | None:
    """What is said; of a bound (``< 5``) no number follows."""
    one = value.get(name, NOT_MENTIONED)
    return None if any(item.comparator for item in one.items) else one.value


def _true(value: Fields, condition: Condition) -> bool:
    return condition.value in value.get(condition.field, NOT_MENTIONED).values


def with_computed(own: FieldSet, value: Fields) -> dict[str, FieldValue]:
    """The same with the computed fields that all their sources are known for."""
    found = dict(value)
    for field in own.fields:
        if field.derived is not None:
            made = computed(own, field, found)
            found[field.name] = NOT_MENTIONED if made is None else stated(Item("", made))
    return found


def computed(own: FieldSet, field: Field, value: Fields) -> Scalar | None:
    """What a field's rule makes of its sources; ``None`` where that is not known."""
    del own
    if field.derived is None:
        return None
    sources = [_value(value, name) for name in field.derived.sources]
    if field.derived.rule in ("any", "all", "count"):
        return _of_booleans(field.derived.rule, sources)
    if any(one is None for one in sources):
        return None
    return RULES[field.derived.rule](sources)


def _of_booleans(rule: str, sources: list[Scalar | None]) -> Scalar | None:
    if rule == "any":
        return True if True in sources else None if None in sources else False
    if rule == "all":
        return False if False in sources else None if None in sources else True
    return None if None in sources else float(sum(one is True for one in sources))


def _days(sources: list[Scalar | None]) -> Scalar | None:
    first, last = (str(one) for one in sources)
    if len(first) < 10 or len(last) < 10:
        return None
    return float((date.fromisoformat(last) - date.fromisoformat(first)).days)


def _years(sources: list[Scalar | None]) -> Scalar | None:
    """Whole years between two days, as ages are counted."""
    first, last = (str(one) for one in sources)
    if len(first) < 10 or len(last) < 10:
        return None
    return float(int(last[:4]) - int(first[:4]) - (last[5:] < first[5:]))


def _arithmetic(
    work: Callable[[list[float]], float],
) -> Callable[[list[Scalar | None]], Scalar | None]:
    def rule(sources: list[Scalar | None]) -> Scalar | None:
        try:
            found = work([float(one) for one in sources if one is not None])
        except (ZeroDivisionError, OverflowError, ValueError):
            return None
        return float(f"{found:.12g}") if math.isfinite(found) else None

    return rule


RULES: Mapping[str, Callable[[list[Scalar | None]], Scalar | None]] = {
    "days": _days,
    "years": _years,
    "sum": _arithmetic(math.fsum),
    "difference": _arithmetic(lambda of: of[0] - of[1]),
    "ratio": _arithmetic(lambda of: of[0] / of[1]),
    "bmi": _arithmetic(lambda of: of[0] / (of[1] / 100) ** 2),
}
"""Computed numbers by the name of their rule; ``bmi`` takes kilograms and centimetres."""
