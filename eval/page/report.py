"""The comparison page: one self-contained HTML file, with its tables, figures and scores."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

import labelwright
from eval.kinds.certainty import score_tables
from eval.kinds.certainty.analysis import Analysis
from eval.page import error_list, pair_tables, run_tables
from eval.page.checklist import checklist, checklist_table
from eval.page.figures import Drawing, figures
from eval.page.methods import methods
from eval.page.palette import DARK, LIGHT
from eval.page.plots import COLOURS
from eval.page.provenance import Independence, Source, source_notices
from eval.page.section import SUBGROUPS, Section
from eval.page.tables import Table, main_text, sentence, sort_key, span_text
from eval.page.verdict import Notices, Verdict, facts, notices, verdicts
from eval.stats.counts import ANSWERS, TASKS
from labelwright.records import Certainty

if TYPE_CHECKING:
    from jinja2 import Environment

TITLE = "Comparison of report labelers"
_SCORE_TABLES = ("labelers", "scores", "differences", "all-certainties", "positive-negative")
_TEST_TABLES = ("tests", "over-observations", "mcnemar", "overall", "pairwise")
TEST_TEXT = (
    "Do the labelers differ by more than the choice of reports explains? The first table answers "
    "that; the others stand beside it because papers print them."
)


@dataclass(frozen=True, eq=False)
class Page:
    """All that the page needs.

    Attributes:
        sources: one per labeler, in the order of the analysis.
        split: what gold and training data share, where asked for.
        texts: report text by id; ``None`` keeps all text out of the page.
        sections: further sections.
        opening: id of the section whose statements and first figure open the page, in place of
            the verdicts and the forest plot.
    """

    analysis: Analysis
    sources: Sequence[Source]
    split: Independence | None = None
    texts: Mapping[str, str] | None = None
    title: str = TITLE
    sections: Sequence[Section] = ()
    opening: str = ""

    def tables(self) -> list[Table]:
        """Every table that is also written as CSV and LaTeX, in the order of the page."""
        a = self.analysis
        tests = (
            [
                pair_tables.differences(a),
                pair_tables.comparisons(a),
                pair_tables.over_observations(a),
                pair_tables.mcnemar(a),
            ]
            if a.pairs
            else []
        )
        return [
            score_tables.labelers(a),
            score_tables.main(a),
            *score_tables.paper(a),
            *score_tables.tasks(a),
            *tests,
            *pair_tables.several(a),
            *(t for section in self.sections for t in (*section.tables, *section.folded_tables)),
            score_tables.confusion(a),
            run_tables.failures(a),
            run_tables.problems(a),
            run_tables.flow(a, self.sources),
            checklist_table(checklist(a, self.sources, self.split, subgroups=self._subgroups())),
        ]

    def _subgroups(self) -> str:
        """Title of the section on subgroups if it has a result."""
        return next((s.title for s in self.sections if s.id == SUBGROUPS and s.statements), "")

    def notices(self) -> Notices:
        """What limits the numbers: the analysis, the files, shared training data."""
        found = notices(self.analysis)
        grave = source_notices(self.sources, self.analysis.comparison.label_set.fingerprint)
        grave += independence_notice(self.split)
        return Notices((*grave, *found.grave), found.other)

    def html(self) -> str:
        """The page; the same inputs and seed give the same bytes."""
        return render_page("page", _context(self))

    def drawings(self) -> dict[str, Drawing]:
        """Figures by file name, but for those of the sections."""
        return figures(self.analysis)

    def errors(self) -> str:
        """``errors.csv``: every wrong label."""
        return error_list.errors_csv(self.analysis.comparison)

    def scores(self) -> dict[str, Any]:
        """``scores.json``: the numbers of the page for programs."""
        from eval.page.score_file import scores_json

        return scores_json(self)


def render_page(name: str, context: Mapping[str, Any]) -> str:
    """A page of its template, style and script; it runs no script but this one."""
    env = environment()
    script = env.get_template(f"{name}.js").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    own = {
        "style": Markup(env.get_template(f"{name}.css").render()),  # noqa: S704 - our own file
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


def _context(page: Page) -> dict[str, Any]:
    a = page.analysis
    tables = {table.name: table for table in page.tables()}
    drawn = figures(a)
    plain = a.signature("f1 per certainty", intervals=False)
    first = next((s for s in page.sections if s.id == page.opening and s.figures), None)
    return {
        "version": labelwright.__version__,
        "title": page.title,
        "contents": _contents(page),
        "verdicts": verdicts(a) if first is None else [_claim(s) for s in first.statements],
        "facts": facts(a),
        "notices": page.notices(),
        "reference": a.reference,
        "labelers": a.comparison.names,
        "observations": a.comparison.observations,
        "headline": sentence(a.headline),
        "metric_name": f"{a.short[0].upper()}{a.short[1:]}",
        "metric_text": "Labelers as a whole, the verdict's score per observation, then the two "
        "tables that papers print. Bold: the best of its row.",
        "cards": cards(score_tables.labelers(a)),
        "tables": tables,
        "score_tables": [tables[n] for n in _SCORE_TABLES if n in tables],
        "task_tables": [tables[f"extraction-{task}"] for task in TASKS],
        "test_tables": [tables[n] for n in _TEST_TABLES if n in tables],
        "test_text": TEST_TEXT,
        "forest": drawn.get("forest") if first is None else first.figures[0],
        "forest_below": None if first is None else drawn.get("forest"),
        "bars": drawn["bars"],
        "heat_maps": [drawing for name, drawing in drawn.items() if name.startswith("heat")],
        "ranks": drawn.get("ranks"),
        "signatures": {
            "scores": a.signature(),
            "differences": a.signature(tests=True),
            "plain": plain,
        },
        "extra_sections": [
            replace(s, statements=(), figures=s.figures[1:]) if s is first else s
            for s in page.sections
        ],
        "confusion": _confusion(a),
        "failures_text": _failures_text(a),
        "errors_text": _errors_text(page),
        "error_data": error_list.browser_data(a.comparison, page.texts),
        "methods": [
            *methods(a, page.sources),
            *(section.methods for section in page.sections if section.methods),
        ],
        **provenance_context(page.sources),
    }


def _claim(statement: str) -> Verdict:
    """A sentence of a section as one that opens the page: what is claimed, then its numbers."""
    claim, colon, numbers = statement.partition(":")
    return Verdict(claim + colon, numbers)


def provenance_context(sources: Sequence[Source]) -> dict[str, Any]:
    """What the labeling runs recorded, for the template."""
    return {
        "provenance": [{"name": s.name, "facts": s.facts(), "prompt": s.prompt} for s in sources],
        "provenance_text": "What the labeling runs recorded of themselves. A manifest counts only "
        "if it names the SHA-256 of the file that was scored.",
    }


def independence_notice(split: Independence | None) -> list[str]:
    """A sentence where gold and training data share reports or patients."""
    if split is None or split.clean:
        return []
    return [
        f"The gold is not independent of the training data: {split.words}. The scores are too "
        "good by an unknown amount."
    ]


def cards(table: Table) -> list[dict[str, Any]]:
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


def _contents(page: Page) -> list[tuple[str, str]]:
    tests = [("tests", "Tests")] if page.analysis.pairs else []
    return [
        ("verdict", "Result"),
        ("scores", "Scores"),
        ("figures", "Figures"),
        ("extraction", "Extraction"),
        *tests,
        *((section.id, section.title) for section in page.sections),
        ("confusion", "Confusion"),
        ("failures", "No answer"),
        ("errors", "Errors"),
        ("methods", "Methods"),
        ("provenance", "Provenance"),
    ]


def _confusion(analysis: Analysis) -> list[tuple[str, list[dict[str, Any]]]]:
    """Per labeler one matrix per observation, without certainties that cannot occur."""
    by_name = analysis.comparison.label_set.by_name
    short = {c: c.value[:3] + "." for c in Certainty} | {Certainty.BLANK: "blank"}
    found = []
    for name, scores in analysis.scores.items():
        matrices = []
        for index, observation in enumerate(analysis.comparison.observations):
            kept = [i for i, c in enumerate(Certainty) if c in by_name[observation].certainties]
            table = scores.confusion[index]
            answers = [*kept, ANSWERS - 1]
            rows = []
            for gold in kept:
                total = int(table[gold].sum())
                cells = [
                    {
                        "count": int(table[gold, answer]),
                        "share": f"{table[gold, answer] / total if total else 0:.3f}",
                        "hit": gold == answer and bool(table[gold, answer]),
                    }
                    for answer in answers
                ]
                rows.append((short[list(Certainty)[gold]], cells))
            words = [*(short[list(Certainty)[i]] for i in kept), "none"]
            matrices.append({"observation": observation, "answers": words, "rows": rows})
        found.append((name, matrices))
    return found


def _failures_text(analysis: Analysis) -> str:
    if analysis.comparison.missing == "drop":
        return (
            "Reports that a labeler had no prediction for were left out for all labelers; "
            "observations that an answer leaves open count as errors."
        )
    return (
        "Nothing is left out: a report without a prediction, and an observation that an answer "
        "leaves open, count as errors in every score on this page."
    )


def _errors_text(page: Page) -> str:
    wrong = len(error_list.wrong_reports(page.analysis.comparison))
    n = len(page.analysis.comparison.ids)
    words = f"{wrong} of {n} reports were labeled wrongly somewhere by at least one labeler."
    if wrong > error_list.MOST:
        words += f" The first {error_list.MOST} are here, all of them in errors.csv."
    words += " Each line gives observation, gold → answer."
    if page.texts is None:
        words += " The page holds no report text."
    return words
