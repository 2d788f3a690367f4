"""The fields task: instruction, answer lines, and their parser, in one place.

The answer has a line for every stated field in the label set's order, the field's key, a space,
and what is said of it:

    DA 27/08/2019
    SM ex
    DI no

Dates, numbers and text are copied as they stand in the document, with white space evened out;
categories and booleans are words of the label set. A field with several values has a line for
each. Fields that are not mentioned have no line; a document that states nothing is answered by
``none``. What a line means is code's work (:mod:`labelwright.tasks.fields.normalise`), so the
words of the document are never lost.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import repeat
from typing import Any

from labelwright.label_set import LabelSet
from labelwright.records import Span
from labelwright.tasks.fields.checks import EMPTY
from labelwright.tasks.fields.normalise import Reading, read_value
from labelwright.tasks.fields.places import Places
from labelwright.tasks.fields.relations import breaches, with_computed
from labelwright.tasks.fields.schema import Field, FieldSet, FieldType, fields_of
from labelwright.tasks.fields.values import (
    NOT_MENTIONED,
    Fields,
    FieldValue,
    Item,
    Scalar,
    Status,
    stated,
)
from labelwright.tasks.shapes import Parsed

VERSION = "fields-1"
"""Changes whenever the prompt or :func:`render` of this task is written otherwise."""
NONE = "none"
MOST_LINES = 5_000
"""An answer of more lines is cut there; its problems say so."""
NOTHING = frozenset({"", EMPTY, "null", "none", "n/a", "na", "not mentioned", "not stated"})
"""What says that a field is not mentioned, where an answer says it."""
_FENCE = re.compile(r"\A\s*```\w*\s*\n(.*?)\n?\s*(?:```\s*)?\Z", re.DOTALL)
_ENTITY = ("entity", "field", "name", "key")
_VALUE = ("value", "raw", "text")
Said = tuple[str, str, float | None]
"""Of one line the head, what follows, and its probability."""


@lru_cache(maxsize=64)
def system_prompt(label_set: LabelSet) -> str:
    """The instruction with its fields filled in, then the worked examples."""
    own = fields_of(label_set)
    filled = label_set.instruction.replace("{fields}", "; ".join(_told(own, f) for f in own.asked))
    shown = [
        f"Text: {' '.join(text.split())}\nAnswer:\n{_example_lines(own, said)}"
        for text, said in own.examples
    ]
    return "\n\n".join([" ".join(filled.split()), *shown])


def _example_lines(own: FieldSet, said: Mapping[str, Sequence[str]]) -> str:
    lines = [f"{f.key} {' '.join(w.split())}" for f in own.asked for w in said.get(f.name, ())]
    return "\n".join(lines) or NONE


def _told(own: FieldSet, field: Field) -> str:
    """A field as the instruction names it: key, name, type, values, description."""
    name = field.key if field.key == field.name else f"{field.key} {field.name}"
    kind = field.type.value
    if field.type is FieldType.BOOLEAN:
        kind = f"{own.yes}/{own.no}"
    if field.type is FieldType.CATEGORICAL:
        kind = "/".join(
            f"{one.word}={one.meaning}" if one.meaning else one.word for one in field.values
        )
    if field.unit:
        kind += f", {field.unit}"
    if field.many:
        kind += ", each on a line"
    return f"{name} ({kind})" + (f": {field.description.rstrip('.')}" if field.description else "")


def written(own: FieldSet, field: Field, item: Item) -> str | None:
    """How answers say an item; ``None`` where they cannot: its words do not stand in the text."""
    if field.type is FieldType.BOOLEAN:
        return None if not isinstance(item.value, bool) else own.yes if item.value else own.no
    if field.type is FieldType.CATEGORICAL:
        category = field.by_value.get(str(item.value))
        return None if category is None else category.word
    words = " ".join(item.raw.split())
    if field.copied and field.evidence == "required" and not item.spans:
        return None
    if field.copied or words:
        return words or None
    return None if item.value is None else plain_value(item.value)


def plain_value(value: Scalar) -> str:
    """A value as a person would write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return value


