"""Figures of fields: the map of fields and labelers, stated fields per document, points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eval.page.plots import MEDIUM, WIDE, Axis, colour, legend
from eval.page.svg import Canvas, shorten

GOLD = "gold"


@dataclass(frozen=True)
class Side:
    """Who says something: the gold, or a labeler with its place among them."""

    name: str
    place: int | None

    @property
    def css(self) -> str:
        """The class of its colour."""
        return "even" if self.place is None else colour(self.place)


def field_map(
    rows: Sequence[tuple[str, str, Sequence[float | None]]],
    *,
    columns: Sequence[str],
    title: str,
    width: int = MEDIUM,
) -> Canvas:
    """Shares as coloured cells: a row per field with its type, a column per labeler.

    Args:
        rows: name, type and shares from 0 to 1; ``None``: not defined.
    """
    narrow = width < 400
    names, kinds, tall, top = (118, 0, 20, 44) if narrow else (170, 76, 20, 44)
    left = names + kinds
    cell = (width - left) / max(1, len(columns))
    canvas = Canvas(width, top + tall * len(rows) + 2, label=f"Map of fields: {title}.")
    canvas.text(0, 13, shorten(title, width, 12.5), "t strong", tip=title)
    for place, name in enumerate(columns):
        middle = left + (place + 0.5) * cell
        canvas.text(middle, top - 8, shorten(name, cell - 2, 11), "t small middle", tip=name)
    for index, (name, kind, shares) in enumerate(rows):
        y = top + index * tall
        canvas.text(0, y + 14, shorten(name, names - 6, 12.5), "t", tip=f"{name} ({kind})")
        if kinds:
            canvas.text(names, y + 14, kind, "t small")
        for place, share in enumerate(shares):
            x = left + place * cell
            canvas.rect(x + 0.75, y + 0.75, cell - 1.5, tall - 1.5, "void")
            if share is None:
                canvas.text(x + cell / 2, y + 14, "–", "t small middle")
                continue
            tip = f"{name}, {columns[place]}: {share:.4f}"
            canvas.rect(
                x + 0.75, y + 0.75, cell - 1.5, tall - 1.5, "better", opacity=0.6 * share, tip=tip
            )
            canvas.text(x + cell / 2, y + 14, f"{share:.2f}", "t cell middle")
    return canvas


def stated_curves(
    counts: Mapping[Side, Sequence[int]], *, fields: int, width: int = WIDE
) -> Canvas:
    """Stated fields per document: share of documents with at most so many, and how many have each.

    Args:
        counts: per side, one number per document.
        fields: of the label set, the end of the axis.
    """
    narrow = width < 500
    left, top, gap = 38, 62, 30
    wide = width - left - 8 if narrow else (width - gap - 2 * left) / 2
    tall = 150 if narrow else 190
    panel = tall + 66
    height = top + (2 * panel if narrow else panel) - 20
    names = [side.name for side in counts]
    canvas = Canvas(width, height, label=f"Stated fields per document: {', '.join(names)}.")
    _keys(canvas, list(counts))
    _cumulative(canvas, counts, fields, (left, top, wide, tall))
    corner = (left, top + panel) if narrow else (left + wide + gap + left - 8, top)
    _frequencies(canvas, counts, fields, (*corner, wide, tall))
    return canvas


def _keys(canvas: Canvas, sides: Sequence[Side]) -> None:
    """Who has which colour, in one line; the gold's is grey and drawn thicker."""
    x = 0.0
    for side in sides:
        if side.place is None:
            canvas.line(x, 9, x + 12, 9, f"whisker {side.css}")
            canvas.text(x + 17, 13, side.name, "t small")
        else:
            legend(canvas, x, 13, [side.name], start=side.place)
        x += 40 + 6.9 * min(len(side.name), 26)


Box = tuple[float, float, float, float]


def _frame(canvas: Canvas, box: Box, fields: int, upwards: Axis, title: str) -> Axis:
    x, y, wide, tall = box
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500) if fields / s <= 6 or s == 500)
    across = Axis(0, max(fields, 1), x, x + wide, tuple(range(0, fields + 1, step)))
    canvas.text(x - 30, y - 12, shorten(title, wide + 30, 12.5), "t strong")
    for tick in upwards.ticks:
        at = upwards.at(tick)
        canvas.line(x, at, x + wide, at, "zero" if not tick else "grid")
        canvas.text(x - 5, at + 4, f"{100 * tick:g} %", "t tick end")
    for tick in across.ticks:
        canvas.text(across.at(tick), y + tall + 15, f"{tick:g}", "t tick middle")
    canvas.text(x + wide / 2, y + tall + 30, "stated fields", "t small middle")
    return across


def _cumulative(
    canvas: Canvas, counts: Mapping[Side, Sequence[int]], fields: int, box: Box
) -> None:
    _, y, _, tall = box
    upwards = Axis(0, 1, y + tall, y, (0, 0.25, 0.5, 0.75, 1))
    across = _frame(canvas, box, fields, upwards, "Documents with at most so many")
    for side, values in counts.items():
        points, below = [(across.at(0), upwards.at(0))], 0.0
        for count in range(fields + 1):
            share = sum(v <= count for v in values) / max(len(values), 1)
            points += [(across.at(count), upwards.at(below)), (across.at(count), upwards.at(share))]
            below = share
        canvas.curve([*points, (across.right, upwards.at(below))], side.css)


def _frequencies(
    canvas: Canvas, counts: Mapping[Side, Sequence[int]], fields: int, box: Box
) -> None:
    _, y, _, tall = box
    size = max(1, -(-(fields + 1) // 20))
    bins = range(0, fields + 1, size)
    shares = {
        side: [sum(at <= v < at + size for v in values) / max(len(values), 1) for at in bins]
        for side, values in counts.items()
    }
    most = max([0.05, *(share for each in shares.values() for share in each)])
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25) if most / s <= 5)
    ticks = tuple(step * i for i in range(1 + int(most / step + 0.999)))
    upwards = Axis(0, ticks[-1], y + tall, y, ticks)
    title = "Documents with so many" + (f" (bins of {size})" if size > 1 else "")
    across = _frame(canvas, box, fields, upwards, title)
    for side, each in shares.items():
        points = [
            (across.at(min(at + (size - 1) / 2, fields)), upwards.at(share))
            for at, share in zip(bins, each, strict=True)
        ]
        canvas.curve(points, side.css)


Points = Sequence[tuple[float, float]]


def scatter(by_side: Mapping[Side, Points], *, width: int = WIDE) -> Canvas:
    """Points of one map, a panel per side; coordinates are from 0 to 1."""
    columns = 2 if width < 500 else min(4, max(2, len(by_side)))
    gap, top = 12, 24
    side_length = (width - gap * (columns - 1)) / columns
    height = top + side_length + 8
    rows = -(-len(by_side) // columns)
    names = ", ".join(side.name for side in by_side)
    canvas = Canvas(width, rows * height, label=f"Map of text values: {names}.")
    for index, (side, points) in enumerate(by_side.items()):
        x = (index % columns) * (side_length + gap)
        y = (index // columns) * height + top
        canvas.text(x, y - 8, shorten(side.name, side_length, 12.5), "t strong", tip=side.name)
        canvas.rect(x, y, side_length, side_length, "void")
        for across, up in points:
            at = (x + 4 + across * (side_length - 8), y + 4 + up * (side_length - 8))
            canvas.circle(*at, 1.8, side.css)
    return canvas
