"""Units as UCUM codes (https://ucum.org): those that letters use, by their usual spellings."""

from __future__ import annotations

from collections.abc import Mapping

SYSTEM = "http://unitsofmeasure.org"
CODES: Mapping[str, str] = {
    **{unit: unit for unit in ("g", "mg", "kg", "ng", "pg", "mm", "cm", "m", "mL", "L", "dL", "%")},
    **{unit: unit for unit in ("mmol/L", "g/L", "g/dL", "mg/dL", "mg/L", "mL/min", "ng/mL", "h")},
    **{
        unit: unit for unit in ("umol/L", "pg/mL", "meq/L", "kg/m2", "mm/h", "s", "min", "wk", "mo")
    },
    **{unit: unit for unit in ("mg/d", "d", "a", "U/L", "mL/min/{1.73_m2}", "g/d", "ug", "ug/d")},
    **{"ml": "mL", "l": "L", "dl": "dL", "cc": "mL", "gr": "g", "mg/dl": "mg/dL", "g/dl": "g/dL"},
    **{"mmol/l": "mmol/L", "µmol/l": "umol/L", "µg": "ug", "mcg": "ug", "ng/ml": "ng/mL"},
    **{
        "mmhg": "mm[Hg]",
        "mm hg": "mm[Hg]",
        "bpm": "/min",
        "/min": "/min",
        "beats/min": "/min",
        "iu/l": "[IU]/L",
    },
    **{"year": "a", "years": "a", "anni": "a", "month": "mo", "months": "mo", "mesi": "mo"},
    **{"week": "wk", "weeks": "wk", "day": "d", "days": "d", "giorni": "d", "hour": "h"},
    **{"hours": "h", "ore": "h", "minute": "min", "minutes": "min", "minuti": "min"},
    **{"mg/day": "mg/d", "mg/die": "mg/d", "mg/tag": "mg/d", "mg/jour": "mg/d", "g/day": "g/d"},
    **{"kg/m²": "kg/m2", "ml/min": "mL/min", "cm²": "cm2", "cm2": "cm2", "°c": "Cel", "cel": "Cel"},
    **{"pack-years": "{pack-year}", "pack years": "{pack-year}", "pg/ml": "pg/mL"},
}
"""UCUM's code by spelling; a spelling that is none of these is looked for in lower case."""


def coding(unit: str) -> dict[str, str] | None:
    """System and code of a unit; ``None`` where its code is not known."""
    plain = " ".join(unit.replace("\u03bc", "\u00b5").split())
    code = CODES.get(plain) or CODES.get(plain.casefold().replace("\u03bc", "\u00b5"))
    return None if code is None else {"system": SYSTEM, "code": code}
