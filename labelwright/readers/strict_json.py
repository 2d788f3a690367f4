"""JSON as RFC 8259 has it: no ``NaN``, no key twice unnoticed."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NoReturn

from labelwright.readers import opening
from labelwright.readers.opening import TOO_LONG

NO_JSON = "the line is not valid JSON"
NO_OBJECT = "the line is JSON but no object"


class Ambiguous(dict[str, Any]):
    """An object in which keys stand more than once; it holds their last values."""

    twice: frozenset[str] = frozenset()


def has_twice(value: Any, keys: tuple[str, ...]) -> bool:
    """Whether one of the keys stands more than once in an object, so its value is unsure."""
    return isinstance(value, Ambiguous) and not value.twice.isdisjoint(keys)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    ambiguous = Ambiguous(value)
    counts = Counter(key for key, _ in pairs)
    ambiguous.twice = frozenset(key for key, count in counts.items() if count > 1)
    return ambiguous


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse)
"""Raises ``ValueError``, and ``RecursionError`` for what is nested too deeply."""


def object_of(line: str | dict[str, Any]) -> dict[str, Any] | str:
    """The object of a line, or why it is none; one that was parsed before as it is."""
    if not isinstance(line, str):
        return line
    if line == TOO_LONG:
        return opening.too_long()
    try:
        value = DECODER.decode(line.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return NO_JSON
    return value if isinstance(value, dict) else NO_OBJECT


def encodable(text: str) -> bool:
    """Whether a text has no half of a surrogate pair, which no file can hold."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
