"""Findings, impression and the other sections of a report, with their offsets.

The splitter knows the headings of radiology reports in upper, mixed and lower case, with and
without colon, at the start of a line or inside running text, numbered or decorated. Headings
that it does not know (``LUNGS:`` inside the findings) stay part of their section.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from labelwright.errors import ConfigError
from labelwright.records import Reject, Report, Section
from labelwright.text.column_names import part_of
from labelwright.text.mimic_sections import mimic_span
from labelwright.text.section_headings import (
    BODY,
    CLOSING,
    CONTEXT,
    FINDINGS_AND_IMPRESSION,
    HEADING,
    LINE_ONLY,
    NAMES,
    QUALIFIED,
)

SECTION_CHOICES = ("full", "findings", "impression", "both", "mimic")
"""What of a report is used: see :func:`choose`."""

# A text with no mark and none of these words has no heading: most short reports end there.
_MARKS = (":", "\n", "\r", "：", " -", " –", " —")
_PLAIN = (
    *("FIND", "IMPRESS", "INDIC", "COMPAR", "CONCL", "HIST", "TECH", "CLINIC", "REASON", "ADDEND"),
    *("RECOMM", "EXAM", "OPINION", "PRIOR", "PREVIOUS", "PRELIM", "READ", "REPORT"),
)

# Bounded repeats: a hostile run of spaces costs no more than a real one.
_TAIL = re.compile(
    r"[ \t]{0,40}(?:\([^()\n]{0,40}\)[ \t]{0,40})?[*_]{0,4}[ \t]{0,40}"
    r"(?:(?P<colon>[:：][*_]{0,4})|(?P<dash>[-–—](?=\s))|(?P<end>(?=[\r\n]|\Z)))"
)
_CAPITAL_NEXT = re.compile(r"[ \t]{1,40}(?=[A-Z][a-z]|\d)")
_LEAD = re.compile(r"[\s>#*_•-]*(?:(?:\d{1,2}|[ivxIVX]{1,4})[.):][ \t]*)?[*_#]*")
_LONGEST_LEAD = 80
_BETWEEN = "\n\n"
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")
_STOP = re.compile(
    r"\b(?P<short>(?i:dr|mr|mrs|ms|vs|st|pt|hx|yo|yrs?|approx|[a-z]))\."
    r"|[.?!][\"')\]]{0,2}(?=\s)"
    r"|\n(?=[ \t]*(?:[A-Z][a-z]|[-*•][ \t]|\d{1,2}[.)][ \t]))"
    r"|(?<=[A-Z])[ \t\r]{0,9}\n(?=[ \t]*[A-Z])"
)
_LINE = re.compile(r"\n(?=[ \t]*[A-Z][^\n]{10,}\.[ \t\r]*(?:\n|\Z))")
_CONCLUDING = frozenset({"impression", "recommendations", "addendum", "comment", "notification"})
_MORE_OF_REQUEST = re.compile(
    r"[ \t]{0,9}[^.!?\n]{1,80}\?(?=\s)"
    r"|\s{0,40}(?:please|evaluat|eval\b|assess|rule out|r/o\b|query|question|concern|history of"
    r"|\?)",
    re.IGNORECASE,
)

MISSING = frozenset({"nan", "<na>", "na", "n/a", "#n/a", "nat", "null", "none"})
"""What programs write for an empty cell, case-folded."""


def section_name(heading: str) -> str | None:
    """The section that a table column of this name holds, or ``None`` if it is no known one."""
    name = NAMES.get(" ".join(heading.replace("_", " ").lower().split())) or part_of(heading)
    return None if name == BODY else name


def split_sections(text: str) -> tuple[Section, ...]:
    """The sections of a report in order, without headings and surrounding white space.

    A section name may come more than once; sections without text are left out. Text under no
    heading is named ``body``; so is a text without any heading. Where a report has no heading
    but those of the request, the last of them, if text follows in its line, holds for its own
    sentence or line, and what follows is ``body``: "History: cough. The lungs are clear." Where
    the only others are those of a conclusion, it holds for its line, if whole sentences follow.
    """
    if not _may_hold_headings(text):
        if text and not (text[0].isspace() or text[-1].isspace()):
            return (Section(BODY, 0, len(text)),)
        return tuple(_section(text, BODY, 0, len(text)))
    headings = list(_headings(text))
    edges = [start for _, start, _ in headings] + [len(text)]
    found = _section(text, BODY, 0, edges[0])
    names = [name for name, _, _ in headings]
    last_request = _last_request(names)
    stop = _LINE if any(name in _CONCLUDING for name in names) else _STOP
    for at, ((name, _, start), end) in enumerate(zip(headings, edges[1:], strict=True)):
        found += _headed(text, name, start, end, stop if at == last_request else None)
    return tuple(found)


def choose(text: str, sections: Sequence[Section], choice: str) -> str:
    """The text that ``choice`` names, or ``""`` if the report has none.

    Args:
        sections: of ``text``, as :func:`split_sections` gives them.
        choice: ``full`` (the text as it is), ``findings``, ``impression``, ``both`` (sections
            of that kind in order, joined by a line end), or ``mimic`` (the choice of the
            MIMIC-CXR section parser, see :mod:`labelwright.text.mimic_sections`).

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


