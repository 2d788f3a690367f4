"""The forest plot: differences between labelers with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from eval.page.plots import WIDE, Axis, Row, colour, interval_text, legend, signed
from eval.page.svg import Canvas, shorten
from eval.stats.estimates import Estimate


def forest(
    summary: Sequence[Row],
    rows: Sequence[Row],
    *,
    reference: str,
    others: Sequence[str],
    margin: float,
    score: str = "F1",
    width: int = WIDE,
) -> Canvas:
    """Differences in a score (reference minus other) with intervals: summary first, then rows.

    With one comparison a mark is coloured by the side on which its interval lies; with more,
    by the labeler compared, and hollow where the interval holds 0.
    """
    narrow = width < 500
    single = len(others) == 1
    names = 118 if narrow else 176
    stacked = narrow and single  # the name and its numbers, and below them the mark
    numbers = 0 if narrow or not single else 172
    height_of = 38 if stacked else 24 if single else 6 + 10 * len(others)
    top = (46 if stacked else 34) if single else 52
    gap = 12
    height = top + (len(summary) + len(rows)) * height_of + gap + 30
    canvas = Canvas(
        width,
        height,
        label=f"Forest plot of differences in {score}. {_spoken(reference, others, summary)}",
    )
    left = 14 if stacked else names + 10
    axis = difference_axis([*summary, *rows], left, width - numbers - 18, most=5 if narrow else 8)
    bottom = height - 28
    edge = max(axis.low, -margin), min(axis.high, margin)
    canvas.rect(axis.at(edge[0]), top, axis.at(edge[1]) - axis.at(edge[0]), bottom - top, "band")
    for tick in axis.ticks:
        css = "zero" if tick == 0 else "grid"
        canvas.line(axis.at(tick), top, axis.at(tick), bottom, css)
        canvas.text(axis.at(tick), bottom + 15, signed(tick, _digits(axis.ticks)), "t tick middle")
    _sides(canvas, axis, reference, others[0] if single else "other", top - 10)
    if not single:
        legend(canvas, names + 10, 13, others, start=1)
    if numbers or stacked:
        canvas.text(width, top - (24 if stacked else 10), f"Δ{score} [interval]", "t small end")
    y = top
    for index, row in enumerate([*summary, *rows]):
        if index == len(summary):
            canvas.line(0, y + gap / 2, width, y + gap / 2, "rule")
            y += gap
        strong = index < len(summary)
        shown = numbers > 0 or stacked
        sizes = (width - 160 if stacked else names, height_of)
        _forest_row(canvas, row, y, axis, sizes, (others, strong, shown), stacked=stacked)
        y += height_of
    return canvas


def _forest_row(
    canvas: Canvas,
    row: Row,
    y: float,
    axis: Axis,
    sizes: tuple[float, float],
    style: tuple[Sequence[str], bool, bool],
    *,
    stacked: bool = False,
) -> None:
    names, height = sizes
    others, strong, with_numbers = style
    middle = y + (height - 13 if stacked else height / 2)
    line = y + 12 if stacked else middle + 4
    weight = f"{' strong' if strong else ''}{' over' if stacked else ''}"  # over lines
    canvas.text(0, line, shorten(row.name, names, 12.5), f"t{weight}", tip=row.name)
    for index, mark in enumerate(row.marks):
        at = middle if len(others) == 1 else y + 8 + 10 * index
        if mark is None:
            continue
        side = ("worse", "even", "better")[mark.side + 1]
        hue = side if len(others) == 1 else colour(index + 1)
        css = hue if len(others) == 1 or mark.side else f"{hue} hollow"
        tip = f"{row.name}, against {others[index]}: {interval_text(mark)}"
        if mark.low is not None and mark.high is not None:
            low, high = axis.at(mark.low), axis.at(mark.high)
            canvas.line(low, at, high, at, f"whisker {hue}")
        if strong:
            _diamond(canvas, axis, mark, at, css, tip)
        else:
            canvas.mark(0 if len(others) == 1 else index + 1, axis.at(mark.value), at, css, tip=tip)
        if with_numbers:
            canvas.text(canvas.width, line, interval_text(mark), f"t num end{weight}")
    if with_numbers and row.marks[0] is None:
        canvas.text(canvas.width, line, "not defined", "t small end")


def _diamond(canvas: Canvas, axis: Axis, mark: Estimate, y: float, css: str, tip: str) -> None:
    x = axis.at(mark.value)
    low = x - 5 if mark.low is None else min(axis.at(mark.low), x - 4)
    high = x + 5 if mark.high is None else max(axis.at(mark.high), x + 4)
    canvas.polygon([(low, y), (x, y - 6), (high, y), (x, y + 6)], css, tip=tip)


def _spoken(reference: str, others: Sequence[str], summary: Sequence[Row]) -> str:
    parts = [
        f"against {other}: {interval_text(mark)}"
        for row in summary[:1]
        for other, mark in zip(others, row.marks, strict=True)
        if mark is not None
    ]
    return f"{reference} overall, {'; '.join(parts)}."


def _sides(canvas: Canvas, axis: Axis, reference: str, other: str, y: float) -> None:
    zero = axis.at(0)
    size = 11.5
    left_room, right_room = zero - axis.left - 6, axis.right - zero - 6
    left, right = f"← {other} better", f"{reference} better →"
    if (
        shorten(left, left_room + 12, size) != left
        or shorten(right, right_room + 12, size) != right
    ):
        left, right = "← worse", "better →"
    for text, x, css, room in (
        (left, zero - 6, "end", left_room),
        (right, zero + 6, "", right_room),
    ):
        if room >= 44:
            canvas.text(x, y, shorten(text, room + 12, size), f"t small {css}".strip(), tip=text)


def difference_axis(rows: Sequence[Row], left: float, right: float, *, most: int = 7) -> Axis:
    """An axis around zero that holds every interval, with round ticks."""
    values = [0.01, -0.01]
    for row in rows:
        for mark in row.marks:
            if mark is not None:
                values += [v for v in (mark.value, mark.low, mark.high) if v is not None]
    low, high = min(values), max(values)
    for step in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0):
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first < most or step == 1.0:
            break
    ticks = tuple(round(i * step, 6) for i in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], left, right, ticks)


def _digits(ticks: Sequence[float]) -> int:
    step = min((b - a for a, b in pairwise(ticks)), default=1.0)
    return 3 if step < 0.01 else 2
