"""Do probabilities of fields mean what they say, and whom do they spare: per field and together.

A decision is one scored field of one document with a probability: that of what is said there,
silence included. It is right when the whole field is. ECE is over fifteen bins of equal mass
(:mod:`eval.probability.calibration`), the area under the risk–coverage curve as in
:mod:`eval.probability.selective`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from eval.kinds.fields.agreement import LONG
from eval.kinds.fields.analysis import FieldAnalysis
from eval.kinds.fields.counts import Count
from eval.page.contents import Section
from eval.page.figures import both_widths
from eval.page.plots import WIDE, Axis, colour, legend
from eval.page.svg import Canvas, shorten
from eval.page.tables import Column, Table, Value
from eval.probability.calibration import bin_edges, bin_index, expected_calibration_error
from eval.probability.selective import Curve, Units, curve
from eval.stats.counts import Bools, Floats

ALL = "All fields"
BINS = 10
"""Dots of a reliability diagram."""
FEW_BINS = 5
"""Dots of the diagram of one field."""
PANELS = 12
"""Fields that have diagrams of their own."""
POINTS = 120


@dataclass(frozen=True, eq=False)
class Decisions:
    """Decisions with a probability: ``[decisions]`` each."""

    field: NDArray[np.int64]
    document: NDArray[np.int64]
    stated: Floats
    right: Bools

    def of(self, field: int | None) -> Decisions:
        """Those of one field; of all for ``None``."""
        if field is None:
            return self
        kept = self.field == field
        return Decisions(self.field[kept], self.document[kept], self.stated[kept], self.right[kept])

    @property
    def error(self) -> float:
        """Expected calibration error."""
        return expected_calibration_error(self.stated, self.right, "mass")

    @property
    def brier(self) -> float:
        """Mean squared distance of probability and outcome."""
        return float(((self.stated - self.right) ** 2).mean())

    @property
    def curve(self) -> Curve:
        """The risk–coverage curve."""
        return curve(Units(self.stated, ~self.right, self.document, 1))


def decisions(analysis: FieldAnalysis, name: str) -> Decisions | None:
    """What one labeler decided with a probability; ``None`` where it gives none."""
    counts = analysis.counts[name]
    rows: list[tuple[int, int, float, bool]] = []
    asked = [field.name for field in analysis.comparison.asked]
    scored, right = counts[:, :-1, Count.SCORED], counts[:, :-1, Count.WHOLE]
    for document, said in enumerate(analysis.comparison.pred[name]):
        if said is None:
            continue
        for field, label in enumerate(asked):
            value = said.get(label)
            if value is not None and value.prob is not None and scored[document, field]:
                rows.append((field, document, value.prob, bool(right[document, field])))
    if not rows:
        return None
    fields, documents, stated, hits = zip(*rows, strict=True)
    return Decisions(
        np.array(fields), np.array(documents), np.array(stated, dtype=np.float64), np.array(hits)
    )


def sureness_section(analysis: FieldAnalysis) -> Section | None:
    """Calibration and risk over coverage; ``None`` where no labeler gives probabilities."""
    names = analysis.comparison.names
    every = {name: decisions(analysis, name) for name in names}
    known = {name: found for name, found in every.items() if found is not None}
    if not known:
        return None
    places = {name: place for place, name in enumerate(names) if name in known}
    without = [name for name in names if name not in known]
    table, long = _table(analysis, known), len(analysis.parts) > LONG
    drawings = [
        both_widths(
            partial(sureness, known, places=places),
            caption="Left (above on a phone): stated probability across, share right upwards; "
            "on the diagonal both are equal. Right: share of wrong decisions among the surest, "
            "the more are taken the further right.",
        )
    ]
    if worst := _worst(analysis, known):
        every_field = len(worst) == len(analysis.parts)
        some = "each field" if every_field else f"the {len(worst)} fields with the most errors"
        drawings.append(
            both_widths(
                partial(by_field, known, places=places, fields=worst),
                caption=f"The same for {some}; the table has the numbers of all.",
            )
        )
    return Section(
        id="sureness",
        title="Probabilities",
        lead="Does a probability mean what it says, and do the least sure fields hold the errors? "
        "A decision is a scored field of a document, silence included.",
        figures=tuple(drawings),
        tables=() if long else (table,),
        folded_tables=(table,) if long else (),
        notes=(f"Without probabilities: {', '.join(without)}.",) if without else (),
        numbers={name: _numbers(analysis, found) for name, found in known.items()},
    )


def _parts(analysis: FieldAnalysis) -> list[tuple[str, int | None]]:
    return [*((name, place) for place, name in enumerate(analysis.parts)), (ALL, None)]


def _table(analysis: FieldAnalysis, known: Mapping[str, Decisions]) -> Table:
    columns = [Column("Field")]
    for name in known:
        key = colour(analysis.comparison.names.index(name))
        columns += [
            Column("decisions", "count", group=name, colour=key),
            Column("stated", "score", group=name),
            Column("right", "score", group=name),
            Column("ECE", "score", group=name),
            Column("AURC", "score", group=name),
        ]
    rows: list[tuple[Value, ...]] = []
    for part, place in _parts(analysis):
        row: list[Value] = [part]
        for found in known.values():
            here = found.of(place)
            if not len(here.stated):
                row += [0, None, None, None, None]
                continue
            row += [
                len(here.stated),
                float(here.stated.mean()),
                float(here.right.mean()),
                here.error,
                here.curve.area,
            ]
        rows.append(tuple(row))
    return Table(
        name="sureness",
        title="Calibration and risk per field",
        columns=tuple(columns),
        rows=tuple(rows[:-1]),
        foot=rows[-1],
        caption="Stated: mean probability; right: share right. ECE: expected calibration error, "
        "too high by chance where decisions are few. AURC: mean share wrong over all coverages; "
        "small is good.",
        signature=analysis.signature("sureness", intervals=False),
    )


def _numbers(analysis: FieldAnalysis, found: Decisions) -> dict[str, object]:
    result: dict[str, object] = {}
    for part, place in _parts(analysis):
        here = found.of(place)
        if len(here.stated):
            result[part] = {
                "decisions": len(here.stated),
                "ece": here.error,
                "brier": here.brier,
                "aurc": here.curve.area,
                "aurc_best": here.curve.best_area,
            }
    return result


def sureness(
    known: Mapping[str, Decisions], *, places: Mapping[str, int], width: int = WIDE
) -> Canvas:
    """A reliability diagram and risk–coverage curves of all fields together."""
    narrow = width < 500
    left, top, gap, right = 40, 52, 26, 14
    side = width - left - right if narrow else (width - 2 * left - gap - right) / 2
    tall = side * 0.7 if narrow else side * 0.8
    panel = tall + 62
    canvas = Canvas(
        width,
        top + (2 * panel if narrow else panel) - 24,
        label=f"Calibration and risk over coverage of {', '.join(known)}.",
    )
    _legend(canvas, places)
    _reliability(canvas, known, places, (left, top, side, tall), BINS)
    at = (left, top + panel) if narrow else (left + side + gap + left, top)
    _risk(canvas, known, places, (*at, side, tall))
    return canvas


def by_field(
    known: Mapping[str, Decisions],
    *,
    places: Mapping[str, int],
    fields: Sequence[tuple[str, int]],
    width: int = WIDE,
) -> Canvas:
    """The same two diagrams for each of some fields, small: two fields side by side at most."""
    left, top, gap, right = 40, 44, 22, 14
    columns = 1 if width < 500 else 2
    cell = width / columns
    side = (cell - 2 * left - gap - right) / 2
    tall, panel = side * 0.8, side * 0.8 + 74
    rows = -(-len(fields) // columns)
    canvas = Canvas(
        width,
        top + rows * panel,
        label=f"Calibration and risk of {', '.join(n for n, _ in fields)}.",
    )
    _legend(canvas, places)
    for n, (name, field) in enumerate(fields):
        x, y = left + n % columns * cell, top + n // columns * panel + 24
        here = {labeler: d for labeler, one in known.items() if len((d := one.of(field)).stated)}
        canvas.text(x - 34, y - 26, shorten(name, cell - left, 12.5), "t strong")
        _reliability(canvas, here, places, (x, y, side, tall), FEW_BINS)
        _risk(canvas, here, places, (x + side + gap + left, y, side, tall))
    return canvas


def _legend(canvas: Canvas, places: Mapping[str, int]) -> None:
    x = 0.0
    for name, place in places.items():
        legend(canvas, x, 13, [name], start=place)
        x += 50 + 6.9 * min(len(name), 26)


def _worst(analysis: FieldAnalysis, known: Mapping[str, Decisions]) -> tuple[tuple[str, int], ...]:
    """The fields with the most wrong decisions, all labelers together, in the label set's order."""
    wrong = [
        sum(int((~one.of(place).right).sum()) for one in known.values())
        for place in range(len(analysis.parts))
    ]
    kept = sorted(sorted(range(len(wrong)), key=lambda place: -wrong[place])[:PANELS])
    return tuple((analysis.parts[place], place) for place in kept if wrong[place])


