"""The figure of an ablation: the score over the number of neighbours, a line per method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from eval.page.plots import WIDE, Axis, colour, legend
from eval.page.svg import Canvas, shorten
from eval.stats.estimates import Estimate

STEPS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)
MOST_TICKS = 7


@dataclass(frozen=True, slots=True)
class Line:
    """One method: its scores by number of neighbours, in ascending order."""

    name: str
    points: tuple[tuple[int, Estimate], ...]


def ablation_plot(
    lines: Sequence[Line], *, level: Estimate, score: str, width: int = WIDE
) -> Canvas:
    """Scores upwards, the numbers of neighbours across, evenly spaced whatever they are.

    Args:
        level: the score without neighbours; its interval is a band over the whole width.
        score: the score's short name.
    """
    left, right, tall, foot = 44, 14, 220, 40
    names = [line.name for line in lines]
    head = 44
    canvas = Canvas(width, head + tall + foot, label=_spoken(lines, level, score))
    numbers = sorted({0, *(k for line in lines for k, _ in line.points)})
    wide = (width - left - right) / len(numbers)
    across = {k: left + (place + 0.5) * wide for place, k in enumerate(numbers)}
    marks = [level, *(mark for line in lines for _, mark in line.points)]
    upwards = score_axis(marks, bottom=head + tall, top=head)
    legend(canvas, left, 13, names, start=0)
    canvas.text(0, 33, shorten(f"mean {score}", width - 4, 11.5), "t small", tip=f"mean {score}")
    end = width - right
    if level.low is not None and level.high is not None:
        high, low = upwards.at(level.high), upwards.at(level.low)
        canvas.rect(left, high, end - left, low - high, "band", tip=_tip("no neighbours", level))
    for tick in upwards.ticks:
        canvas.line(left, upwards.at(tick), end, upwards.at(tick), "grid")
        canvas.text(left - 6, upwards.at(tick) + 4, _plain(tick, upwards), "t tick end")
    canvas.line(left, head + tall, end, head + tall, "zero")
    for k in numbers:
        canvas.text(across[k], head + tall + 16, f"{k}", "t tick middle")
    canvas.text((left + end) / 2, head + tall + 33, "neighbours (k)", "t small middle")
    canvas.line(left, upwards.at(level.value), end, upwards.at(level.value), "wish")
    _mark(canvas, (across[0], upwards), level, "even", 0, "no neighbours")
    aside = min(9.0, wide / (len(lines) + 1))
    for place, line in enumerate(lines):
        shift = aside * (place - (len(lines) - 1) / 2)
        at = [(across[k] + shift, mark) for k, mark in line.points]
        canvas.curve([(x, upwards.at(mark.value)) for x, mark in at], colour(place))
        for (x, mark), (k, _) in zip(at, line.points, strict=True):
            name = f"{line.name}, k = {k}"
            _mark(canvas, (x, upwards), mark, colour(place), place, name)
    return canvas


def score_axis(marks: Sequence[Estimate], *, bottom: float, top: float) -> Axis:
    """An axis upwards that holds every interval and no more than it must, with round ticks."""
    values = [v for mark in marks for v in (mark.value, mark.low, mark.high) if v is not None]
    low, high = min(values), max(values)
    if high - low < STEPS[0]:
        low, high = low - STEPS[0], high + STEPS[0]
    for step in STEPS:
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first < MOST_TICKS:
            break
    ticks = tuple(round(i * step, 6) for i in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], bottom, top, ticks)


def _mark(
    canvas: Canvas,
    place: tuple[float, Axis],
    mark: Estimate,
    css: str,
    shape: int,
    name: str,
) -> None:
    x, upwards = place
    if mark.low is not None and mark.high is not None:
        canvas.line(x, upwards.at(mark.low), x, upwards.at(mark.high), f"whisker {css}")
    canvas.mark(shape, x, upwards.at(mark.value), css, tip=_tip(name, mark))


def _tip(name: str, mark: Estimate) -> str:
    if mark.low is None or mark.high is None:
        return f"{name}: {mark.value:.3f}"
    return f"{name}: {mark.value:.3f} [{mark.low:.3f}, {mark.high:.3f}]"


def _plain(tick: float, axis: Axis) -> str:
    digits = 3 if len(axis.ticks) > 1 and axis.ticks[1] - axis.ticks[0] < 0.01 else 2
    return f"{tick:.{digits}f}".replace("-", "−")


def _spoken(lines: Sequence[Line], level: Estimate, score: str) -> str:
    parts = [
        f"{line.name} {', '.join(f'{mark.value:.3f} with {k}' for k, mark in line.points)}"
        for line in lines
    ]
    return f"Mean {score} by number of neighbours: {level.value:.3f} without; {'; '.join(parts)}."
