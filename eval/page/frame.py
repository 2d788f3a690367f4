"""The comparison page: one self-contained HTML file, with its tables, figures and scores.

The frame is the same for every kind of task; what only the kind knows stands in
:class:`eval.page.contents.Contents`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from eval.page import labeler_tables, pair_tables
from eval.page.checklist import checklist, checklist_table
from eval.page.contents import MOST, SUBGROUPS, Contents, Section
from eval.page.figures import Drawing, figures
from eval.page.render import environment, render_page, script_json
from eval.page.score_file import page_json
from eval.page.svg import LIGHT, resolved
from eval.page.tables import Table, main_text, sentence, span_text
from eval.page.verdict import Notices, Verdict, facts, model_sentences, tests_paragraph, verdicts
from eval.read.provenance import Independence, Source, source_notices
from eval.stats.tested import Tested
from labelwright.errors import OutputError
from labelwright.io.jsonl import PRIVATE, atomic_write, write_json, writing
from labelwright.io.lock import LOCK_FILE, locked
from labelwright.label_set import LabelSet
from labelwright.version import __version__

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, eq=False)
class AgreementPage:
    """All that the page needs.

    Attributes:
        said: what opens the page, a sentence each.
        facts: what was compared, in one line.
        texts: not ``None`` where the page holds words of documents.
    """

    title: str
    label_set: LabelSet
    said: tuple[str, ...]
    facts: str
    notices: Notices
    sources: Sequence[Source]
    sections: Sequence[Section]
    texts: Mapping[str, str] | None = None
    drawings: Mapping[str, Drawing] = field(default_factory=dict)

    @cached_property
    def tables(self) -> list[Table]:
        """Every table that is also written as CSV and LaTeX."""
        return [t for section in self.sections for t in (*section.tables, *section.folded_tables)]

    @cached_property
    def html(self) -> str:
        """The page; the same inputs and seed give the same bytes."""
        context = {
            name: getattr(self, name) for name in ("title", "said", "facts", "notices", "sections")
        }
        return render_page("agreement", {**context, "version": __version__})

    def errors(self) -> None:
        """Nothing is wrong where there is no gold."""

    def scores(self) -> dict[str, Any]:
        """``scores.json``: the numbers of the page for programs."""
        return {
            "labelwright": __version__,
            "signature": f"agreement|set:{self.label_set.name}/{self.label_set.version}",
            "verdict": list(self.said),
            "notices": [*self.notices.grave, *self.notices.other],
            "gold": None,
            "label_set": {
                "name": self.label_set.name,
                "version": self.label_set.version,
                "sha256": self.label_set.fingerprint,
            },
            "labelers": {
                s.name: {"source": s.path, "sha256": s.sha256, "model": s.model}
                for s in self.sources
            },
            "sections": {section.id: dict(section.numbers) for section in self.sections},
        }


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


PAGE, SCORES, ERRORS, TABLES, FIGURES = (
    "index.html",
    "scores.json",
    "errors.csv",
    "tables",
    "figures",
)
SECTION_FILES = ("calibration.json", "thresholds.json")
OPEN = 0o644
FONT = "text{font-family:Inter,'Helvetica Neue',Arial,sans-serif}"


def write_report(page: Page | AgreementPage, out: Path, *, beside: Collection[str] = ()) -> Path:
    """Write the report into a new, an empty or an earlier report's folder; return the page.

    ``scores.json`` comes last, so its existence means that the report is whole. A page that
    holds report text can be read by its owner only. ``beside``: as for :func:`check_folder`.

    Raises:
        OutputError: the folder holds other files or cannot be written.
    """
    made = not out.exists()
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    try:
        with locked(out):
            check_folder(out, beside=beside)
            _clear(out)
            try:
                _write_all(page, out)
            except BaseException:
                with suppress(OutputError):  # half a report would pass for foreign files
                    _clear(out)
                raise
    except BaseException:
        if made and not any(out.iterdir()):
            out.rmdir()
        raise
    return out / PAGE


def _write_all(page: Page | AgreementPage, out: Path) -> None:
    with writing(out):
        for folder in (out / TABLES, out / FIGURES):
            folder.mkdir(exist_ok=True)
    for table in page.tables:
        _write(out / TABLES / f"{table.name}.csv", table.to_csv())
        _write(out / TABLES / f"{table.name}.tex", table.to_latex())
    style = f"svg{{background:{LIGHT['paper']}}}{FONT}" + resolved(
        environment().get_template("figure.css").render()
    )
    for name, drawing in page.drawings.items():
        _write(out / FIGURES / f"{name}.svg", drawing.canvas.standalone(style))
    for section in page.sections:
        for table in section.data_tables:
            _write(out / TABLES / f"{table.name}.csv", table.to_csv())
        for number, drawing in enumerate(section.figures, 1):
            name = f"{section.id}-{number}.svg"
            _write(out / FIGURES / name, drawing.canvas.standalone(style))
        for name, value in section.files.items():
            write_json(out / name, value)
    wrong = page.errors()
    if wrong is not None:
        _write(out / ERRORS, wrong)
    _write(out / PAGE, page.html, mode=OPEN if page.texts is None else PRIVATE)
    write_json(out / SCORES, page.scores())


def check_folder(out: Path, *, beside: Collection[str] = ()) -> None:
    """Refuse a folder that holds anything but an earlier report.

    Args:
        beside: names in the folder that are no part of a report and may stay there.

    Raises:
        OutputError: it does, or is no folder.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise OutputError("a file of this name exists", remedy="choose another --out", source=out)
    known = {LOCK_FILE, *beside}
    if any(path.name not in known for path in out.iterdir()) and not _is_report(out / SCORES):
        raise OutputError(
            "the folder holds files that are no earlier report",
            remedy="choose another --out, or empty it",
            source=out,
        )


def _clear(out: Path) -> None:
    """Remove an earlier report: what it had more than the new one must not stay beside it."""
    with writing(out):
        for pattern in (
            SCORES,
            PAGE,
            ERRORS,
            *SECTION_FILES,
            f"{TABLES}/*.csv",
            f"{TABLES}/*.tex",
            f"{FIGURES}/*.svg",
        ):
            for old in out.glob(pattern):
                old.unlink()
        for folder in (out / TABLES, out / FIGURES):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _is_report(path: Path) -> bool:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(value, dict) and "labelwright" in value and "signature" in value


def _write(path: Path, text: str, *, mode: int = OPEN) -> None:
    with atomic_write(path, mode=mode) as handle:
        handle.write(text)
