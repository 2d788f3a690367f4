"""The markup of letters' phrases: ``<field=value|words>`` for what is said, ``{slot}`` for a hole.

``<words>`` alone says the field and value under which the phrase stands, ``<field|words>`` a field
whose value are the words, or what the hole in them was filled with. Marks may stand in marks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from labelwright.errors import LabelSetError

_SIGN = re.compile(r"[<>{}]|[^<>{}]+")
_HEAD = re.compile(r"(?P<field>\w[\w ]*)(?:=(?P<value>\w+))?\|")


@dataclass(frozen=True, slots=True)
class Hole:
    """A hole that the writer fills."""

    name: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Words that say a field; without a name, the one under which the phrase stands."""

    field: str | None
    value: str | None
    parts: tuple[Part, ...]


Part = str | Hole | Mark


@cache
def compiled(text: str) -> tuple[Part, ...]:
    """The parts of a phrase.

    Raises:
        LabelSetError: a sign is left open.
    """
    signs = _SIGN.findall(text)
    parts, rest = _parts(signs, 0, inside=False)
    if rest != len(signs):
        raise LabelSetError(f"the phrase {text!r} closes what it never opened")
    return parts


def _parts(signs: list[str], at: int, *, inside: bool) -> tuple[tuple[Part, ...], int]:
    found: list[Part] = []
    while at < len(signs):
        sign = signs[at]
        if sign == ">" and inside:
            return tuple(found), at + 1
        if sign == "{" and signs[at + 2 : at + 3] == ["}"]:
            found.append(Hole(signs[at + 1]))
            at += 3
        elif sign == "<":
            head = _HEAD.match(signs[at + 1]) if at + 1 < len(signs) else None
            rest = signs[at + 1 :]
            if head is not None:
                left = signs[at + 1][head.end() :]
                rest = ([left] if left else []) + signs[at + 2 :]
            inner, used = _parts(rest, 0, inside=True)
            field, value = (head["field"], head["value"]) if head else (None, None)
            found.append(Mark(field, value, inner))
            at = len(signs) - (len(rest) - used)
        elif sign in "<>{}":
            break
        else:
            found.append(sign)
            at += 1
    if inside:
        raise LabelSetError("a phrase leaves a mark open")
    return tuple(found), at


def fields_in(parts: tuple[Part, ...], own: str | None) -> set[str]:
    """The fields that a phrase says."""
    found: set[str] = set()
    for part in parts:
        if isinstance(part, Mark):
            found |= fields_in(part.parts, own)
            if name := part.field or own:
                found.add(name)
    return found
