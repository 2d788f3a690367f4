"""Texts that are no report: placeholders, headings alone, nothing but the request; far too long.

What placeholders are is read from ``placeholders.yaml``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from labelwright.io.yaml_lines import YamlFile
from labelwright.labelers.words import phrases
from labelwright.records import Section
from labelwright.text.sections import split_sections
from labelwright.text.sentences import sentence_spans

ASIDE = frozenset(
    {
        *("indication", "history", "comparison", "technique", "examination"),
        *("date", "signature", "notification"),
    }
)
"""Sections that say nothing of what was found."""

EMPTY = "the report is empty"
NO_WORDS = "the report holds no words"
HEADINGS = "the report holds nothing but headings"
REQUEST = "the report says nothing beside indication, comparison and the like"
PLACEHOLDER = "a placeholder stands in place of the report"

LONGEST = 200
"""Characters of a text that may be a placeholder; what is longer says something."""
MOST_SENTENCES, MOST_CHARACTERS = 1_000, 100_000
"""A text that has more is no report, but many, or something else."""
_ENDS = " \t\r\n.,;:!-–—_*#()[]{}<>\"'`/\\|=~"

Span = tuple[int, int]


def told(text: str, sections: Sequence[Section] = ()) -> list[Span]:
    """The parts of a report that say what was found: no headings, and words in each.

    A section that a reader knows (a column of a table) may have headings of its own inside.

    Args:
        sections: of the report where they are known; else they are found by their headings.
    """
    if not sections:
        found = [(s.start, s.end) for s in split_sections(text) if s.name not in ASIDE]
    else:
        found = [
            (whole.start + part.start, whole.start + part.end)
            for whole in sections
            if whole.name not in ASIDE
            for part in split_sections(text[whole.start : whole.end])
            if part.name not in ASIDE
        ]
    return [span for span in found if any(map(str.isalpha, text[slice(*span)]))]


def too_long(text: str, parts: Sequence[Span]) -> str | None:
    """Why a text is longer than any report, whoever labels it; ``None`` if it is not."""
    if len(text) > MOST_CHARACTERS:
        return f"more than {MOST_CHARACTERS:,} characters"
    if len(text) > MOST_SENTENCES:
        count = sum(len(sentence_spans(text[slice(*span)])) for span in parts)
        if count > MOST_SENTENCES:
            return f"more than {MOST_SENTENCES:,} sentences"
    return None


def nothing_said(text: str, parts: Sequence[Span]) -> str | None:
    """Why a report says nothing; ``None`` if it says something.

    Args:
        parts: what :func:`told` found in the text.
    """
    if not text.strip():
        return EMPTY
    if not any(char.isalpha() for char in text):
        return NO_WORDS
    if not parts:
        names = {section.name for section in split_sections(text)}
        return HEADINGS if not names else REQUEST if names <= ASIDE else NO_WORDS
    if sum(end - start for start, end in parts) <= LONGEST and all(
        placeholder(text[start:end]) for start, end in parts
    ):
        return PLACEHOLDER
    return None


def placeholder(text: str) -> bool:
    """Whether a text stands in place of a report, or of one of its sections.

    >>> placeholder("N/A"), placeholder("Dictation pending."), placeholder("No effusion.")
    (True, True, False)
    """
    if len(text) > LONGEST:
        return False
    return _is_one(text) or all(_is_one(text[slice(*span)]) for span in sentence_spans(text))


def _is_one(sentence: str) -> bool:
    bare = " ".join(sentence.strip(_ENDS).casefold().split())
    if not any(char.isalpha() for char in bare):
        return True
    whole, pattern = _known()
    return bare in whole or pattern.fullmatch(bare) is not None


@cache
def _known() -> tuple[frozenset[str], re.Pattern[str]]:
    file = YamlFile.read(Path(__file__).with_name("placeholders.yaml"))
    pattern = phrases(file.value["phrases"])
    assert pattern is not None  # noqa: S101
    whole = (str(text).strip(_ENDS).casefold() for text in file.value["whole"])
    return frozenset(whole), pattern
