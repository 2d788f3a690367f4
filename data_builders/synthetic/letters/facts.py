"""What is true of one made-up patient: dates that fit each other, numbers, forms of words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from data_builders.synthetic.phrases import Draw, pick


@dataclass(frozen=True, slots=True)
class Fact:
    """How something is written, and what it means; ``None`` where the words are the value."""

    words: str
    value: str | float | None = None


def whole(draw: Draw, low: int, high: int) -> int:
    """A whole number from ``low`` to ``high``."""
    return low + int(draw() * (high - low + 1))


def draw_facts(draw: Draw, lexicon: Mapping[str, Any]) -> dict[str, Fact]:
    """All holes that are not word lists."""
    sex = "M" if draw() < 0.62 else "F"
    forms, mark = lexicon["forms"][sex], lexicon.get("decimals", ",")
    day = _writer(draw, lexicon["months"], lexicon["dates"])
    admitted = date(2017, 1, 1) + timedelta(days=int(draw() * 2500))
    operated = admitted + timedelta(days=whole(draw, 1, 6))
    stay = whole(draw, 4, 32)
    left = operated + timedelta(days=stay)
    age = whole(draw, 44, 86)
    born = date(operated.year - age, whole(draw, 1, 12), whole(draw, 1, 28))
    if (born.month, born.day) > (operated.month, operated.day):
        born = born.replace(year=born.year - 1)
    died = operated + timedelta(days=whole(draw, 1, 20))
    facts = {
        "born": day(born),
        "admitted": day(admitted),
        "discharged": day(left),
        "died": day(died),
        "operated": day(operated),
        "printed": day(left + timedelta(days=1)),
        "control": day(left + timedelta(days=whole(draw, 14, 60))),
        "age": Fact(f"{age} {lexicon['age']}", float(age)),
        "stay": _counted(draw, stay, lexicon["days"]),
        "whole_stay": _counted(draw, (left - admitted).days, lexicon["days"]),
        "icu_days": Fact(str(whole(draw, 1, 4))),
        "redo_year": _year(whole(draw, 1985, 2014)),
        "father_age": Fact(str(whole(draw, 60, 90))),
        "mother_age": Fact(str(whole(draw, 60, 90))),
        "dose_now": _dose(draw, pick(draw, (25, 50, 75, 100, 125, 250, 500)), lexicon["dose"]),
        "dose_before": Fact(str(pick(draw, (12, 20, 150)))),
        "dose": Fact(pick(draw, ("25", "50", "75"))),
        "chart": Fact(f"{whole(draw, 0, 99999):08d}" if draw() < 0.6 else
                         f"{whole(draw, 2017, 2023)}/{whole(draw, 100, 99999):06d}"),
        "old_chart": Fact(f"{whole(draw, 1, 9999):06d}"),
        "phone": _phone(draw, mobile=True),
        "ward_phone": _phone(draw, mobile=False),
        "sex": Fact(pick(draw, forms["sex"]), sex),
        "given": Fact(pick(draw, lexicon["words"][f"given_{sex.lower()}"])),
        "room": Fact(str(whole(draw, 1, 6))),
        "minutes": Fact(str(whole(draw, 60, 190))),
        "fe": Fact(str(whole(draw, 25, 65))),
        "grad": Fact(str(whole(draw, 8, 60))),
        "plt": Fact(str(whole(draw, 90, 400))),
        **{name: Fact(_decimal(draw, *ends, mark)) for name, ends in _DECIMALS.items()},
    }  # fmt: skip
    facts |= {name: Fact(words) for name, words in forms.items() if name != "sex"}
    return facts


_DECIMALS = {
    "hb": (8.0, 14.5), "cr": (0.6, 3.2), "k": (3.2, 5.4), "inr": (1.0, 3.4), "pcr": (1.0, 90.0),
}  # fmt: skip


def _decimal(draw: Draw, low: float, high: float, mark: str) -> str:
    return f"{low + draw() * (high - low):.1f}".replace(".", mark)


def _writer(draw: Draw, months: Sequence[str], forms: Sequence[str]) -> Callable[[date], Fact]:
    """How this letter writes its dates: with the month's name, or in one of four forms."""
    style = draw()
    if style < 0.15:
        return lambda day: Fact(f"{day.day} {months[day.month - 1]} {day.year}", day.isoformat())
    form = forms[0] if style < 0.6 else forms[1] if style < 0.75 else forms[2]
    if style > 0.95:
        form = forms[3]
    return lambda day: Fact(day.strftime(form), day.isoformat())


def _counted(draw: Draw, days: int, units: Sequence[str]) -> Fact:
    return Fact(f"{days} {pick(draw, units)}", float(days))


def _year(year: int) -> Fact:
    return Fact(str(year), str(year))


def _dose(draw: Draw, milligrams: int, units: Sequence[str]) -> Fact:
    return Fact(f"{milligrams}{pick(draw, units)}", float(milligrams))


def _phone(draw: Draw, *, mobile: bool) -> Fact:
    number = f"{whole(draw, 0, 9999999):07d}"
    if mobile:
        prefix = pick(draw, ("333", "347", "328", "+39 340"))
        return Fact(f"{prefix} {number}" if draw() < 0.5 else f"{prefix}/{number}")
    return Fact(f"02 {number}")
