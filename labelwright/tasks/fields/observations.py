"""Fields that describe observations of another label set are asked where these are present."""

from __future__ import annotations

from collections.abc import Mapping

from labelwright.label_set import LabelSet
from labelwright.records import Certainty
from labelwright.tasks.fields.schema import fields_of
from labelwright.tasks.fields.values import NOT_MENTIONED, Fields

PRESENT = (Certainty.POSITIVE, Certainty.UNCERTAIN)


def settle(
    label_set: LabelSet, value: Fields, labels: Mapping[str, Certainty | None]
) -> tuple[Fields, tuple[str, ...]]:
    """The value without what it says of absent observations, and the names of such fields."""
    absent = {
        field.name
        for field in fields_of(label_set).fields
        if field.of and labels.get(field.of) not in PRESENT and field.name in value
    }
    said = [name for name in value if name in absent and value[name].items]
    kept = {name: NOT_MENTIONED if name in absent else one for name, one in value.items()}
    return kept, tuple(f"observation absent: {name}" for name in said)
