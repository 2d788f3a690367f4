"""Reports that spell out a special token must not end their own turn of the chat."""

from __future__ import annotations

import re
from collections.abc import Iterable


def spelled_out(tokens: Iterable[str]) -> re.Pattern[str]:
    """A pattern that finds any of a tokenizer's special tokens in a text."""
    written = sorted({t for t in tokens if len(t) > 1}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, written)) or r"(?!)")


def break_up(pattern: re.Pattern[str], text: str) -> str:
    """The text with a space in every special token, so that it is read as plain characters.

    Training and labeling both do this, so they show the model the same.
    """
    return pattern.sub(lambda match: f"{match[0][0]} {match[0][1:]}", text)
