"""What happens to a report on its way: short forms, typing slips, masked words, lost stops.

Nothing here may change what a report says. Words of the lexicon's ``keep`` list (negations,
hedges) are never misspelt; only words of its ``maskable`` list are masked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from data_builders.synthetic.lexicon import Lexicon
from data_builders.synthetic.phrases import Draw, pick

MASKS = ("XXXX", "XXXX", "XXXX", "___")
MASKED = (0.9, 0.6, 0.2)
_LONG_WORD = re.compile(r"\b[a-z]{6,}\b")
_OPENING = re.compile(r"^there (?:is|are) ")
_SMALL = re.compile(r"\b(?:the|an?|is|are) (?!no\b|not\b)")


@dataclass(frozen=True, slots=True)
class Manner:
    """How one report is written, drawn once per report.

    Attributes:
        case: ``sentence``, ``upper`` or ``lower``.
        terse: articles and verbs dropped.
        mask: what stands for a masked word, or empty.
        masked: share of the maskable words that are masked: some masking programs take the same
            words nearly always, others only here and there.
        stops: share of sentences that keep their full stop.
    """

    case: str
    terse: bool
    other_spelling: bool
    short_forms: bool
    mask: str
    masked: float
    typos: int
    stops: float
    tight: bool


PLAIN = Manner("sentence", False, False, False, "", 0.0, 0, 1.0, False)


def draw_manner(draw: Draw, noise: float, *, short: bool = False) -> Manner:
    """Draw a manner; ``noise`` 0 gives :data:`PLAIN`, 1 the usual share of everything.

    Args:
        short: for a line or two, which come in capitals or in lower case twice as often and
            more often without full stops.
    """
    case = draw() * (0.5 if short else 1.0)
    return Manner(
        case="upper" if case < 0.05 * noise else "lower" if case < 0.07 * noise else "sentence",
        terse=draw() < 0.08 * noise,
        other_spelling=draw() < 0.15 * noise,
        short_forms=draw() < 0.08 * noise,
        mask=pick(draw, MASKS) if draw() < 0.4 * noise else "",
        masked=pick(draw, MASKED),
        typos=1 + int(draw() * 3) if draw() < 0.08 * noise else 0,
        stops=0.6 if draw() < (0.3 if short else 0.05) * noise else 1.0,
        tight=draw() < 0.04 * noise,
    )


class Noise:
    """Applies a manner to clauses; built once per lexicon."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._spellings = _table(lexicon.spellings)
        self._short_forms = _table(lexicon.short_forms)
        self._maskable = re.compile(
            r"\b(?:" + "|".join(map(re.escape, lexicon.maskable)) + r")\b"
            if lexicon.maskable
            else r"(?!)"
        )
        self._keep = frozenset(word.casefold() for word in lexicon.keep)

    def clause(self, draw: Draw, manner: Manner, text: str) -> str:
        """The clause as this report would write it."""
        if manner.terse:
            text = _SMALL.sub("", _OPENING.sub("", text))
        if manner.other_spelling:
            text = _replace(self._spellings, text)
        if manner.short_forms:
            text = _replace(self._short_forms, text)
        if manner.mask:
            text = self.masked(draw, text, manner.mask, manner.masked)
        return text

    def masked(self, draw: Draw, text: str, mask: str, share: float) -> str:
        """The text with this share of its maskable words masked."""
        return self._maskable.sub(lambda m: mask if draw() < share else m.group(), text)

    def slip(self, draw: Draw, text: str) -> str:
        """The clause with one typing slip in a long word, if it has one that may slip."""
        words = [m for m in _LONG_WORD.finditer(text) if m.group() not in self._keep]
        if not words:
            return text
        match = pick(draw, words)
        at = match.start() + 1 + int(draw() * (len(match.group()) - 3))
        kind = draw()
        if kind < 0.4:
            return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        if kind < 0.7:
            return text[:at] + text[at + 1 :]
        return text[:at] + text[at] + text[at:]


Table = tuple[re.Pattern[str], Mapping[str, str]]


def _table(words: Mapping[str, str]) -> Table:
    longest_first = sorted(words, key=len, reverse=True)
    pattern = r"\b(?:" + "|".join(map(re.escape, longest_first)) + r")\b" if words else r"(?!)"
    return re.compile(pattern), words


def _replace(table: Table, text: str) -> str:
    pattern, words = table
    return pattern.sub(lambda match: words[match.group()], text)


def word_table(words: Mapping[str, str]) -> Table:
    """A table that finds its words in any case; see :func:`replaced`."""
    pattern, folded = _table({word.casefold(): other for word, other in words.items()})
    return re.compile(pattern.pattern, re.IGNORECASE), folded


def replaced(table: Table, text: str, choose: Callable[[str], str]) -> str:
    """The text with its words of the table replaced, capitals kept.

    Args:
        choose: what stands for a word, given in lower case; the word itself changes nothing.
    """

    def other(match: re.Match[str]) -> str:
        word, key = match.group(), match.group().casefold()
        made = choose(key)
        if made == key:
            return word
        if len(word) > 1 and word.isupper():
            return made.upper()
        return made[:1].upper() + made[1:] if word[:1].isupper() else made

    return table[0].sub(other, text)
