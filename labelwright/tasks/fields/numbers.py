"""Numbers as documents write them: marks for decimals and thousands, units, fractions, words.

What says two numbers (``10-12``, ``120/80``) has no value of one. A sign of inequality before a
number is part of it; other words around it stay in its raw form and change nothing.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from labelwright.tasks.fields.dates import find_dates, fold
from labelwright.tasks.fields.number_words import WORDY, in_words
from labelwright.tasks.fields.schema import Field, Unit

_SPACE = "\u00a0\u2007\u2009\u202f"
_DIGITS = (
    rf"\d{{1,3}}(?:(?:[{_SPACE}'’]\d{{3}})+|(?: \d{{3}}){{2,}})(?:[.,]\d+)?(?!\d)|\d+(?:[.,]\d+)*"
)
_POWER = r"(?:[eE][+-]?\d{1,3}(?!\w)|\s?[x×*·]\s?10\s?\^?\s?[-−+]?[\d⁰¹²³⁴-⁹]+)?"
NUMBER = re.compile(
    rf"(?<![\d])(?<![\d][.,])(?<!\b[lIOo])(?:(?P<lead>(?<![\w.,)])[.,]\d+(?![.,]?\d))"
    rf"|(?P<frac>(?:\d+ )?\d+[/⁄]\d+(?![/⁄\d]))|(?P<half>\d*\s?[½¼¾⅓⅔⅛])"
    rf"|(?P<plain>{_DIGITS})(?P<power>{_POWER}))"
)
"""A number, without its sign."""
_HALVES = {"½": 1 / 2, "¼": 1 / 4, "¾": 3 / 4, "⅓": 1 / 3, "⅔": 2 / 3, "⅛": 1 / 8}
_RANGE = re.compile(r"\s*(?:-|–|—|/|÷|\bto\b|\ba\b|\bbis\b|\bà\b)\s*", re.IGNORECASE)
_SIGNS = {"=<": "<=", "≤": "<=", "≥": ">="}
_SIGN = (
    r"(?P<sign><=|=<|>=|[<>≤≥])"
    r"|\b(?P<less>less than|inferiore a|minore di|inferior a|menor (?:de|que)|inferieure? a"
    r"|moins de|kleiner als|weniger als|lager dan|minder dan)"
    r"|\b(?P<more>(?:more|greater) than|superiore a|maggiore di|superior a|mayor (?:de|que)"
    r"|superieure? a|plus de|grosser als|mehr als|hoger dan|meer dan)"
    r"|\b(?P<least>at least|almeno|al menos|au moins|mindestens|minstens)"
)
_SIGN_BEFORE = re.compile(rf"(?<![-=<>≤≥])(?:{_SIGN}) {{0,2}}$")
"""That a number is a bound; the head of an arrow says no such thing."""
_SIGN_AT = re.compile(rf"(?:{_SIGN}) {{0,2}}")
_WORDY_SIGNS = {"less": "<", "more": ">", "least": ">="}
PERCENT = ("percent", "per cent", "per cento", "percento", "por ciento", "pour cent", "prozent")
"""Words for the sign of percent."""
_BETWEEN = re.compile(r" ?(?:-|–|—|÷) ?| (?:to|a|bis|à|tot) ", re.IGNORECASE)
"""Between the two numbers of a range."""
_SMALL_PARTS = (2, 3, 4, 8)
"""Denominators of fractions in lowest terms; ``120/80``, ``3/10`` and ``2/6`` are two numbers."""


_A_DAY = re.compile(
    r"/ ?(?:die|d|day|dia|tag|jour|j|dag|24 ?h)$| (?:al giorno|a day|al dia|am tag)$"
)
_OFTEN = re.compile(
    r"[ ,;(-]*(?:[x×*] ?\d+\b(?: ?(?:/|al |vol|mal)[ ]?\w*(?: \w+)?)?|\d+[-+]\d+(?:[-+]\d+)*"
    r"|(?:\w+ )?(?:volte|vv|times|mal|veces|fois)\b(?: \w+){0,2}"
    r"|(?:zwei|drei|vier)mal\b(?: \w+)?|(?:twice|thrice)\b(?: \w+)?"
    r"|(?:b|t|q)\.?[ ]?[id]\.?[ ]?d\b|q ?\d+ ?h\b|(?:ogni|every|alle|cada|toutes les) \d+ ?\w+"
    r"|(?:a )?(?:giorni|dias) altern\w+|alternate days|every other day|jeden zweiten tag"
    r"|un jour sur deux|(?:a|alla|per) settimana|weekly|(?:a|per|every) week|wochentlich"
    r"|(?:al|se) bisogno|as needed|prn\b|bei bedarf|si besoin"
    r"|(?:la |il |al )?(?:mattin[ao]|matin|morgens|morning) (?:e|et|und|and) \w+(?: \w+)?)"
)
"""How often a dose is taken: it is no amount a day."""
_LARGE = re.compile(
    r"(?<![^\W\d_])(?:cento|cien|cientos?|hundred|hundert|cents?|mille|mila|mil|thousand|tausend)"
    r"(?: ?(?:and|und|et|e|y))?[ -]*$"
)
"""A hundred or a thousand before a number in words."""
_MORE = re.compile(
    r" ?(?:mila|mil|mille|thousand|tausend|k|milion\w*|million\w*|millon\w*|mld|mio)\b"
)
_GARBLED = re.compile(
    r"(?<![\w.,/])(?=[.,lIOo]{0,9}\d)[\dlIOo]{0,9}(?:[.,]?[lIOo]|(?<=\d)(?:[.,]{2}|;| , )(?=\d))"
    r"[\dlIOo.,]{0,9}(?<![.,])(?![\w/])"
)
"""Figures among letters that scans take for them (``1O``, ``l,2``), or with marks that none has."""
_MEASURE = re.compile(
    r"[ \t-]?(?:(?P<year>years?|yrs?|an[ns]i|anno|ann?ees?|anos?|ans|jahre?n?|jaar|jaren)"
    r"|(?P<month>months?|mes[ei]s?|mois|monate?n?|maand\w*)"
    r"|(?P<week>weeks?|settiman[ae]|semanas?|semaines?|wochen?|weken?)"
    r"|(?P<day>days?|giorn[oi]|giornate|gg|dias?|jours?|tage?n?|dag(?:en)?)"
    r"|(?P<hour>hours?|hrs?|h|ore|horas?|heures?|stunden?|uren)"
    r"|(?P<minute>minut\w*|min)|(?P<second>sec|msec|ms|second[is]?|segundos?|secondes?)"
    r"|(?P<other>(?:[kmun]?(?:mol|eq|g|l)|mcg|c[lmc]|dl|mm|km|pg|fl|mm ?hg|cm ?h2o|k?pa|k?cal"
    r"|[iu]\.?[iu]|[iu]e|bpm|cpr|gtt|tabl?s?|tablets?|compresse?|gocce|fiale|units?|unita|unidades|einheiten)"
    r"(?: ?/ ?(?:[kmunpf]?(?:mol|g|l)|dl|mm3|mmc|min|h|die|kg|24 ?h|m2|1[.,]73 ?m2?))*"
    r"|mm?/?[23]|%|‰|°[cf]?))(?![^\W_])(?!/\d)"
)
"""Units of measurement in lower case without accents; those of time with their words."""
_HALF = re.compile(
    r"[ -]*(?:e mezz[oa]|and a half|y medi[oa]|et demie?|und ein halb\w*|e mei[oa]|en een half)\b"
)


UNKNOWN = "unknown unit"
TIME = "a time"
"""Of a number: that it is so long, where the field is no time."""


@dataclass(frozen=True, slots=True)
class NumberMatch:
    """``text[start:end]`` is a number with its unit, if one of the field's follows.

    ``value`` is in the field's unit; ``None`` where it is no finite number, and where ``wrong``
    says why: a range, a unit that the field lacks, figures that nobody can read.
    """

    start: int
    end: int
    value: float | None
    unit: str = ""
    comparator: str = ""
    wrong: str = ""


def find_numbers(text: str, field: Field) -> list[NumberMatch]:
    """All numbers of a text that the field could have, in order; those of dates are none."""
    busy = bytearray(len(text) + 1)
    for one in find_dates(text, field.dates.order, field.dates.century):
        if one.end - one.start > 5:  # a year alone may be a number
            busy[one.start : one.end] = b"\1" * (one.end - one.start)
    found: list[NumberMatch] = []
    for match in _GARBLED.finditer(text):
        if busy[match.start()]:
            continue
        odd = _with_unit(text, *match.span(), None, field)
        if odd.unit or _is_no_name(match[0]):
            busy[odd.start : odd.end] = b"\1" * (odd.end - odd.start)
            found.append(replace(odd, wrong="no number"))
    last = 0
    for match in NUMBER.finditer(text):
        if busy[match.start()] or match.start() < last:
            continue
        value = _value(match, field.decimals)
        if match["frac"] and value is None:  # 120/80 is two numbers
            found += [
                _with_unit(text, start, end, float(text[start:end]), field)
                for start, end in _sides(match)
            ]
            last = found[-1].end
            continue
        start = _signed(text, match.start())
        if start < match.start() and value is not None:
            value = -value
        found.append(_with_unit(text, start, match.end(), value, field))
        last = found[-1].end
    if field.unit or field.units:
        found += _words(text, field)
    found = _ranges(text, sorted(found, key=lambda one: one.start))
    ends = [0, *(one.end for one in found)]
    return [
        _bounded(text, replace(one, value=None) if one.wrong else one, end)
        for one, end in zip(found, ends, strict=False)
    ]


def _is_no_name(garbled: str) -> bool:
    """Whether garbled figures are such without a unit: ``1O``, not ``O2``, ``1l``, ``1 , 2``."""
    alone = garbled.isalnum() and (not garbled[0].isdigit() or garbled.endswith("l"))
    return not alone and " " not in garbled


def _ranges(text: str, found: list[NumberMatch]) -> list[NumberMatch]:
    """The same with two numbers that are one range (``5-10 mg``) as one without a value."""
    kept: list[NumberMatch] = []
    for one in found:
        last = kept[-1] if kept else None
        if (
            last is not None
            and last.value is not None
            and one.value is not None
            and last.unit in ("", one.unit)
            and _BETWEEN.fullmatch(text, last.end, one.start)
            and (last.value < one.value or not last.unit)
        ):
            kept[-1] = NumberMatch(last.start, one.end, None, one.unit, wrong="two numbers")
        else:
            kept.append(one)
    return kept


def _bounded(text: str, one: NumberMatch, after: int) -> NumberMatch:
    """The number with the sign before it, unless that parts it from another (``12 > 10``)."""
    first = max(one.start - 24, 0)
    sign = _SIGN_BEFORE.search(fold(text[first : one.start]))
    start = one.start if sign is None else first + sign.start()
    if sign is None or (after and not text[after:start].strip()):
        return one
    written = sign["sign"] or _WORDY_SIGNS[str(sign.lastgroup)]
    return replace(one, start=start, comparator=_SIGNS.get(written, written))


def behind_sign(text: str, start: int) -> int:
    """Where the number begins whose sign may stand at ``start``."""
    sign = _SIGN_AT.match(fold(text[start : start + 24]))
    return start if sign is None else start + sign.end()


def _sides(match: re.Match[str]) -> list[tuple[int, int]]:
    return [(match.start() + one.start(), match.start() + one.end())
            for one in re.finditer(r"\d+", match[0])]  # fmt: skip


def _signed(text: str, start: int) -> int:
    """Where a number with its minus begins; a dash between two things is none."""
    if start and text[start - 1] in "-−" and (start == 1 or text[start - 2] in " (\t\n=:<>"):
        return start - 1
    return start


def _with_unit(text: str, start: int, end: int, value: float | None, field: Field) -> NumberMatch:
    unit = unit_at(text, end, field)
    if unit is None:
        strange = _measure_at(text, end) if all_units(field) else None
        if strange is None:
            return NumberMatch(start, end, value)
        why = UNKNOWN if strange.lastgroup == "other" else TIME
        stop = end + strange.end()
        return NumberMatch(start, stop, value, text[end:stop].strip(" \t-"), wrong=why)
    (named, stop) = unit
    said = text[end:stop].strip(" -\n\t")
    if _A_DAY.search(_unit_form(field.unit)) and not _A_DAY.search(_unit_form(named.name)):
        often = _OFTEN.match(fold(text[stop : stop + 40]))
        if often is not None:
            return NumberMatch(start, stop + often.end(), None, said)
    if _HALF.match(fold(text[stop : stop + 20])):
        value = None
    return NumberMatch(start, stop, _scaled(value, named), said)


def _measure_at(text: str, at: int) -> re.Match[str] | None:
    """A unit of measurement at ``text[at:]``, whether the field has it or not."""
    return _MEASURE.match(_unit_form(text[at : at + 40]))


def _words(text: str, field: Field) -> list[NumberMatch]:
    """Numbers in words, where one of the field's units follows ("tres años")."""
    found = []
    plain = fold(text)
    for match in WORDY.finditer(plain):
        value = in_words(match[0])
        if value is None or _LARGE.search(plain[max(match.start() - 20, 0) : match.start()]):
            continue
        if unit_at(text, match.end(), field) is not None:
            found.append(_with_unit(text, match.start(), match.end(), value, field))
    return found


