"""What letters write in five languages: its value, or none where any value would be a guess."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labelwright.tasks.fields.normalise import candidates, read_value
from labelwright.tasks.fields.schema import Category, Dates, Field, FieldSet, FieldType, Unit
from labelwright.tasks.fields.values import Scalar

OWN = FieldSet((), yes="sì", no="no")


def number(unit: str, *units: tuple[str, float], mark: str = ",") -> Field:
    return Field(
        "x", "X", FieldType.NUMBER, unit=unit, units=tuple(Unit(*u) for u in units), decimals=mark
    )


DAY = Field("d", "D", FieldType.DATE)
YEAR = replace(DAY, precision="year")
BOOL = Field("b", "B", FieldType.BOOLEAN)
AGE = number("anni", ("aa", 1), ("años", 1), ("ans", 1), ("Jahre", 1), ("years", 1), ("y/o", 1),
             ("yo", 1), ("mesi", 1 / 12))  # fmt: skip
DOSE = number("mg", ("g", 1000), ("mcg", 0.001))
DAILY = number("mg/die", ("mg", 1), ("mg al giorno", 1), ("g", 1000))
SHARE = number("%")
PRESSURE = number("mmHg")
CREATININE = number("mg/dl", ("µmol/l", 1 / 88.4))
EURO = number("€", ("EUR", 1))
DAYS = number("giorni", ("gg", 1), ("settimane", 7), ("jours", 1), ("Tage", 1))
COUNT = number("")
NYHA = Field("n", "N", FieldType.CATEGORICAL, values=tuple(
    Category(str(n), word, synonyms=(f"NYHA {word}", f"classe NYHA {word}"))
    for n, word in enumerate(("I", "II", "III", "IV"), 1)
))  # fmt: skip
BLOOD = Field("t", "T", FieldType.CATEGORICAL, values=tuple(
    Category(word, word) for word in ("0+", "0-", "A+", "A-")
))  # fmt: skip
SMOKING = Field("s", "S", FieldType.CATEGORICAL, values=(
    Category("0", "mai", synonyms=("non fumatore",)),
    Category("1", "ex", synonyms=("ex fumatore",)),
    Category("2", "attivo", synonyms=("fumatore",)),
))  # fmt: skip

SAID: list[tuple[Field, dict[str, Scalar]]] = [
    (DAY, {
        "8 Mar '19": "2019-03-08", "May 2019": "2019-05", "29.2.2020": "2020-02-29",
        "1°/3/2019": "2019-03-01", "1° marzo 2019": "2019-03-01", "lun. 04/03/19": "2019-03-04",
        "4/III/2019": "2019-03-04", "4.XI.19": "2019-11-04", "4. Mrz. 19": "2019-03-04",
        "Montag, den 4. März 2019": "2019-03-04", "le 1er février 2020": "2020-02-01",
        "5 de mayo del 2018": "2018-05-05", "a mediados de 2018": "2018", "circa 2010": "2010",
        "04/03/2019 ore 10.30": "2019-03-04", "ricovero n. 3 del 4/3/2019": "2019-03-04",
        "im Jahr 1990": "1990", "dal 2010": "2010", "4/3/2019 (3 gg)": "2019-03-04",
    }),
    (DAY, {"nato il 3.5.'54": "1954-05-03", "Ende März 2018": "2018-03", "seit 2018": "2018"}),
    (YEAR, {"nel '98": "1998"}),
    (AGE, {
        "circa 70 anni": 70, "a 68 y/o": 68, "70 aa": 70, "sessantacinque anni": 65, "6 mesi": 0.5,
        "siebzig Jahre": 70, "70-month-old": 70 / 12,
    }),
    (DOSE, {"1,5 g": 1500, ".5 mg": 0.5, ",5 mg": 0.5, "mg 25": 25, "5 mg bid": 5, "50 mcg": 0.05}),
    (DAILY, {"25 mg/die": 25, "25 mg al giorno": 25}),
    (SHARE, {"FE ~ 45 %": 45, "55 percento": 55, "cinquantacinque per cento": 55}),
    (PRESSURE, {"120 mmHg": 120}),
    (CREATININE, {"1.2 mg/dL": 1.2, "106,08 µmol/l": 1.2, "*1,2": 1.2}),
    (EURO, {"1.234,50 €": 1234.5, "€ 1.234,50": 1234.5, "1,234.50 EUR": 1234.5}),
    (DAYS, {"3 settimane fa": 21, "dix jours": 10, "10 gg": 10}),
    (COUNT, {"12.000": 12000, "2x10^3": 2000, "-2,5": -2.5, "n. 3": 3, "3/4": 0.75, "tre": 3}),
    (BOOL, {
        "nega angina": False, "non diabetico": False, "DM tipo 2 no": False, "SI, lieve": True,
        "si'": True, "assenza di angina": False, "esclusa": False, "neg.": False, "pos": True,
        "pas de diabète": False, "keine AP": False, "absence de fièvre": False, "++": True,
        "il paziente non fuma": False, "patient denies pain": False, "non presente": False,
        "no, mai": False, "angina assente": False, "no known allergies": False,
        "no evidence of stroke": False, "kein Diabetes bekannt": False,
    }),
    (NYHA, {"ii": "2", "NYHA: III": "3", "classe NYHA II.": "2"}),
    (BLOOD, {"a-": "A-", "A +": "A+", "A −": "A-"}),
    (SMOKING, {"Ex-fumatore": "1", "non-fumatore": "0"}),
]  # fmt: skip

NONE: list[tuple[Field, str]] = [
    (DAY, "27/8|il 3 c.m.|29/02/2019|3 settimane fa|ieri|0/3/2019|00/00/2019|4/0/2019|13/2019|"
          "__/03/2019|xx/03/2019|?/3/2019|4-8/3/2019|dal 4/3 all'8/3/2019|4-8 marzo 2019|"
          "4 e 8 marzo 2019|4/8 marzo 2019|2015-2018|2015/16|ante 2010|prima del 2010|vor 2010|"
          "dopo il 2010|non prima del 4/3/2019|anni '90|anni 1990|the 1990s|4 marzo|27/08/2O19"),
    (AGE, "65-70 anni|65 anni e 6 mesi|due anni e mezzo|ciento dos años|one hundred two years|"
          "cent deux ans|70enne|settant'anni"),
    (DOSE, "2 cp da 500 mg|500 mg x 2|1/2 cp da 25 mg|25 mg 1-0-1|160/25 mg|12,5+25 mg|5 mg/kg|"
           "l0 mg|1O mg|25 mg/die|1.000.000 UI|da 25 a 50 mg"),
    (DAILY, "25 mg ore 8|25 mg x 2/die|25 mg x2|25 mg 2 volte al giorno|"
            "25 mg due volte al giorno|25 mg bid|"
            "25 mg twice daily|25 mg zweimal täglich|25 mg ogni 12 ore|25 mg a giorni alterni"),
    (SHARE, "FE 55-60%|45 ± 5 %|55/60%|da 35% a 50%"),
    (PRESSURE, "120/80 mmHg|PA 120/80|120-130 mmHg"),
    (CREATININE, "1,2 mg/l|1,2 -> 1,5 mg/dl|1, 2 mg/dl|106 µmol/L (v.n. 60-110)|1,,2"),
    (EURO, "1.234.50 €"),
    (DAYS, "10-12 gg|VII giornata|2 settimane e 3 giorni"),
    (COUNT, "3/10|2/6|2/4|1:10|3 mila|3 milioni|3k|3 x 4 cm|10:30|III|3 o 4"),
    (BOOL, "ex-fumatore da 10 aa|non noto|non valutabile|non escluso|non si può escludere|n.d.|N/A|"
           "not known|not assessed|not excluded|cannot be ruled out|nicht bekannt|keine Angabe|"
           "nicht ausgeschlossen|non connu|non précisé|no consta|no se sabe|sin datos|"
           "non solo angina|si dimette|se non|sì/no|non insulin dependent diabetes|"
           "DM non insulino-dipendente|"
           "FA non valvolare|IMA non Q|non assente|nega di non avere|never denied|no longer|"
           "non più|no, ma in passato sì|No 3|n. 3|1 episodio|"
           "sì, mai trattato|present, not severe|-|[x]"),
    (DAY, "3 V 1954|bis 2018|before Christmas 2018|until March 2018|2019-13-01|31/4/2019"),
    (DOSE, "500 mg + 500 mg|5 mg → 10 mg|10 mg (prima 20 mg)|1 000 mg"),
    (DAILY, "25 mg mattina e sera|25 mg matin et soir|25 mg a settimana|25 mg weekly|25 mg prn|"
            "25 mg al bisogno|25 mg tid|25 mg b.i.d.|25 mg 1+1|25 mg 3x/die"),
    (BOOL, "sì?|no?|no (?)|probabilmente no|yes, ruled out|non ricorda|non sa|weiß nicht|?|"
           "ne sait pas|does not know|forse sì|k.A.|o.B.|non eseguito|no data|58 ans et demi"),
    (NYHA, "NYHA II-III|II/III|IIa|I I|5|non II"),
    (BLOOD, "A|A pos"),
    (SMOKING, "ex-fumatore da 10 aa|non più fumatore|fumatore: no"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "said"), SAID)
def test_what_is_said(field: Field, said: dict[str, Scalar]) -> None:
    assert {raw: read_value(OWN, field, raw).value for raw in said} == pytest.approx(said)


@pytest.mark.parametrize(("field", "raws"), NONE)
def test_what_would_be_a_guess(field: Field, raws: str) -> None:
    found = {raw: read_value(OWN, field, raw) for raw in raws.split("|")}
    assert {raw: one.value for raw, one in found.items() if one.value is not None} == {}
    assert all(one.wrong for one in found.values())


def test_the_order_of_the_label_set_decides() -> None:
    american = replace(DAY, dates=Dates("mdy"))
    assert read_value(OWN, american, "03/04/2019").value == "2019-03-04"
    assert read_value(OWN, american, "27/08/2019").wrong == "no such date"


def test_a_dose_with_its_times_is_one_option() -> None:
    text = "Lasix 25 mg x 2/die, poi furosemide 50 mg; O2 5 l, 12 mg due volte al giorno"
    found = [text[a:b] for a, b in candidates(replace(DAILY, bare=False), text)]
    assert found == ["25 mg x 2/die", "50 mg", "12 mg due volte al giorno"]
    assert read_value(OWN, DAILY, found[0]).wrong == "times a day"
    assert [read_value(OWN, DAILY, raw).value for raw in found] == [None, 50, None]
