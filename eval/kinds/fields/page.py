"""What only fields have on the comparison page: contents of its frame, and its own sections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from eval.kinds.base import KindView, More, RunScores
from eval.kinds.fields import MACRO, METRICS, OFFER, tables
from eval.kinds.fields.agreement import agreement_section
from eval.kinds.fields.analysis import FieldAnalysis, counted, run_scores
from eval.kinds.fields.charts import field_map
from eval.kinds.fields.counts import Count, Document, field_counts, pointed
from eval.kinds.fields.likeness import text_section
from eval.kinds.fields.read import FieldComparison, load
from eval.kinds.fields.scores import Points, points_of
from eval.kinds.fields.stated import categories_section, shares_section, stated_section
from eval.kinds.fields.sureness import sureness_section
from eval.kinds.fields.wrong import errors, kinds_section, points_json, points_table
from eval.page import pair_tables
from eval.page.contents import Contents, Folded, Section
from eval.page.figures import both_widths
from eval.page.frame import AgreementPage
from eval.page.plots import MEDIUM
from eval.page.tables import Column, Table
from eval.page.verdict import Notices, joined, sample, shared_notices
from eval.read.aligned import Inputs
from eval.read.provenance import read_source, source_notices
from eval.stats.significance import CompareSettings

_ANSWERS = {
    "error": "Nothing is left out: of a document without a prediction, or with an unusable answer, "
    "all that the gold states counts as missed, and a field of which it states nothing is not "
    "right either.",
    "drop": "Documents that a labeler had no prediction for were left out for all labelers; of a "
    "document with an unusable answer, all that the gold states counts as missed.",
}
_RULE = {"zero": "counted as 0", "one": "counted as 1", "skip": "was left out of means"}


def contents(analysis: FieldAnalysis, texts: Mapping[str, str] | None) -> Contents:
    """All of it; ``texts`` are those that the page shows."""
    near = tables.measures(analysis)
    return Contents(
        scores_title="Scores per field",
        scores_lead="Labelers as a whole, the verdict's score per field, then every score over "
        "the fields. Bold: the best of its row.",
        scores=[
            tables.labelers(analysis),
            tables.main(analysis),
            tables.averages(analysis),
            *([] if near is None else [near]),
            *([pair_tables.differences(analysis)] if analysis.pairs else []),
        ],
        folded=Folded(
            "counts",
            "Counts",
            "Counts per field",
            "What became of each field: right, another value, missed, invented, rightly empty.",
            tables.counts(analysis),
        ),
        answers=tables.answers(analysis),
        answers_text=_ANSWERS[analysis.comparison.missing],
        notices=notices(analysis),
        methods=_methods(analysis),
        errors=errors(analysis, texts),
        labelers={name: _labeler_json(analysis, name) for name in analysis.comparison.names},
    )


def _map_section(analysis: FieldAnalysis) -> Section:
    """Fields × labelers: F1 of each, as a map."""
    names = analysis.comparison.names
    found = [analysis.scores[name] for name in names]
    hidden = [scores.undefined(MACRO) for scores in found]
    rows = [
        (
            asked.name,
            asked.type,
            [None if h[i] else float(s.f1[i]) for s, h in zip(found, hidden, strict=True)],
        )
        for i, asked in enumerate(analysis.comparison.asked)
    ]
    return Section(
        id="map",
        title="Fields and labelers",
        lead="F1 of every field, side by side.",
        figures=(
            both_widths(
                partial(field_map, rows, columns=names, title="F1 of stated values"),
                wide=MEDIUM,
                caption="The stronger the colour, the better. A dash: neither gold nor answer "
                "states the field.",
            ),
        ),
    )


# Sentences, and numbers for programs


def notices(analysis: FieldAnalysis) -> Notices:
    """Everything about gold and predictions that limits what the numbers mean."""
    c, shared = analysis.comparison, shared_notices(analysis)
    grave, other = list(shared.grave), list(shared.other)
    total = analysis.scores[analysis.reference].total[:-1]
    gaps = len(c.ids) - total[:, Count.SCORED]
    unscored = analysis.unscored
    partly = int(((gaps > 0) & (gaps < len(c.ids))).sum())
    if unscored:
        other.append(f"Not in the gold and so not scored: {', '.join(unscored)}.")
    if partly:
        other.append(
            f"The gold leaves out {partly:,} fields in some documents; they are not scored there."
        )
    never = [
        f.name
        for f, row in zip(c.asked, total, strict=True)
        if row[Count.SCORED] and not row[Count.GOLD] and f.name not in unscored
    ]
    if never and len(never) < len(c.asked):
        other.append(f"Never stated in the gold: {', '.join(never)}.")
    other += shared_field_notices(c)
    return Notices(tuple(grave), tuple(other))


def shared_field_notices(c: FieldComparison) -> list[str]:
    """What holds with and without gold: closed-world fields, support that cannot be judged."""
    found = []
    if closed := [field.name for field in c.asked if field.closed]:
        found.append(
            "Of these fields not mentioned means no, so that only yes is a stated value: "
            f"{', '.join(closed)}."
        )
    if c.texts is None:
        found.append(
            "Texts are not known, so a value without a place counts as unsupported where its "
            "labeler gives places at all; give --reports."
        )
    found += [
        f"{name}: {sum(unknown):,} keys are of no field of the label set; they are in no score."
        for name, unknown in c.unknown.items()
        if any(unknown)
    ]
    return found


def _methods(analysis: FieldAnalysis) -> str:
    c = analysis.comparison
    return (
        f"We compared the fields read by {joined(c.names)} with reference values (gold) of "
        f"{sample(analysis).replace('report', 'document')} for {len(c.asked)} fields "
        f"({c.label_set.name}, version {c.label_set.version}). The main score was the "
        f"{analysis.headline}: {analysis.definition}. Booleans and categories are equal or not; "
        "numbers are compared in the field's unit within its tolerance, dates at the field's "
        "precision, texts after folding case, accents and white space, lists as sets. A score "
        f"without a case {_RULE[analysis.tests.settings.undefined]}."
    )


def _labeler_json(analysis: FieldAnalysis, name: str) -> dict[str, Any]:
    scores, coverage = analysis.scores[name], analysis.comparison.coverage[name]
    fields = {
        field: {column.name.lower(): int(row[column]) for column in Count}
        for field, row in zip(analysis.parts, scores.total[:-1], strict=True)
    }
    return {
        "fields": fields,
        "averages": {
            metric: mark and mark.to_json()
            for metric in METRICS
            if metric in analysis.tests.settings.statistics
            for mark in (analysis.marks(name, metric)[0],)
        },
        "document_exact": scores.exact,
        "points": points_json(scores.points),
        "missing": len(coverage.missing),
        "unusable": len(coverage.undetermined),
        "fields_without_answer": coverage.undetermined_cells,
        "without_gold": coverage.extra,
        "problems": dict(coverage.problems),
    }


def agreement_page(
    comparison: FieldComparison,
    inputs: Inputs,
    settings: CompareSettings,
    more: More,
    title: str | None,
) -> AgreementPage:
    """The page of a comparison without gold."""
    c = comparison
    sources = [read_source(name, inputs.predictions[name]) for name in c.names]
    agreed = agreement_section(c, settings)
    points = said_points(c)
    found = [
        agreed and replace(agreed, statements=()),
        shares_section(c),
        stated_section(c),
        _points_section(points),
        categories_section(c, include_text=more.include_text),
        text_section(c, seed=settings.seed),
        _answers_section(c),
    ]
    single = (f"{c.names[0]} alone was given: there is nobody to agree with.",)
    return AgreementPage(
        title=title or "Field readers without gold",
        label_set=c.label_set,
        said=single if agreed is None else agreed.statements,
        facts=f"{joined(c.names)} on {len(c.ids):,} documents, {len(c.asked)} fields of "
        f"{c.label_set.name} {c.label_set.version}. There is no gold, so nothing here says who "
        "is right.",
        notices=Notices(
            tuple(source_notices(sources, c.label_set.fingerprint)), tuple(shared_field_notices(c))
        ),
        sources=sources,
        sections=[section for section in found if section is not None],
        texts={} if more.include_text else None,
    )


def said_points(comparison: FieldComparison) -> dict[str, Points]:
    """The paper's points of every labeler, of all that it says."""
    found = {}
    nothing: tuple[Document, ...] = ({},) * len(comparison.ids)
    for name, said in comparison.pred.items():
        table, _ = field_counts(comparison.asked, nothing, said)
        judged = pointed(
            comparison.asked,
            said,
            table,
            texts=comparison.texts,
            unknown=comparison.unknown[name],
        )
        found[name] = points_of(
            table,
            documents=sum(each is not None for each in said),
            values=sum(len(v.items) for each in said if each for v in each.values()),
            judged=judged,
        )
    return found