def _scaled(value: float | None, unit: Unit) -> float | None:
    return None if value is None else _finite(value * unit.factor + unit.offset)


def _finite(value: float) -> float | None:
    """Without the dust of binary fractions, so that 0.1 mg is 100 µg."""
    return float(f"{value:.12g}") if math.isfinite(value) else None


def unit_at(text: str, at: int, field: Field) -> tuple[Unit, int] | None:
    """The longest unit of a field that stands at ``text[at:]``, and where it ends.

    A time may be said in other words than the label set's (``years`` where its unit is ``anni``).
    """
    start = at
    while start < len(text) and text[start] in f" \t\n-{_SPACE}" and start - at < 3:
        start += 1
    rest = _unit_form(text[start : start + 40])
    for form, unit in _unit_forms(field.unit, field.units):  # the longest first
        if not rest.startswith(form):
            continue
        end = start + len(form)
        if end < len(text) and text[end].isalnum() and form[-1].isalnum():
            continue
        if text[end : end + 1] == "/" and text[end + 1 : end + 2].isalpha():
            continue
        return unit, end
    times = _times(field.unit, field.units)
    measure = _measure_at(text, at) if times else None
    if measure is not None and (named := times.get(str(measure.lastgroup))) is not None:
        return named, at + measure.end()
    return None


