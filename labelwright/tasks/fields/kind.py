"""The fields task as a kind: typed values of a document, each with its words and their place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from labelwright.io.delimited import escape
from labelwright.label_set import LabelSet
from labelwright.records import Answer, Entity, Prediction, Span
from labelwright.tasks.base import (
    ClassForm,
    Finding,
    Grammar,
    Known,
    Part,
    Probabilities,
    Side,
    Table,
    Tally,
    TaskKind,
)
from labelwright.tasks.fields import answer as lines
from labelwright.tasks.fields import branches, gold, questionnaire, schema, values
from labelwright.tasks.fields import findings as exported
from labelwright.tasks.fields.checks import EMPTY
from labelwright.tasks.fields.grammar import json_schema, longest
from labelwright.tasks.fields.guide import AnswerGuide, LineGuide
from labelwright.tasks.fields.relations import breaches, with_computed
from labelwright.tasks.fields.schema import FieldSet, FieldType, fields_of
from labelwright.tasks.fields.sections import Sections
from labelwright.tasks.fields.together import BETWEEN, settle, shifted, together
from labelwright.tasks.fields.values import (
    NOT_MENTIONED,
    Fields,
    FieldValue,
    Item,
    Status,
    stated,
)
from labelwright.text.normalised_text import NormalisedText

WIDE, LONG = "fields.csv", "fields-long.csv"
COLUMNS = ("field", "value", "raw", "unit", "comparator", "start", "end", "prob", "status")
KINDS_OF_VALUES = (FieldType.BOOLEAN, FieldType.CATEGORICAL)


class FieldsKind(TaskKind[Fields]):
    """What a document says of every field: stated, not mentioned, or unreadable."""

    name: ClassVar[str] = "fields"
    answer_version: ClassVar[str] = lines.VERSION
    row_key: ClassVar[str] = "fields"
    gold_suffix: ClassVar[str] = ".fields.jsonl"
    files: ClassVar[tuple[str, ...]] = (WIDE, LONG)
    whole_text: ClassVar[bool] = True
    exports: ClassVar[tuple[str, ...]] = ("parquet", "omop", "fhir", "questionnaire")
    card: ClassVar[str] = "one document and writes a line for each field that it states"
    card_limit: ClassVar[str] = (
        "It can copy the wrong one of two dates or numbers; every value has its place in the text."
    )

    read = staticmethod(schema.read)
    instruction = staticmethod(lines.system_prompt)
    render = staticmethod(lines.render)
    parse = staticmethod(lines.parse)
    choices_in = staticmethod(branches.choices_in)
    picks_in = staticmethod(branches.picks_in)
    picked_in = staticmethod(branches.picked_in)
    to_json = staticmethod(values.to_json)
    asked_apart = staticmethod(schema.by_group)
    longest_answer = staticmethod(longest)
    settle = staticmethod(settle)
    questions = staticmethod(questionnaire.questions)
    replies = staticmethod(questionnaire.replies)
    arrow_fields = staticmethod(exported.arrow_fields)
    arrow_row = staticmethod(exported.arrow_row)

    def describe(self, label_set: LabelSet) -> str:
        """How many fields of which types."""
        own = fields_of(label_set)
        types = Counter(field.type.value for field in own.fields)
        told = ", ".join(f"{count} {name}" for name, count in types.items())
        return f"{len(own.fields)} field{'s' * (len(own.fields) != 1)} ({told})"

    def example(self, label_set: LabelSet) -> Fields:
        """Those of the first example, or made-up ones."""
        own = fields_of(label_set)
        if own.examples:
            text, said = own.examples[0]
            reader = lines.Reader(label_set, text)
            for name, words in said.items():
                for each in words:
                    reader.say(name, each, None)
            return reader.finish().value or {}
        made: dict[FieldType, tuple[str, values.Scalar]] = {
            FieldType.TEXT: ("words of the text", "words of the text"),
            FieldType.NUMBER: ("12", 12.0),
            FieldType.DATE: ("2024-03-12", "2024-03-12"),
            FieldType.BOOLEAN: (own.yes, True),
        }
        found = {}
        for field in own.asked:
            if field.type is FieldType.CATEGORICAL:
                first = field.values[0]
                found[field.name] = stated(Item(first.word, first.value))
            else:
                raw, value = made[field.type]
                found[field.name] = stated(Item(raw, value, "", ((0, len(raw)),)))
        return found

    def faults(self, label_set: LabelSet, answer: str) -> tuple[str, ...]:
        """What of the form is wrong, whatever the text."""
        parsed = self.parse(label_set, answer, "", ended=True)
        form = ("unknown field", "chatter", "empty answer")
        wrong = [one for one in parsed.problems if one.partition(" (")[0] in form]
        return (*wrong, *parsed.notes)

    def words_guide(self, label_set: LabelSet, text: str, slot: str) -> LineGuide:
        """Words of the text, or of the label set."""
        own = fields_of(label_set)
        return LineGuide(own, own.by_name[slot], text)

    def guide(self, label_set: LabelSet, text: str) -> AnswerGuide:
        """Lines in order, with words of the text or of the label set only."""
        return AnswerGuide(label_set, text)

    def grammar(self, label_set: LabelSet) -> Grammar:
        """An object with every field, each of which may be null."""
        return Grammar(json_schema=json_schema(label_set))

    def fixed_words(self, label_set: LabelSet) -> Iterator[str]:
        """Keys, and the words of categories and booleans."""
        own = fields_of(label_set)
        yield lines.NONE
        for field in own.asked:
            yield f"{field.key} "
            if field.type is FieldType.BOOLEAN:
                yield from (f"{field.key} {own.yes}", f"{field.key} {own.no}")
            yield from (f"{field.key} {one.word}" for one in field.values)

    def from_json(self, label_set: LabelSet, given: Any) -> Fields:
        """The inverse; fields are not compared with those of the label set."""
        del label_set
        return values.from_json(given)

    def read_in(self, part: LabelSet, text: str) -> Sequence[Span]:
        """The sections of the group."""
        own = fields_of(part)
        return Sections(own, text).of_group(own.fields[0].group)

    def known_in(self, part: LabelSet, value: Fields, passages: Sequence[Span]) -> Fields:
        """The group's fields, with the items whose place is in a passage, or that have none."""

        def read(item: Item) -> bool:
            return not item.spans or any(
                start <= item.spans[0][0] and item.spans[-1][1] <= end for start, end in passages
            )

        found = {}
        for name in part.names:
            if name in value:
                kept = tuple(filter(read, value[name].items))
                found[name] = stated(*kept) if kept else NOT_MENTIONED
        return found

    def gaps(self, label_set: LabelSet, value: Fields) -> tuple[str, ...]:
        """The fields that gold does not score."""
        return tuple(one.name for one in fields_of(label_set).asked if one.name not in value)

    def without(self, value: Fields, slots: Sequence[str]) -> Fields:
        """The other fields."""
        return {name: one for name, one in value.items() if name not in slots}

    def nothing(self, label_set: LabelSet) -> Fields | None:
        """Nothing is known, which is not that nothing is mentioned."""
        del label_set
        return None

    def merge(
        self, label_set: LabelSet, parts: Sequence[Part], *, length: int, sentences: bool = False
    ) -> Answer:
        """What the parts state, put together."""
        del length, sentences
        return together(label_set, parts)

    def to_original(self, value: Fields, text: NormalisedText) -> Fields:
        """Every place in the text as it was."""
        return {
            name: replace(
                one,
                items=tuple(
                    replace(item, spans=tuple(text.to_original(span) for span in item.spans))
                    for item in one.items
                ),
            )
            for name, one in value.items()
        }

    def marks(self, value: Fields) -> tuple[Entity, ...]:
        """The places of all values, under the names of their fields."""
        return tuple(
            Entity(name, item.spans, item.raw, prob=one.prob)
            for name, one in value.items()
            for item in one.items
            if item.spans
        )

    def clip(self, value: Fields, span: Span) -> Fields:
        """The values inside a piece at its own offsets; those without a place stay."""
        start, end = span
        found = {}
        for name, one in value.items():
            kept = tuple(i for i in one.items if all(start <= a and b <= end for a, b in i.spans))
            if not one.items or kept == one.items:
                found[name] = shifted(one, -start)
            else:
                found[name] = shifted(stated(*kept), -start) if kept else NOT_MENTIONED
        return found

    def depends_on(self, label_set: LabelSet) -> str:
        """The label set of observations, where fields describe some."""
        return fields_of(label_set).observations

    def findings(self, label_set: LabelSet, prediction: Prediction) -> Iterator[Finding]:
        """All that is stated; a boolean *no* is negative."""
        return exported.findings(label_set, prediction.value or {})

    def observed(self, label_set: LabelSet, prediction: Prediction) -> Iterator[Finding]:
        """What is said of fields with codes, values that are missing too."""
        return exported.coded(label_set, prediction.value or {})

    def shown(self, prediction: Prediction) -> Iterator[Finding]:
        """Everything that is said, unreadable words too."""
        return exported.shown(prediction.value or {})

    def tables(self, label_set: LabelSet) -> tuple[Table[Fields], ...]:
        """``fields.csv`` with a column per field, ``fields-long.csv`` with a row per value.

        Dates are ISO, decimals have a point, booleans are ``true`` and ``false``, several values
        stand apart by `` | ``; empty is not mentioned, or unreadable (the long table says which).
        Cells that a spreadsheet would run get a leading apostrophe.
        """
        names = label_set.names

        def wide(value: Fields) -> list[list[str]]:
            return [[_cell(value.get(name, NOT_MENTIONED)) for name in names]]

        def long(value: Fields) -> Iterator[list[str]]:
            for name in names:
                yield from _rows(name, value.get(name))

        return Table(WIDE, tuple(map(escape, names)), wide), Table(LONG, COLUMNS, long)

    def frame_columns(self, label_set: LabelSet) -> tuple[str, ...]:
        """Those of the long table."""
        del label_set
        return COLUMNS

    def frame_rows(self, label_set: LabelSet, value: Fields) -> Iterator[Sequence[Any]]:
        """The long table's rows with numbers and booleans as such."""
        for name in label_set.names:
            one = value.get(name)
            if one is None:
                continue
            for item in one.items:
                place = [item.spans[0][0], item.spans[-1][1]] if item.spans else [None, None]
                status = Status.UNREADABLE if item.value is None else Status.STATED
                words = (item.value, item.raw, item.unit, item.comparator)
                yield [name, *words, *place, one.prob, status.value]
            if not one.items:
                yield [name, None, "", "", "", None, None, one.prob, one.status.value]

    def has_sides(self, label_set: LabelSet) -> bool:
        """Field by field."""
        del label_set
        return True

    def sides(
        self, label_set: LabelSet, value: Fields | None, probs: Probabilities | None = None
    ) -> Mapping[str, Side]:
        """Each field as its cell, or the words that cannot be read; lists in no order."""
        del probs
        return {} if value is None else dict(_sides(fields_of(label_set), value))

    def exchanged(
        self, label_set: LabelSet, one: Prediction, other: Prediction, slots: Sequence[str]
    ) -> Prediction:
        """With these fields of the other, their problems, and relations as they are now."""
        if not slots:
            return one
        own = fields_of(label_set)
        found = with_computed(own, {**one.value, **{name: other.value[name] for name in slots}})
        first = [p for p in one.problems if p.rpartition(": ")[2] not in slots]
        second = [p for p in other.problems if p.rpartition(": ")[2] in slots]
        kept = (p for p in (*first, *second) if not p.startswith(BETWEEN))
        return replace(
            one, value=found, problems=tuple(dict.fromkeys((*kept, *breaches(own, found))))
        )

    def tally(self, label_set: LabelSet) -> Tally[Fields]:
        """Stated and unreadable values per field."""
        return _Stated(label_set)

    def read_gold(self, path: Path, label_set: LabelSet) -> Iterator[tuple[int, str, Fields]]:
        """JSON lines, a wide table, or a long one."""
        yield from gold.read(path, label_set)

    def fit(self, label_set: LabelSet, value: Fields) -> Known[Fields] | str:
        """The value; computed fields are no part of answers."""
        unknown = set(value) - set(label_set.names)
        return f"unknown fields: {', '.join(sorted(unknown))}" if unknown else Known(value)

    def strata(self, label_set: LabelSet, value: Fields) -> tuple[str, ...]:
        """Stated fields, and the values of booleans and categories."""
        return tuple(_strata(label_set, value))

    def every_stratum(self, label_set: LabelSet) -> tuple[str, ...]:
        """In the label set's order."""
        found: list[str] = []
        for field in fields_of(label_set).fields:
            if field.type is FieldType.BOOLEAN:
                found += [f"{field.name}: true", f"{field.name}: false"]
            elif field.type is FieldType.CATEGORICAL:
                found += [f"{field.name}: {one.value}" for one in field.values]
            else:
                found.append(field.name)
        return tuple(found)

    def class_form(self, label_set: LabelSet) -> ClassForm:
        """Documents of the split, those that state the field, those whose words are unreadable."""
        del label_set
        columns = ("documents", "stated", "not_mentioned", "unreadable")
        return ClassForm(
            "field", columns, (("stated", "stated", 8), ("not_mentioned", "not mentioned", 14))
        )

    def class_counts(self, label_set: LabelSet, value: Fields) -> Iterator[tuple[str, str, int]]:
        """One document for every field that is scored."""
        for name in label_set.names:
            if name in value:
                yield name, "documents", 1
                yield name, value[name].status.value.replace(" ", "_"), 1


