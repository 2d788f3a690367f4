"""A further section of the page: what only some comparisons have, such as calibration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eval.page.figures import Drawing
from eval.page.tables import Table

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
