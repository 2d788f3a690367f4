"""The tables of fields: labelers, scores, counts, measures by type, what was left unanswered."""

from __future__ import annotations

import math
from collections.abc import Sequence

from eval.kinds.fields import MACRO, METRICS, MICRO
from eval.kinds.fields.analysis import FieldAnalysis
from eval.kinds.fields.counts import Count
from eval.page import labeler_tables
from eval.page.labeler_tables import F1, P, R
from eval.page.plots import colours
from eval.page.tables import Column, Table, Value, defined, sentence
from eval.stats.counts import Floats

COUNTED = {
    "right": Count.RIGHT,
    "wrong": Count.WRONG,
    "missed": Count.MISSED,
    "invented": Count.INVENTED,
}


def labelers(analysis: FieldAnalysis) -> Table:
    """One row per labeler: the metric, documents all right, inventions, failures."""
    c, scores = analysis.comparison, list(analysis.scores.values())
    other = MICRO if analysis.metric == MACRO else MACRO
    means = [(s.micro if other == MICRO else s.macro).f1 for s in scores]
    return Table.of_columns(
        "labelers",
        "Labelers",
        [
            (Column("Labeler"), c.names),
            (Column(sentence(analysis.headline), "score"), [analysis.mean(n) for n in c.names]),
            (Column(sentence(METRICS[other][1]), "score"), means),
            (Column("All right", "percent"), [s.exact for s in scores]),
            (Column("Invented on null", "percent"), [_invented(s.total) for s in scores]),
            (Column("No answer", "count"), labeler_tables.without_answer(analysis)),
        ],
        caption="All right: documents in which every scored field is right. Invented on null: of "
        "the fields of which the gold states nothing, the share in which the answer states "
        "something. No answer: documents whose answer was missing, unusable, or lacked a field.",
        signature=analysis.signature(),
        keys=colours(len(c.names)),
    )


def _invented(total: Floats) -> float | None:
    """Inventions among the fields that the gold leaves empty."""
    fields = total[:-1]
    nulls = int(fields[:, Count.NULL].sum())
    return int(fields[:, Count.ON_NULL].sum()) / nulls if nulls else None


def main(analysis: FieldAnalysis) -> Table:
    """The metric of the verdict per field, with the gold's values and nulls."""
    total = analysis.scores[analysis.reference].total
    columns = {"stated": Count.GOLD, "not mentioned": Count.NULL, "documents": Count.SCORED}
    before: list[labeler_tables.Filled] = [
        (Column("Type"), [*(f.type for f in analysis.comparison.asked), ""])
    ]
    for name, column in columns.items():
        values = total[:-1, column].tolist()
        last = len(analysis.comparison.ids) if column == Count.SCORED else sum(values)
        before.append((Column(name, "count", group="Gold"), [*values, last]))
    return labeler_tables.scores_per_part(
        analysis,
        "scores",
        f"{sentence(analysis.short)} per field",
        analysis.metric,
        before=before,
        foot=analysis.whole,
        caption=f"{sentence(analysis.definition)}.",
        signature=analysis.signature(),
    )


def averages(analysis: FieldAnalysis) -> Table:
    """Every score over all fields."""
    known = analysis.tests.settings.statistics
    return Table.of_columns(
        "averages",
        "All scores over the fields",
        [
            (Column("Score"), [sentence(METRICS[name][1]) for name in known]),
            *(
                (
                    Column(labeler, "score", colour=key, compare="score"),
                    [analysis.marks(labeler, name)[0] for name in known],
                )
                for labeler, key in zip(
                    analysis.comparison.names, colours(len(analysis.comparison.names)), strict=True
                )
            ),
        ],
        caption=" ".join(f"{sentence(METRICS[n][1])}: {METRICS[n][2]}." for n in known),
        signature=analysis.signature("all"),
        sortable=False,
    )


def counts(analysis: FieldAnalysis) -> list[Table]:
    """Counts per field, a table for each labeler."""
    return [_counts(analysis, name, place) for place, name in enumerate(analysis.comparison.names)]


