"""From words to a value: what the raw form of an answer means for its field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from labelwright.tasks.fields.dates import at_precision, find_dates, finer, fold, said_around
from labelwright.tasks.fields.numbers import TIME, UNKNOWN, find_numbers, read_number
from labelwright.tasks.fields.schema import Category, Field, FieldSet, FieldType
from labelwright.tasks.fields.values import Scalar
from labelwright.tasks.fields.yes_no import read_boolean

_WORDS = re.compile(r"\w+")
_MARK = re.compile(r"[^\w\s]")


@dataclass(frozen=True, slots=True)
class Reading:
    """What words mean for a field.

    Attributes:
        wrong: why they have no value: ``no date``, ``no number``, ``unknown unit``,
            ``outside the values``, …; empty where they have one.
        comparator: of a number that is a bound.
        doubt: what is odd about a value that they have: ``out of range``, ``partial date``, …
    """

    value: Scalar | None
    unit: str = ""
    wrong: str = ""
    doubt: str = ""
    comparator: str = ""


def read_value(own: FieldSet, field: Field, raw: str) -> Reading:
    """The value that ``raw`` says; the raw form itself is the caller's to keep."""
    match field.type:
        case FieldType.DATE:
            return _date(field, raw)
        case FieldType.NUMBER:
            return _number(field, raw)
        case FieldType.BOOLEAN:
            said = read_boolean(raw, own.yes, own.no)
            return Reading(said, wrong="" if said is not None else "neither yes nor no")
        case FieldType.CATEGORICAL:
            category = read_category(field, raw)
            if category is None:
                return Reading(None, wrong="outside the values")
            return Reading(category.value)
    text = " ".join(raw.split())
    return Reading(text, doubt="too long" if len(text) > field.most else "")


def _date(field: Field, raw: str) -> Reading:
    matches = find_dates(raw, field.dates.order, field.dates.century)
    found = {one.iso for one in matches}
    if len(found) == 1 and (wrong := said_around(raw, matches)):
        return Reading(None, wrong=wrong)
    if len(found) != 1:
        return Reading(None, wrong="several dates" if found else "no date")
    iso = found.pop()
    if iso is None:
        return Reading(None, wrong="no such date")
    low, high = field.range
    early = low is not None and iso < str(low)[: len(iso)]
    late = high is not None and iso[: len(str(high))] > str(high)
    doubt = "out of range" if early or late else ""
    if not finer(iso, field.precision):
        doubt = doubt or "partial date"
    return Reading(at_precision(iso, field.precision), doubt=doubt)


def _number(field: Field, raw: str) -> Reading:
    found = read_number(raw, field)
    if found.value is None:
        return Reading(None, found.unit, found.wrong)
    doubt = range_doubt(field, found.value)
    return Reading(found.value, found.unit, doubt=doubt, comparator=found.comparator)


def range_doubt(field: Field, value: float) -> str:
    """``out of range`` for a number that is."""
    low, high = field.range
    below = isinstance(low, float) and value < low
    above = isinstance(high, float) and value > high
    return "out of range" if below or above else ""


def read_category(field: Field, raw: str) -> Category | None:
    """The category whose value, word or synonym is ``raw``, whatever case, accents and marks."""
    exact, loose = _forms(field.values)
    plain = " ".join(raw.split())
    found = exact.get(plain)
    if found is None and _MARK.search(plain):
        found = loose.get(_tightly(plain))
    return found or loose.get(_loosely(plain))


@lru_cache(maxsize=1024)
def _forms(
    values: tuple[Category, ...],
) -> tuple[Mapping[str, Category], Mapping[str, Category]]:
    """Categories by their forms as they are, and by what is left without case and marks."""
    exact: dict[str, Category] = {}
    loose: dict[str, Category | None] = {}
    for category in values:
        for form in dict.fromkeys((category.value, category.word, *category.synonyms)):
            exact.setdefault(form, category)
            for plain in {_tightly(form) if _MARK.search(form) else "", _loosely(form)}:
                known = loose.setdefault(plain, category)
                if known is not category:
                    loose[plain] = None
    return exact, {form: one for form, one in loose.items() if one is not None and form}


def _tightly(text: str) -> str:
    """Without case, accents and blanks; marks count."""
    return fold("".join(text.split())).replace("−", "-")


def _loosely(text: str) -> str:
    return " ".join(_WORDS.findall(fold(text).replace("_", " ")))


def candidates(field: Field, text: str) -> list[tuple[int, int]]:
    """Where in a text the dates or numbers stand that the field could have, in order."""
    if field.type is FieldType.DATE:
        order, century = field.dates.order, field.dates.century
        return [(one.start, one.end) for one in find_dates(text, order, century)]
    if field.type is FieldType.NUMBER:
        found = find_numbers(text, field)
        kept = (
            one
            for one in found
            if one.wrong != TIME and (field.bare or (one.unit and one.wrong != UNKNOWN))
        )
        return [(one.start, one.end) for one in kept]
    return []
