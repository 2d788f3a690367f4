"""Words of other languages: whether a text, or a sentence in one, is in another language.

Two or three words are too few for a model of letters ("Kein Pneumothorax."), but one that no report
of the own language has tells it. The lists stand in ``label_sets/about/foreign-*.txt``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "label_sets" / "about"
NEEDED = 2
"""How many different words a text must have of those that may be names or abbreviations."""

SHORT = 2
"""Letters of a pair's first word up to which its second is the rarer one: "no hay"."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """Words by which another language is known, with the languages (ISO 639) that have them.

    Attributes:
        sure: words of which one is enough; "a_b" are two words side by side.
        maybe: words of which a text must have :data:`NEEDED`.
        own: common words of the own language, which outweigh as many others.
        keys: one word of each entry: a sentence without any of these is not looked at.
    """

    sure: Mapping[str, tuple[str, ...]]
    maybe: Mapping[str, tuple[str, ...]]
    own: frozenset[str]
    keys: frozenset[str]

    @classmethod
    def of(cls, lists: Mapping[str, Sequence[str]], own: Sequence[str] = ()) -> Foreign:
        """From words by language; those of ``code?`` may be names or abbreviations."""
        sure: dict[str, tuple[str, ...]] = {}
        maybe: dict[str, tuple[str, ...]] = {}
        for code, words in lists.items():
            for word in words:
                found = maybe if code.endswith("?") else sure
                found[word] = (*found.get(word, ()), code.rstrip("?"))
        pairs = [word.split("_") for word in (*sure, *maybe)]
        rare = (pair[-1] if len(pair[0]) <= SHORT else pair[0] for pair in pairs)
        return cls(sure, maybe, frozenset(own), frozenset(rare))

    def strange(self, sentences: Sequence[Sequence[str]]) -> list[int]:
        """Which sentences of a text are in another language, by their numbers."""
        told = [n for n, words in enumerate(sentences) if not self.keys.isdisjoint(words)]
        if not told:
            return []
        found = {number: self._found(sentences[number]) for number in told}
        few = len({word for words in found.values() for word in words}) < NEEDED
        return [
            number
            for number, words in found.items()
            if not (few and self.sure.keys().isdisjoint(words))
            and words.total() > sum(word in self.own for word in sentences[number])
        ]

    def language(self, words: Sequence[str]) -> str | None:
        """The language that a text is in, if that is another one."""
        if not self.strange([words]):
            return None
        votes: Counter[str] = Counter()
        for word, times in self._found(words).items():
            for code in (*self.sure.get(word, ()), *self.maybe.get(word, ())):
                votes[code] += times
        return max(votes, key=lambda code: votes[code])

    def _found(self, words: Sequence[str]) -> Counter[str]:
        parts = [part for word in words for part in _parts(word)]
        pairs = [f"{one}_{other}" for one, other in pairwise(parts)]
        return Counter(w for w in (*parts, *pairs) if w in self.sure or w in self.maybe)


def _parts(word: str) -> Iterator[str]:
    """A word, or what stands before and behind its apostrophe: "d'effusion"."""
    before, mark, behind = word.partition("'")
    yield before + mark
    if behind:
        yield behind


@cache
def foreign_words(name: str) -> Foreign | None:
    """The shipped lists for reports in a language; ``None`` if there are none."""
    path = FOLDER / f"foreign-{name}.txt"
    if path.parent != FOLDER or not path.is_file():
        return None
    lists: dict[str, list[str]] = {}
    code = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        named, mark, rest = line.partition(": ")
        if mark:
            code, line = named, rest
        lists.setdefault(code, []).extend(line.split())
    return Foreign.of({k: v for k, v in lists.items() if k != name}, lists.get(name, ()))
