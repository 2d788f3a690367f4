"""The sections of the page of entities: words, certainties, wrong mentions, probabilities."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

from eval.kinds.entities import error_tables as span_error_tables
from eval.kinds.entities import tables as span_tables
from eval.kinds.entities.analysis import SpanAnalysis
from eval.kinds.entities.curves import ALL, Curve, curves
from eval.kinds.entities.errors import GOLD, KINDS, PRED
from eval.kinds.entities.plots import KindPanel, kind_bars, precision_recall
from eval.page.figures import both_widths
from eval.page.section import Section
from eval.page.tables import Column, Table, Value, sentence

MOST_PANELS = 12
"""Types with a panel of their own; further types are in the tables."""


def span_sections(analysis: SpanAnalysis) -> list[Section]:
    """The sections that gold, label set and predictions allow."""
    found = [_kinds(analysis), _words(analysis), _certainty(analysis), _curves(analysis)]
    return [section for section in found if section is not None]


def _kinds(analysis: SpanAnalysis) -> Section:
    names = analysis.comparison.names
    tallies = {name: span_error_tables.kind_counts(analysis, name) for name in names}

    def panel(title: str, side: str, left_out: str) -> KindPanel:
        return KindPanel(
            title,
            [
                (sentence(words), [tallies[name][side, kind] for name in names])
                for kind, words in KINDS.items()
                if kind not in left_out.split()
            ],
        )

    panels = [
        panel("Gold mentions not found", GOLD, "invented absent"),
        panel("Answers that are wrong", PRED, "missing"),
    ]
    return Section(
        id="kinds",
        title="Kinds of errors",
        lead="What is wrong with the mentions that have no partner of the same place and type: "
        "borders, type, or the mention as a whole?",
        figures=(both_widths(partial(kind_bars, panels, labelers=names)),),
        tables=(span_error_tables.kinds(analysis),),
        data_tables=(span_error_tables.kinds_by_type(analysis),),
        numbers={
            name: {side: {k: t[side, k] for k in KINDS} for side in (GOLD, PRED)}
            for name, t in tallies.items()
        },
    )


def _words(analysis: SpanAnalysis) -> Section:
    known = analysis.comparison.texts is not None
    lead = (
        "Each word by itself: which types mark it? A word is a run of letters and digits, or any "
        "other mark. Papers on tokens often print accuracy with the words of no type (O) counted "
        "in: as most words are O, it is near 1 for a labeler that finds nothing."
        if known
        else "Texts are not known here, so characters are counted instead of words, and those of "
        "no type cannot be. Give the texts with --reports."
    )
    tables = [span_tables.accuracy(analysis)] if known else []
    return Section(
        id="words",
        title="Word by word" if known else "Character by character",
        lead=lead,
        tables=(*tables, span_tables.words(analysis)),
        numbers={name: {"accuracy": scores.accuracy} for name, scores in analysis.scores.items()},
    )


def _certainty(analysis: SpanAnalysis) -> Section | None:
    table = span_tables.certainty(analysis)
    if table is None:
        return None
    return Section(
        id="certainty",
        title="Certainty",
        lead="Of the mentions with the right place and type: is the certainty right too?",
        tables=(table,),
        numbers={
            name: {"accuracy": scores.certainty_accuracy}
            for name, scores in analysis.scores.items()
        },
    )


def _curves(analysis: SpanAnalysis) -> Section | None:
    c = analysis.comparison
    every = {name: curves(c.gold, c.pred[name], c.types) for name in c.names}
    known = {name: found for name, found in every.items() if found is not None}
    if not known:
        return None
    places = {name: place for place, name in enumerate(c.names) if name in known}
    shown = [t for t in (ALL, *c.types) if any(f[t].average is not None for f in known.values())]
    panels = {t: {n: found[t] for n, found in known.items()} for t in shown[:MOST_PANELS]}
    without = [name for name in c.names if name not in known]
    caption = "Across: recall; upwards: precision. A mark stands for all mentions of a labeler."
    draw = partial(precision_recall, panels, places=places)
    figures = [both_widths(draw, caption=caption)] if panels else []
    return Section(
        id="curves",
        title="Precision and recall",
        lead="Mentions from the surest to the least sure by the labeler's own probability: "
        "precision over recall, place and type right. A curve ends where the labeler's mentions "
        "end.",
        notes=(
            "The threshold of the best F1 is searched on these very reports, so its F1 is too "
            "good; choose a threshold on other reports.",
            *([f"Without probabilities: {', '.join(without)}."] if without else []),
        ),
        figures=tuple(figures),
        tables=(_average_table(analysis, known),),
        data_tables=(_points_table(known),),
        methods="Average precision is the sum over thresholds of precision times the recall "
        "gained, without interpolation.",
        numbers={
            name: {t: _curve_json(curve) for t, curve in found.items()}
            for name, found in known.items()
        },
    )


def _average_table(analysis: SpanAnalysis, known: dict[str, dict[str, Curve]]) -> Table:
    columns = [Column("Type")]
    for name in known:
        columns += [
            Column("average precision", "score", group=name, compare="average"),
            Column("best F1", "score", group=name),
            Column("at", "score", group=name),
        ]
    rows: list[tuple[Value, ...]] = []
    for kind in (*analysis.comparison.types, ALL):
        row: list[Value] = [kind]
        for found in known.values():
            best = found[kind].best
            row += [found[kind].average, *((None, None) if best is None else best)]
        rows.append(tuple(row))
    return Table(
        name="average-precision",
        title="Average precision",
        columns=tuple(columns),
        rows=tuple(rows[:-1]),
        foot=rows[-1],
        caption="Place and type right. At: the threshold of the best F1 on these reports.",
        signature=analysis.signature("average-precision", intervals=False),
    )


def _points_table(known: dict[str, dict[str, Curve]]) -> Table:
    """Every point of every curve, for the CSV file."""
    rows = [
        (name, kind, float(t), float(p), float(r))
        for name, found in known.items()
        for kind, curve in found.items()
        for t, p, r in zip(curve.threshold, curve.precision, curve.recall, strict=True)
    ]
    return Table(
        name="precision-recall",
        title="Points of the curves",
        columns=(
            Column("labeler"),
            Column("type"),
            *(Column(n, "score") for n in ("threshold", "precision", "recall")),
        ),
        rows=tuple(rows),
    )


def _curve_json(curve: Curve) -> dict[str, Any]:
    kept = {k: v for k, v in asdict(curve).items() if k in ("gold", "given", "average")}
    best = curve.best
    return kept | {"best_f1": best and best[0], "best_threshold": best and best[1]}
