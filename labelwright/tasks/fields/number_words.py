"""Whole numbers below a hundred in words: English, Italian, Spanish, French, German."""

from __future__ import annotations

import re
from collections.abc import Iterator

SMALL = {
    "en": "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen",
    "it": "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici "
    "quattordici quindici sedici diciassette diciotto diciannove",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce "
    "quince dieciseis diecisiete dieciocho diecinueve veinte veintiuno veintidos veintitres "
    "veinticuatro veinticinco veintiseis veintisiete veintiocho veintinueve",
    "fr": "zero un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze "
    "quinze seize dix-sept dix-huit dix-neuf",
    "de": "null eins zwei drei vier funf sechs sieben acht neun zehn elf zwolf dreizehn vierzehn "
    "funfzehn sechzehn siebzehn achtzehn neunzehn",
}
TENS = {
    "en": "twenty thirty forty fifty sixty seventy eighty ninety",
    "it": "venti trenta quaranta cinquanta sessanta settanta ottanta novanta",
    "es": "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
    "fr": "vingt trente quarante cinquante soixante - quatre-vingts -",
    "de": "zwanzig dreissig vierzig funfzig sechzig siebzig achtzig neunzig",
}
ONE = {"a": 1, "an": 1, "un": 1, "una": 1, "une": 1, "ein": 1, "eine": 1, "einem": 1, "einer": 1}
"""Articles that count, before a unit."""


def _pairs(language: str, ten: str, tens: int) -> Iterator[tuple[str, int]]:
    ones = SMALL[language].split()[1:10]
    for one, word in enumerate(ones, 1):
        value = tens + one
        if language == "en":
            yield f"{ten}-{word}", value
            yield f"{ten} {word}", value
        elif language == "it":
            stem = ten[:-1] if word[0] in "uo" else ten
            yield stem + word, value
            yield stem + word.removesuffix("o") if word == "uno" else stem + word, value
        elif language == "es":
            yield f"{ten} y {word}", value
            yield f"{ten} y {word.removesuffix('o') if word == 'uno' else word}", value
        elif language == "fr":
            joined = "-et-" if one == 1 and tens < 80 else "-"
            stem = ten.removesuffix("s") if tens == 80 else ten
            yield f"{stem}{joined}{word}", value
            yield f"{stem}{joined.replace('-', ' ')}{word}", value
        else:
            yield ("ein" if one == 1 else word) + "und" + ten, value


def _table() -> dict[str, int]:
    words = dict(ONE)
    for language, small in SMALL.items():
        words |= {word: value for value, word in enumerate(small.split())}
        for place, ten in enumerate(TENS[language].split(), 2):
            if ten != "-":
                words[ten] = place * 10
                words.update(_pairs(language, ten, place * 10))
    french = SMALL["fr"].split()
    for value in range(10, 20):
        joined = "-et-" if value == 11 else "-"
        words[f"soixante{joined}{french[value]}"] = 60 + value
        words[f"quatre-vingt-{french[value]}"] = 80 + value
    return words


WORDS = _table()
"""Words without accents and case, and what they mean."""


def in_words(text: str) -> float | None:
    """What a folded word says, or ``None``."""
    value = WORDS.get(text.strip())
    return None if value is None else float(value)


WORDY = re.compile(
    r"(?<![^\W\d_])(?:" + "|".join(sorted(map(re.escape, WORDS), key=len, reverse=True)) + ")"
    r"(?![^\W\d_])"
)
"""Any of them, as whole words of a folded text; the longest where several fit."""