def _strata(label_set: LabelSet, value: Fields) -> Iterator[str]:
    for field in fields_of(label_set).fields:
        one = value.get(field.name, NOT_MENTIONED)
        if one.status is not Status.STATED:
            continue
        if field.type in KINDS_OF_VALUES:
            said = {lines.plain_value(each) for each in one.values}
            yield from (f"{field.name}: {each}" for each in sorted(said))
        else:
            yield field.name


def _cell(one: FieldValue) -> str:
    kept = (item for item in one.items if item.value is not None)
    return gold.PARTED.join(f"{item.comparator}{_safe(item.value)}" for item in kept)


def _safe(value: values.Scalar | None) -> str:
    """A value as a cell; numbers are no formulas."""
    if value is None:
        return ""
    plain = lines.plain_value(value)
    return plain if isinstance(value, float) else escape(" ".join(plain.split()))


def _sides(own: FieldSet, value: Fields) -> Iterator[tuple[str, Side]]:
    for field in own.asked:
        one = value.get(field.name, NOT_MENTIONED)
        said = _cell(one) or gold.PARTED.join(item.raw for item in one.items)
        if field.many:
            said = gold.PARTED.join(sorted(set(said.split(gold.PARTED))))
        yield field.name, (" ".join(said.split()) or EMPTY, one.prob)