def render(label_set: LabelSet, value: Fields) -> str:
    """The answer for ``value``; fields that are not mentioned, or computed, have no line.

    Raises:
        ValueError: a field is not in the label set.
    """
    own = fields_of(label_set)
    if unknown := set(value) - set(own.by_name):
        raise ValueError(f"not in label set {label_set.name}: {', '.join(sorted(unknown))}")
    lines = []
    for field in own.asked:
        for item in value.get(field.name, NOT_MENTIONED).items:
            if (words := written(own, field, item)) is not None:
                lines.append(f"{field.key} {words}")
    return "\n".join(lines) or NONE


def parse(
    label_set: LabelSet,
    answer: str,
    text: str,
    *,
    ended: bool | None = None,
    probs: Sequence[float] | None = None,
) -> Parsed[Fields]:
    """Read an answer, and find its words in ``text``; nothing is dropped in silence.

    Understood are lines, an object ``{field: value}``, and a list of ``{"entity", "value"}``. Of
    an answer that was cut off the last line is left out. Problems name fields and kinds, never
    words of answer or text.

    Args:
        answer: as generated, special tokens removed.
        ended: whether the model itself ended the answer; ``None`` (not known) reads as yes.
        probs: how sure the model was of each line of ``answer.split("\\n")``.
    """
    reader = Reader(label_set, text)
    said, whole = as_object(answer), True
    if said is None:
        lines, whole = _lines(answer, probs, ended)
        reader.lines(lines)
    else:
        pairs, whole = said
        for name, given in pairs:
            reader.given(name, given)
    if not whole or ended is False:
        reader.problems["cut off"] += 1
    return reader.finish()


def _lines(
    answer: str, probs: Sequence[float] | None, ended: bool | None
) -> tuple[list[tuple[str, float | None]], bool]:
    fenced = _FENCE.match(answer)
    whole = (fenced[1] if fenced else answer).split("\n")
    paired = zip(whole, repeat(None) if probs is None or fenced else probs, strict=False)
    lines = [(line.strip(), prob) for line, prob in paired if line.strip()]
    if ended is False:
        lines = lines[:-1]
    return lines[:MOST_LINES], len(lines) <= MOST_LINES