Box = tuple[float, float, float, float]


def _axes(canvas: Canvas, box: Box, upwards: Axis, title: str, below: str) -> Axis:
    x, y, wide, tall = box
    small = wide < 200
    across = Axis(0, 1, x, x + wide, (0, 0.5, 1) if small else (0, 0.25, 0.5, 0.75, 1))
    canvas.text(x - 34, y - 10, shorten(title, wide + 34, 12.5), "t small" if small else "t strong")
    for tick in upwards.ticks:
        at = upwards.at(tick)
        canvas.line(x, at, x + wide, at, "zero" if not tick else "grid")
        canvas.text(x - 5, at + 4, f"{100 * tick:.3g} %", "t tick end")
    for tick in across.ticks:
        canvas.text(across.at(tick), y + tall + 15, f"{100 * tick:g} %", "t tick middle")
    canvas.text(x + wide / 2, y + tall + 30, shorten(below, wide + 30, 11), "t small middle")
    return across


def _reliability(
    canvas: Canvas,
    known: Mapping[str, Decisions],
    places: Mapping[str, int],
    box: Box,
    bins: int,
) -> None:
    _, y, _, tall = box
    upwards = Axis(0, 1, y + tall, y, (0, 0.25, 0.5, 0.75, 1))
    across = _axes(canvas, box, upwards, "Share right", "stated probability")
    canvas.line(across.at(0), upwards.at(0), across.at(1), upwards.at(1), "zero")
    for name, found in known.items():
        place = bin_index(found.stated, bin_edges(found.stated, "mass", bins=bins))
        for b in np.unique(place).tolist():
            here = place == b
            stated, right = float(found.stated[here].mean()), float(found.right[here].mean())
            tip = f"{name}: {int(here.sum()):,} decisions, stated {stated:.3f}, right {right:.3f}"
            mark = colour(places[name])
            canvas.mark(places[name], across.at(stated), upwards.at(right), mark, tip=tip)