@lru_cache(maxsize=512)
def _times(own: str, others: tuple[Unit, ...]) -> Mapping[str, Unit]:
    """Units of time by what they measure; the field's own counts before others."""
    found: dict[str, Unit] = {}
    for unit in _units(own, others):
        measure = _MEASURE.match(_unit_form(unit.name))
        if measure is not None and measure.lastgroup != "other":
            found.setdefault(str(measure.lastgroup), unit)
    return found


@lru_cache(maxsize=512)
def _unit_forms(own: str, others: tuple[Unit, ...]) -> tuple[tuple[str, Unit], ...]:
    """Units by how they are compared, the longest first; the field's own counts before others."""
    forms: dict[str, Unit] = {}
    for unit in _units(own, others):
        for name in (unit.name, *(PERCENT if unit.name == "%" else ())):
            forms.setdefault(_unit_form(name), unit)
    return tuple(sorted(((f, u) for f, u in forms.items() if f), key=lambda pair: -len(pair[0])))


def all_units(field: Field) -> Sequence[Unit]:
    """The field's own unit and those that texts may use."""
    return _units(field.unit, field.units)


def _units(own: str, others: tuple[Unit, ...]) -> tuple[Unit, ...]:
    return (*([Unit(own)] if own else []), *others)


def _unit_form(text: str) -> str:
    """Without case and accents, micro in one writing; a character for each."""
    return fold(text.translate({0xB5: "u", 0x3BC: "u", 0xB7: ".", 0x2215: "/"}))


