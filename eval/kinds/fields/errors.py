"""Kinds of errors of fields: each thing that is wrong has exactly one, the first that fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eval.kinds.fields.asked import Asked
from eval.kinds.fields.counts import Document, Wrong
from eval.kinds.fields.equality import ROUNDING, folded
from labelwright.records import Span
from labelwright.tasks.fields.values import Item

NO_ANSWER, UNKNOWN, TYPE, UNSUPPORTED, FIELD, NEGATION, OCCURRENCE, FORMAT, LENGTH, MISSED = (
    *("no-answer", "unknown", "type", "unsupported", "field", "negation", "occurrence"),
    *("format", "length", "missed"),
)
INVENTED, OTHER = "invented", "other"
KINDS: Mapping[str, tuple[str, str]] = {
    NO_ANSWER: ("no readable answer", "the document has no answer, or none that can be read"),
    UNKNOWN: ("unknown field", "a key that the label set does not have"),
    TYPE: ("type error", "no value of the field's type, no category of it, or out of range"),
    UNSUPPORTED: ("unsupported", "the text does not hold the words"),
    FIELD: ("wrong field", "the value of another field of the document"),
    NEGATION: ("negation", "yes and no swapped"),
    OCCURRENCE: ("wrong occurrence", "words of the text, but another date, number or passage"),
    FORMAT: ("unit or format", "the right words, or the right digits, read as another value"),
    LENGTH: ("cut or too long", "a part of the right text, or more than it"),
    MISSED: ("missed", "stated in the gold and not in the answer"),
    INVENTED: ("invented", "stated in the answer although the gold states nothing"),
    OTHER: ("another value", "none of the others, such as a wrong category"),
}
"""Each kind's name and meaning, in the order in which they are tried."""
_POWERS = (10.0, 100.0, 1000.0)


@dataclass(frozen=True, slots=True)
class Error:
    """One wrong thing with its kind; either item may be absent."""

    field: int
    kind: str
    gold: Item | None = None
    said: Item | None = None


@dataclass(frozen=True, slots=True)
class Judge:
    """Finds the kinds of errors of one labeler.

    Attributes:
        placed: whether support by the text can be judged at all.
    """

    asked: Sequence[Asked]
    placed: bool

    def errors(
        self, wrong: Sequence[Wrong], gold: Document, said: Document | None, text: str | None
    ) -> list[Error]:
        """The errors of one document: items of a list one by one, in pairs as far as they go."""
        found = []
        for each in wrong:
            if said is None or self.asked[each.field].name not in said:
                items = each.gold or (None,)
                found += [Error(each.field, NO_ANSWER, gold=item) for item in items]
                continue
            many = self.asked[each.field].many
            for place in range(max(len(each.gold), len(each.said)) if many else 1):
                truth = each.gold[place] if place < len(each.gold) else None
                answer = each.said[place] if place < len(each.said) else None
                kind = self._kind(self.asked[each.field], truth, answer, gold, said, text)
                found.append(Error(each.field, kind, truth, answer))
        return found

    def _kind(
        self,
        asked: Asked,
        gold: Item | None,
        said: Item | None,
        document: Document,
        answers: Document,
        text: str | None,
    ) -> str:
        if said is None:
            # "No" in a closed-world field is no item, and yet it was said.
            return NEGATION if asked.closed and _denied(asked, answers) else MISSED
        if asked.type_error(said):
            return TYPE
        if self.placed and asked.unsupported(said, text):
            return UNSUPPORTED
        if self._of_another(asked, said, document):
            return FIELD
        if gold is None:
            return NEGATION if asked.closed and _denied(asked, document) else INVENTED
        if asked.type == "boolean":
            return NEGATION
        if asked.type == "categorical":
            return OTHER
        return _near(asked, gold, said)

    def _of_another(self, asked: Asked, said: Item, document: Document) -> bool:
        """Whether the gold says this value of another field of the type."""
        if asked.type in ("boolean", "categorical"):
            return False  # the same word in another field says nothing
        return any(
            other.type == asked.type
            and other.name != asked.name
            and other.name in document
            and any(asked.sameness.same_item(i, said) for i in other.stated(document[other.name]))
            for other in self.asked
        )


def _denied(asked: Asked, document: Document) -> bool:
    value = document.get(asked.name)
    return value is not None and any(item.value is False for item in value.items)


def _near(asked: Asked, gold: Item, said: Item) -> str:
    """What became of a date, a number or a text that is another than the gold's."""
    same_place = bool(gold.spans and said.spans) and _touch(gold.spans, said.spans)
    if asked.type == "text":
        one, other = folded(gold.raw or str(gold.value)), folded(said.raw or str(said.value))
        if same_place or one in other or other in one:
            return LENGTH
        return OCCURRENCE
    same_words = bool(gold.raw) and folded(gold.raw) == folded(said.raw)
    if same_place or same_words or _rewritten(asked, gold, said):
        return FORMAT
    return OCCURRENCE


def _touch(one: Sequence[Span], other: Sequence[Span]) -> bool:
    return any(a < d and c < b for a, b in one for c, d in other)


def _rewritten(asked: Asked, gold: Item, said: Item) -> bool:
    """Whether one value is the other with day and month swapped, or in another unit."""
    one, other = gold.value, said.value
    if isinstance(one, str) and isinstance(other, str):
        swapped = one[:5] + one[8:10] + one[7:8] + one[5:7]
        return len(one) == len(other) and (swapped == other or one[2:] == other[2:])
    if not isinstance(one, float) or not isinstance(other, float) or not one or not other:
        return False
    ratio = abs(other / one)
    factors = (*_POWERS, *asked.factors)
    return any(
        abs(ratio - f) <= ROUNDING * max(ratio, f)
        for factor in factors
        if factor and factor != 1
        for f in (factor, 1 / factor)
    )