class Composer:
    """Joins the text columns of a table to one text and knows where each stands in it.

    One single column is taken as it is and split by its own headings; a name such as
    ``impression`` counts where it has none. Of several columns, the empty ones and those that hold
    no more than a word for nothing (:data:`MISSING`) are left out, those named like a section get a
    heading line, and a blank line stands between them.

    Args:
        columns: the names of the columns, in order.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self._names = [section_name(column) for column in columns]
        self._headings = [
            "" if name is None else f"{column.replace('_', ' ').upper()}:\n"
            for column, name in zip(columns, self._names, strict=True)
        ]

    def join(self, cells: Sequence[str]) -> tuple[str, tuple[Section, ...]]:
        """The text of one row and its sections; ``cells`` are in the order of the columns."""
        if len(cells) == 1:
            return cells[0], self._of_one(cells[0])
        pieces: list[str] = []
        found: list[Section] = []
        length = 0
        for cell, name, heading in zip(cells, self._names, self._headings, strict=True):
            text = cell.strip()
            if text and text.casefold() not in MISSING:
                start = length + len(heading)
                length = start + len(text)
                found.append(Section(name or BODY, start, length))
                pieces.append(heading + text)
                length += len(_BETWEEN)
        return _BETWEEN.join(pieces), tuple(found)

    def _of_one(self, text: str) -> tuple[Section, ...]:
        sections = split_sections(text)
        name = self._names[0]
        if name is None:
            return sections
        return tuple(Section(name, s.start, s.end) if s.name == BODY else s for s in sections)


def _may_hold_headings(text: str) -> bool:
    for mark in _MARKS:
        if mark in text:
            return True
    for word in _PLAIN:  # noqa: SIM110  (a plain loop is twice as fast as any(…) here)
        if word in text:
            return True
    return False


def _headings(text: str) -> Iterable[tuple[str, int, int]]:
    """``(name, start, end)`` of every heading, ``start`` before its numbering or indent."""
    lowered = text.lower()
    if len(lowered) != len(text):  # a few letters grow in lower case and would shift offsets
        lowered = "".join(c if len(low := c.lower()) > 1 else low for c in text)
    for match in HEADING.finditer(lowered):
        heading = " ".join(match.group().split())
        name = NAMES[heading]
        start = _qualified_start(text, match.start())
        lead = _line_lead(text, start)
        line_only = name in LINE_ONLY or heading in LINE_ONLY
        end = _heading_end(text, start, match.end(), lead is not None, line_only)
        if end is not None:
            yield name, start if lead is None else lead, end


def _qualified_start(text: str, start: int) -> int:
    if text[start - 1 : start] not in (" ", "\t"):
        return start
    qualifier = QUALIFIED.search(text, max(0, start - 20), start)
    return start if qualifier is None else qualifier.start()


def _heading_end(text: str, start: int, end: int, at_line: bool, line_only: bool) -> int | None:
    """Where the heading made of ``text[start:end]`` stops, or ``None`` if it is a plain word."""
    words = text[start:end]
    tail = _TAIL.match(text, end)
    after_break = at_line or _after_sentence(text, start)
    if line_only and not at_line and not (after_break and tail is not None and tail["colon"]):
        return None
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
    return begin if begin == start or _LEAD.fullmatch(text, begin, start) else None


def _after_sentence(text: str, start: int) -> bool:
    before = text[max(0, start - _LONGEST_LEAD) : start].rstrip(" \t\r\n*_#>")
    if not before:
        return True
    return before[-1] in ".!?;:)]" or bool(_BLANK_LINE.search(text, start - 8, start))


def _last_request(names: Sequence[str]) -> int | None:
    """Where the last heading of the request stands, if no heading is of what is described."""
    if any(name not in CONTEXT | CLOSING | _CONCLUDING | {BODY} for name in names):
        return None
    before = next((at for at, name in enumerate(names) if name in _CONCLUDING), len(names))
    last = max((at for at, name in enumerate(names[:before]) if name in CONTEXT), default=None)
    return None if last is None or BODY in names[last:] else last


def _headed(
    text: str, name: str, start: int, end: int, stops: re.Pattern[str] | None
) -> list[Section]:
    first = _trimmed(text, start, end)
    if first is None:
        return []
    if name not in CONTEXT:
        return [Section(name, *first)]
    blank = _BLANK_LINE.search(text, *first)
    if blank is not None:
        own, rest = blank.span()
    elif stops is not None and "\n" not in text[start : first[0]]:
        own = rest = _request_end(text, *first, stops)
    else:
        own = rest = end
    return [*_section(text, name, first[0], own), *_section(text, BODY, rest, end)]


def _request_end(text: str, start: int, end: int, stops: re.Pattern[str]) -> int:
    """The end of the first sentence or line, and of more sentences that ask for something."""
    for stop in stops.finditer(text, start, end):
        if stop.lastgroup is None and not _MORE_OF_REQUEST.match(text, stop.end(), end):
            return stop.end()
    return end


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


class SectionCut:
    """Keeps the chosen sections of every report.

    A report without any heading is kept whole, since there is nothing to cut; one that has
    headings, but none of the chosen kind, is rejected.

    Args:
        choice: one of :data:`SECTION_CHOICES`.

    Raises:
        ConfigError: an unknown choice.
    """

    def __init__(self, choice: str) -> None:
        if choice not in SECTION_CHOICES:
            raise ConfigError(
                f"unknown choice of sections {choice!r}",
                remedy=f"choose one of: {', '.join(SECTION_CHOICES)}",
            )
        self.choice = choice
        self.whole = 0
        """How many reports without headings were kept whole although a section was chosen."""

    def stream(self, items: Iterable[Report | Reject]) -> Iterator[Report | Reject]:
        """Cut a stream of reports; rejects pass."""
        for item in items:
            yield self.cut(item) if isinstance(item, Report) else item

    def cut(self, report: Report) -> Report | Reject:
        """The report with only its chosen text, or a reject if it has none."""
        if self.choice == "full":
            return report
        sections = report.sections or split_sections(report.text)
        text = choose(report.text, sections, self.choice)
        if text.strip():
            return replace(report, text=text, sections=())
        if all(section.name == BODY for section in sections):
            self.whole += 1
            return report
        wanted = "findings or impression" if self.choice == "both" else self.choice
        return Reject(report.id, report.source, report.row, f"the report has no {wanted} section")
