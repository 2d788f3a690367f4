"""Precision and recall of mentions at every threshold of the labeler's own probability.

A mention is right when it has the gold's place and type; of equal mentions the likelier is
matched first. Recall is the share of all gold mentions, those that the labeler never gives
included, so a curve ends where its mentions end. ``average`` is the sum over thresholds of
precision times the recall gained there (as scikit-learn's ``average_precision_score``), without
interpolation. The threshold of the best F1 is searched on these very reports: it shows what a
threshold could give at most, and a threshold for use is chosen on other reports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from eval.kinds.entities.scores import SpanAnalysis
from eval.page.contents import Section
from eval.page.figures import both_widths
from eval.page.plots import WIDE, Axis, colour, legend
from eval.page.svg import Canvas, shorten
from eval.page.tables import Column, Table, Value
from eval.stats.counts import Floats, ratio
from labelwright.records import Entity

ALL = "All types"
MOST_PANELS = 12
"""Types with a panel of their own; further types are in the tables."""
POINTS = 150
"""Points of a curve that are drawn; the tables have them all."""


@dataclass(frozen=True, eq=False)
class Curve:
    """One type of one labeler; arrays are ``[thresholds]``, from the highest down.

    Attributes:
        gold, given: mentions of the gold and of the labeler.
        average: average precision; ``None`` where the gold has no mention.
        best: largest F1 over the thresholds with its threshold; ``None`` without any.
    """

    gold: int
    given: int
    threshold: Floats
    precision: Floats
    recall: Floats
    average: float | None
    best: tuple[float, float] | None


def curves(
    gold: Sequence[Sequence[Entity]], pred: Sequence[Sequence[Entity]], types: Sequence[str]
) -> dict[str, Curve] | None:
    """The curve of each type, and of all together; ``None`` unless every mention has a ``prob``."""
    if any(e.prob is None for mentions in pred for e in mentions) or not any(pred):
        return None
    known: Mapping[str, list[tuple[float, bool]]] = {name: [] for name in types}
    for truth, answer in zip(gold, pred, strict=True):
        left = Counter((g.type, g.spans) for g in truth)
        for mention in sorted(answer, key=lambda e: -(e.prob or 0.0)):
            key = (mention.type, mention.spans)
            hit = bool(mention.spans) and left[key] > 0
            left[key] -= hit
            known[mention.type].append((mention.prob or 0.0, hit))
    counts = Counter(g.type for truth in gold for g in truth)
    found = {name: _curve(known[name], counts[name]) for name in types}
    return {ALL: _curve([pair for each in known.values() for pair in each], counts.total())} | found


def _curve(given: Sequence[tuple[float, bool]], gold: int) -> Curve:
    values = np.array([p for p, _ in given], dtype=np.float64)
    hits = np.array([hit for _, hit in given], dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    values, right = values[order], np.cumsum(hits[order])
    # Equal probabilities share a threshold: the last of each counts.
    last = np.flatnonzero(np.diff(values, append=-1.0))
    right, taken = right[last], last + 1
    precision, recall = ratio(right, taken, 0.0), ratio(right, np.full(len(last), gold), 0.0)
    f1 = ratio(2 * right, taken + gold, 0.0)
    gained = np.diff(recall, prepend=0.0)
    top = int(np.argmax(f1)) if len(last) else -1
    return Curve(
        gold=gold,
        given=len(given),
        threshold=values[last],
        precision=precision,
        recall=recall,
        average=float((gained * precision).sum()) if gold else None,
        best=(float(f1[top]), float(values[last][top])) if gold and len(last) else None,
    )


def curves_section(analysis: SpanAnalysis) -> Section | None:
    """The section on probabilities; ``None`` where no labeler gives any."""
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


def precision_recall(
    by_type: Mapping[str, Mapping[str, Curve]], *, places: Mapping[str, int], width: int = WIDE
) -> Canvas:
    """One small panel per type: recall across, precision upwards, a curve per labeler.

    Args:
        by_type: per type the curves by labeler.
        places: of the labelers, for their colours.
    """
    columns = 2 if width < 500 else 4
    gap, left, top, bottom, head = 12, 24, 22, 22, 22
    side = (width - gap * columns) / columns - left
    height = top + side + bottom
    rows = -(-len(by_type) // columns)
    names = list(places)
    canvas = Canvas(
        width,
        head + rows * height,
        label=f"Precision over recall per type for {', '.join(names)}.",
    )
    x = 0.0
    for name, place in places.items():
        legend(canvas, x, 13, [name], start=place)
        x += 50 + 6.9 * min(len(name), 26)
    for index, (title, each) in enumerate(by_type.items()):
        corner = (
            (index % columns) * (side + left + gap) + left,
            head + (index // columns) * height + top,
        )
        _panel(canvas, title, each, places, (*corner, side))
    return canvas


def _panel(
    canvas: Canvas,
    title: str,
    each: Mapping[str, Curve],
    places: Mapping[str, int],
    box: tuple[float, float, float],
) -> None:
    x, y, side = box
    across = Axis(0, 1, x, x + side, (0, 0.5, 1))
    upwards = Axis(0, 1, y + side, y, (0, 0.5, 1))
    canvas.text(x, y - 8, shorten(title, side, 12.5), "t strong", tip=title)
    for tick in across.ticks:
        css = "zero" if tick == 0 else "grid"
        canvas.line(across.at(tick), y, across.at(tick), y + side, css)
        canvas.line(x, upwards.at(tick), x + side, upwards.at(tick), css)
        canvas.text(x - 5, upwards.at(tick) + 4, f"{tick:g}", "t tick end")
        canvas.text(across.at(tick), y + side + 15, f"{tick:g}", "t tick middle")
    for name, curve in each.items():
        if curve.average is None or not len(curve.recall):
            continue
        css = colour(places[name])
        kept = _thinned(len(curve.recall))
        points = [
            (across.at(float(curve.recall[k])), upwards.at(float(curve.precision[k]))) for k in kept
        ]
        canvas.curve(points, css)
        tip = f"{title}, {name}: average precision {curve.average:.3f}"
        canvas.mark(places[name], *points[-1], css, tip=tip)


def _thinned(size: int) -> list[int]:
    """At most :data:`POINTS` places, evenly, the first and the last among them."""
    if size <= POINTS:
        return list(range(size))
    return [round(k * (size - 1) / (POINTS - 1)) for k in range(POINTS)]
