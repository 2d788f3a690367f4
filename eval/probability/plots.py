"""Figures of probabilities: reliability diagrams and risk–coverage curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eval.page.plots import WIDE, Axis, colour, legend
from eval.page.svg import Canvas, shorten
from eval.probability.calibration import Reliability

HISTOGRAM = 20
"""Height of the histogram under a reliability diagram."""


@dataclass(frozen=True, eq=False)
class Panel:
    """One reliability diagram: bins of equal width as bars, of equal mass as dots."""

    title: str
    width: Reliability
    mass: Reliability


@dataclass(frozen=True, eq=False)
class RiskCurve:
    """One labeler's curve: ``points`` are (coverage, risk), ``marks`` its chosen thresholds."""

    name: str
    place: int
    points: Sequence[tuple[float, float]]
    marks: Sequence[tuple[float, float, str]] = ()


def reliability(
    panels: Sequence[Panel], *, label: str, place: int, intervals: bool = True, width: int = WIDE
) -> Canvas:
    """Small diagrams side by side: stated probability across, share that came true upwards.

    Args:
        label: what a screen reader says.
        place: of the labeler, for its colour.
        intervals: whether the dots get theirs.
    """
    columns = 2 if width < 500 else len(panels)
    gap, left, top = 12, 24, 22
    side = (width - gap * columns) / columns - left
    height = top + side + HISTOGRAM + 36
    rows = -(-(len(panels)) // columns)
    canvas = Canvas(width, rows * height, label=label)
    for index, panel in enumerate(panels):
        x = (index % columns) * (side + left + gap) + left
        y = (index // columns) * height + top
        _panel(canvas, panel, (x, y, side), colour(place), intervals)
    return canvas


def _panel(
    canvas: Canvas, panel: Panel, box: tuple[float, float, float], css: str, intervals: bool
) -> None:
    x, y, side = box
    across = Axis(0, 1, x, x + side, (0, 0.5, 1))
    upwards = Axis(0, 1, y + side, y, (0, 0.5, 1))
    canvas.text(x, y - 8, shorten(panel.title, side, 12.5), "t strong")
    for tick in across.ticks:
        canvas.line(across.at(tick), y, across.at(tick), y + side, "grid")
        canvas.line(x, upwards.at(tick), x + side, upwards.at(tick), "grid")
        canvas.text(x - 5, upwards.at(tick) + 4, f"{tick:g}", "t tick end")
        canvas.text(across.at(tick), y + side + HISTOGRAM + 16, f"{tick:g}", "t tick middle")
    bins = panel.width
    most = max(bins.decisions.max(initial=1), 1)
    for k, count in enumerate(bins.decisions):
        a, b = across.at(float(bins.left[k])), across.at(float(bins.right[k]))
        tip = (
            f"{bins.left[k]:.2f} to {bins.right[k]:.2f}: {count} decisions, stated "
            f"{bins.confidence[k]:.3f}, true {bins.share[k]:.3f}"
        )
        at = upwards.at(float(bins.share[k]))
        canvas.rect(a + 0.5, at, b - a - 1, y + side - at, css, opacity=0.28, tip=tip)
        bar = max(1.0, HISTOGRAM * count / most)
        canvas.rect(a + 0.5, y + side + 3, b - a - 1, bar, "even", opacity=0.6, tip=tip)
    canvas.line(across.at(0), upwards.at(0), across.at(1), upwards.at(1), "zero")
    dots = panel.mass
    for k, stated in enumerate(dots.confidence):
        at = across.at(float(stated))
        if intervals:
            ends = upwards.at(float(dots.low[k])), upwards.at(float(dots.high[k]))
            canvas.line(at, ends[0], at, ends[1], f"whisker {css}")
        tip = (
            f"{dots.decisions[k]} decisions, stated {stated:.3f}, true {dots.share[k]:.3f} "
            f"[{dots.low[k]:.3f}, {dots.high[k]:.3f}]"
        )
        canvas.circle(at, upwards.at(float(dots.share[k])), 2.8, css, tip=tip)


def risk_coverage(
    titles: Sequence[str],
    curves: Sequence[Sequence[RiskCurve]],
    *,
    wish: float,
    width: int = WIDE,
) -> Canvas:
    """One panel per way of sharing the work: share wrong over the share labeled automatically.

    Args:
        curves: per panel, one per labeler.
        wish: the accuracy wished for, drawn as a line at ``1 - wish``.
    """
    columns = 1 if width < 500 else len(titles)
    gap, left, top, bottom = 20, 42, 24, 40
    head = 26
    side = (width - gap * columns) / columns - left
    tall = side if columns > 1 else side * 0.62
    height = top + tall + bottom
    names = [(c.name, c.place) for c in curves[0]] if curves else []
    canvas = Canvas(
        width,
        head + height * (-(-len(titles) // columns)),
        label=f"Share of wrong labels over coverage for {', '.join(n for n, _ in names)}.",
    )
    x = 0.0
    for name, place in names:
        legend(canvas, x, 13, [name], start=place)
        x += 50 + 6.9 * min(len(name), 26)
    for index, (title, each) in enumerate(zip(titles, curves, strict=True)):
        box = (
            (index % columns) * (side + left + gap) + left,
            head + (index // columns) * height + top,
        )
        _risk_panel(canvas, title, each, (*box, side, tall), wish)
    return canvas


def _risk_panel(
    canvas: Canvas,
    title: str,
    curves: Sequence[RiskCurve],
    box: tuple[float, float, float, float],
    wish: float,
) -> None:
    x, y, wide, tall = box
    highest = max([1.6 * (1 - wish), *(r for c in curves for at, r in c.points if at >= 0.05)])
    step = next(s for s in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25) if highest / s <= 5)
    ticks = tuple(step * i for i in range(1 + int(highest / step + 0.999)))
    across = Axis(0, 1, x, x + wide, (0, 0.5, 1))
    upwards = Axis(0, ticks[-1], y + tall, y, ticks)
    canvas.text(x - 34, y - 10, shorten(title, wide + 34, 12.5), "t strong")
    for tick in upwards.ticks:
        canvas.line(x, upwards.at(tick), x + wide, upwards.at(tick), "zero" if not tick else "grid")
        canvas.text(x - 5, upwards.at(tick) + 4, f"{100 * tick:.3g} %", "t tick end")
    for tick in across.ticks:
        canvas.text(across.at(tick), y + tall + 15, f"{100 * tick:g} %", "t tick middle")
    canvas.text(x + wide / 2, y + tall + 30, "labeled automatically", "t small middle")
    canvas.line(x, upwards.at(1 - wish), x + wide, upwards.at(1 - wish), "wish")
    for each in curves:
        css = colour(each.place)
        # The surest hundredth is too few to have a rate.
        kept = [p for p in each.points if p[0] >= 0.01]
        canvas.curve([(across.at(c), upwards.at(r)) for c, r in kept], css)
        for coverage, risk, tip in each.marks:
            canvas.mark(each.place, across.at(coverage), upwards.at(risk), css, tip=tip)
