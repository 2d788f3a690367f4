"""The markup of a lexicon's phrases: ``{slot}`` for a word list, ``[a|b|]`` for a choice.

A phrase is compiled once and written many times. Every draw comes from one function that
returns floats in [0, 1): Python promises that ``random.Random(seed).random()`` gives the same
numbers in every version, which it does not promise of ``choice`` or ``shuffle``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

Draw = Callable[[], float]
T = TypeVar("T")

_MARK = re.compile(r"[{}\[\]|]|[^{}\[\]|]+")
_ARTICLE = re.compile(r"\ba(?= (?:[aeio]|u(?!ni)))")
_TWICE = re.compile(r"\b([a-z]+) \1\b")
_GAP = re.compile(r" +(?=[,;.:)])")


@dataclass(frozen=True, slots=True)
class Slot:
    """A hole that the writer fills: a word list's name or a name the grammar provides."""

    name: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Alternatives, each as likely as the next."""

    options: tuple[Phrase, ...]


@dataclass(frozen=True, slots=True)
class Phrase:
    """A compiled phrase."""

    parts: tuple[str | Slot | Choice, ...]

    def slots(self) -> set[str]:
        """The names of all slots in it."""
        names: set[str] = set()
        for part in self.parts:
            if isinstance(part, Slot):
                names.add(part.name)
            elif isinstance(part, Choice):
                names.update(*(option.slots() for option in part.options))
        return names


Words = Mapping[str, Sequence[Phrase]]


def compile_phrase(text: str) -> Phrase:
    """Compile markup.

    Raises:
        ValueError: a bracket or brace is not closed, or a slot has no name.
    """
    marks = _MARK.findall(text)
    phrase, rest = _sequence(marks, 0, "")
    if rest != len(marks):
        raise ValueError(f"{marks[rest]!r} without its opening mark")
    return phrase


def write(phrase: Phrase, draw: Draw, words: Words, slots: Mapping[str, str]) -> str:
    """One wording of the phrase, untidied: see :func:`tidy`."""
    out: list[str] = []
    _write(phrase, draw, words, slots, out)
    return "".join(out)


def tidy(text: str) -> str:
    """Single spaces, none before punctuation, no word twice, ``an`` where ``a`` meets a vowel."""
    text = _TWICE.sub(r"\1", " ".join(text.split()))
    return _ARTICLE.sub("an", _GAP.sub("", text))


def pick(draw: Draw, items: Sequence[T]) -> T:
    """One item, each as likely as the next."""
    return items[int(draw() * len(items))]


def pick_early(draw: Draw, items: Sequence[T]) -> T:
    """One item, earlier ones more often: the first of n comes up n^(-2/3) of the time."""
    return items[int(draw() ** 1.5 * len(items))]


def shuffled(draw: Draw, items: Sequence[T]) -> list[T]:
    """The items in random order."""
    out = list(items)
    for last in range(len(out) - 1, 0, -1):
        other = int(draw() * (last + 1))
        out[last], out[other] = out[other], out[last]
    return out


def _sequence(marks: list[str], at: int, closing: str) -> tuple[Phrase, int]:
    parts: list[str | Slot | Choice] = []
    while at < len(marks):
        mark = marks[at]
        if mark == "[":
            choice, at = _choice(marks, at + 1)
            parts.append(choice)
        elif mark == "{":
            if marks[at + 2 : at + 3] != ["}"] or not marks[at + 1].isidentifier():
                raise ValueError("a slot is written {name}")
            parts.append(Slot(marks[at + 1]))
            at += 3
        elif mark in "]|}":
            if closing:
                break
            raise ValueError(f"{mark!r} without its opening mark")
        else:
            parts.append(mark)
            at += 1
    return Phrase(tuple(parts)), at


def _choice(marks: list[str], at: int) -> tuple[Choice, int]:
    options: list[Phrase] = []
    while True:
        option, at = _sequence(marks, at, "]")
        options.append(option)
        if at >= len(marks) or marks[at] == "}":
            raise ValueError("'[' is not closed")
        at += 1
        if marks[at - 1] == "]":
            return Choice(tuple(options)), at


def _write(
    phrase: Phrase, draw: Draw, words: Words, slots: Mapping[str, str], out: list[str]
) -> None:
    for part in phrase.parts:
        if type(part) is str:
            out.append(part)
        elif type(part) is Choice:
            _write(pick(draw, part.options), draw, words, slots, out)
        elif type(part) is Slot:
            if part.name in slots:
                out.append(slots[part.name])
            else:
                _write(pick(draw, words[part.name]), draw, words, slots, out)
