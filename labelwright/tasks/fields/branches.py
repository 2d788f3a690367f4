"""Fields asked side by side: options that each text has itself, and words copied from it.

Of a boolean the options are *yes*, *no* and *not mentioned*, of a category its words, of a date or
a number those that stand in the text: so none can be invented. Whether text is stated is asked in
the same way; what it says is copied behind that (:mod:`labelwright.tasks.fields.guide`), and so
are the values of fields with many.
"""

from __future__ import annotations

from collections.abc import Mapping

from labelwright.label_set import LabelSet
from labelwright.records import Answer
from labelwright.tasks.fields.answer import Reader, written
from labelwright.tasks.fields.checks import EMPTY
from labelwright.tasks.fields.gold import PARTED
from labelwright.tasks.fields.normalise import candidates, read_value
from labelwright.tasks.fields.schema import Field, FieldSet, FieldType, fields_of
from labelwright.tasks.fields.values import NOT_MENTIONED, Fields
from labelwright.tasks.shapes import Choices, Probabilities, Slot

SAID = "+"
"""The option of a field whose words follow."""
TRUE, FALSE = "true", "false"
END = "\n"
MOST_CANDIDATES = 300
"""Dates or numbers of one text that are options of a field: the first ones. Where a text has more
the answer's problems say so.
"""


def is_open(field: Field) -> bool:
    """Whether what a field says is written behind its option."""
    return field.many or field.type is FieldType.TEXT or (_figures(field) and not field.copied)


def _figures(field: Field) -> bool:
    return field.type in (FieldType.DATE, FieldType.NUMBER)


def choices_in(label_set: LabelSet, text: str) -> Choices:
    """A slot for every field that is asked."""
    own = fields_of(label_set)
    known: dict[tuple[object, ...], dict[str, str]] = {}
    slots = []
    for field in own.asked:
        options = _options(own, field, text, known)
        said = frozenset({SAID}) if is_open(field) else frozenset[str]()
        slots.append(Slot(field.name, field.key, field.key, options, silent=EMPTY, open=said))
    return Choices(tuple(slots), END)


def _options(
    own: FieldSet, field: Field, text: str, known: dict[tuple[object, ...], dict[str, str]]
) -> dict[str, str]:
    """What may follow the key, by the option's name."""
    nothing = {EMPTY: f" {EMPTY}"}
    if is_open(field):
        return nothing | {SAID: f" {SAID}"}
    if field.type is FieldType.BOOLEAN:
        return nothing | {TRUE: f" {own.yes}", FALSE: f" {own.no}"}
    if field.type is FieldType.CATEGORICAL:
        return nothing | {one.value: f" {one.word}" for one in field.values}
    if field.figures not in known:
        known[field.figures] = {raw: f" {raw}" for raw in copies(field, text)}
    return nothing | known[field.figures]


def copies(field: Field, text: str) -> list[str]:
    """The dates or numbers of a text as answers write them, each once, in order."""
    return _all_copies(field, text)[:MOST_CANDIDATES]


def _all_copies(field: Field, text: str) -> list[str]:
    found = (" ".join(text[start:end].split()) for start, end in candidates(field, text))
    return [raw for raw in dict.fromkeys(found) if raw != EMPTY]


def _left_out(own: FieldSet, text: str, probs: Probabilities) -> list[str]:
    """A problem for every field that could not choose among all candidates of its text."""
    full = [
        field
        for field in own.asked
        if _figures(field) and not is_open(field) and len(probs[field.name]) > MOST_CANDIDATES
    ]
    found = ((field, len(_all_copies(field, text)) - MOST_CANDIDATES) for field in full)
    return [f"{more} candidates left out: {field.name}" for field, more in found if more > 0]


def picks_in(
    label_set: LabelSet, text: str, value: Fields
) -> tuple[dict[str, str | None], dict[str, str]]:
    """A value as picks, and the words behind open options."""
    own = fields_of(label_set)
    picks: dict[str, str | None] = {}
    words: dict[str, str] = {}
    options: dict[str, list[str]] = {}
    for field in own.asked:
        items = value.get(field.name, NOT_MENTIONED).items
        said = [one for item in items if (one := written(own, field, item)) is not None]
        if not said:
            picks[field.name] = EMPTY
        elif is_open(field):
            picks[field.name], words[field.name] = SAID, PARTED.join(said)
        elif field.type is FieldType.BOOLEAN:
            picks[field.name] = TRUE if items[0].value else FALSE
        elif field.type is FieldType.CATEGORICAL:
            picks[field.name] = str(items[0].value)
        else:
            found = options.setdefault(field.name, copies(field, text))
            picks[field.name] = said[0] if said[0] in found else None
    return picks, words


def picked_in(
    label_set: LabelSet,
    text: str,
    probs: Probabilities,
    words: Mapping[str, tuple[str, float]],
) -> Answer:
    """The likeliest value of every field; options that mean the same count together."""
    own = fields_of(label_set)
    reader = Reader(label_set, text)
    lines = []
    for field in own.asked:
        row = probs[field.name]
        option, prob = likeliest(own, field, row)
        if option == EMPTY:
            reader.say(field.name, EMPTY, prob)
            continue
        said = {TRUE: own.yes, FALSE: own.no}.get(option, option)
        if field.type is FieldType.CATEGORICAL and not field.many:
            said = field.by_value[option].word
        if option == SAID and is_open(field):
            said, sure = words[field.name]
            prob *= sure
        for each in said.split(PARTED) if field.many else [said]:
            if each.strip():
                reader.say(field.name, each, prob)
                lines.append(f"{field.key} {each}")
    parsed = reader.finish()
    return Answer(
        value=parsed.value,
        raw="\n".join(lines) or "none",
        problems=(*parsed.problems, *_left_out(own, text, probs)),
        notes=parsed.notes,
    )


def likeliest(own: FieldSet, field: Field, row: Mapping[str, float]) -> tuple[str, float]:
    """The likeliest option by what it means, and the probability of that."""
    if field.type not in (FieldType.DATE, FieldType.NUMBER) or is_open(field):
        option = max(row, key=row.__getitem__)
        return option, row[option]
    meaning: dict[object, float] = {}
    means = {}
    for option, prob in row.items():
        if option == EMPTY:
            what: object = (EMPTY,)
        else:
            read = read_value(own, field, option)
            known = read.value is not None
            what = (read.comparator, read.value) if known else (option,)
        means[option] = what
        meaning[what] = meaning.get(what, 0.0) + prob
    best = max(meaning, key=meaning.__getitem__)
    option = max((o for o in row if means[o] == best), key=row.__getitem__)
    return option, meaning[best]