def _risk(
    canvas: Canvas, known: Mapping[str, Decisions], places: Mapping[str, int], box: Box
) -> None:
    _, y, _, tall = box
    curves = {name: found.curve for name, found in known.items()}
    shown = {name: _thinned(c.coverage, c.risk) for name, c in curves.items()}
    highest = max([0.01, *(risk for points in shown.values() for _, risk in points)])
    step = next(s for s in (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25) if highest / s <= 5)
    ticks = tuple(step * i for i in range(1 + int(highest / step + 0.999)))
    upwards = Axis(0, ticks[-1], y + tall, y, ticks)
    across = _axes(
        canvas,
        box,
        upwards,
        "Share wrong",
        "decisions, surest first" if box[2] < 200 else "decisions taken, the surest first",
    )
    for name, points in shown.items():
        canvas.curve([(across.at(c), upwards.at(r)) for c, r in points], colour(places[name]))


def _thinned(coverage: Floats, risk: Floats) -> Sequence[tuple[float, float]]:
    """At most :data:`POINTS` points; the surest hundredth is too few to have a rate."""
    kept = np.flatnonzero(coverage >= 0.01)
    if len(kept) > POINTS:
        kept = kept[np.linspace(0, len(kept) - 1, POINTS).round().astype(int)]
    return [(float(coverage[k]), float(risk[k])) for k in kept]
