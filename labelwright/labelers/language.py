"""The language of a text, by py3langid (139 languages, offline, its model comes with it)."""

from __future__ import annotations

from functools import cache
from typing import Any

NEVER = frozenset({"la", "pcm"})
"""Latin, whose words are those of medicine, and Nigerian Pidgin, too near to English."""
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

    Related languages share what a short text shows, so what counts is that the likeliest one is
    likely enough, and that ``language`` is not likely at all.
    """
    code, sure = language_of(text)
    own = language.casefold().partition("-")[0]
    return code if code != own and code not in NEVER and sure >= least else None


def known_language(language: str) -> bool:
    """Whether texts of this language can be told from others."""
    return language.casefold().partition("-")[0] in _identifier().labels


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