@dataclass(frozen=True, slots=True)
class ReadNumber:
    """What a string says; ``wrong`` is a reason where it has no value."""

    value: float | None
    unit: str = ""
    wrong: str = ""
    comparator: str = ""


def read_number(raw: str, field: Field) -> ReadNumber:
    """The only number in ``raw``, in the field's unit."""
    found = find_numbers(raw, field)
    if not found:
        value = in_words(" ".join(fold(raw).split()))
        return ReadNumber(value, "", "" if value is not None else "no number")
    first = found[0]
    rest = found[1:]
    if first.wrong and not rest:
        why = UNKNOWN if first.wrong == TIME else first.wrong
        return ReadNumber(None, first.unit, why)
    if rest and "+" in raw[first.end : rest[0].start]:
        return ReadNumber(None, first.unit, "several numbers")
    if rest:
        between = raw[first.end : rest[0].start]
        if len({(one.comparator, one.value) for one in found}) > 1:
            ends = _RANGE.fullmatch(between) is not None
            why = "two numbers" if ends else "several numbers"
            return ReadNumber(None, first.unit, why)
    if first.value is None:
        often = _OFTEN.search(fold(raw[first.start : first.end]).removeprefix("-"))
        return ReadNumber(None, first.unit, "times a day" if often else "no number")
    if not first.unit and (more := _MORE.match(fold(raw[first.end :]))):
        return ReadNumber(None, more[0].strip(), UNKNOWN)
    if not first.unit and all_units(field):
        strange = raw[first.end :].strip(" .,;:)]\n\t-")
        if strange and (strange[0].isalpha() or strange[0] in "%°‰µμ"):
            return ReadNumber(None, strange.split()[0], UNKNOWN)
    return ReadNumber(first.value, first.unit, comparator=first.comparator)


