"""The entities task as a kind: every mention of a type, with its place in the text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from labelwright.io.delimited import escape
from labelwright.label_set import LabelSet
from labelwright.records import Answer, Certainty, Entity, Prediction, Span
from labelwright.tasks.base import (
    Chat,
    ClassForm,
    Finding,
    Part,
    Table,
    Tally,
    TaskKind,
)
from labelwright.tasks.entities import answer as lines
from labelwright.tasks.entities import schema
from labelwright.tasks.entities.guide import MentionGuide
from labelwright.tasks.entities.together import together
from labelwright.text.amounts import amount
from labelwright.text.normalised_text import NormalisedText

Value = tuple[Entity, ...]
COLUMNS = ("type", "certainty", "start", "end", "spans", "text", "prob")


class EntitiesKind(TaskKind[Value]):
    """All mentions of the label set's types, in order of appearance."""

    name: ClassVar[str] = "entities"
    answer_version: ClassVar[str] = lines.PROMPT_VERSION
    row_key: ClassVar[str] = "entities"
    gold_suffix: ClassVar[str] = ".entities.jsonl"
    files: ClassVar[tuple[str, ...]] = ("entities.csv",)
    whole_text: ClassVar[bool] = True
    card: ClassVar[str] = "one text and writes a line for each mention of the types"
    card_limit: ClassVar[str] = (
        "It can write mentions that the text does not hold; labeling finds them out and gives "
        "them no place."
    )
    exports: ClassVar[tuple[str, ...]] = ("parquet", "omop", "brat")
    other_prompts: ClassVar[Mapping[str, str]] = {lines.ALMEIDA: "entities without certainties"}

    read = staticmethod(schema.read)
    instruction = staticmethod(lines.system_prompt)
    render = staticmethod(lines.render)
    parse = staticmethod(lines.parse)
    faults = staticmethod(lines.faults)
    plain = staticmethod(lines.as_lines)

    def describe(self, label_set: LabelSet) -> str:
        """Types, whether they may overlap, certainties, examples."""
        count, examples = len(label_set.labels), len(label_set.examples)
        nesting = "may overlap" if label_set.nesting else "stand apart"
        certainties = ", ".join(label_set.certainties)
        more = f", certainties {certainties}" if certainties else ""
        return (
            f"{amount(count, 'type')} of entities that {nesting}{more}, "
            f"{amount(examples, 'example')}"
        )

    def example(self, label_set: LabelSet) -> Value:
        """Those of the first example, or made-up ones."""
        if label_set.examples:
            return label_set.examples[0].entities
        said = Certainty.POSITIVE if label_set.words else None
        return tuple(
            Entity(label.name, ((at, at + 1),), f"a mention of {label.name}", said)
            for at, label in enumerate(label_set.labels)
        )

    def prompts(self, label_set: LabelSet) -> Mapping[str, Callable[[str], Chat]]:
        """The prompt of a published benchmark, which asks for no certainties."""
        if label_set.words:
            return {}
        return {lines.ALMEIDA: lambda text: lines.almeida(label_set, text)}

    def guide(self, label_set: LabelSet, text: str) -> MentionGuide:
        """Mentions of the text only."""
        return MentionGuide(label_set, text)

    def fixed_words(self, label_set: LabelSet) -> Iterator[str]:
        """``none``, and how lines begin."""
        yield lines.NONE
        for label in label_set.labels:
            yield from (f"{label.key} {word}:" for word in label_set.words.values())
            yield f"{label.key}:"

    def to_json(self, value: Value) -> list[dict[str, Any]]:
        """A row per mention."""
        return [entity.to_json() for entity in value]

    def from_json(self, label_set: LabelSet, given: Any) -> Value:
        """The inverse; types are not compared with those of the label set."""
        del label_set
        return tuple(Entity.from_json(row) for row in given)

    def merge(
        self, label_set: LabelSet, parts: Sequence[Part], *, length: int, sentences: bool = False
    ) -> Answer:
        """By place, whether the parts overlap or not."""
        del sentences
        return together(label_set, parts, length)

    def to_original(self, value: Value, text: NormalisedText) -> Value:
        """Every mention at its place in the text as it was."""
        return tuple(text.entity_to_original(entity) for entity in value)

    def marks(self, value: Value) -> Value:
        """The value itself."""
        return value

    def clip(self, value: Value, span: Span) -> Value:
        """The mentions inside a piece, at its own offsets."""
        start, end = span
        inside = (entity for entity in value if start <= entity.start and entity.end <= end)
        return tuple(lines.shifted(entity, -start) for entity in inside)

    def findings(self, label_set: LabelSet, prediction: Prediction) -> Iterator[Finding]:
        """All mentions that stand in the text, in order."""
        del label_set
        for entity in prediction.value or ():
            if entity.spans:
                yield Finding(
                    name=entity.type,
                    certainty=entity.certainty or Certainty.POSITIVE,
                    probability=entity.prob,
                    spans=entity.spans,
                    mention=entity.text,
                )

    def tables(self, label_set: LabelSet) -> tuple[Table[Value], ...]:
        """``entities.csv``: one row per mention; a report without any has none.

        ``start`` is the first character, ``end`` the one behind the last (Unicode code points);
        ``spans`` are all parts as ``0 5;8 12``. The three are empty for a mention that the text
        does not hold. White space inside a mention is one space.
        """
        del label_set
        return (Table(self.files[0], COLUMNS, lambda value: map(_cells, value)),)

    def frame_rows(self, label_set: LabelSet, value: Value) -> Iterator[list[Any]]:
        """The columns of the table with offsets and probabilities as numbers."""
        del label_set
        for e in value:
            certainty = None if e.certainty is None else e.certainty.value
            place = [e.start, e.end] if e.spans else [None, None]
            yield [e.type, certainty, *place, e.spans, e.text, e.prob]

    def tally(self, label_set: LabelSet) -> Tally[Value]:
        """Mentions per type."""
        return _Mentions(label_set)

    def arrow_fields(self, label_set: LabelSet) -> list[Any]:
        """A list of structs."""
        del label_set
        import pyarrow as pa

        span = pa.struct([("start", pa.int32()), ("end", pa.int32())])
        entity = [
            ("type", pa.string()),
            ("spans", pa.list_(span)),
            ("text", pa.string()),
            ("certainty", pa.string()),
            ("prob", pa.float64()),
        ]
        return [pa.field("entities", pa.list_(pa.struct(entity)))]

    def arrow_row(self, label_set: LabelSet, row: Mapping[str, Any]) -> dict[str, Any]:
        """The mentions; a file name that is no text brings lone surrogates into them."""
        del label_set
        entities = row.get("entities")
        return {
            "entities": entities
            and [
                {
                    **{name: entity.get(name) for name in ("type", "certainty", "prob")},
                    "spans": [{"start": start, "end": end} for start, end in entity["spans"]],
                    "text": entity["text"].encode("utf-8", "backslashreplace").decode("utf-8"),
                }
                for entity in entities
            ]
        }

    def strata(self, label_set: LabelSet, value: Value) -> tuple[str, ...]:
        """The types that occur."""
        present = {entity.type for entity in value}
        return tuple(name for name in label_set.names if name in present)

    def every_stratum(self, label_set: LabelSet) -> tuple[str, ...]:
        """The types."""
        return label_set.names

    def class_form(self, label_set: LabelSet) -> ClassForm:
        """Notes of the split, notes with the type, mentions."""
        del label_set
        columns = ("notes", "notes_with_it", "mentions")
        return ClassForm("type", columns, ((columns[1], "notes", 9), (columns[2], columns[2], 10)))

    def class_counts(self, label_set: LabelSet, value: Value) -> Iterator[tuple[str, str, int]]:
        """One note for every type; of those that occur the mentions."""
        found = Counter(entity.type for entity in value)
        for name in label_set.names:
            yield name, "notes", 1
            if count := found[name]:
                yield name, "notes_with_it", 1
                yield name, "mentions", count


class _Mentions(Tally[Value]):
    """Mentions per type of labeled rows, and those of them that the text does not hold."""

    def __init__(self, label_set: LabelSet) -> None:
        self._names = label_set.names
        self._all: Counter[str] = Counter()
        self._elsewhere: Counter[str] = Counter()

    def add(self, value: Value) -> None:
        """Count those of one row."""
        for entity in value:
            self._all[entity.type] += 1
            self._elsewhere[entity.type] += not entity.spans

    def facts(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "entities": {
                name: {"mentions": self._all[name], "not_in_the_text": self._elsewhere[name]}
                for name in self._names
            }
        }


def _cells(entity: Entity) -> list[str]:
    return [
        escape(entity.type),
        "" if entity.certainty is None else entity.certainty.value,
        str(entity.start) if entity.spans else "",
        str(entity.end) if entity.spans else "",
        ";".join(f"{start} {end}" for start, end in entity.spans),
        escape(" ".join(entity.text.split())),
        "" if entity.prob is None else str(entity.prob),
    ]


KIND = EntitiesKind()
