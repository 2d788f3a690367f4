"""The forest plot of subgroups: each group's gap to all other reports, one mark per labeler."""

from __future__ import annotations

from collections.abc import Sequence

from eval.page.forest import difference_axis
from eval.page.plots import WIDE, Row, colour, interval_text, legend, signed
from eval.page.svg import Canvas, shorten


def group_forest(
    rows: Sequence[Row], *, labelers: Sequence[str], label: str, score: str, width: int = WIDE
) -> Canvas:
    """Gaps with their intervals, zero in the middle; hollow where the interval holds 0.

    Args:
        rows: a group each, with one estimate per labeler.
        label: what a screen reader says.
        score: the score's short name, for the head of the numbers.
    """
    narrow, single = width < 500, len(labelers) == 1
    names = 118 if narrow else 200
    numbers = 172 if single and not narrow else 0
    line = 24 if single else 8 + 11 * len(labelers)
    top = 30 if single else 48
    canvas = Canvas(width, top + line * len(rows) + 30, label=label)
    axis = difference_axis(rows, names + 10, width - numbers - 18, most=5 if narrow else 8)
    bottom = canvas.height - 28
    digits = 3 if len(axis.ticks) > 1 and axis.ticks[1] - axis.ticks[0] < 0.01 else 2
    for tick in axis.ticks:
        canvas.line(axis.at(tick), top, axis.at(tick), bottom, "grid" if tick else "zero")
        canvas.text(axis.at(tick), bottom + 15, signed(tick, digits), "t tick middle")
    if not single:
        legend(canvas, names + 10, 13, labelers, start=0)
    canvas.text(axis.at(0) - 6, top - 8, "← lower", "t small end")
    higher = "higher →" if narrow else "higher than the others →"
    canvas.text(axis.at(0) + 6, top - 8, higher, "t small")
    if numbers:
        canvas.text(width, top - 8, f"Δ{shorten(score, 60, 11.5)} [interval]", "t small end")
    for index, row in enumerate(rows):
        y = top + index * line
        canvas.text(0, y + line / 2 + 4, shorten(row.name, names, 12.5), "t", tip=row.name)
        for place, mark in enumerate(row.marks):
            if mark is None:
                continue
            at = y + (line / 2 if single else 10 + 11 * place)
            css = colour(place)
            if mark.low is not None and mark.high is not None:
                canvas.line(axis.at(mark.low), at, axis.at(mark.high), at, f"whisker {css}")
            tip = f"{row.name}, {labelers[place]}: {interval_text(mark)}"
            shown = css if mark.side else f"{css} hollow"
            canvas.mark(place, axis.at(mark.value), at, shown, tip=tip)
            if numbers:
                canvas.text(width, y + line / 2 + 4, interval_text(mark), "t num end")
    return canvas
