"""Runs without gold: what labelers say, and whether they agree; never whether they are right."""

from __future__ import annotations

from dataclasses import replace

from eval.kinds.base import More
from eval.kinds.fields.agreement import agreement_section
from eval.kinds.fields.counts import Document, field_counts, pointed
from eval.kinds.fields.likeness import text_section
from eval.kinds.fields.page import shared_field_notices
from eval.kinds.fields.read import FieldComparison
from eval.kinds.fields.scores import Points, points_of
from eval.kinds.fields.stated import categories_section, shares_section, stated_section
from eval.kinds.fields.wrong import points_json, points_table
from eval.page.agreement_page import AgreementPage
from eval.page.methods import joined
from eval.page.section import Section
from eval.page.tables import Column, Table
from eval.page.verdict import Notices
from eval.read.aligned import Inputs
from eval.read.provenance import read_source, source_notices
from eval.stats.significance import CompareSettings


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
        lead="Mistakes that show without gold: values that are none of their type, keys that are "
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
