"""Dates, numbers, yes and no, categories: what words mean, and what they do not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelwright.tasks.fields.dates import MONTHS, find_dates, fold, read_date
from labelwright.tasks.fields.normalise import candidates, read_value
from labelwright.tasks.fields.number_words import in_words
from labelwright.tasks.fields.numbers import find_numbers, read_number
from labelwright.tasks.fields.schema import Category, Field, FieldSet, FieldType, Unit
from labelwright.tasks.fields.yes_no import read_boolean

OWN = FieldSet((), yes="sì", no="no")
DOSE = Field(
    "dose", "D", FieldType.NUMBER, unit="mg", units=(Unit("g", 1000), Unit("µg", 0.001)),
    decimals=",", range=(0.05, 5000.0),
)  # fmt: skip
AGE = Field(
    "age", "A", FieldType.NUMBER, unit="years", units=(Unit("años"), Unit("meses", 1 / 12),
    Unit("YOM"), Unit("°F", 5 / 9, -160 / 9)), decimals=".",
)  # fmt: skip

DATES = {
    "27/08/2019": "2019-08-27", "27.8.19": "2019-08-27", "2019-08-27": "2019-08-27",
    "17/05/54": "1954-05-17", "17/05/29": "2029-05-17", "17/05/30": "1930-05-17",
    "il 27 agosto 2019": "2019-08-27", "27 de agosto de 2019": "2019-08-27",
    "1er mai 2018": "2018-05-01", "12 août 2001": "2001-08-12", "3. Mai 2018": "2018-05-03",
    "7 März '18": "2018-03-07", "May 3, 2018": "2018-05-03", "3rd of May, 2018": "2018-05-03",
    "3-May-2018": "2018-05-03", "20190827": "2019-08-27", "2019-08-27T10:30": "2019-08-27",
    "agosto 2019": "2019-08", "08/2019": "2019-08", "2019-08": "2019-08", "2018": "2018",
    "nel '98": "1998", "29/02/2020": "2020-02-29", "٢٧/٠٨/٢٠١٩": "2019-08-27",
    "31/02/2019": None, "29/02/2019": None, "03/15/1996": None, "14/14/2014": None,
    "26708/2017": None, "27 agosto": None, "12.12.123": None, "1.2.3.4": None, "no date": None,
    "1/2/2018 - 3/2/2018": None, "": None,
}  # fmt: skip


@pytest.mark.parametrize("raw", DATES)
def test_dates(raw: str) -> None:
    assert read_date(raw) == DATES[raw]


def test_dates_by_the_label_sets_order() -> None:
    assert read_date("03/15/1996", "mdy") == "1996-03-15"
    assert read_date("18-05-17", "ymd") == "2018-05-17"
    assert read_date("01/02/03", "dmy", 1950) == "2003-02-01"
    assert read_date("01/02/49", "dmy", 1950) == "2049-02-01"


def test_dates_of_a_text_stand_apart() -> None:
    text = "Ricovero 1/2/2018-3/2/2018, nato il 5 maggio 1950; 120/80, 3.5.10 mg, CABG 2001."
    found = [(text[one.start : one.end], one.iso) for one in find_dates(text)]
    assert found == [
        ("1/2/2018", "2018-02-01"), ("3/2/2018", "2018-02-03"), ("5 maggio 1950", "1950-05-05"),
        ("3.5.10", "2010-05-03"), ("2001", "2001"),
    ]  # fmt: skip


DAYS = st.dates(date(1930, 1, 1), date(2029, 12, 31))


@given(DAYS, st.sampled_from("/.-"), st.booleans())
def test_every_day_in_figures(day: date, mark: str, short: bool) -> None:
    year = f"{day:%y}" if short else f"{day:%Y}"
    assert read_date(f"{day.day}{mark}{day.month}{mark}{year}") == day.isoformat()
    assert read_date(f"{day.month:02}{mark}{day.day:02}{mark}{year}", "mdy") == day.isoformat()
    assert read_date(day.isoformat()) == day.isoformat()


@given(DAYS, st.integers(0, 6))
def test_every_day_in_words(day: date, language: int) -> None:
    names = MONTHS[day.month - 1]
    name = names[min(language, len(names) - 1)].split()[0]
    assert read_date(f"{day.day} {name} {day.year}") == day.isoformat()


@given(st.text(max_size=60))
def test_no_text_breaks_the_readers(text: str) -> None:
    assert len(fold(text)) == len(text)
    for one in find_dates(text):
        assert 0 <= one.start < one.end <= len(text)
    for number in find_numbers(text, AGE):
        assert 0 <= number.start < number.end <= len(text)
    read_number(text, DOSE)


NUMBERS = {
    "2,64": 2.64, "2.64 mg": 2.64, "1.234": 1234.0, "1.234,5 mg": 1234.5, "1'234": 1234.0,
    "1 234 567": 1234567.0, "0.123": 0.123, "1e10": 1e10, "2,5 x 10^3": 2500.0,
    "2.5×10⁹": 2.5e9, "½": 0.5, "1 1/2 g": 1500.0, "1/4": 0.25, "<5 mg": 5.0, "≥ 5": 5.0,
    "ca. 60": 60.0, "100 µg": 0.1, "100 μg": 0.1, "-3": -3.0, "T-3": 3.0, "٣٤": 34.0,
    "tre mg": 3.0, "5 mg, 5 mg": 5.0,
    "1e400": None, "120/80": None, "10-12": None, "10–12 mg": None, "da 5 a 10": None,
    "1.2.3": None, "27/08/2019": None, "5 IU": None, "5 mg/ml": None, "nan": None, "inf": None,
    "": None, "9" * 400: None,
}  # fmt: skip


@pytest.mark.parametrize("raw", NUMBERS)
def test_numbers(raw: str) -> None:
    assert read_number(raw, DOSE).value == NUMBERS[raw]


def test_numbers_say_why_they_are_none() -> None:
    wrong = {raw: read_number(raw, DOSE).wrong for raw in ("5 IU", "10-12", "1 o 2 o 3", "x")}
    assert list(wrong.values()) == ["unknown unit", "two numbers", "several numbers", "no number"]
    assert read_value(OWN, DOSE, "9 g").doubt == "out of range"
    assert read_value(OWN, DOSE, "9 g").value == 9000


def test_ages() -> None:
    said = {
        "58 años": 58, "sesenta y cinco años": 65, "tres meses": 0.25, "veintidós años": 22,
        "13YOM": 13, "98.6 °F": 37,
    }  # fmt: skip
    for raw, value in said.items():
        assert read_number(raw, AGE).value == pytest.approx(value)
    assert in_words("quattrocento") is None
    assert (in_words("ventotto"), in_words("vierundachtzig")) == (28, 84)
    assert (in_words("quatre-vingt-deux"), in_words("ninety-nine")) == (82, 99)


def test_numbers_of_a_text() -> None:
    text = "58 años, PA 120/80 el 3/4/2018; creatinina 1.2, (-2) y 3,000 tres meses."
    found = [(text[one.start : one.end], one.value) for one in find_numbers(text, AGE)]
    assert found == [
        ("58 años", 58.0), ("120", 120.0), ("80", 80.0), ("1.2", 1.2), ("-2", -2.0),
        ("3,000", 3000.0), ("tres meses", 0.25),
    ]  # fmt: skip


def test_numbers_without_a_unit_can_be_left_out() -> None:
    text = "58 años, 3 tablets, 13YOM"
    age = replace(AGE, bare=False)
    assert [text[a:b] for a, b in candidates(age, text)] == ["58 años", "13YOM"]
    assert [text[a:b] for a, b in candidates(AGE, text)] == ["58 años", "3 tablets", "13YOM"]


@given(st.integers(0, 10**6), st.integers(0, 99))
def test_every_number_in_both_writings(whole: int, part: int) -> None:
    value = float(f"{whole}.{part:02}")
    assert read_number(f"{whole:,}.{part:02}", AGE).value == value
    italian = f"{whole:,}".replace(",", ".") + f",{part:02}"
    assert read_number(italian, DOSE).value == value


SAID = {
    "sì": True, "SI": True, "yes": True, "true": True, "presente": True, "Yes, severe": True,
    "no": False, "No.": False, "nega angina": False, "non fumatore": False, "denies pain": False,
    "kein Fieber": False, "angina senza dolore": None, "0": False, "1": True,
    "angina": None, "": None, "yes and no": None, "forse": None,
}  # fmt: skip


@pytest.mark.parametrize("raw", SAID)
def test_booleans(raw: str) -> None:
    assert read_boolean(raw, "sì", "no") is SAID[raw]


def test_categories() -> None:
    field = Field("smoking", "S", FieldType.CATEGORICAL, values=(
        Category("0", "mai", synonyms=("non fumatore",)), Category("1", "ex"),
        Category("treated_released", "Cità"), Category("A", "a+"), Category("B", "a-"),
    ))  # fmt: skip
    said = {
        "mai": "0", "MAI": "0", "Non  fumatore": "0", "1": "1", "treated/released": None,
        "Treated released": "treated_released", "cita": "treated_released", "a+": "A", "a-": "B",
        "Moderato": None, "": None, "Iib": None,
    }  # fmt: skip
    assert read_value(OWN, field, "treated/released").value == "treated_released"
    for raw, value in said.items():
        if raw != "treated/released":
            assert read_value(OWN, field, raw).value == value
    assert read_value(OWN, field, "Moderato").wrong == "outside the values"


def test_dates_are_kept_at_their_precision() -> None:
    year = Field("redo", "R", FieldType.DATE, precision="year", range=("1950", "2020-06"))
    day = Field("born", "B", FieldType.DATE, range=("1950-01-01", None))
    assert read_value(OWN, year, "3/4/2018").value == "2018"
    assert read_value(OWN, year, "7/2020").doubt == "out of range"
    assert read_value(OWN, year, "6/2020").doubt == ""
    assert read_value(OWN, day, "agosto 2019").doubt == "partial date"
    assert read_value(OWN, day, "agosto 2019").value == "2019-08"
    assert read_value(OWN, day, "3/4/51").doubt == ""
    assert read_value(OWN, day, "31/12/1949").doubt == "out of range"
    assert read_value(OWN, day, "31/11/2001").wrong == "no such date"


def test_a_century_of_days_is_read_back() -> None:
    day = date(1930, 1, 1)
    while day.year < 2030:
        assert read_date(f"{day:%d/%m/%y}") == day.isoformat()
        day += timedelta(days=97)
