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
    forms = lexicon["forms"][sex]
    day = _writer(draw, lexicon["months"])
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
        "nascita": day(born),
        "ingresso": day(admitted),
        "dimissione": day(left),
        "decesso": day(died),
        "operazione": day(operated),
        "stampa": day(left + timedelta(days=1)),
        "controllo": day(left + timedelta(days=whole(draw, 14, 60))),
        "eta": Fact(f"{age} anni", float(age)),
        "giorni": _counted(draw, stay),
        "giorni_ti": Fact(str(whole(draw, 1, 4))),
        "anno_redo": _year(whole(draw, 1985, 2014)),
        "eta_padre": Fact(str(whole(draw, 60, 90))),
        "eta_madre": Fact(str(whole(draw, 60, 90))),
        "lasix": _dose(draw, pick(draw, (25, 50, 75, 100, 125, 250, 500))),
        "dose_vecchia": Fact(str(pick(draw, (12, 20, 150)))),
        "dose": Fact(pick(draw, ("25", "50", "75"))),
        "cartella": Fact(f"{whole(draw, 0, 99999):08d}" if draw() < 0.6 else
                         f"{whole(draw, 2017, 2023)}/{whole(draw, 100, 99999):06d}"),
        "cartella_vecchia": Fact(f"{whole(draw, 1, 9999):06d}"),
        "telefono": _phone(draw, mobile=True),
        "telefono_reparto": _phone(draw, mobile=False),
        "sesso": Fact(pick(draw, forms["sesso"]), sex),
        "nome": Fact(pick(draw, lexicon["words"][f"nome_{sex.lower()}"])),
        "sala": Fact(str(whole(draw, 1, 6))),
        "minuti": Fact(str(whole(draw, 60, 190))),
        "fe": Fact(str(whole(draw, 25, 65))),
        "grad": Fact(str(whole(draw, 8, 60))),
        "plt": Fact(str(whole(draw, 90, 400))),
        **{name: Fact(_decimal(draw, *ends)) for name, ends in _DECIMALS.items()},
    }  # fmt: skip
    for name in ("o", "ore", "fumatore", "fumatore_attivo"):
        facts[name] = Fact(forms[name])
    return facts


_DECIMALS = {
    "hb": (8.0, 14.5), "cr": (0.6, 3.2), "k": (3.2, 5.4), "inr": (1.0, 3.4), "pcr": (1.0, 90.0),
}  # fmt: skip


def _decimal(draw: Draw, low: float, high: float) -> str:
    return f"{low + draw() * (high - low):.1f}".replace(".", ",")


def _writer(draw: Draw, months: Sequence[str]) -> Callable[[date], Fact]:
    """How this letter writes its dates."""
    style = draw()
    if style < 0.15:
        return lambda day: Fact(f"{day.day} {months[day.month - 1]} {day.year}", day.isoformat())
    form = "%d/%m/%Y" if style < 0.6 else "%d.%m.%Y" if style < 0.75 else "%d/%m/%y"
    if style > 0.95:
        form = "%d-%m-%Y"
    return lambda day: Fact(day.strftime(form), day.isoformat())


def _counted(draw: Draw, days: int) -> Fact:
    return Fact(f"{days} {pick(draw, ('giorni', 'giornate', 'gg'))}", float(days))


def _year(year: int) -> Fact:
    return Fact(str(year), str(year))


def _dose(draw: Draw, milligrams: int) -> Fact:
    return Fact(f"{milligrams}{pick(draw, (' mg', 'mg', ' mg/die'))}", float(milligrams))


def _phone(draw: Draw, *, mobile: bool) -> Fact:
    number = f"{whole(draw, 0, 9999999):07d}"
    if mobile:
        prefix = pick(draw, ("333", "347", "328", "+39 340"))
        return Fact(f"{prefix} {number}" if draw() < 0.5 else f"{prefix}/{number}")
    return Fact(f"02 {number}")
