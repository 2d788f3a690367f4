"""What a kind of task fills into the frame of the comparison page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from eval.page.figures import Drawing, Heat
from eval.page.tables import Table
from eval.page.verdict import Notices

SUBGROUPS = "subgroups"
"""Id of the section that scores groups of reports; the checklist asks for it."""


@dataclass(frozen=True, eq=False)
class Section:
    """One section, placed between the tests and the confusion tables.

    Attributes:
        id: anchor, key in ``scores.json`` and beginning of its figures' file names.
        lead: what the section is, in two or three sentences.
        statements: its results, a sentence each.
        notes: what has to be kept in mind, a sentence each.
        tables: shown, and written as CSV and LaTeX.
        folded_tables: the same, but the page shows them when they are opened.
        data_tables: written as CSV only.
        methods: a sentence or two for the methods text.
        numbers: for ``scores.json``, in full precision.
        files: further JSON files of the report, by name.
    """

    id: str
    title: str
    lead: str = ""
    statements: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    figures: tuple[Drawing, ...] = ()
    tables: tuple[Table, ...] = ()
    folded_tables: tuple[Table, ...] = ()
    data_tables: tuple[Table, ...] = ()
    methods: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def unbroken(text: str) -> str:
    """``text`` with numbers kept on one line with their sign and unit."""
    return re.sub(r" (?=%)|(?<=\bp) (?=[=<>])|(?<=[=<>]) (?=[\d.])", "\u00a0", text)


MOST = 5_000
"""Reports in the page's error browser; ``errors.csv`` has all of them."""

Option = tuple[str, str]
"""A choice of a filter: its value, and what the page calls it."""


@dataclass(frozen=True)
class Filter:
    """One filter of the error browser; options of one row stand on one line of the file."""

    label: str
    name: str
    rows: Sequence[Sequence[Option]]

    @property
    def line_end(self) -> str:
        """What follows each row."""
        return "\n" if len(self.rows) > 1 or self.name == "labeler" else ""


@dataclass(frozen=True, eq=False)
class Errors:
    """What the labelers got wrong: the page's error browser, and ``errors.csv``.

    Attributes:
        places: the reports with an error, in the gold's order.
        claim: what is said of them, after "12 of 60 reports"; ``remark``: what follows.
        hint: what a line of the browser gives, for screen readers.
        row: what the browser is told of the report at a place, without id and text;
            ``head``: what it is told once.
        lines: ``errors.csv``, its head first.
        script, style: how the browser shows a row; by default ``l`` is a list of sentences
            per labeler.
    """

    places: Sequence[int]
    claim: str
    hint: str
    row: Callable[[int], dict[str, Any]]
    lines: Callable[[], Iterable[Sequence[str]]]
    remark: str = ""
    filters: Sequence[Filter] = ()
    head: Mapping[str, Any] = field(default_factory=dict)
    script: str = ""
    style: str = ""

    def text(self, reports: int) -> str:
        """How many reports are wrong, and how many of them the page shows."""
        found = f"{len(self.places)} of {reports} reports {self.claim}."
        if len(self.places) > MOST:
            found += f" The first {MOST} are here, all of them in errors.csv."
        return found + self.remark


@dataclass(frozen=True)
class Folded:
    """A section of tables of which the page opens the first."""

    id: str
    name: str
    title: str
    lead: str
    tables: Sequence[Table]


@dataclass(frozen=True)
class Further:
    """A section that the kind writes itself, placed before the reports without an answer."""

    id: str
    name: str
    html: Markup


@dataclass(frozen=True, eq=False)
class Contents:
    """Everything on the page that only the kind knows.

    Attributes:
        scores: tables of scores; the first has a row per labeler, its score in the second column.
        answers: what each labeler left unanswered, a table named ``failures``.
        notices: what limits the numbers.
        methods: the first paragraph of the methods section.
        labelers: numbers of each labeler for ``scores.json``.
        data_tables: written as CSV and LaTeX only.
        glossary: the names of scores that are easily mistaken for each other, with what they mean.
    """

    scores_title: str
    scores_lead: str
    scores: Sequence[Table]
    answers: Table
    answers_text: str
    notices: Notices
    methods: str
    errors: Errors
    labelers: Mapping[str, Mapping[str, Any]]
    folded: Folded | None = None
    heat: Heat | None = None
    more: Sequence[Further] = ()
    data_tables: Sequence[Table] = ()
    glossary: Sequence[tuple[str, str]] = ()
