"""Findings, impression and the other sections of a report, with their offsets.

The splitter knows the headings of radiology reports in upper, mixed and lower case, with and
without colon, at the start of a line or inside running text, numbered or decorated. Headings
that it does not know (``LUNGS:`` inside the findings) stay part of their section.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from labelwright.mimic_sections import (
    COMPARISON_SLIPS,
    FINDINGS_SLIPS,
    IMPRESSION_SLIPS,
    mimic_span,
)
from labelwright.records import Section

SECTION_CHOICES = ("full", "findings", "impression", "both", "mimic")
"""What of a report is used: see :func:`choose`."""

BODY = "body"
"""Name of text that stands under no heading."""

FINDINGS_AND_IMPRESSION = "findings and impression"
"""Name of a section that is both; it counts as either."""

_HEADINGS: Mapping[str, tuple[str, ...]] = {
    "findings": ("finding", "findings", *FINDINGS_SLIPS),
    "impression": (
        *("impression", "impressions", "conclusion", "conclusions", "opinion", *IMPRESSION_SLIPS),
        *("impression and recommendation", "impression and recommendations"),
        *("impression/recommendation", "impression/recommendations"),
        *("impression and plan", "interpretation", "summary", "assessment"),
    ),
    FINDINGS_AND_IMPRESSION: (
        *("findings and impression", "findings & impression", "findings/impression"),
        *("findings / impression", "findings/ impression", "findings and impressions"),
        *("findings and conclusion", "impression and findings", "impression/findings"),
    ),
    "indication": (
        *("indication", "indications", "clinical indication", "clinical indications", "idication"),
        *("indication for exam", "indication for examination", "indication for study"),
        *("reason for exam", "reason for examination", "reason for study", "reason for test"),
        *("reason for this exam", "reason for this examination", "clinical question"),
    ),
    "history": (
        *("history", "clinical history", "patient history", "medical history", "pfi"),
        *("clinical information", "clinical data", "clinical details", "clinical background"),
        *("history and indication", "indication and history", "past medical history"),
    ),
    "comparison": (
        *("comparison", "comparisons", "comparison exam", "comparison film", "comparison films"),
        *("comparison study", "comparison studies", "reference exam", "prior studies"),
        *("prior study", "previous studies", *COMPARISON_SLIPS),
    ),
    "technique": ("technique", "techniques", "procedure", "protocol", "views"),
    "examination": (
        *("exam", "examination", "exam type", "type of exam", "type of examination", "study"),
    ),
    "recommendations": ("recommendation", "recommendations"),
    "addendum": ("addendum", "addenda"),
    "wet read": (
        *("wet read", "wetread", "preliminary read", "preliminary report"),
        "preliminary interpretation",
    ),
    "notification": ("notification", "notifications", "communication", "critical results"),
    "comment": ("comment", "comments"),
    "date": ("date", "date of exam", "date of examination", "exam date", "study date"),
    "signature": ("electronically signed by", "signed by", "dictated by", "interpreted by"),
    BODY: ("final report",),
}
_NAMES = {heading: name for name, headings in _HEADINGS.items() for heading in headings}

# These words are common inside sentences: they head a section at the start of a line only.
_LINE_ONLY = frozenset(
    {"examination", "date", "comment", "signature", "notification", BODY}
) | frozenset({"procedure", "protocol", "views", "interpretation", "summary", "assessment"})

# Short sections about the request: an unheaded paragraph below one is the report's own text.
_CONTEXT = frozenset({"indication", "history", "comparison", "technique", "examination", "date"})

_QUALIFIERS = (
    *("additional", "chest", "ct", "final", "imaging", "incidental", "key", "lung", "mri", "new"),
    *("other", "pertinent", "preliminary", "radiographic", "relevant", "significant"),
)
# A text without any of these has no heading; most one-paragraph reports end here.
_MARKS = (":", "\n", "\r", "：", " -", " –", " —")
_CAPITALS = re.compile("[A-Z]{4}")

_NAME = re.compile(
    r"(?<!\w)(?:(?:{})[ \t]+)?({})(?!\w)".format(
        "|".join(_QUALIFIERS),
        "|".join(re.escape(h).replace(r"\ ", "[ \t]+") for h in sorted(_NAMES, reverse=True)),
    )
)
_TAIL = re.compile(
    r"[ \t]*(?:\([^()\n]{0,40}\)[ \t]*)?[*_]*[ \t]*"
    r"(?:(?P<colon>[:：][*_]*)|(?P<dash>[-–—](?=\s))|(?P<end>(?=[\r\n]|\Z)))"
)
_CAPITAL_NEXT = re.compile(r"[ \t]+(?=[A-Z][a-z]|\d)")
_LEAD = re.compile(r"[\s>#*_•-]*(?:(?:\d{1,2}|[ivxIVX]{1,4})[.):][ \t]*)?[*_#]*")
_LONGEST_LEAD = 80
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")


def section_name(heading: str) -> str | None:
    """The canonical name of a heading or table column, or ``None`` if it is no known one."""
    return _NAMES.get(" ".join(heading.replace("_", " ").lower().split()))


def split_sections(text: str) -> tuple[Section, ...]:
    """The sections of a report in order, without headings and surrounding white space.

    A section name may come more than once; sections without text are left out. Text under no
    heading is named ``body``; so is a text without any heading.
    """
    if not any(mark in text for mark in _MARKS) and not _CAPITALS.search(text):
        return tuple(_section(text, BODY, 0, len(text)))
    headings = list(_headings(text))
    edges = [start for _, start, _ in headings] + [len(text)]
    found = _section(text, BODY, 0, edges[0])
    for (name, _, start), end in zip(headings, edges[1:], strict=True):
        found += _headed(text, name, start, end)
    return tuple(found)


def choose(text: str, sections: Sequence[Section], choice: str) -> str:
    """The text that ``choice`` names, or ``""`` if the report has none.

    Args:
        sections: of ``text``, as :func:`split_sections` gives them.
        choice: ``full`` (the text as it is), ``findings``, ``impression``, ``both`` (sections
            of that kind in order, joined by a line end), or ``mimic`` (the choice of the
            MIMIC-CXR section parser, see :mod:`labelwright.mimic_sections`).

    Raises:
        ValueError: an unknown choice.
    """
    if choice == "full":
        return text
    if choice == "mimic":
        span = mimic_span(text)
        return "" if span is None else text[slice(*span)].strip()
    if choice not in SECTION_CHOICES:
        raise ValueError(f"unknown section choice {choice!r}; choices: {SECTION_CHOICES}")
    wanted = {"findings", "impression"} if choice == "both" else {choice}
    wanted.add(FINDINGS_AND_IMPRESSION)
    return "\n".join(text[s.start : s.end] for s in sections if s.name in wanted)


def compose(parts: Mapping[str, str]) -> str:
    """Join table columns to one text; see :func:`compose_sections`."""
    return compose_sections(parts)[0]


def compose_sections(parts: Mapping[str, str]) -> tuple[str, tuple[Section, ...]]:
    """Join table columns to one text and say where each stands.

    One single column is taken as it is and split by its own headings; a name such as
    ``impression`` counts where it has none. Of several columns, the empty ones are left out,
    those named like a section get a heading line, and a blank line stands between them.
    """
    if len(parts) == 1:
        ((column, text),) = parts.items()
        sections = split_sections(text)
        name = section_name(column)
        if name is not None:
            sections = tuple(_renamed(sections, name))
        return text, sections
    pieces: list[str] = []
    found: list[Section] = []
    length = 0
    for column, part in parts.items():
        text = part.strip()
        if not text:
            continue
        name = section_name(column)
        heading = "" if name is None else f"{column.replace('_', ' ').upper()}:\n"
        start = length + len(heading)
        found.append(Section(name or BODY, start, start + len(text)))
        pieces.append(heading + text)
        length = start + len(text) + 2
    return "\n\n".join(pieces), tuple(found)


def _renamed(sections: Iterable[Section], name: str) -> Iterable[Section]:
    for section in sections:
        yield Section(name, section.start, section.end) if section.name == BODY else section


def _headings(text: str) -> Iterable[tuple[str, int, int]]:
    """``(name, start, end)`` of every heading, ``start`` before its numbering or indent."""
    lowered = text.lower()
    if len(lowered) != len(text):  # a few letters grow in lower case and would shift offsets
        lowered = "".join(c if len(low := c.lower()) > 1 else low for c in text)
    for match in _NAME.finditer(lowered):
        heading = " ".join(match.group(1).split())
        name = _NAMES[heading]
        lead = _line_lead(text, match.start())
        line_only = name in _LINE_ONLY or heading in _LINE_ONLY
        end = _heading_end(text, match.start(), match.end(), lead is not None, line_only)
        if end is not None:
            yield name, match.start() if lead is None else lead, end


def _heading_end(text: str, start: int, end: int, at_line: bool, line_only: bool) -> int | None:
    """Where the heading made of ``text[start:end]`` stops, or ``None`` if it is a plain word."""
    words = text[start:end]
    tail = _TAIL.match(text, end)
    if not at_line and line_only:
        return None
    after_break = at_line or _after_sentence(text, start)
    if tail is None:
        plain = words.isupper() and after_break and _CAPITAL_NEXT.match(text, end)
        return end if plain or (at_line and words.lower().endswith(" by")) else None
    if tail["colon"]:
        inline = words[0].isupper() and text[start - 1].isspace()
        return tail.end() if after_break or inline else None
    if tail["dash"]:
        return tail.end() if at_line else None
    alone = at_line and (words.isupper() or (words[0].isupper() and _after_sentence(text, start)))
    return tail.end() if alone else None


def _line_lead(text: str, start: int) -> int | None:
    """Where the line of ``start`` begins, if only indent, numbering or decoration precede it."""
    begin = text.rfind("\n", max(0, start - _LONGEST_LEAD), start) + 1
    if begin == 0 and start > _LONGEST_LEAD:
        return None
    return begin if _LEAD.fullmatch(text, begin, start) else None


def _after_sentence(text: str, start: int) -> bool:
    before = text[max(0, start - _LONGEST_LEAD) : start].rstrip(" \t\r\n*_#>")
    if not before:
        return True
    return before[-1] in ".!?;:)]" or bool(_BLANK_LINE.search(text, start - 8, start))


def _headed(text: str, name: str, start: int, end: int) -> list[Section]:
    first = _trimmed(text, start, end)
    if first is None:
        return []
    if name in _CONTEXT and (blank := _BLANK_LINE.search(text, *first)):
        return [
            *_section(text, name, first[0], blank.start()),
            *_section(text, BODY, blank.end(), end),
        ]
    return [Section(name, *first)]


def _section(text: str, name: str, start: int, end: int) -> list[Section]:
    span = _trimmed(text, start, end)
    return [] if span is None else [Section(name, *span)]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    part = text[start:end]
    kept = part.strip()
    if not kept:
        return None
    begin = start + len(part) - len(part.lstrip())
    return begin, begin + len(kept)
