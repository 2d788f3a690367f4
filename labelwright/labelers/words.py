"""Words of a text, lists of words with ``*``, and phrases of them, in any language.

A list holds words in lower case: ``rib`` is this word, ``pleur*`` every word that begins so,
``*pleura*`` every word that holds it (for languages that write compounds, or no spaces). A
phrase has words one space apart: ``a|b`` is either, ``word?`` may be missing, ``~3`` stands for
up to three words of any kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_GAP = re.compile(r"~(\d)")
_BETWEEN = r"[\s\-/]+"
LONGEST_STEM = 3
"""Letters that are left of a word whose ending is taken away, at least."""


def words_of(text: str) -> list[str]:
    """The words in lower case, numbers and masked words (``XXXX``) left out.

    >>> words_of("No XXXX of 2 RIBS; it isn’t broken.")
    ['no', 'of', 'ribs', 'it', "isn't", 'broken']
    """
    found = (word.lower().replace("’", "'") for word in WORD.findall(text))
    return [word for word in found if not word.startswith("xx") or word.strip("x")]


class WordList:
    """A set of words, some known by their beginning or by a part only.

    >>> ribs = WordList(["rib", "pleur*"])
    >>> [word in ribs for word in ("rib", "ribs", "pleural")]
    [True, False, True]
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._whole: set[str] = set()
        starts, parts = [], []
        for word in (word.casefold() for word in words):
            if word.startswith("*"):
                parts.append(word.strip("*"))
            elif word.endswith("*"):
                starts.append(word[:-1])
            else:
                self._whole.add(word)
        self._starts, self._parts = tuple(starts), tuple(parts)

    def __contains__(self, word: str) -> bool:
        return (
            word in self._whole
            or (bool(self._starts) and word.startswith(self._starts))
            or any(part in word for part in self._parts)
        )

    def among(self, words: Iterable[str]) -> set[str]:
        """Those of some words that are in the list."""
        return {word for word in words if word in self}


class Vocabulary:
    """Words that are known, also with other endings.

    >>> known = Vocabulary(["effusion", "clear"], endings=["ing", "s"])
    >>> [word in known for word in ("effusions", "clearing", "Erguss")]
    [True, True, False]
    """

    def __init__(self, words: Iterable[str], endings: Iterable[str]) -> None:
        self._endings = tuple(sorted(endings, key=len, reverse=True))
        self._whole = frozenset(words)
        self._stems = frozenset(self._stem(word) for word in self._whole)

    def __contains__(self, word: str) -> bool:
        return word in self._whole or self._stem(word) in self._stems

    def _stem(self, word: str) -> str:
        for ending in self._endings:
            if word.endswith(ending) and len(word) - len(ending) >= LONGEST_STEM:
                return word[: -len(ending)]
        return word


def phrases(written: Iterable[str]) -> re.Pattern[str] | None:
    """One pattern that finds any of the phrases in a text; ``None`` if there are none.

    >>> bool(phrases(["no ~2 disease|process*"]).search("No acute lung disease."))
    True
    """
    by_letter: dict[str, list[str]] = {}
    for phrase in written:
        for letter in _first_letters(phrase):
            by_letter.setdefault(letter, []).append(_phrase(phrase))
    if not by_letter:
        return None
    anywhere = by_letter.pop("", [])
    groups = [f"(?={re.escape(a)})(?:{'|'.join(found)})" for a, found in by_letter.items()]
    return re.compile(rf"(?<!\w)(?:{'|'.join((*groups, *anywhere))})(?!\w)", re.IGNORECASE)


def _first_letters(written: str) -> set[str]:
    """What a phrase may begin with; ``""`` if with anything: a search then tries few of them."""
    first = written.split()[0]
    if first.endswith("?") or first.startswith("~"):
        return {""}
    letters = {word[:1].casefold() for word in first.split("|")}
    return {""} if "*" in letters else letters


def _phrase(written: str) -> str:
    """What may be missing brings the space on its side that is away from the last solid word."""
    parts = written.split()
    last = max(i for i, part in enumerate(parts) if not part.endswith("?") and not _GAP.match(part))
    found = ""
    for index, part in enumerate(parts):
        if gap := _GAP.fullmatch(part):
            unit, times = r"[\w'’]+", f"{{0,{gap[1]}}}"
        else:
            words = part.removesuffix("?").split("|")
            unit, times = f"(?:{'|'.join(map(_unit, words))})", "?" if part.endswith("?") else ""
        if index < last:
            unit += _BETWEEN
        elif index > last:
            unit = _BETWEEN + unit
        found += f"(?:{unit}){times}"
    return found


def _unit(word: str) -> str:
    bare = re.escape(word.strip("*"))
    return (r"\w*" if word.startswith("*") else "") + bare + (r"\w*" if word.endswith("*") else "")
