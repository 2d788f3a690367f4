"""The comparison page: one self-contained HTML file, with its tables, figures and scores.

The frame is the same for every kind of task; what only the kind knows stands in
:class:`eval.page.contents.Contents`.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from eval.page import labeler_tables, pair_tables
from eval.page.checklist import checklist, checklist_table
from eval.page.contents import MOST, Contents
from eval.page.figures import Drawing, figures
from eval.page.methods import model_sentences, tests_paragraph
from eval.page.palette import DARK, LIGHT
from eval.page.plots import COLOURS
from eval.page.score_file import page_json
from eval.page.section import SUBGROUPS, Section
from eval.page.tables import Table, main_text, sentence, sort_key, span_text
from eval.page.verdict import Notices, Verdict, facts, verdicts
from eval.read.provenance import Independence, Source, source_notices
from eval.stats.tested import Tested
from labelwright.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True, eq=False)
class Page:
    """All that the page needs.

    Attributes:
        contents: what the kind of task fills in.
        sources: one per labeler, in the order of the analysis.
        split: what gold and training data share, where asked for.
        texts: report text by id; ``None`` keeps all text out of the page.
        sections: further sections.
        opening: id of the section whose statements and first figure open the page, in place of
            the verdicts and the forest plot.
    """

    analysis: Tested
    contents: Contents
    sources: Sequence[Source]
    title: str
    split: Independence | None = None
    texts: Mapping[str, str] | None = None
    sections: Sequence[Section] = ()
    opening: str = ""

    @cached_property
    def said(self) -> tuple[str, ...]:
        """The verdicts, a sentence each."""
        return tuple(str(verdict) for verdict in verdicts(self.analysis))

    @cached_property
    def tables(self) -> list[Table]:
        """Every table that is also written as CSV and LaTeX."""
        a, own = self.analysis, self.contents
        return [
            *own.scores,
            *(own.folded.tables if own.folded else ()),
            *self.test_tables,
            *(t for section in self.sections for t in (*section.tables, *section.folded_tables)),
            *own.data_tables,
            own.answers,
            labeler_tables.problems(a),
            labeler_tables.flow(a, self.sources),
            checklist_table(checklist(a, self.sources, self.split, subgroups=self._subgroups())),
        ]

    @cached_property
    def test_tables(self) -> list[Table]:
        """The tests of pairs, and of several labelers at once."""
        a = self.analysis
        if not a.pairs:
            return []
        pairs = [pair_tables.comparisons(a), pair_tables.over_parts(a)]
        if a.pairs[0].mcnemar is not None:
            pairs.append(pair_tables.mcnemar(a))
        return [*pairs, *pair_tables.several(a)]

    @cached_property
    def notices(self) -> Notices:
        """What limits the numbers: the files, shared training data, the analysis."""
        grave = source_notices(self.sources, self.analysis.comparison.label_set.fingerprint)
        if self.split is not None and not self.split.clean:
            grave.append(
                f"The gold is not independent of the training data: {self.split.finding}. The "
                "scores are too good by an unknown amount."
            )
        return Notices((*grave, *self.contents.notices.grave), self.contents.notices.other)

    @cached_property
    def drawings(self) -> dict[str, Drawing]:
        """Figures by file name, but for those of the sections."""
        return figures(self.analysis, self.contents.heat)

    @cached_property
    def html(self) -> str:
        """The page; the same inputs and seed give the same bytes."""
        errors = self.contents.errors
        browser = errors.script or environment().get_template("plain.js").render()
        return render_page("page", _context(self), browser=browser.rstrip(), style=errors.style)

    def errors(self) -> str:
        """``errors.csv``: everything that is wrong."""
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(self.contents.errors.lines())
        return out.getvalue()

    def scores(self) -> dict[str, Any]:
        """``scores.json``: the numbers of the page for programs, in full precision."""
        return page_json(
            self.analysis,
            notices=(*self.notices.grave, *self.notices.other),
            labelers={s.name: (s, self.contents.labelers[s.name]) for s in self.sources},
            split=self.split,
            sections=self.sections,
        )

    def _subgroups(self) -> str:
        """Title of the section on subgroups if it has a result."""
        return next((s.title for s in self.sections if s.id == SUBGROUPS and s.statements), "")


def render_page(
    name: str, context: Mapping[str, Any], *, browser: str = "", style: str = ""
) -> str:
    """A page of its template, style and script; it runs no script but this one.

    Args:
        browser: the part of the script that the template leaves open.
        style: added to the template's own.
    """
    env = environment()
    script = env.get_template(f"{name}.js").render(browser=Markup(browser))  # noqa: S704 - ours
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    css = env.get_template(f"{name}.css").render()
    own = {
        "style": Markup("\n".join(filter(None, (css, style.rstrip())))),  # noqa: S704 - ours
        "script": Markup(script),  # noqa: S704 - our own file
        "script_hash": f"sha256-{digest}",
    }
    return env.get_template(f"{name}.html.j2").render({**context, **own}).rstrip() + "\n"


@cache
def environment() -> Environment:
    """The templates; everything that is put into them is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    env = Environment(
        loader=PackageLoader("eval.page", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals |= {"light": LIGHT, "dark": DARK, "colours": range(1, COLOURS + 1)}
    env.filters |= {
        "main_text": main_text,
        "span_text": span_text,
        "sort_key": sort_key,
        "breakable": lambda text: escape(text).replace("|", Markup("|<wbr>")),
    }
    return env


def script_json(value: Any) -> Markup:
    """JSON in which no ``<``, ``>`` or ``&`` can end or change the element around it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped just above


def _context(page: Page) -> dict[str, Any]:
    a, contents = page.analysis, page.contents
    drawn = page.drawings
    first = next((s for s in page.sections if s.id == page.opening and s.figures), None)
    zeros = _zeros(page)
    forest = drawn.get("forest")
    if zeros and first is None:
        forest, drawn = None, {name: d for name, d in drawn.items() if name != "forest"}
    return {
        "version": __version__,
        "title": page.title,
        "navigation": _navigation(page),
        "verdicts": verdicts(a) if first is None else [_claim(s) for s in first.statements],
        "facts": facts(a),
        "notices": page.notices,
        "reference": a.reference,
        "unit": a.unit,
        "headline": sentence(a.headline),
        "metric_name": sentence(a.short),
        "cards": _cards(contents.scores[0]),
        "contents": contents,
        "tables": {table.name: table for table in page.tables},
        "test_tables": page.test_tables,
        "forest": forest if first is None else first.figures[0],
        "forest_below": None if first is None else drawn.get("forest"),
        "bars": drawn["bars"],
        "heat_maps": [drawing for name, drawing in drawn.items() if name.startswith("heat")],
        "ranks": drawn.get("ranks"),
        "whole_signature": a.signature(tests=bool(a.pairs)),
        "zeros": zeros,
        "extra_sections": [
            replace(s, statements=(), figures=s.figures[1:]) if s is first else s
            for s in page.sections
        ],
        "errors_text": contents.errors.text(len(a.comparison.ids)),
        "error_data": _error_data(page),
        "methods": [
            contents.methods,
            *model_sentences(page.sources),
            tests_paragraph(a),
            *(section.methods for section in page.sections if section.methods),
        ],
        "provenance": [
            {"name": s.name, "facts": s.facts(), "prompt": s.prompt} for s in page.sources
        ],
    }


def _zeros(page: Page) -> str:
    """What is said in place of pages of zeros; empty where any labeler scores."""
    a = page.analysis
    names = a.comparison.names
    marks = [mark for name in names for mark in (a.mean(name), *a.marks(name, a.metric))]
    if any(mark is not None and mark.value for mark in marks):
        return ""
    who = "The labeler scores" if len(names) == 1 else "Every labeler scores"
    return (
        f"{who} 0 on every {a.unit[0]}, so tables and figures are folded. That is how a model "
        "looks that has learned nothing yet, or predictions that belong to other reports; the "
        "error browser shows what was answered."
    )


def _claim(statement: str) -> Verdict:
    """A sentence of a section as one that opens the page: what is claimed, then its numbers."""
    claim, colon, numbers = statement.partition(":")
    return Verdict(claim + colon, numbers)


def _cards(table: Table) -> list[dict[str, Any]]:
    """One card per labeler for the first screen, from the table of labelers."""
    found = []
    for row, colour in zip(table.rows, table.keys, strict=True):
        texts = [main_text(c.kind, value) for c, value in zip(table.columns, row, strict=True)]
        found.append(
            {
                "name": texts[0],
                "colour": colour,
                "score": texts[1],
                "interval": span_text("score", row[1]),
                "others": list(zip([c.title for c in table.columns[2:]], texts[2:], strict=True)),
            }
        )
    return found


def _navigation(page: Page) -> list[tuple[str, str]]:
    folded = page.contents.folded
    return [
        ("verdict", "Result"),
        ("scores", "Scores"),
        ("figures", "Figures"),
        *([(folded.id, folded.name)] if folded else []),
        *([("tests", "Tests")] if page.analysis.pairs else []),
        *((section.id, section.title) for section in page.sections),
        *((part.id, part.name) for part in page.contents.more),
        ("failures", "No answer"),
        ("errors", "Errors"),
        ("methods", "Methods"),
        ("provenance", "Provenance"),
    ]


def _error_data(page: Page) -> Markup:
    """The error browser's data; without the page's texts it holds no report text."""
    errors, ids, texts = page.contents.errors, page.analysis.comparison.ids, page.texts or {}
    rows = []
    for place in errors.places[:MOST]:
        identifier = ids[place]
        text = {"t": texts[identifier]} if identifier in texts else {}
        rows.append({"id": identifier, **errors.row(place), **text})
    return script_json({"labelers": page.analysis.comparison.names, **errors.head, "rows": rows})
