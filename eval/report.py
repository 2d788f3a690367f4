"""The comparison page: one self-contained HTML file, with its tables, figures and scores."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

import labelwright
from eval import error_list, pair_tables, run_tables, score_tables
from eval.analysis import METRICS, Analysis
from eval.checklist import checklist, checklist_table
from eval.counts import ANSWERS, TASKS
from eval.figures import Drawing, figures
from eval.methods import methods
from eval.palette import DARK, LIGHT
from eval.plots import COLOURS
from eval.provenance import Independence, Source, source_notices
from eval.tables import Table, main_text, sort_key, span_text
from eval.verdict import facts, notices, verdicts
from labelwright.records import Certainty

if TYPE_CHECKING:
    from jinja2 import Environment

TITLE = "Comparison of report labelers"
_SCORE_TABLES = ("labelers", "scores", "differences", "all-certainties", "positive-negative")
_TEST_TABLES = ("tests", "over-observations", "mcnemar", "overall", "pairwise")
_TEST_TEXT = (
    "Do the labelers differ by more than the choice of reports explains? The first table answers "
    "that; the others stand beside it because papers print them."
)


@dataclass(frozen=True)
class Section:
    """A further section of the page, between the tests and the confusion tables.

    What only some comparisons have (calibration, subgroups) comes in this form.
    """

    id: str
    title: str
    lead: str = ""
    figures: tuple[Drawing, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, eq=False)
class Page:
    """All that the page needs.

    Attributes:
        sources: one per labeler, in the order of the analysis.
        split: what gold and training data share, where asked for.
        texts: report text by id; ``None`` keeps all text out of the page.
        sections: further sections.
    """

    analysis: Analysis
    sources: Sequence[Source]
    split: Independence | None = None
    texts: Mapping[str, str] | None = None
    title: str = TITLE
    sections: Sequence[Section] = ()

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
            *(table for section in self.sections for table in section.tables),
            score_tables.confusion(a),
            run_tables.failures(a),
            run_tables.problems(a),
            run_tables.flow(a, self.sources),
            checklist_table(checklist(a, self.sources, self.split)),
        ]

    def html(self) -> str:
        """The page; the same inputs and seed give the same bytes."""
        env = environment()
        script = env.get_template("page.js").render()
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        context = _context(self) | {
            "style": Markup(env.get_template("page.css").render()),  # noqa: S704 - our own file
            "script": Markup(script),  # noqa: S704 - our own file
            "script_hash": f"sha256-{digest}",
        }
        return env.get_template("page.html.j2").render(context).rstrip() + "\n"


@cache
def environment() -> Environment:
    """The templates; everything that is put into them is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    env = Environment(
        loader=PackageLoader("eval", "templates"),
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
    return {
        "version": labelwright.__version__,
        "title": page.title,
        "contents": _contents(page),
        "verdicts": verdicts(a),
        "facts": facts(a),
        "notices": _notices(page),
        "reference": a.reference,
        "labelers": a.comparison.names,
        "observations": a.comparison.observations,
        "metric_short": a.short,
        "metric_name": f"{a.short[0].upper()}{a.short[1:]}",
        "metric_text": "Labelers as a whole, the verdict's score per observation, then the two "
        "tables that papers print. Bold: the best of its row.",
        "cards": _cards(a),
        "tables": tables,
        "score_tables": [tables[n] for n in _SCORE_TABLES if n in tables],
        "task_tables": [tables[f"extraction-{task}"] for task in TASKS],
        "test_tables": [tables[n] for n in _TEST_TABLES if n in tables],
        "test_text": _TEST_TEXT,
        "forest": drawn.get("forest"),
        "bars": drawn["bars"],
        "heat_maps": [drawing for name, drawing in drawn.items() if name.startswith("heat")],
        "ranks": drawn.get("ranks"),
        "signatures": {
            "scores": a.signature(),
            "differences": a.signature(tests=True),
            "plain": plain,
        },
        "extra_sections": page.sections,
        "confusion": _confusion(a),
        "failures_text": _failures_text(a),
        "errors_text": _errors_text(page),
        "error_data": error_list.browser_data(a.comparison, page.texts),
        "methods": methods(a, page.sources),
        "provenance": [
            {"name": s.name, "facts": s.facts(), "prompt": s.prompt} for s in page.sources
        ],
        "provenance_text": "What the labeling runs recorded of themselves. A manifest counts only "
        "if it names the SHA-256 of the file that was scored.",
    }


def _notices(page: Page) -> list[str]:
    found = notices(page.analysis)
    found += source_notices(page.sources, page.analysis.comparison.label_set.fingerprint)
    if page.split is not None and not page.split.clean:
        found.append(
            f"The gold is not independent of the training data: {page.split.words}. The scores "
            "are too good by an unknown amount."
        )
    return found


def _cards(analysis: Analysis) -> list[dict[str, Any]]:
    """One card per labeler for the first screen."""
    table = score_tables.labelers(analysis)
    cards = []
    for row, colour in zip(table.rows, table.keys, strict=True):
        texts = [main_text(c.kind, value) for c, value in zip(table.columns, row, strict=True)]
        cards.append(
            {
                "name": texts[0],
                "colour": colour,
                "score": texts[1],
                "interval": span_text("score", row[1]),
                "others": list(zip([c.title for c in table.columns[2:]], texts[2:], strict=True)),
            }
        )
    return cards


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


def scores_json(page: Page) -> dict[str, Any]:
    """The numbers of the page for programs, in full precision."""
    a = page.analysis
    settings = a.tests.settings
    return {
        "labelwright": labelwright.__version__,
        "metric": a.metric,
        "definition": METRICS[a.metric][1],
        "signature": a.signature(tests=True),
        "verdict": [str(v) for v in verdicts(a)],
        "notices": _notices(page),
        "gold": a.comparison.gold_source,
        "label_set": {
            "name": a.comparison.label_set.name,
            "version": a.comparison.label_set.version,
            "sha256": a.comparison.label_set.fingerprint,
        },
        "reports": len(a.comparison.ids),
        "clusters": a.tests.clusters,
        "clustered_by_patient": a.tests.clustered,
        "settings": {
            "seed": settings.seed,
            "resamples": settings.resamples,
            "permutations": settings.permutations,
            "level": settings.level,
            "margin": settings.margin,
            "undefined": settings.undefined,
            "missing": a.comparison.missing,
        },
        "labelers": {source.name: _labeler_json(a, source) for source in page.sources},
        "pairs": [_pair_json(a, index) for index in range(len(a.tests.pairs))],
        "independence": None if page.split is None else page.split.words,
    }


def _labeler_json(a: Analysis, source: Source) -> dict[str, Any]:
    scores, coverage = a.scores[source.name], a.comparison.coverage[source.name]
    return {
        "source": source.path,
        "sha256": source.sha256,
        "model": source.model,
        "scores": {
            statistic: _marks_json(a, a.marks(source.name, statistic))
            for statistic in a.tests.settings.statistics
        },
        "micro_f1": {task: found.micro.f1 for task, found in scores.tasks.items()},
        "kappa": scores.kappa.mean,
        "accuracy": scores.accuracy.mean,
        "exact_match": scores.exact_match,
        "missing": len(coverage.missing),
        "undetermined_reports": len(coverage.undetermined),
        "undetermined_observations": coverage.undetermined_cells,
        "without_gold": coverage.extra,
        "problems": dict(coverage.problems),
    }


def _pair_json(a: Analysis, index: int) -> dict[str, Any]:
    pair = a.tests.pairs[index]
    test = a.test(pair)
    equal = test.equivalence if a.enough else None
    return {
        "a": pair.a,
        "b": pair.b,
        "differences": {
            statistic: _marks_json(a, a.changes(pair, statistic)) for statistic in pair.differences
        },
        "randomization": {
            "p": float(test.p[0]),
            "p_holm": a.p(pair),
            "permutations": test.permutations,
            "exact": test.exact,
        },
        "noninferiority_p": None if equal is None else equal.p_noninferior,
        "equivalence_p": None if equal is None else equal.p_equivalent,
        "detectable": test.detectable if a.enough else None,
        "paired_t": {"p": test.paired_t.p, "dz": test.paired_t.effect},
        "wilcoxon": {"p": test.wilcoxon.p, "rank_biserial": test.wilcoxon.effect},
        "mcnemar_p_holm": dict(
            zip(a.comparison.observations, pair.mcnemar.p_holm.tolist(), strict=True)
        ),
    }


def _marks_json(a: Analysis, marks: Sequence[Any]) -> dict[str, Any]:
    names = ("mean", *a.comparison.observations)
    return {
        name: None if mark is None else {"value": mark.value, "low": mark.low, "high": mark.high}
        for name, mark in zip(names, marks, strict=True)
    }
