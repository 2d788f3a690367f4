"""The fields of a document from those of its parts.

A field with many values has those of all parts, each place once. Of a field with one value, the
part decides that is surest, or the first where none says how sure it is; the others' different
values are named. A field is not mentioned where no part mentions it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from labelwright.label_set import LabelSet
from labelwright.records import Answer, Certainty
from labelwright.tasks.fields.relations import breaches, with_computed
from labelwright.tasks.fields.schema import Field, fields_of
from labelwright.tasks.fields.values import NOT_MENTIONED, Fields, FieldValue, Item, Status
from labelwright.tasks.shapes import Part

BETWEEN = ("not asked: ", "excludes all others: ", "order of dates: ", "exclude each other: ")
"""Problems between fields, which are found anew in the whole."""


def together(label_set: LabelSet, parts: Sequence[Part]) -> Answer:
    """One answer from those of a document's parts."""
    own = fields_of(label_set)
    answers = [part.answer for part in parts]
    raw = "\n".join(answer.raw for answer in answers)
    notes: Counter[str] = Counter(note for answer in answers for note in answer.notes)
    problems = dict.fromkeys(
        problem
        for answer in answers
        for problem in answer.problems
        if len(parts) == 1 or not problem.startswith(BETWEEN)
    )
    said: list[tuple[int, Fields]] = []
    for part in parts:
        if part.answer.value is not None:
            said += [(start, part.answer.value) for start, _ in part.places]
    if not said:
        return Answer(value=None, raw=raw, problems=tuple(problems), notes=tuple(notes))
    found: dict[str, FieldValue] = {}
    for field in own.fields:
        each = [shifted(value[field.name], start) for start, value in said if field.name in value]
        found[field.name], others = _many(each) if field.many else _one(field, each)
        if others:
            notes[f"parts differ: {field.name}"] += 1
    found = with_computed(own, found)
    if len(parts) > 1:
        problems |= dict.fromkeys(breaches(own, found))
    return Answer(value=found, raw=raw, problems=tuple(problems), notes=tuple(notes))


def shifted(one: FieldValue, by: int) -> FieldValue:
    """The same in a text that has ``by`` more characters in front."""
    if not by or not one.items:
        return one
    items = tuple(
        replace(item, spans=tuple((start + by, end + by) for start, end in item.spans))
        for item in one.items
    )
    return replace(one, items=items)


def _one(field: Field, each: Sequence[FieldValue]) -> tuple[FieldValue, bool]:
    """What decides, and whether another part says something else."""
    del field
    said = [one for one in each if one.status is not Status.NOT_MENTIONED]
    if not said:
        return _nothing(each), False
    best = max(said, key=lambda one: (one.status is Status.STATED, one.prob or 0.0))
    return best, len({one.items[0].meaning for one in said if one.value is not None}) > 1


def _many(each: Sequence[FieldValue]) -> tuple[FieldValue, bool]:
    items: dict[tuple[object, ...], Item] = {}
    for one in each:
        for item in one.items:
            key = (item.spans,) if item.spans else (item.value, item.raw)
            items.setdefault((*key, item.value), item)
    if not items:
        return _nothing(each), False
    kept = tuple(sorted(items.values(), key=lambda item: (not item.spans, item.spans)))
    said = [one.prob for one in each if one.items and one.prob is not None]
    readable = any(item.value is not None for item in kept)
    status = Status.STATED if readable else Status.UNREADABLE
    return FieldValue(status, kept, min(said) if said else None), False


def _nothing(each: Sequence[FieldValue]) -> FieldValue:
    """Not mentioned, as probable as that no part mentions it."""
    probs = [one.prob for one in each if one.prob is not None]
    if not each or len(probs) < len(each):
        return NOT_MENTIONED
    return FieldValue(Status.NOT_MENTIONED, (), math.prod(probs))


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
