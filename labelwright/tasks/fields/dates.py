"""Dates as documents write them, and their ISO form at the precision that is said.

Read are figures in the label set's order (``27/08/2019``, ``27.8.19``, ``2019-08-27``), names of
months in English, Italian, Spanish, French, German, Dutch and Portuguese, months and years alone.
A day that no calendar has, or one without a year, has no ISO form: nothing is guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

OLDEST, LATEST = 1800, 2199
"""Years that a document can speak of."""

MONTHS: tuple[tuple[str, ...], ...] = (
    ("january jan", "gennaio gen genn", "enero ene", "janvier janv", "januar jan", "januari",
     "janeiro jan", "janner jaenner"),
    ("february feb", "febbraio febbr", "febrero", "fevrier fevr fev", "februar", "februari",
     "fevereiro fev", "feber"),
    ("march mar", "marzo", "mars", "marz maerz mrz", "maart mrt", "marco"),
    ("april apr", "aprile", "abril abr", "avril avr"),
    ("may", "maggio mag magg", "mayo", "mai", "mei", "maio"),
    ("june jun", "giugno giu", "junio", "juin", "juni", "junho"),
    ("july jul", "luglio lug lugl", "julio", "juillet juil", "juli", "julho"),
    ("august aug", "agosto ago", "aout", "augustus"),
    ("september sep sept", "settembre set sett", "septiembre setiembre", "septembre",
     "setembro"),
    ("october oct", "ottobre ott", "octubre", "octobre", "oktober okt", "outubro out"),
    ("november nov", "novembre", "noviembre", "novembro"),
    ("december dec", "dicembre dic", "diciembre", "decembre", "dezember dez", "dezembro"),
)  # fmt: skip
"""All names and short forms, without accents, by month."""
MONTH = {name: n for n, names in enumerate(MONTHS, 1) for one in names for name in one.split()}
_NAMES = "|".join(sorted(MONTH, key=len, reverse=True))
_NAME = rf"(?P<month>{_NAMES})(?![^\W\d_])\.?"
_YEAR = r"(?P<year>\d{4}|'\d{2})(?!\d)"
_OF = r"(?:de[l]?|di|of|d'|of the)"
_LEFT = r"(?<![\d])(?<!\d[.,/-])"
_RIGHT = r"(?!\d)(?![.,/-]\d)"
_ONE_YEAR = (
    r"(?<!\d [ivx] )(?<!\d [ivx][ivx] )(?<!anni )(?<!anos )(?<!annees )(?<!jahren )(?<!jaren )"
)
"""What follows is no decade."""
ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
_FROM = re.compile(r"(?<![\d.,/])\d{1,2} ?(?:[-/+&]|[aeyuo]|et|und|and|to|bis|al?|au|all') ?$")
_DAY = re.compile(r"(?<![\d.,/])\d{1,2}/\d{1,2}(?![\d/])")
_BOUND = re.compile(
    r"\b(?:ante|prima|dopo|oltre|entro|before|after|until|by|bis|antes|despues|hasta|avant|apres|vor|nach)"
    r"(?: (?:del?|di|il|el|le|l'|dem|the|al|christmas|easter|natale|pasqua))*(?: |(?<='))$"
)

_FIGURES = r"(?:[?_*]{1,2}|xx|(?=[lio]*\d)[\dlio]{1,2})"
"""Figures, letters that scans take for them, or what stands for figures that nobody knows."""
FORMS = tuple(
    re.compile(form)
    for form in (
        # l2/O5/2024, ??.05.2024, l2 maggio 2024
        rf"(?<![\w/])(?<!\d[.,-])(?P<broken>{_FIGURES}(?P<mark>[-/.]){_FIGURES}(?P=mark)"
        rf"(?:(?=[lio?_*]*\d)[\dlio?_*]{{4}}|\d\d)"
        rf"|(?:[lio]\d|\d[li]) (?:{_OF} )?{_NAME} (?:{_OF} )?\d{{4}})(?!\w)",
        # 2019-08-27, 27/8/19, 27.08.2019; three figures parted by one mark
        r"(?<![\d])(?<!\d[.,/])(?P<a>\d{1,4})°? ?(?P<mark>[-/.]) ?(?P<b>\d{1,2}) ?(?P=mark)"
        r" ?'?(?P<c>\d{1,4})(?!\d)(?!(?P=mark)\d)",
        _LEFT + r"(?P<a>\d{1,2})(?P<mark> )(?P<b>\d{1,2}) (?P<c>\d{4})" + _RIGHT,
        _LEFT + r"(?P<whole>(?:18|19|20|21)\d{6})(?!\d)",
        # 27 agosto 2019, 27th of August '19, 1er mai 2018, 3. Mai 18, 3-May-2018
        rf"(?<!\d)(?P<day>\d{{1,2}})(?:st|nd|rd|th|er|re|[oa])?[.°]?[ -]*(?:{_OF} ?)?[ -]*{_NAME}"
        rf"(?:,? *(?:{_OF})? *[-/]? *(?P<year>\d{{4}}|'?\d{{2}})(?!\d)(?!:\d))?",
        # August 27, 2019; Aug 27th 2019
        rf"(?<![^\W\d_]){_NAME} +(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? +"
        r"(?P<year>\d{4}|'\d{2})(?!\d)",
        # agosto 2019, Aug. '19
        rf"(?<![^\W\d_]){_NAME},? *(?:{_OF})? *[-/]? *{_YEAR}",
        # 4/III/2019
        _LEFT + r"(?P<day>\d{1,2})(?P<mark>[-/.])(?P<roman>i{1,3}|i?v|vi{1,3}|i?x|xi{1,2})(?P=mark)"
        r"(?P<year>\d{4}|\d{2})(?!\w)",
        _LEFT + r"(?<![\w?°*][-/.])(?P<m>0?[1-9]|1[0-2])[-/.]"
        r"(?P<year>(?:18|19|20|21)\d{2})" + _RIGHT,
        _LEFT + r"(?P<year>(?:18|19|20|21)\d{2})-(?P<m>0[1-9]|1[0-2])" + _RIGHT,
        _ONE_YEAR + r"(?<!\w)(?P<year>'\d{2})(?!\w)",
        _ONE_YEAR + r"(?<![\w.,/-])(?P<year>(?:18|19|20|21)\d{2})(?![\w/]|[.,-]\d)",
    )
)  # fmt: skip
"""How dates are written, the most telling forms first."""


@dataclass(frozen=True, slots=True)
class DateMatch:
    """``text[start:end]`` is a date; ``iso`` is ``None`` where no calendar has it."""

    start: int
    end: int
    iso: str | None


def fold(text: str) -> str:
    """Lower case without accents, a character for each: offsets stay what they are."""
    if text.isascii():
        return text.lower()
    return text.translate(_PLAIN)


class _Plain(dict[int, str]):
    """Plain characters by code point, each worked out once."""

    def __missing__(self, code: int) -> str:
        return self.setdefault(code, _plain(chr(code)))


_PLAIN = _Plain()


def _plain(char: str) -> str:
    if char.isascii():
        return char.lower()
    if char in "’ʼ`´":
        return "'"
    if char in "‐‑‒–—":
        return "-"
    if char.isspace():
        return " "
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    return unicodedata.normalize("NFD", char)[0].lower()[:1] or " "


def find_dates(text: str, order: str = "dmy", century: int = 1930) -> list[DateMatch]:
    """All dates of a text, in order and apart from each other.

    Args:
        order: of day, month and year in figures: ``dmy``, ``mdy`` or ``ymd``.
        century: two-digit years fall into the hundred years that begin here.
    """
    plain = fold(text).replace("\n", " ").replace("\t", " ")
    taken = bytearray(len(plain))
    found = []
    for form in FORMS:
        for match in form.finditer(plain):
            start, end = match.span()
            if any(taken[start:end]):
                continue
            iso = _iso(match, order, century)
            if iso is None and not _looks_wrong(match):
                continue
            taken[start:end] = b"\1" * (end - start)
            found.append(DateMatch(start, end, iso))
    return sorted(found, key=lambda one: one.start)


def _looks_wrong(match: re.Match[str]) -> bool:
    """Whether what no calendar has is a date all the same.

    Eight figures that are no day are a number, and figures that are figures are not broken.
    """
    parts = match.groupdict()
    broken = parts.get("broken")
    return not parts.get("whole") if broken is None else re.search(r"[lio?_*x]", broken) is not None


def read_date(raw: str, order: str = "dmy", century: int = 1930) -> str | None:
    """The ISO form of the only date in ``raw``; ``None`` where there is none, or several."""
    found = {one.iso for one in find_dates(raw, order, century)}
    return found.pop() if len(found) == 1 else None


def said_around(raw: str, dates: Sequence[DateMatch]) -> str:
    """Why words that hold one date do not say it: ``several dates``, ``no day but a bound``.

    A day before it that shares its month ("4-8/3/2019") makes two, and so does another without a
    year; "before 2010" is not 2010. Empty where the date stands for itself.
    """
    plain = fold(raw)
    rest = list(plain)
    for one in dates:
        if _BOUND.search(plain[: one.start]):
            return "no day but a bound"
        if one.iso and len(one.iso) > 4 and _FROM.search(plain[: one.start]):
            return "several dates"
        rest[one.start : one.end] = " " * (one.end - one.start)
    return "several dates" if _DAY.search("".join(rest)) else ""


def at_precision(iso: str, precision: str) -> str:
    """A date without what is finer than the precision."""
    return iso[: {"year": 4, "month": 7, "day": 10}[precision]]


def finer(iso: str, precision: str) -> bool:
    """Whether a date says all that the precision asks."""
    return len(iso) >= {"year": 4, "month": 7, "day": 10}[precision]


def _iso(match: re.Match[str], order: str, century: int) -> str | None:
    parts = match.groupdict()
    if parts.get("broken"):
        return None
    if parts.get("whole"):
        digits = parts["whole"]
        return _calendar(digits[:4], int(digits[4:6]), int(digits[6:]), century)
    if parts.get("a"):
        return _of_figures(parts["a"], parts["b"], parts["c"], order, century)
    if parts.get("roman"):
        month: int = ROMAN.index(parts["roman"]) + 1
    else:
        month = MONTH[parts["month"]] if parts.get("month") else int(parts.get("m") or 0)
    day = int(parts["day"]) if parts.get("day") else None
    year = parts.get("year")
    return None if year is None else _calendar(year.lstrip("'"), month or None, day, century)


def _of_figures(a: str, b: str, c: str, order: str, century: int) -> str | None:
    if len(a) > 2:
        return _calendar(a, int(b), int(c), century) if len(a) == 4 and len(c) <= 2 else None
    if len(c) == 3:
        return None
    if order == "ymd" and len(c) <= 2:
        return _calendar(a, int(b), int(c), century) if len(a) == 2 else None
    if len(c) == 1:
        return None
    first, second = int(a), int(b)
    day, month = (second, first) if order == "mdy" else (first, second)
    return _calendar(c, month, day, century)


def _calendar(year: str, month: int | None, day: int | None, century: int) -> str | None:
    """ISO, if there is such a day."""
    number = int(year)
    if len(year) <= 2:
        number += century // 100 * 100
        number += 100 * (number < century)
    if not OLDEST <= number <= LATEST:
        return None
    try:
        date(number, 1 if month is None else month, 1 if day is None else day)
    except ValueError:
        return None
    parts = [f"{number:04d}", *(f"{part:02d}" for part in (month, day) if part is not None)]
    return "-".join(parts)
