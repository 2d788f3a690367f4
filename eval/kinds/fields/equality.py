"""When two values of a field are the same, by the field's type; and how near two texts are.

- boolean and category: equal;
- number: in the field's unit, within its tolerance, and the same kind of bound (``<``, ``>=``);
- date: equal at the field's precision; a date that is known to the month or year only is met by
  every date that agrees in the parts it has;
- text: equal after folding of case, white space and accents.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz.distance import Levenshtein

from labelwright.tasks.fields.values import Item, Scalar

ROUNDING = 1e-9
"""Relative difference of numbers that a float's own rounding may make."""
LEAST_LIKENESS = 0.5
"""ANLS takes texts that are less alike than this for wholly different (Biten et al. 2019,
arXiv:1907.00490)."""
DATE_LENGTH: Mapping[str, int] = {"year": 4, "month": 7, "day": 10}
_WORD = re.compile(r"\w+")
_SHORT = 256


@dataclass(frozen=True, slots=True)
class Sameness:
    """How one field's values are compared.

    Attributes:
        type: ``text``, ``number``, ``date``, ``boolean`` or ``categorical``.
        absolute, relative: tolerance of numbers, in the field's unit and as a share of the gold;
            the wider one holds.
        precision: ``day``, ``month`` or ``year``, of dates.
    """

    type: str
    absolute: float = 0.0
    relative: float = 0.0
    precision: str = "day"

    @property
    def by_key(self) -> bool:
        """Whether two values are the same exactly if :meth:`key` says the same of them."""
        return self.type not in ("number", "date")

    def key(self, value: Scalar) -> Hashable:
        """What equal values share; of numbers and dates only what identical ones share."""
        if self.type == "text":
            return folded(str(value))
        if self.type == "date":
            return str(value)[: DATE_LENGTH[self.precision]]
        return value

    def same(self, gold: Scalar, said: Scalar) -> bool:
        """Whether ``said`` is right where ``gold`` is true."""
        if isinstance(gold, bool) or isinstance(said, bool):
            return gold is said
        if isinstance(gold, str) != isinstance(said, str):
            return False
        if isinstance(gold, str) and isinstance(said, str):
            return self._same_words(gold, said)
        return self._same_number(float(gold), float(said))

    def _same_words(self, gold: str, said: str) -> bool:
        one, other = self.key(gold), self.key(said)
        if self.type != "date" or one == other:
            return one == other
        truth = str(one)
        return str(other)[: len(truth)] == truth and len(truth) in DATE_LENGTH.values()

    def _same_number(self, gold: float, said: float) -> bool:
        size = abs(gold)
        room = max(self.absolute, self.relative * size)
        # The float nearest to a decimal number is not the number: 0.3 - 0.1 is above 0.2.
        return abs(gold - said) <= room + ROUNDING * max(size, abs(said))

    def same_item(self, gold: Item, said: Item) -> bool:
        """The same of items; where the gold's words have no value, the words decide."""
        if gold.value is None:
            return bool(gold.raw.strip()) and folded(gold.raw) == folded(said.raw)
        if said.value is None or gold.comparator != said.comparator:
            return False
        return self.same(gold.value, said.value)


def folded(text: str) -> str:
    """``text`` without what makes no difference: case, accents, runs of white space."""
    return _folded_short(text) if len(text) < _SHORT else _fold(text)


def _fold(text: str) -> str:
    if not text.isascii():
        apart = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in apart if not unicodedata.combining(c))
    return " ".join(text.casefold().split())


_folded_short = lru_cache(maxsize=1 << 16)(_fold)


def likeness(gold: str, said: str) -> float:
    """Normalised Levenshtein similarity of folded texts, 0 below :data:`LEAST_LIKENESS`."""
    found: float = Levenshtein.normalized_similarity(folded(gold), folded(said))
    return found if found >= LEAST_LIKENESS else 0.0


def words(text: str) -> Counter[str]:
    """The words of a folded text, with their number."""
    return Counter(_WORD.findall(folded(text)))


def relative_error(gold: float, said: float, epsilon: float) -> float:
    """The robust symmetric percentage error of one number, from 0 to 1.

    ``|gold - said| / (|gold| + |said| + epsilon)``, as the DRAGON and UNICORN benchmarks average
    it (RSMAPE); 0 where all three are 0.
    """
    whole = abs(gold) + abs(said) + epsilon
    return abs(gold - said) / whole if whole and math.isfinite(whole) else float(gold != said)


def matched(
    sameness: Sameness, gold: Sequence[Item], said: Sequence[Item]
) -> list[tuple[int, int]]:
    """The largest one-to-one matching of two lists of items, as pairs of places."""
    if not gold or not said:
        return []
    if sameness.by_key:
        places: dict[Hashable, list[int]] = {}
        for j, item in enumerate(said):
            places.setdefault(_key(sameness, item), []).append(j)
        found = []
        for i, item in enumerate(gold):
            if same := places.get(_key(sameness, item)):
                found.append((i, same.pop(0)))
        return found
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    fits = csr_array([[sameness.same_item(g, s) for s in said] for g in gold])
    partners = maximum_bipartite_matching(fits, perm_type="column")
    return [(i, int(j)) for i, j in enumerate(partners) if j >= 0]


def distinct(sameness: Sameness, items: Sequence[Item]) -> list[Item]:
    """The items without repetitions: a list is scored as a set."""
    found: dict[Hashable, Item] = {}
    for item in items:
        found.setdefault(_key(sameness, item), item)
    return list(found.values())


def _key(sameness: Sameness, item: Item) -> Hashable:
    """What equal items share; words without a value are no value, whatever they are."""
    if item.value is None:
        return ("raw", folded(item.raw))
    return item.comparator, sameness.key(item.value)


def all_in(sameness: Sameness, gold: Sequence[Item], said: Sequence[Item]) -> bool:
    """Whether everything that is said is something that the gold says."""
    return all(any(sameness.same_item(truth, item) for truth in gold) for item in said)