class Reader:
    """Gathers what an answer says of each field."""

    def __init__(self, label_set: LabelSet, text: str) -> None:
        self._label_set = label_set
        self._own = fields_of(label_set)
        self._places = Places(text)
        self._text = text
        self._said: dict[str, list[tuple[Item, float | None]]] = {}
        self._denied: dict[str, float | None] = {}
        self._nothing = False
        self.problems: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()

    def lines(self, lines: Sequence[tuple[str, float | None]]) -> None:
        """Read answer lines."""
        for line, prob in lines:
            if line.casefold().rstrip(".") == NONE:
                self._nothing = True
                continue
            name, words = self._head(line)
            if name is None:
                self.problems["unknown field" if words else "chatter"] += 1
            else:
                self.say(name, words, prob)
        if not lines:
            self.problems["empty answer"] += 1

    def given(self, name: str, value: Any) -> None:
        """Read what an object says of one key."""
        found = self._label_set.name_forms.get(" ".join(name.split()).casefold())
        if found is None:
            self.problems["unknown field"] += 1
            return
        for one in value if isinstance(value, list) else [value]:
            words = _as_words(self._own, one)
            self.say(found, words or "", None)
        if value == []:
            self._denied.setdefault(found, None)

    def say(self, name: str, words: str, prob: float | None) -> None:
        """Take what is said of a field."""
        field = self._own.by_name[name]
        words = " ".join(words.split())
        if field.derived is not None:
            self.notes[f"computed: {name}"] += 1
            return
        if words.casefold() in NOTHING and not _is_value(field, words):
            self._denied.setdefault(name, prob)
            return
        self._said.setdefault(name, []).append((self.item(field, words), prob))

    def take(self, name: str, item: Item, prob: float | None = None) -> None:
        """Take an item that is known with its place."""
        field = self._own.by_name[name]
        if field.copied:
            self._name_wrong(field, read_value(self._own, field, item.raw))
        self._said.setdefault(name, []).append((item, prob))

    def item(self, field: Field, words: str) -> Item:
        """One item with its value and its place."""
        reading = read_value(self._own, field, words)
        self._name_wrong(field, reading)
        spans = place(self._places, self._own, field, words, reading.value)
        if spans and field.type is FieldType.NUMBER and self._places.behind_sign(field, spans):
            self.problems[f"sign left out: {field.name}"] += 1
        return Item(words, reading.value, reading.unit, spans, reading.comparator)

    def _name_wrong(self, field: Field, reading: Reading) -> None:
        for what in filter(None, (reading.wrong, reading.doubt)):
            self.problems[f"{what}: {field.name}"] += 1

    def finish(self) -> Parsed[Fields]:
        """All fields, with what is wrong between them."""
        found: dict[str, FieldValue] = {}
        for field in self._own.fields:
            said = self._said.get(field.name)
            if said is None:
                prob = self._denied.get(field.name)
                found[field.name] = NOT_MENTIONED if prob is None else FieldValue(
                    Status.NOT_MENTIONED, (), prob)  # fmt: skip
                continue
            items = self._apart(field, [item for item, _ in said])
            known = [prob for _, prob in said if prob is not None]
            found[field.name] = stated(*items, prob=min(known) if known else None)
        found = with_computed(self._own, found)
        self.problems.update(dict.fromkeys(without_evidence(self._own, found, self._text), 1))
        self.problems.update(dict.fromkeys(breaches(self._own, found), 1))
        says = bool(self._said) or bool(self._denied) or self._nothing
        if self._nothing and self._said:
            self.notes[f"{NONE} beside fields"] += 1
        readable = says or not self.problems
        return Parsed(found if readable else None, _counted(self.problems), _counted(self.notes))

    def _apart(self, field: Field, items: list[Item]) -> list[Item]:
        """Items at places of their own; repeated ones once."""
        kept: list[Item] = []
        said: dict[tuple[Any, str], set[tuple[Span, ...]]] = {}
        taken: set[tuple[Span, ...]] = set()
        places: dict[str, Iterator[tuple[Span, ...]]] = {}
        for item in items:
            same = said.setdefault((item.value, item.raw), set())
            if same and (item.spans in same or not field.many):
                free: tuple[Span, ...] | None = None
                if field.many and field.copied:
                    if item.raw not in places:
                        places[item.raw] = iter(self._places.find(field, item.raw))
                    free = next((one for one in places[item.raw] if one not in taken), None)
                if free is None:
                    self.notes[f"repeated: {field.name}"] += 1
                    continue
                item = replace(item, spans=free)  # the same words at the next place that is free
            kept.append(item)
            same.add(item.spans)
            taken.add(item.spans)
        if not field.many and len({item.meaning for item in kept}) > 1:
            self.problems[f"two values: {field.name}"] += 1
        return kept

    def _head(self, line: str) -> tuple[str | None, str]:
        """The field of a line and what follows; no field where none is named."""
        forms = self._label_set.name_forms
        head, _, rest = line.partition(" ")
        if head in self._own.by_key:
            return self._own.by_key[head].name, rest
        plain = line.lstrip("-*•_` ").replace("**", "")
        before, mark, after = plain.partition(":")
        name = forms.get(" ".join(before.split()).casefold().strip("_`*\" '")) if mark else None
        if name is not None:
            self.notes["written otherwise"] += 1
            return name, after.strip()
        words = plain.split(" ")
        for count in range(min(len(words), 8), 0, -1):
            form = " ".join(words[:count]).rstrip(":=").casefold()
            if form in forms:
                self.notes["written otherwise"] += 1
                return forms[form], " ".join(words[count:]).lstrip("=: ")
        return None, rest if mark or len(words) <= 4 else ""


def _is_value(field: Field, words: str) -> bool:
    """Whether a word that mostly says nothing is a value of the field ("none")."""
    folded = words.casefold()
    return bool(words) and any(
        folded in (one.value.casefold(), one.word.casefold(), *map(str.casefold, one.synonyms))
        for one in field.values
    )