def _counts(analysis: FieldAnalysis, name: str, place: int) -> Table:
    found = analysis.scores[name]
    fields, undefined = found.total[:-1], found.undefined(MACRO)

    def column(title: str, which: Count) -> labeler_tables.Filled:
        values = fields[:, which].tolist()
        return Column(title, "count"), [*values, sum(values)]

    return Table.of_columns(
        f"counts-{place + 1}",
        f"Counts: {name}",
        [
            (Column("Field"), [*analysis.parts, "All"]),
            column("gold", Count.GOLD),
            *(column(title, which) for title, which in COUNTED.items()),
            column("right null", Count.RIGHT_NULL),
            (P, [*defined(found.precision, fields[:, Count.SAID] > 0), found.micro.precision]),
            (R, [*defined(found.recall, fields[:, Count.GOLD] > 0), found.micro.recall]),
            (F1, [*defined(found.f1, ~undefined), found.micro.f1]),
            (
                Column("presence", "score"),
                [
                    *defined(found.presence, fields[:, Count.SCORED] > 0),
                    _share(fields, Count.PRESENCE),
                ],
            ),
            (
                Column("specificity", "score"),
                [
                    *defined(found.specificity, fields[:, Count.NULL] > 0),
                    _share(fields, Count.RIGHT_NULL, Count.NULL),
                ],
            ),
        ],
        foot=True,
        caption="Right, wrong and invented are what the answer states; missed is what it does not. "
        "A field with a list counts its values. Right null: neither states anything. The last row "
        "is pooled.",
        signature=analysis.signature("counts", intervals=False),
    )


def _share(fields: Floats, part: Count, whole: Count = Count.SCORED) -> float | None:
    out_of = int(fields[:, whole].sum())
    return int(fields[:, part].sum()) / out_of if out_of else None


def measures(analysis: FieldAnalysis) -> Table | None:
    """How near texts and numbers are; ``None`` without fields of these types."""
    asked = analysis.comparison.asked
    kept = [i for i, f in enumerate(asked) if f.type == "text" or _measured_number(analysis, i)]
    if not kept:
        return None

    def of_labeler(name: str) -> list[labeler_tables.Filled]:
        found = analysis.scores[name]
        columns = {"ANLS": found.likeness, "word F1": found.word_f1, "RSMAPE": found.error}
        return [
            (Column(title, "score", compare=title if title != "RSMAPE" else ""), _finite(v, kept))
            for title, v in columns.items()
        ]

    return labeler_tables.per_labeler(
        analysis,
        "measures",
        "How near texts and numbers are",
        [
            (Column("Field"), [asked[i].name for i in kept]),
            (Column("Type"), [asked[i].type for i in kept]),
            (Column("ε"), [_epsilon(asked[i].epsilon, asked[i].unit, asked[i].type) for i in kept]),
        ],
        {name: of_labeler(name) for name in analysis.comparison.names},
        foot=False,
        caption="Whatever counts as right. ANLS: Levenshtein similarity, 0 below 0.5, and word F1, "
        "over documents where gold or answer states something. RSMAPE: mean of the distance "
        "over the sum of both sizes and ε, over documents where both state a number; small "
        "is good.",
        signature=analysis.signature("measures", intervals=False),
    )


def _measured_number(analysis: FieldAnalysis, place: int) -> bool:
    return any(s.total[place, Count.OFF_OF] for s in analysis.scores.values())


def _epsilon(value: float, unit: str, kind: str) -> str:
    return f"{value:g} {unit}".strip() if kind == "number" else ""


def _finite(values: Floats, kept: Sequence[int]) -> list[Value]:
    return [None if math.isnan(values[i]) else float(values[i]) for i in kept]


def answers(analysis: FieldAnalysis) -> Table:
    """What each labeler left unanswered."""
    return labeler_tables.answers(
        analysis,
        {
            "predictions": lambda _, c: c.rows,
            "missing": lambda _, c: len(c.missing),
            "unusable or lacking fields": lambda _, c: len(c.undetermined),
            "fields without an answer": lambda _, c: c.undetermined_cells,
            "without gold": lambda _, c: c.extra,
        },
        caption="Predictions without gold are ignored.",
    )
