"""The figures of the page: each takes plain numbers and returns a drawing.

Every figure exists in a wide and a narrow layout, so that its text stays readable on a phone.
Colours come from the page's style sheet: ``s1``, ``s2``, … for the labelers, ``better`` and
``worse`` for differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eval.page.svg import Canvas, shorten
from eval.stats.estimates import Estimate

WIDE, MEDIUM, NARROW = 700, 470, 350
COLOURS = 6
"""Classes ``s1`` … ``s6``; further labelers start again, told apart by the legend's order."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a figure: a name and one estimate (or none) per series."""

    name: str
    marks: tuple[Estimate | None, ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear scale from data to pixels."""

    low: float
    high: float
    left: float
    right: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """The pixel of ``value``; values outside the scale end at its edge."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.left + share * (self.right - self.left)


def signed(value: float, digits: int = 3) -> str:
    """``+0.031``, ``−0.004``, ``0.000``: a true minus sign, no sign on zero."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else "−") + text


def interval_text(mark: Estimate, digits: int = 3) -> str:
    """``+0.031 [+0.010, +0.052]``, or the value alone."""
    if mark.low is None or mark.high is None:
        return signed(mark.value, digits)
    return f"{signed(mark.value, digits)} [{signed(mark.low, digits)}, {signed(mark.high, digits)}]"


def bars(
    rows: Sequence[Row],
    *,
    labelers: Sequence[str],
    first: int = 0,
    per: str = "observation",
    width: int = WIDE,
) -> Canvas:
    """Grouped horizontal bars from 0 to 1 with intervals: one group per observation or type."""
    narrow = width < 500
    names = 118 if narrow else 176
    thick = 11 if len(labelers) < 4 else 8
    group = thick * len(labelers) + 11
    head = _legend_height(labelers, width - names - 10)
    top = head + 8
    height = top + group * len(rows) + 24
    canvas = Canvas(width, height, label=f"F1 per {per} for {', '.join(labelers)}.")
    right = width - (12 if narrow else 48)
    axis = Axis(0, 1, names + 10, right, (0, 0.25, 0.5, 0.75, 1) if narrow else _TENTHS)
    bottom = height - 22
    for tick in axis.ticks:
        css = "zero" if tick == 0 else "grid"
        canvas.line(axis.at(tick), top, axis.at(tick), bottom, css)
        canvas.text(axis.at(tick), bottom + 15, f"{tick:g}", "t tick middle")
    legend(canvas, names + 10, 13, labelers, start=first)
    for index, row in enumerate(rows):
        y = top + index * group + 5.5
        middle = y + thick * len(labelers) / 2
        canvas.text(0, middle + 4, shorten(row.name, names, 12.5), "t", tip=row.name)
        for place, mark in enumerate(row.marks):
            _bar(
                canvas,
                axis,
                (row.name, labelers[place]),
                mark,
                y + place * thick,
                thick,
                colour(first + place),
                narrow,
            )
    return canvas


_TENTHS = tuple(i / 10 for i in range(11))


def _bar(
    canvas: Canvas,
    axis: Axis,
    names: tuple[str, str],
    mark: Estimate | None,
    y: float,
    thick: float,
    css: str,
    narrow: bool,
) -> None:
    if mark is None:
        canvas.text(axis.left + 4, y + thick - 1, "not defined", "t micro")
        return
    tip = f"{names[0]}, {names[1]}: {mark.value:.3f}"
    if mark.low is not None and mark.high is not None:
        tip += f" [{mark.low:.3f}, {mark.high:.3f}]"
    length = axis.at(mark.value) - axis.left
    # Paler than the marks, so that the interval can be read where it lies on the bar.
    canvas.rect(axis.left, y + 0.5, length, thick - 1, css, opacity=0.78, tip=tip)
    end = axis.at(mark.value)
    if mark.low is not None and mark.high is not None:
        low, end = axis.at(mark.low), max(axis.at(mark.high), end)
        canvas.line(low, y + thick / 2, axis.at(mark.high), y + thick / 2, "error")
        for at in (low, axis.at(mark.high)):
            canvas.line(at, y + thick / 2 - 2, at, y + thick / 2 + 2, "error")
    if not narrow and thick > 8:
        canvas.text(end + 5, y + thick / 2 + 3, f"{mark.value:.3f}", "t micro")


def heat_map(
    rows: Sequence[Row],
    *,
    columns: Sequence[str],
    title: str,
    scale: float,
    width: int = NARROW,
) -> Canvas:
    """Differences as coloured cells, one row per observation; the sign stands in each cell.

    ``scale`` is the difference with the full colour, the same in all maps that are compared.
    """
    names, cell_height, top = (118 if width < 400 else 182), 22, 46
    cell = (width - names) / max(1, len(columns))
    canvas = Canvas(width, top + cell_height * len(rows) + 2, label=f"Heat map: {title}.")
    canvas.text(0, 13, shorten(title, width, 12.5), "t strong", tip=title)
    for place, name in enumerate(columns):
        x = names + (place + 0.5) * cell
        canvas.text(x, top - 8, shorten(name, cell + 4, 11), "t small middle", tip=name)
    for index, row in enumerate(rows):
        y = top + index * cell_height
        canvas.text(0, y + 15, shorten(row.name, names - 6, 12.5), "t", tip=row.name)
        for place, mark in enumerate(row.marks):
            x = names + place * cell
            if mark is None:
                canvas.rect(x + 0.75, y + 0.75, cell - 1.5, cell_height - 1.5, "void")
                canvas.text(x + cell / 2, y + 15, "–", "t small middle")
                continue
            css = "better" if mark.value >= 0 else "worse"
            tip = f"{row.name}, {columns[place]}: {signed(mark.value, 4)}"
            strength = 0.72 * min(1.0, abs(mark.value) / scale)
            canvas.rect(x + 0.75, y + 0.75, cell - 1.5, cell_height - 1.5, "void")
            canvas.rect(
                x + 0.75, y + 0.75, cell - 1.5, cell_height - 1.5, css, opacity=strength, tip=tip
            )
            canvas.text(x + cell / 2, y + 15, signed(mark.value), "t cell middle")
    return canvas


def critical_difference(
    ranks: Sequence[tuple[str, float]],
    groups: Sequence[Sequence[str]],
    *,
    distance: float | None,
    width: int = WIDE,
) -> Canvas:
    """Mean ranks on a line (1 is best); a bar joins labelers that the test does not separate."""
    ordered = sorted(ranks, key=lambda item: (item[1], item[0]))
    half = (len(ordered) + 1) // 2
    side = 24 if width < 500 else 130
    top = 56 + 12 * len(groups)
    canvas = Canvas(width, top + 22 * half + 8, label=_rank_label(ordered))
    axis = Axis(1, max(2, len(ordered)), side, width - side, tuple(range(1, len(ordered) + 1)))
    canvas.line(axis.left, 40, axis.right, 40, "zero")
    for tick in axis.ticks:
        canvas.line(axis.at(tick), 35, axis.at(tick), 40, "zero")
        canvas.text(axis.at(tick), 29, f"{tick:g}", "t tick middle")
    if distance is not None and distance < axis.high - axis.low:
        end = axis.at(axis.low + distance)
        canvas.line(axis.left, 10, end, 10, "whisker even")
        canvas.text(end + 6, 14, f"critical difference {distance:.2f}", "t small")
    place = dict(ordered)
    for index, group in enumerate(groups):
        at = [axis.at(place[name]) for name in group]
        y = 50 + 12 * index
        canvas.line(min(at) - 3, y, max(at) + 3, y, "clique")
    for index, (name, rank) in enumerate(ordered):
        left = index < half
        row = index if left else len(ordered) - 1 - index
        y = top + 22 * row + 8
        edge = 0.0 if left else float(width)
        canvas.line(axis.at(rank), 40, axis.at(rank), y, "lead")
        canvas.line(axis.at(rank), y, edge, y, "lead")
        text = shorten(f"{name}  {rank:.2f}", abs(axis.at(rank) - edge) + 4, 12.5)
        canvas.text(edge, y - 5, text, "t" if left else "t end", tip=name)
    return canvas


def _rank_label(ordered: Sequence[tuple[str, float]]) -> str:
    return "Mean ranks: " + ", ".join(f"{name} {rank:.2f}" for name, rank in ordered) + "."


def colour(index: int) -> str:
    """The class of the ``index``-th labeler's colour."""
    return f"s{index % COLOURS + 1}"


def colours(labelers: int) -> tuple[str, ...]:
    """The classes of so many labelers' colours."""
    return tuple(colour(index) for index in range(labelers))


def _legend_places(names: Sequence[str], room: float) -> list[tuple[float, int, str]]:
    places, x, line = [], 0.0, 0
    for name in names:
        text = shorten(name, min(room - 18, 180), 12)
        length = 20 + 6.9 * len(text) + 14
        if x and x + length > room:
            x, line = 0.0, line + 1
        places.append((x, line, text))
        x += length
    return places


def _legend_height(names: Sequence[str], room: float) -> float:
    return 18 + 18 * max((line for _, line, _ in _legend_places(names, room)), default=0)


def legend(canvas: Canvas, x: float, y: float, names: Sequence[str], *, start: int) -> None:
    """Markers and names in as many lines as they need; ``start`` is the first one's colour."""
    for index, (dx, line, text) in enumerate(_legend_places(names, canvas.width - x)):
        canvas.mark(start + index, x + dx + 5, y + 18 * line - 4, colour(start + index))
        canvas.text(x + dx + 15, y + 18 * line, text, "t small", tip=names[index])
