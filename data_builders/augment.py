"""Variants of a user's training reports: other words, order and look, the same labels.

Every operation leaves what the report says as it is. Words change only as the lexicon of the label
set allows; negations and hedges (its ``keep`` list) are never misspelt or masked; a sentence moves
only with those that refer to it, and only where a section is plain running text.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from data_builders.synthetic.lexicon import Lexicon
from data_builders.synthetic.noise import MASKS, Noise, Table, replaced, word_table
from data_builders.synthetic.phrases import Draw, pick, shuffled
from labelwright.text.section_headings import BODY, FINDINGS_AND_IMPRESSION
from labelwright.text.sections import split_sections

OPERATIONS = ("order", "synonyms", "spelling", "short forms", "masks", "slips", "headings", "case")
SHARES = {
    "order": 0.6,
    "synonyms": 0.8,
    "spelling": 0.3,
    "short forms": 0.2,
    "masks": 0.2,
    "slips": 0.2,
    "headings": 0.5,
    "case": 0.15,
}
"""How often each operation is tried in a variant."""
WORD_SHARE = 0.5
"""Share of the places that a tried synonym, spelling or short form changes."""
TRIES = 6
MOVABLE = ("findings", "impression", FINDINGS_AND_IMPRESSION, BODY)
"""Sections whose sentences may change places."""

_BREAK = re.compile(r"(?<=[a-z]{3}\.)\s+(?=[A-Z][a-z])")
_LISTED = re.compile(
    r"\n\s*\n|:|;\s*$|(?:^|\n)\s*(?:[-*•]|\(?\d{1,2}[.)])|\s\(?\d{1,2}[.)]\s+[A-Z]"
)
_LEANING = re.compile(
    r"(?:this|these|those|that|it|its|they|their|there(?:fore)?|which|however|but|although|though"
    r"|otherwise|also|again|remain(?:s|der|ing)|additional(?:ly)?|overall|both|same|similar(?:ly)?"
    r"|likely|possibly|probably|perhaps|consider|recommend|correlat\w+|clinical\w*|follow|given|if"
    r"|unchanged|stable|and|or|nor|other|others|another|neither|none|findings?|appearances?)\b",
    re.IGNORECASE,
)
_BACKWARD = re.compile(
    r"\b(?:above|below|former|latter|aforementioned|respectively|described|same|such)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Variant:
    """Another wording of a report, and the operations that made it."""

    text: str
    operations: tuple[str, ...]


class Augmentation:
    """The variants of one build: how many are wanted, how many were made, and by what.

    Attributes:
        copies: variants wanted of each training report.
    """

    def __init__(self, augmenter: Augmenter, copies: int) -> None:
        self.copies = copies
        self._augmenter = augmenter
        self._reports = 0
        self._made: Counter[int] = Counter()
        self._operations: Counter[str] = Counter()

    def of(self, identifier: str, text: str) -> list[Variant]:
        """The variants of one training report, counted."""
        made = self._augmenter.variants(identifier, text, self.copies)
        self._reports += 1
        self._made[len(made)] += 1
        self._operations.update(name for variant in made for name in variant.operations)
        return made

    @property
    def made(self) -> int:
        """How many variants there are so far."""
        return sum(count * reports for count, reports in self._made.items())

    def facts(self) -> dict[str, Any]:
        """What the manifest says of them."""
        return {
            "copies": self.copies,
            "seed": self._augmenter.seed,
            "lexicon_sha256": self._augmenter.lexicon_sha256,
            "reports": self._reports,
            "made": self.made,
            "operations": {name: self._operations[name] for name in OPERATIONS},
        }


class Augmenter:
    """Writes variants by seed, report and number; the same on every machine."""

    def __init__(self, lexicon: Lexicon, seed: int) -> None:
        self.seed = seed
        self.lexicon_sha256 = lexicon.sha256
        self._noise = Noise(lexicon)
        self._synonyms = {word.casefold(): others for word, others in lexicon.synonyms.items()}
        self._synonym_table = word_table({word: word for word in lexicon.synonyms})
        both = {**{v: k for k, v in lexicon.spellings.items()}, **lexicon.spellings}
        self._spellings = word_table(both)
        self._short_forms = word_table(lexicon.short_forms)
        self._headings = _heading_table(lexicon.headings)
        self._steps: Mapping[str, Callable[[Draw, str], str]] = {
            "order": _reordered,
            "synonyms": self._with_synonyms,
            "spelling": lambda draw, text: _some(draw, self._spellings, text),
            "short forms": lambda draw, text: _some(draw, self._short_forms, text),
            "masks": self._masked,
            "slips": self._with_slips,
        }

    def variants(self, identifier: str, text: str, count: int) -> list[Variant]:
        """Up to ``count`` texts that differ from the report and from each other.

        Fewer come back where the report gives no hold for them, such as a single short sentence.
        """
        known, out = {text}, list[Variant]()
        for number in range(count):
            for attempt in range(TRIES):
                made = self._variant(self._draw(identifier, number, attempt), text)
                if made.text not in known:
                    known.add(made.text)
                    out.append(made)
                    break
        return out

    def _draw(self, identifier: str, number: int, attempt: int) -> Draw:
        key = f"{self.seed}\n{number}\n{attempt}\n{identifier}".encode("utf-8", "surrogatepass")
        return random.Random(int.from_bytes(hashlib.sha256(key).digest()[:8], "big")).random

    def _variant(self, draw: Draw, text: str) -> Variant:
        tried = [name for name in OPERATIONS if draw() < SHARES[name]]
        used: set[str] = set()
        pieces: list[str] = []
        end = 0
        for part in split_sections(text):
            before = text[end : part.start]
            if "headings" in tried:
                after = self._other_headings(draw, before)
                used |= {"headings"} if after != before else set()
                before = after
            body = text[part.start : part.end]
            for name, step in self._steps.items():
                if name in tried and (name != "order" or part.name in MOVABLE):
                    after = step(draw, body)
                    used |= {name} if after != body else set()
                    body = after
            pieces += [before, body]
            end = part.end
        whole = "".join([*pieces, text[end:]])
        if "case" in tried:
            after = whole.upper() if draw() < 0.7 else whole.lower()
            used |= {"case"} if after != whole else set()
            whole = after
        return Variant(whole, tuple(name for name in OPERATIONS if name in used))

    def _with_synonyms(self, draw: Draw, text: str) -> str:
        def other(word: str) -> str:
            return pick(draw, self._synonyms[word]) if draw() < WORD_SHARE else word

        return replaced(self._synonym_table, text, other)

    def _masked(self, draw: Draw, text: str) -> str:
        mask, share = pick(draw, MASKS), pick(draw, (0.2, 0.5, 0.9))
        return self._noise.masked(draw, text, mask, share)

    def _with_slips(self, draw: Draw, text: str) -> str:
        for _ in range(1 + int(draw() * 2)):
            text = self._noise.slip(draw, text)
        return text

    def _other_headings(self, draw: Draw, text: str) -> str:
        pattern, groups = self._headings
        return pattern.sub(lambda match: pick(draw, groups[match.group()]), text)


def _some(draw: Draw, table: Table, text: str) -> str:
    return replaced(table, text, lambda word: table[1][word] if draw() < WORD_SHARE else word)


def _heading_table(
    headings: Mapping[str, tuple[str, ...]],
) -> tuple[re.Pattern[str], Mapping[str, tuple[str, ...]]]:
    groups: dict[str, tuple[str, ...]] = {}
    for written in headings.values():
        for heading in written:
            groups[heading] = tuple(h for h in written if _names(h) == _names(heading))
    longest_first = sorted(groups, key=len, reverse=True)
    words = "|".join(map(re.escape, longest_first))
    return re.compile(rf"(?<!\w)(?:{words})" if words else r"(?!)"), groups


def _names(heading: str) -> tuple[str, ...]:
    """The section that readers find under this heading."""
    return tuple(part.name for part in split_sections(f"{heading}\nText."))


def _reordered(draw: Draw, text: str) -> str:
    """The sentences of running text in another order; lists, lines and tables stay as they are."""
    if _LISTED.search(text) or not text.rstrip().endswith("."):
        return text
    blocks: list[list[str]] = []
    for sentence in _BREAK.split(text):
        if blocks and (
            _LEANING.match(sentence) or _BACKWARD.search(sentence) or len(sentence.split()) < 3
        ):
            blocks[-1].append(sentence)
        else:
            blocks.append([sentence])
    if len(blocks) < 2:
        return text
    return " ".join(sentence for block in shuffled(draw, blocks) for sentence in block)