def _value(match: re.Match[str], decimals: str | None) -> float | None:
    if match["half"]:
        whole = match["half"][:-1].strip()
        return (float(whole) if whole else 0.0) + _HALVES[match["half"][-1]]
    if match["frac"]:
        return _fraction(match["frac"])
    if match["lead"]:
        return _float("0." + match["lead"][1:])
    number = plain_number(match["plain"], decimals)
    if number is None or not match["power"]:
        return number
    power = unicodedata.normalize("NFKC", re.sub(r"(?<=10)(?=[⁰¹²³⁴-⁹⁻])", "^", match["power"]))
    exponent = re.sub(r"^(?:[eE]|\s?[x×*·]\s?10\s?\^?\s?)", "", power.replace("−", "-"))
    if not re.fullmatch(r"[+-]?\d{1,3}", exponent):
        return None
    try:
        return _finite(float(f"{number!r}e{int(exponent)}" if "e" not in repr(number) else "nan"))
    except (ValueError, OverflowError):
        return None


def _fraction(text: str) -> float | None:
    head, _, last = text.replace("⁄", "/").rpartition(" ")
    above, _, below = last.partition("/")
    if int(below) not in _SMALL_PARTS or math.gcd(int(above), int(below)) != 1:
        return None
    if not 0 < int(above) < int(below):
        return None
    return (float(head) if head else 0.0) + int(above) / int(below)


def plain_number(text: str, decimals: str | None) -> float | None:
    """Figures with marks as a number; ``None`` where the marks make no sense.

    A single mark before three figures parts thousands where the other mark is that of decimals
    (``1.234`` with ``,``), and decimals where the label set says nothing.
    """
    text = "".join(
        c if not c.isdecimal() else str(unicodedata.decimal(c)) for c in text if c.isdecimal()
        or c in ".,"
    )  # fmt: skip
    marks = [char for char in text if char in ".,"]
    if not marks:
        return _float(text)
    last = marks[-1]
    other = "." if last == "," else ","
    if len(set(marks)) == 2:
        whole, _, part = text.rpartition(last)
        if last in whole or not _thousands(whole, other):
            return None
        return _float(whole.replace(other, "") + "." + part)
    if len(marks) > 1:
        return _float(text.replace(last, "")) if _thousands(text, last) else None
    if decimals is not None and last != decimals and _thousands(text, last):
        return _float(text.replace(last, ""))
    return _float(text.replace(last, "."))


def _thousands(text: str, mark: str) -> bool:
    groups = text.split(mark)
    first = groups[0]
    rest = all(len(group) == 3 for group in groups[1:])
    return 1 <= len(first) <= 3 and rest and not (first.startswith("0") and len(groups) > 1)


def _float(text: str) -> float | None:
    try:
        return _finite(float(text)) if len(text) <= 40 else None
    except ValueError:
        return None
