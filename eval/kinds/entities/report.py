"""The page of entities: one self-contained HTML file, with its tables, figures and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import labelwright
from eval.kinds.entities import error_list as span_error_list
from eval.kinds.entities import error_tables as span_error_tables
from eval.kinds.entities import tables as span_tables
from eval.kinds.entities.analysis import SCHEME_TEXT, SpanAnalysis
from eval.kinds.entities.errors import KINDS
from eval.kinds.entities.scores import SCHEMES, SchemeScores
from eval.kinds.entities.sections import span_sections
from eval.page import pair_tables, run_tables
from eval.page.checklist import checklist, checklist_table
from eval.page.error_list import MOST
from eval.page.figures import Drawing, shared_figures
from eval.page.methods import joined, model_sentences, tests_paragraph
from eval.page.provenance import Independence, Source, source_notices
from eval.page.report import TEST_TEXT, cards, independence_notice, provenance_context, render_page
from eval.page.section import Section
from eval.page.tables import Table, sentence
from eval.page.verdict import Notices, facts, sample, shared_notices, verdicts

TITLE = "Comparison of entity labelers"
_SCORE_TABLES = ("labelers", "scores", "schemes", "differences")
_FAILURES = {
    "error": "Nothing is left out: of a report without a prediction, or with an unusable answer, "
    "all that the gold marks counts as missed.",
    "drop": "Reports that a labeler had no prediction for were left out for all labelers; of a "
    "report with an unusable answer, all that the gold marks counts as missed.",
}
_TEST_TABLES = ("tests", "over-types", "overall", "pairwise")


@dataclass(frozen=True, eq=False)
class SpanPage:
    """All that the page needs.

    Attributes:
        sources: one per labeler, in the order of the analysis.
        split: what gold and training data share, where asked for.
        include_text: whether the page may show the reports' texts.
        seeds: section on several runs of each labeler, where there are some.
    """

    analysis: SpanAnalysis
    sources: Sequence[Source]
    split: Independence | None = None
    include_text: bool = False
    title: str = TITLE
    seeds: Section | None = None
    sections: Sequence[Section] = field(init=False)

    def __post_init__(self) -> None:
        more = [] if self.seeds is None else [self.seeds]
        object.__setattr__(self, "sections", [*span_sections(self.analysis), *more])

    @property
    def texts(self) -> Mapping[str, str] | None:
        """The texts that the page shows; ``None`` keeps all text out of it."""
        c = self.analysis.comparison
        if not self.include_text or c.texts is None:
            return None
        return dict(zip(c.ids, c.texts, strict=True))

    def tables(self) -> list[Table]:
        """Every table that is also written as CSV and LaTeX, in the order of the page."""
        a = self.analysis
        tests = [pair_tables.comparisons(a), pair_tables.over_observations(a)] if a.pairs else []
        return [
            span_tables.labelers(a),
            span_tables.main(a),
            span_tables.schemes(a),
            *([pair_tables.differences(a)] if a.pairs else []),
            span_error_tables.outcomes(a),
            *span_tables.per_scheme(a),
            *tests,
            *pair_tables.several(a),
            *(t for section in self.sections for t in (*section.tables, *section.folded_tables)),
            span_error_tables.answers(a),
            run_tables.problems(a),
            run_tables.flow(a, self.sources),
            checklist_table(checklist(a, self.sources, self.split)),
        ]

    def drawings(self) -> dict[str, Drawing]:
        """Figures by file name, but for those of the sections."""
        heat = {f"micro_f1_{scheme}": SCHEME_TEXT[scheme][0] for scheme in SCHEMES}
        return shared_figures(self.analysis, heat, "All (micro)")

    def notices(self) -> Notices:
        """What limits the numbers: the analysis, the files, shared training data."""
        c, shared = self.analysis.comparison, shared_notices(self.analysis)
        grave = source_notices(self.sources, c.label_set.fingerprint)
        grave += independence_notice(self.split)
        grave += shared.grave
        unused = [n for n in c.types if not any(e.type == n for m in c.gold for e in m)]
        other = list(shared.other)
        if c.gold_patients:
            other.append("Patients are those that the gold names.")
        if unused and len(unused) < len(c.types):
            other.append(f"Never marked in the gold: {', '.join(unused)}.")
        for name, count in (("the gold", c.gold_elsewhere), *c.elsewhere.items()):
            if count:
                grave.append(
                    f"{count:,} mentions of {name} name other words than those at their place: "
                    "offsets may count another text. The places are what is scored."
                )
        other += [
            f"{name}: {count:,} mentions are not in the text; they count as false."
            for name, count in c.absent.items()
            if count
        ]
        return Notices(tuple(grave), tuple(other))

    def html(self) -> str:
        """The page; the same inputs and seed give the same bytes."""
        return render_page("spans", _context(self))

    def errors(self) -> str:
        """``errors.csv``: every wrong mention, without text."""
        return span_error_list.errors_csv(self.analysis)

    def scores(self) -> dict[str, Any]:
        """``scores.json``: the numbers of the page for programs."""
        from eval.page.score_file import page_json

        found = self.notices()
        return page_json(
            self.analysis,
            notices=(*found.grave, *found.other),
            labelers={source.name: _labeler_json(self.analysis, source) for source in self.sources},
            split=self.split,
            sections=self.sections,
        )


def _context(page: SpanPage) -> dict[str, Any]:
    a = page.analysis
    tables = {table.name: table for table in page.tables()}
    drawn = page.drawings()
    return {
        "version": labelwright.__version__,
        "title": page.title,
        "contents": _contents(page),
        "verdicts": verdicts(a),
        "facts": facts(a),
        "notices": page.notices(),
        "reference": a.reference,
        "labelers": a.comparison.names,
        "types": a.comparison.types,
        "kinds": KINDS.values(),
        "headline": sentence(a.headline),
        "metric_name": sentence(a.short),
        "cards": cards(span_tables.labelers(a)),
        "tables": tables,
        "score_tables": [tables[n] for n in _SCORE_TABLES if n in tables],
        "scheme_tables": [tables["outcomes"], *span_tables.per_scheme(a)],
        "test_tables": [tables[n] for n in _TEST_TABLES if n in tables],
        "test_text": TEST_TEXT,
        "forest": drawn.get("forest"),
        "bars": drawn["bars"],
        "heat_maps": [drawing for name, drawing in drawn.items() if name.startswith("heat")],
        "ranks": drawn.get("ranks"),
        "signatures": {
            "scores": a.signature(),
            "differences": a.signature(tests=True),
            "plain": a.signature("f1 per scheme", intervals=False),
        },
        "extra_sections": page.sections,
        "failures_text": _FAILURES[a.comparison.missing],
        "errors_text": _errors_text(page),
        "error_data": span_error_list.browser_data(a, texts=page.include_text),
        "methods": [
            _first_method(a),
            *model_sentences(page.sources),
            tests_paragraph(a),
            *(section.methods for section in page.sections if section.methods),
        ],
        **provenance_context(page.sources),
    }


def _contents(page: SpanPage) -> list[tuple[str, str]]:
    return [
        ("verdict", "Result"),
        ("scores", "Scores"),
        ("figures", "Figures"),
        ("schemes", "Ways of counting"),
        *([("tests", "Tests")] if page.analysis.pairs else []),
        *((section.id, section.title) for section in page.sections),
        ("failures", "No answer"),
        ("errors", "Errors"),
        ("methods", "Methods"),
        ("provenance", "Provenance"),
    ]


def _errors_text(page: SpanPage) -> str:
    wrong = len(span_error_list.wrong_reports(page.analysis))
    n = len(page.analysis.comparison.ids)
    words = f"{wrong} of {n} reports have a wrong mention of at least one labeler."
    if wrong > MOST:
        words += f" The first {MOST} are here, all of them in errors.csv."
    if page.texts is None:
        words += " Places are given in characters; the page holds no report text."
    return words


def _first_method(a: SpanAnalysis) -> str:
    c = a.comparison
    rule = {"zero": "counted as 0", "one": "counted as 1", "skip": "was left out of means"}
    failed = {
        "error": "Reports without a usable answer counted as having no mention.",
        "drop": "Reports that a labeler had no prediction for were left out for all labelers.",
    }
    mentions = sum(map(len, c.gold))
    return (
        f"We compared the mentions marked by {joined(c.names)} with {mentions:,} reference "
        f"mentions (gold) of {len(c.types)} types ({c.label_set.name}, version "
        f"{c.label_set.version}) in {sample(a)}. The main score was {a.definition}. Mentions were "
        "matched one to one, those of the same place and type first, then the largest possible "
        "number of overlapping ones (schemes of SemEval-2013 task 9). A mention that the text does "
        "not hold counted as false. F1 of a type that neither the gold nor the labeler gave "
        f"{rule[a.tests.settings.undefined]}. {failed[c.missing]}"
    )


def _labeler_json(a: SpanAnalysis, source: Source) -> dict[str, Any]:
    from eval.page.score_file import source_json

    scores, coverage = a.scores[source.name], a.comparison.coverage[source.name]
    return {
        **source_json(a, source),
        "schemes": {name: _scheme_json(a, found) for name, found in scores.schemes.items()},
        "accuracy_words": scores.accuracy,
        "certainty_accuracy": scores.certainty_accuracy,
        "perfect_reports": scores.perfect,
        "mentions": sum(map(len, a.comparison.pred[source.name])),
        "not_in_the_text": a.comparison.absent[source.name],
        "other_words_at_place": a.comparison.elsewhere[source.name],
        "missing": len(coverage.missing),
        "unusable": len(coverage.undetermined),
        "without_gold": coverage.extra,
        "problems": dict(coverage.problems),
    }


def _scheme_json(a: SpanAnalysis, found: SchemeScores) -> dict[str, Any]:
    rows = (*a.parts, "O")[: len(found.f1)]
    columns = {
        "precision": found.precision,
        "recall": found.recall,
        "f1": found.f1,
        "gold": found.gold,
        "given": found.pred,
        "undefined": found.undefined,
    }
    return {
        "micro": asdict(found.micro),
        "macro": asdict(found.macro),
        "outcomes": None if found.tally is None else asdict(found.tally),
        "types": {
            name: {column: values[index].item() for column, values in columns.items()}
            for index, name in enumerate(rows)
        },
    }