def place(
    places: Places, own: FieldSet, field: Field, words: str, value: Scalar | None
) -> tuple[tuple[int, int], ...]:
    """Where the words of an item stand; of a category also where one of its other forms does."""
    if field.evidence == "none" or field.type is FieldType.BOOLEAN:
        return ()
    forms = [words]
    if field.type is FieldType.CATEGORICAL:
        category = field.by_value.get(str(value))
        if category is not None:
            forms += [category.word, *category.synonyms, category.value]
        forms = [form for form in forms if len(form) > 2]
    del own
    for form in forms:
        if found := places.find(field, form):
            return found[0]
    return ()


def without_evidence(own: FieldSet, value: Fields, text: str) -> Iterator[str]:
    """The problem of every field that must have a place and has none."""
    for name, one in value.items():
        needs = own.by_name[name].evidence == "required" and text != ""
        if not needs or all(item.spans for item in one.items):
            continue
        yield f"no evidence: {name}"
        shown = {" ".join(w.split()).casefold() for _, said in own.examples
                 for words in said.values() for w in words}  # fmt: skip
        if any(not item.spans and item.raw.casefold() in shown for item in one.items):
            yield f"copied from an example: {name}"


def _counted(kinds: Counter[str]) -> tuple[str, ...]:
    return tuple(kind if count == 1 else f"{kind} ({count})" for kind, count in kinds.items())


def _as_words(own: FieldSet, value: Any) -> str | None:
    """A JSON value as an answer would write it."""
    if isinstance(value, dict):
        value = next((value[key] for key in ("raw", "value", "text") if value.get(key)), None)
    if isinstance(value, bool):
        return own.yes if value else own.no
    if isinstance(value, (int, float)):
        return plain_value(float(value))
    if isinstance(value, list):
        return " ".join(filter(None, (_as_words(own, one) for one in value)))
    return None if value is None else str(value)


def as_object(answer: str) -> tuple[list[tuple[str, Any]], bool] | None:
    """Keys and values of an answer in JSON, and whether it came to its end; ``None`` for lines.

    Objects may repeat a key, and both may be cut off: what is whole of them is read.
    """
    fenced = _FENCE.match(answer)
    bare = (fenced[1] if fenced else answer).strip()
    if not bare.startswith(("{", "[")):
        return None
    pairs: list[tuple[str, Any]] = []
    try:
        if bare[0] == "{":
            found, whole = _members(bare)
            only = found[0][1] if len(found) == 1 else None
            if isinstance(only, list) and only and all(_entity(one) for one in only):
                return [pair for one in only if (pair := _entity(one))], whole
            return found, whole
        items, whole = _elements(bare)
        for item in items:
            pair = _entity(item)
            if pair is not None:
                pairs.append(pair)
            elif isinstance(item, dict):
                pairs += item.items()
    except RecursionError:
        return None
    return pairs, whole


def _entity(item: Any) -> tuple[str, Any] | None:
    """``{"entity": name, "value": value}`` as a pair."""
    if not isinstance(item, dict):
        return None
    name = next((item[key] for key in _ENTITY if isinstance(item.get(key), str)), None)
    key = next((key for key in _VALUE if key in item), None)
    return None if name is None or key is None else (name, item[key])


_DECODER = json.JSONDecoder(strict=False)
_GAP = re.compile(r"[\s,]*")


def _elements(text: str) -> tuple[list[Any], bool]:
    """The elements of an array, as far as they go."""
    at = 1
    found: list[Any] = []
    while True:
        at = _skip(text, at)
        if text[at : at + 1] == "]":
            return found, True
        try:
            value, at = _DECODER.raw_decode(text, at)
        except ValueError:
            return found, False
        found.append(value)


def _members(text: str) -> tuple[list[tuple[str, Any]], bool]:
    """The members of an object, repeated ones too, as far as they go."""
    at = 1
    found: list[tuple[str, Any]] = []
    while True:
        at = _skip(text, at)
        if text[at : at + 1] == "}":
            return found, True
        try:
            key, at = _DECODER.raw_decode(text, at)
            at = _skip(text, at)
            if text[at : at + 1] != ":" or not isinstance(key, str):
                return found, False
            value, at = _DECODER.raw_decode(text, _skip(text, at + 1))
        except ValueError:
            return found, False
        found.append((key, value))


def _skip(text: str, at: int) -> int:
    match = _GAP.match(text, at)
    return at if match is None else match.end()