def _rows(name: str, one: FieldValue | None) -> Iterator[list[str]]:
    if one is None:
        return
    prob = "" if one.prob is None else f"{one.prob:.6f}"
    if not one.items:
        yield [escape(name), "", "", "", "", "", "", prob, one.status.value]
    for item in one.items:
        place = ["", ""]
        if item.spans:
            place = [str(item.spans[0][0]), str(item.spans[-1][1])]
        status = Status.UNREADABLE if item.value is None else Status.STATED
        raw, unit = escape(" ".join(item.raw.split())), escape(item.unit)
        value = (_safe(item.value), raw, unit, item.comparator)
        yield [escape(name), *value, *place, prob, status.value]


class _Stated(Tally[Fields]):
    """Per field the documents that state it, that say it unreadably, and values without a place."""

    def __init__(self, label_set: LabelSet) -> None:
        self._names = label_set.names
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in label_set.names}

    def add(self, value: Fields) -> None:
        """Count one document."""
        for name, one in value.items():
            if name in self._counts and one.status is not Status.NOT_MENTIONED:
                counts = self._counts[name]
                counts[one.status.value] += 1
                counts["without_place"] += any(not item.spans for item in one.items)

    def facts(self) -> dict[str, Any]:
        """For the manifest."""
        keys = (Status.STATED.value, Status.UNREADABLE.value, "without_place")
        return {"fields": {n: {k: self._counts[n][k] for k in keys} for n in self._names}}


KIND = FieldsKind()
