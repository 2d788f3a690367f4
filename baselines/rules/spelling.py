"""Slips of the keyboard: which known word a misspelt one was meant to be.

One slip at most: a letter too many, too few, wrong, or two exchanged (Damerau 1964,
doi:10.1145/363958.363994). The first letter is taken as right, and words of the language are never
corrected: "injection" is none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from labelwright.labelers.words import Vocabulary

SHORTEST = 6
"""Letters of a word below which too many others are one slip away."""
SHORT = 5
"""Letters of a shorter one that is taken back from a letter left out, doubled or exchanged."""
SURE = 10
"""The same for a wrong letter: "hearing" is not "healing"."""
STEM = 7
"""Letters of a beginning below which it is not guessed at."""


def one_slip(written: str, meant: str, *, wrong: bool = True) -> bool:
    """Whether two words differ by one slip; ``wrong``: also by a wrong letter.

    >>> [one_slip("enlagred", word) for word in ("enlarged", "enlarge")]
    [True, False]
    """
    if abs(len(written) - len(meant)) > 1 or written == meant:
        return False
    at = next((i for i, (a, b) in enumerate(zip(written, meant, strict=False)) if a != b), None)
    if at is None:
        return True
    if len(written) == len(meant):
        swapped = written[at : at + 2] == meant[at : at + 2][::-1]
        if swapped:
            return written[at + 2 :] == meant[at + 2 :]
        return wrong and written[at + 1 :] == meant[at + 1 :]
    short, long = sorted((written, meant), key=len)
    return short[at:] == long[at + 1 :]


class Spelling:
    """Finds the words that a misspelt one may be.

    Args:
        known: words that are right, and never corrected.
    """

    def __init__(self, known: Vocabulary | None) -> None:
        self._known = known

    def meant(
        self, word: str, words: Iterable[str], prefixes: Mapping[int, Collection[str]]
    ) -> tuple[str, ...]:
        """The forms of phrases that a word is one slip away from.

        Args:
            word: in lower case.
            words: whole words to choose from.
            prefixes: forms as ``effus*``, by the length of their beginning.
        """
        if self._known is None or not word.isalpha() or word in self._known:
            return ()
        if SHORT - 1 <= len(word) < SHORTEST:
            near = (w for w in words if len(w) == SHORT and w[0] == word[0])
            return tuple(sorted(w for w in near if one_slip(word, w, wrong=False)))
        if len(word) < SHORTEST:
            return ()
        first, wrong = word[0], len(word) >= SURE
        whole = (
            w
            for w in words
            if len(w) >= SHORTEST and w[0] == first and one_slip(word, w, wrong=wrong)
        )
        begins = (
            form
            for length, forms in prefixes.items()
            if length >= STEM
            for form in forms
            if form[0] == first
            and any(one_slip(word[: length + more], form[:-1], wrong=wrong) for more in (-1, 0, 1))
        )
        return tuple(sorted({*whole, *begins}))
