"""Figures of entities: kinds of wrong mentions, precision over recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eval.kinds.entities.curves import Curve
from eval.page.plots import WIDE, Axis, colour, legend
from eval.page.svg import Canvas, shorten

POINTS = 150
"""Points of a curve that are drawn; the tables have them all."""


@dataclass(frozen=True)
class KindPanel:
    """Counts of wrong mentions of one side: per kind one number per labeler."""

    title: str
    rows: Sequence[tuple[str, Sequence[int]]]


def kind_bars(panels: Sequence[KindPanel], *, labelers: Sequence[str], width: int = WIDE) -> Canvas:
    """Bars of counts, one group per kind, panels side by side (below each other on a phone)."""
    columns = 1 if width < 500 else len(panels)
    side = width / columns
    names, thick = 128.0, 11 if len(labelers) < 4 else 8
    group = thick * len(labelers) + 9
    head, title = 24, 24
    heights = [title + group * len(panel.rows) + 12 for panel in panels]
    total = max(heights) if columns > 1 else sum(heights)
    canvas = Canvas(width, head + total, label=f"Kinds of wrong mentions of {', '.join(labelers)}.")
    legend(canvas, 0, 13, labelers, start=0)
    most = max([1, *(n for panel in panels for _, counts in panel.rows for n in counts)])
    y = float(head)
    for index, panel in enumerate(panels):
        x = side * index if columns > 1 else 0.0
        top = head if columns > 1 else y
        y += heights[index]
        axis = Axis(0, most, x + names, x + side - 44, (0, most))
        canvas.text(x, top + 14, shorten(panel.title, side - 8, 12.5), "t strong")
        bottom = top + title + group * len(panel.rows) - 4
        canvas.line(axis.left, top + title, axis.left, bottom, "zero")
        for place, (name, counts) in enumerate(panel.rows):
            at = top + title + place * group
            middle = at + thick * len(labelers) / 2 + 4
            canvas.text(x, middle, shorten(name, names - 8, 12.5), "t", tip=name)
            for number, count in enumerate(counts):
                line = at + number * thick
                length = axis.at(count) - axis.left
                tip = f"{panel.title}, {name}, {labelers[number]}: {count:,}"
                canvas.rect(
                    axis.left, line + 0.5, length, thick - 1, colour(number), opacity=0.78, tip=tip
                )
                if thick > 8:
                    canvas.text(axis.left + length + 4, line + thick - 1.5, f"{count:,}", "t micro")
    return canvas


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
