"""The language of a text, by py3langid (offline; its model comes with it)."""

from __future__ import annotations

from functools import cache
from typing import Any

TOLD = (
    *(
        "af",
        "ar",
        "bg",
        "bn",
        "bs",
        "ca",
        "cs",
        "cy",
        "da",
        "de",
        "el",
        "en",
        "es",
        "et",
        "eu",
        "fa",
    ),
    *(
        "fi",
        "fr",
        "ga",
        "gl",
        "gu",
        "he",
        "hi",
        "hr",
        "hu",
        "hy",
        "id",
        "is",
        "it",
        "ja",
        "ka",
        "kk",
    ),
    *(
        "kn",
        "ko",
        "lt",
        "lv",
        "mk",
        "ml",
        "mr",
        "ms",
        "nl",
        "no",
        "pl",
        "pt",
        "ro",
        "ru",
        "sk",
        "sl",
    ),
    *("sq", "sr", "sv", "sw", "ta", "te", "th", "tl", "tr", "uk", "ur", "uz", "vi", "zh"),
)
"""Languages that reports are written in, as far as the model knows them; others are too near to
these, or, as Latin, to the words of medicine."""
READ = 2_000
"""Characters that are looked at; a longer text is no clearer."""


def language_of(text: str) -> tuple[str, float]:
    """The likeliest language (ISO 639 code) and its probability, calibrated for short texts too.

    >>> language_of("Herz normal groß. Keine Infiltrate, kein Pleuraerguss.")[0]
    'de'
    """
    code, sure = _identifier().classify(text[:READ])
    return str(code), float(sure)


def foreign(text: str, language: str, least: float) -> str | None:
    """The language of a text that is with ``least`` probability or more another than ``language``.

    A language that cannot be told from others is never missed.
    """
    own = language.casefold().partition("-")[0]
    if own not in _identifier().labels:
        return None
    code, sure = language_of(text)
    return code if code != own and sure >= least else None


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    found = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    found.set_languages(sorted(set(TOLD) & set(found.labels)))
    return found