def _points_section(points: dict[str, Points]) -> Section:
    return Section(
        id="points",
        title="Type errors and inventions",
        lead="Mistakes that show without gold: values that are not of their type, keys that are "
        "no field, and words that the text does not hold. All other mistakes stay unseen.",
        tables=(points_table(points),),
        numbers={name: points_json(found) for name, found in points.items()},
    )


def _answers_section(comparison: FieldComparison) -> Section:
    coverage = comparison.coverage
    return Section(
        id="failures",
        title="Documents without a usable answer",
        lead="Documents that one labeler did not answer are left out where two are compared.",
        tables=(
            Table.of_columns(
                "failures",
                "Answers",
                [
                    (Column("Labeler"), list(coverage)),
                    (Column("predictions", "count"), [c.rows for c in coverage.values()]),
                    (Column("missing", "count"), [len(c.missing) for c in coverage.values()]),
                    (
                        Column("unusable or lacking fields", "count"),
                        [len(c.undetermined) for c in coverage.values()],
                    ),
                ],
            ),
        ),
    )


class FieldsView(KindView):
    """Label sets that ask for typed fields."""

    offer = OFFER
    title = "Comparison of field readers"
    scores_texts = True
    without_gold = True
    load = staticmethod(load)
    counted = staticmethod(counted)
    contents = staticmethod(contents)

    def sections(self, analysis: FieldAnalysis, inputs: Inputs, more: More) -> list[Section]:
        """Fields by labelers, errors, amounts, agreement, categories, texts, probabilities."""
        del inputs
        c, settings = analysis.comparison, analysis.tests.settings
        found = [
            _map_section(analysis),
            kinds_section(analysis),
            stated_section(c),
            agreement_section(c, settings),
            categories_section(c, include_text=more.include_text),
            text_section(c, seed=settings.seed),
            sureness_section(analysis),
        ]
        return [section for section in found if section is not None]

    def agreement(
        self, inputs: Inputs, settings: CompareSettings, more: More, title: str | None
    ) -> AgreementPage:
        """How far labelers agree, without gold."""
        return agreement_page(load(inputs), inputs, settings, more, title)

    def run_scores(self, inputs: Inputs) -> RunScores:
        """F1 in three averages and documents all right, and F1 of each field."""
        return run_scores(load(inputs))


VIEW = FieldsView()
