"""Phrase lists turned into one trie over words, so that a text is searched in one pass.

A phrase is a row of positions, separated by spaces:

=================  =============================================================
``pleural``        this word, in any case
``fluid|liquid``   one of these words
``effusion*``      any word that begins so
``large?``         this word or nothing
``~3``             up to three words in between, no punctuation
``,``              this mark; so with ``; ( ) / +``
``-``              a dash between words (not a hyphen)
``:``              a colon, or what stands for one: a dash, ``=``, ``|``, a tabulator
``?``              a question mark, alone: before a word or at the end ("? mass", "mass?")
``^``              the start of the sentence, as the first position
``.``              the end of the sentence, as the last position
=================  =============================================================

Hyphens and underscores part words: write ``air space`` for ``air-space``. A word that ends in
"n't" also counts as ``not``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from itertools import pairwise
from typing import Any, NamedTuple

from baselines.rules.spelling import Spelling
from labelwright.labelers.words import Vocabulary
from labelwright.text.sentences import ENDS

DASHES = frozenset({"-", "--", "–", "—"})
COLONS = frozenset({":", "=", "|", "\t"}) | DASHES
"""What may stand between a name and what is said of it: "effusion: none", "effusion = none"."""
BULLETS = frozenset('•·●▪■►*"“”')
MARKS = frozenset(",;()/+") | COLONS | BULLETS
_BEFORE_ITEMS = BULLETS | DASHES
MAX_GAP = 9
MAX_FORMS = 4096
"""How many word rows one phrase may stand for; more is most likely a mistake."""
MAX_WORDS = 200
"""A sentence is cut here, so that text without full stops cannot cost quadratic time."""

_WORD = r"[^\W_]+(?:['’][^\W_]+)?"
_TOKEN = re.compile(
    rf"\d+[.,]\d+|{_WORD}|\([-–+]\)|[,;:()/+?=|#\t•·●▪■►]|—|--|(?<![^\s])[-–*\"“”](?![^\s])"
    r"|(?<![^\s])[-–*](?=\w)|(?<=\w)[-–](?![^\s])|(?<![^\s])[-–](?=[,;/])"
)
_FORM = re.compile(rf"(?:\d+\.\d+|{_WORD})\*?|[,;:()/+#-]")
_QUESTION = "?"
_GAP = re.compile(r"~(\d+)")

_LAST = "."
_FIRST = "^"
_NARROWEST = 45
"""Lines narrower than this are never taken for wrapped ones."""
_GOES_ON = re.compile(
    r"(?:[,:/(-]|\b(?:and|or|nor|no|not|of|the|an?|in|with|without|to|for|is|are|was|were|at|on|from"
    r"|may|evidence|right|left|small|mild|large|moderate|pleural|lower|upper|lung))\s*\Z"
)
_ANSWERING = frozenset(
    {"it", "they", "these", "this", "today", "now", "none", "currently", "there"}
)
_JOINING = frozenset({"and", "or", "nor", "of", "in", "with", "is", "are", "at", "on", "which"})
_NOT = "not"
_POSSESSIVE = "'s"
_MINUS = frozenset({"(-)", "(–)"})
"""Reads as "absent": "effusion (-)"."""
_CONTRACTED = re.compile(
    r"[a-z]+n't|(?:is|are|was|were|has|have|had|do|does|did|could|would|should|wo|ca)nt"
)
_KNOWN_WORDS = 200_000


class Sentence:
    """Words and marks of one sentence in lower case, and where each stands in the text.

    Args:
        words: found one after the other in ``lower[start:]``.
        lower: a part of the text in lower case.
        offset: where that part begins in the text.
    """

    __slots__ = ("_at", "_lower", "_offset", "_starts", "words")

    def __init__(self, words: list[str], lower: str, start: int, offset: int) -> None:
        self.words = words
        self._lower = lower
        self._at = start
        self._offset = offset
        self._starts: list[int] = []

    def span(self, first: int, end: int) -> tuple[int, int]:
        """Where ``words[first:end]`` stands in the text that the sentence is from.

        Found when first asked for: most sentences of a normal report never are. Between two
        words there is nothing that a word could begin with, so that plain search finds them.
        """
        words, starts = self.words, self._starts
        for word in words[len(starts) : end]:
            at = self._lower.index(word, self._at)
            starts.append(at)
            self._at = at + len(word)
        last = end - 1
        return starts[first] + self._offset, starts[last] + len(words[last]) + self._offset


class Match(NamedTuple):
    """A phrase found at ``words[start:end]``; ``payload`` is what it was added with."""

    start: int
    end: int
    payload: Any


def sentences(text: str, start: int = 0, end: int | None = None) -> Iterator[Sentence]:
    """Part ``text[start:end]`` into sentences; offsets count from the start of ``text``.

    A sentence ends at ``. ! ?`` (a decimal point is no end, nor a question mark before a
    word, as in "? mass", or before its answer), at an empty line, and before a line that is a
    list item, has a heading or begins with a capitalised word; but what stands in the line after
    "heading:" belongs to it. Any other line break is a space, since many systems wrap their
    lines; in text of one case only, it is an end where the next word would have fitted.
    """
    part = text[start:end]
    lower = _lower(part)
    at = 0
    bounds = [match.span() for match in ENDS.finditer(part)]
    if "\n" in part and (part == lower or part.isupper()):
        bounds = sorted({*bounds, *_short_lines(lower)})
    for ends, following in [*bounds, (len(part), len(part))]:
        last = ends + part.startswith(_QUESTION, ends)
        words = _TOKEN.findall(lower, at, last)
        if words and words[0] in _BEFORE_ITEMS:
            words = words[1:]
        if len(words) > MAX_WORDS:
            starts = [match.start() for match in _TOKEN.finditer(lower, at, last)]
            for first in range(0, len(words), MAX_WORDS):
                piece = words[first : first + MAX_WORDS]
                yield Sentence(piece, lower, starts[first], start)
        elif ";" in words:
            yield from _clauses(words, lower, at, start)
        elif words:
            yield Sentence(words, lower, at, start)
        at = following


def _clauses(words: list[str], lower: str, at: int, offset: int) -> Iterator[Sentence]:
    """A sentence parted at the semicolons before an answer: "was large in May; *it* has gone"."""
    low = 0
    for high in range(1, len(words) - 1):
        if words[high] == ";" and words[high + 1] in _ANSWERING:
            yield Sentence(words[low:high], lower, at, offset)
            for word in words[low : high + 1]:
                at = lower.index(word, at) + len(word)
            low = high + 1
    yield Sentence(words[low:], lower, at, offset)


def _short_lines(text: str) -> Iterator[tuple[int, int]]:
    """The line breaks before which a line was left unfilled although the next word would fit.

    Where most are such, the rest is no wrapped text either.
    """
    lines = text.split("\n")
    widest = max(_NARROWEST, *map(len, lines))
    at = -1
    full: list[int] = []
    short: list[int] = []
    for line, after in pairwise(lines):
        at += len(line) + 1
        first = after.split(maxsplit=1)
        if first and first[0] not in _JOINING and "___" not in line and not _GOES_ON.search(line):
            fits = len(line.rstrip()) + len(first[0]) < widest
            (short if fits else full).append(at)
    for at in sorted([*short, *full] if len(short) > len(full) else short):
        yield at, at + 1


def _lower(text: str) -> str:
    """Lower case of the same length, so that offsets stay (``İ`` would grow); ``±`` is a doubt."""
    lower = text.lower().replace("’", "'").replace("±", "?")
    if len(lower) == len(text):
        return lower
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)


def mistake(phrase: str) -> str | None:
    """What is wrong with a phrase, as a message that ends with its remedy; else ``None``."""
    positions = phrase.split()
    if positions and positions[-1] == _LAST:
        positions.pop()
    if positions and positions[0] == _FIRST:
        del positions[0]
    if not positions:
        return "empty phrase; delete it"
    for position in positions:
        gap = _GAP.fullmatch(position)
        if gap is None:
            for form in _forms_of(position):
                if form != _QUESTION and not _FORM.fullmatch(form):
                    return f"{form!r} is not a word; see the phrase syntax, and write a-b as 'a b'"
        elif not 1 <= int(gap[1]) <= MAX_GAP:
            return f"gap {position!r} is out of range; use ~1 to ~{MAX_GAP}"
    fixed = [p for p in positions if not p.startswith("~") and not _optional(p)]
    if not fixed:
        return "phrase without a fixed word; name at least one"
    if positions[0].startswith("~") or positions[-1].startswith("~"):
        return "a phrase cannot begin or end with a gap; delete the gap"
    if _rows(positions) > MAX_FORMS:
        return f"phrase stands for more than {MAX_FORMS} word rows; part it into several"
    return None


def _optional(position: str) -> bool:
    return position.endswith(_QUESTION) and position != _QUESTION


def _forms_of(position: str) -> list[str]:
    return (position[:-1] if _optional(position) else position).split("|")


def _rows(positions: Sequence[str]) -> int:
    count = 1
    for position in positions:
        count *= len(_forms_of(position)) + _optional(position)
    return count


class _Rest(NamedTuple):
    """What is left of a phrase at a node: ``positions[at:]``."""

    positions: tuple[str, ...]
    at: int
    closing: bool
    payload: Any


class _Node:
    """One step of a phrase: where the next words lead, and which phrases end here.

    It is worked out when a text first comes this way: the phrases stand for a hundred thousand
    steps, of which a report takes a few hundred.
    """

    __slots__ = ("after", "closing", "gaps", "left", "outputs")

    def __init__(self) -> None:
        self.after: dict[str, _Node] = {}
        self.gaps: dict[int, _Node] = {}
        self.outputs: list[Any] = []
        self.closing: list[Any] = []
        self.left: list[_Rest] = []

    def add(self, rest: _Rest) -> None:
        """Let a phrase go on from here."""
        while rest.at < len(rest.positions):
            self.left.append(rest)
            if not _optional(rest.positions[rest.at]):
                return
            rest = rest._replace(at=rest.at + 1)
        outputs = self.closing if rest.closing else self.outputs
        if rest.payload not in outputs:
            outputs.append(rest.payload)

    def worked_out(self) -> _Node:
        """The same with ``after`` and ``gaps`` complete.

        They are made anew, so that another thread may do the same at the same time.
        """
        if self.left:
            after, gaps = dict(self.after), dict(self.gaps)
            for rest in self.left:
                following = rest._replace(at=rest.at + 1)
                for form in _forms_of(rest.positions[rest.at]):
                    if form.startswith("~"):
                        gaps.setdefault(int(form[1:]), _Node()).add(following)
                    else:
                        after.setdefault(form, _Node()).add(following)
            self.after, self.gaps = after, gaps
            self.left = []
        return self


class _Known(NamedTuple):
    """What the trie knows of a word: the forms that it matches, and where phrases begin."""

    keys: tuple[str, ...]
    starts: tuple[_Node, ...]


class PhraseTrie:
    """All phrases of a rule book; finds every occurrence in one walk over the words.

    Args:
        known: words of the language. Others are taken for what they are one slip away from;
            without it, none is.
    """

    def __init__(self, known: Vocabulary | None = None) -> None:
        self._spelling = Spelling(known)
        self._root = _Node()
        self._opening = _Node()
        self._literal: set[str] = set()
        self._prefixes: dict[int, set[str]] = {}
        self._known: dict[str, _Known] = {}

    def add(self, phrase: str, payload: object) -> None:
        """Add a phrase that :func:`mistake` accepts, before anything is searched for."""
        positions = phrase.lower().split()
        at_end, at_start = positions[-1] == _LAST, positions[0] == _FIRST
        inner = tuple(positions[at_start : len(positions) - at_end])
        for form in (form for position in inner for form in _forms_of(position)):
            if form.endswith("*"):
                self._prefixes.setdefault(len(form) - 1, set()).add(form)
            elif not form.startswith("~"):
                self._literal.add(form)
        (self._opening if at_start else self._root).add(_Rest(inner, 0, at_end, payload))

    def _learn(self, word: str) -> _Known:
        keys: tuple[str, ...] = (word,) if word in self._literal else ()
        if word in COLONS:
            keys = ("-", ":") if word in DASHES else (":",)
        elif word in _MINUS:
            keys = ("absent",)
        elif _CONTRACTED.fullmatch(word):
            keys += (_NOT,)
        for form in (word, word[:-2]) if word.endswith(_POSSESSIVE) else (word,):
            keys += (form,) if form != word and form in self._literal else ()
            for length, prefixes in self._prefixes.items():
                if (key := form[:length] + "*") in prefixes and key not in keys:
                    keys += (key,)
        if not keys:
            keys = self._spelling.meant(word, self._literal, self._prefixes)
        after = self._root.worked_out().after
        known = _Known(keys, tuple(after[key] for key in keys if key in after))
        if len(self._known) < _KNOWN_WORDS:
            self._known[word] = known
        return known

    def find(self, words: Sequence[str]) -> list[Match]:
        """Every phrase at every place, by start; overlaps are for the caller to judge."""
        known = self._known
        row = [known[w] if w in known else self._learn(w) for w in words]
        found: list[Match] = []
        if row:
            there = {key for keys, _ in row for key in keys}
            self._walk(self._opening, words, row, there, 0, 0, found)
            for start, (_, nodes) in enumerate(row):
                for node in nodes:
                    self._walk(node, words, row, there, start, start + 1, found)
        return found

    def _walk(
        self,
        node: _Node,
        words: Sequence[str],
        row: Sequence[_Known],
        there: Set[str],
        start: int,
        at: int,
        found: list[Match],
    ) -> None:
        if node.left:
            node.worked_out()
        if at == len(row):  # first what says "at the end": of equal matches the first counts
            for payload in node.closing:
                found.append(Match(start, at, payload))
            for payload in node.outputs:
                found.append(Match(start, at, payload))
            return
        for payload in node.outputs:
            found.append(Match(start, at, payload))
        if node.after:
            for key in row[at].keys:
                if key in node.after:
                    self._walk(node.after[key], words, row, there, start, at + 1, found)
        if node.gaps:
            self._walk_gaps(node, words, row, there, start, at, found)

    def _walk_gaps(
        self,
        node: _Node,
        words: Sequence[str],
        row: Sequence[_Known],
        there: Set[str],
        start: int,
        at: int,
        found: list[Match],
    ) -> None:
        for most, gap in node.gaps.items():
            after = (gap.worked_out() if gap.left else gap).after
            if after.keys().isdisjoint(there):
                continue
            for here in range(at, min(at + most + 1, len(row))):
                if here > at and words[here - 1] in MARKS:
                    break
                for key in row[here].keys:
                    if key in after:
                        self._walk(after[key], words, row, there, start, here + 1, found)
