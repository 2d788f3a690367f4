"""The figures of the page, drawn from an analysis, in their wide and narrow layouts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from markupsafe import Markup

from eval.page.forest import forest
from eval.page.plots import MEDIUM, NARROW, WIDE, Row, bars, critical_difference, heat_map
from eval.page.svg import Canvas
from eval.page.verdict import percent
from eval.stats.tested import Tested

LEAST_SCALE = 0.05
"""Smaller differences than this never get the full colour."""


class Draw(Protocol):
    """A figure that can be drawn at any width."""

    def __call__(self, *, width: int) -> Canvas:
        """Draw it ``width`` pixels wide."""


@dataclass(frozen=True)
class Heat:
    """The heat maps of differences.

    Attributes:
        columns: statistic and head.
        whole: name of the last row, the scores over all parts.
        by: what the columns are, after "minus F1 of the other labeler".
        dash: what a dash means.
        score: what the signature calls it.
    """

    columns: Mapping[str, str]
    whole: str
    by: str
    dash: str
    score: str


@dataclass(frozen=True, eq=False)
class Drawing:
    """One figure: ``narrow`` takes its place on a phone, where there is one."""

    canvas: Canvas
    wide: Markup
    narrow: Markup | None = None
    caption: str = ""


def figures(analysis: Tested, heat: Heat | None) -> dict[str, Drawing]:
    """All figures by file name: bars, and with two labelers or more forest and heat maps.

    Args:
        heat: what the heat maps show, where there are any.
    """
    names = analysis.comparison.names
    marks = [analysis.marks(name, analysis.metric) for name in names]
    grouped = [Row(o, tuple(m[i + 1] for m in marks)) for i, o in enumerate(analysis.parts)]
    found = {
        "bars": both_widths(partial(bars, grouped, labelers=names, per=analysis.unit[0])),
    }
    if analysis.pairs:
        found["forest"] = _forest(analysis)
        if heat is not None:
            found |= _heat_maps(analysis, heat)
    if analysis.several is not None:
        found["ranks"] = _ranks(analysis)
    return found


def _forest(analysis: Tested) -> Drawing:
    changes = [analysis.changes(pair, analysis.metric) for pair in analysis.pairs]
    others = [pair.b for pair in analysis.pairs]
    summary = [
        Row("All (mean)" if analysis.whole == "Mean" else "All", tuple(c[0] for c in changes))
    ]
    rows = [Row(name, tuple(c[i + 1] for c in changes)) for i, name in enumerate(analysis.parts)]
    margin = analysis.tests.settings.margin or 0.0
    level = analysis.tests.settings.level
    other = others[0] if len(others) == 1 else "each other labeler"
    caption = (
        f"Difference in {analysis.short}: {analysis.reference} minus {other}, "
        f"with {percent(level)} intervals"
    )
    caption += f"; the band is the margin of ±{margin:g}." if margin else "."
    if len(others) > 1:
        caption += " Hollow: the interval holds 0."
    return both_widths(
        partial(
            forest,
            summary,
            rows,
            reference=analysis.reference,
            others=others,
            margin=margin,
            score="F1" if "F1" in analysis.short else analysis.short,
        ),
        caption=caption,
    )


def _heat_maps(analysis: Tested, heat: Heat) -> dict[str, Drawing]:
    names = (heat.whole, *analysis.parts)
    maps = []
    for pair in analysis.pairs:
        changes = [analysis.changes(pair, statistic) for statistic in heat.columns]
        mean, *rows = [Row(name, tuple(c[i] for c in changes)) for i, name in enumerate(names)]
        maps.append([*rows, mean])
    marks = [mark for rows in maps for row in rows for mark in row.marks if mark is not None]
    scale = max([LEAST_SCALE, *(abs(mark.value) for mark in marks)])
    return {
        f"heat-{number}": both_widths(
            partial(
                heat_map,
                rows,
                columns=list(heat.columns.values()),
                title=f"{pair.a} minus {pair.b}",
                scale=scale,
            ),
            wide=MEDIUM,
        )
        for number, (pair, rows) in enumerate(zip(analysis.pairs, maps, strict=True), 1)
    }


def _ranks(analysis: Tested) -> Drawing:
    several = analysis.several
    if several is None:
        raise ValueError("ranks need three labelers")
    ranks = several.ranks
    caption = (
        f"1 is best. A thick bar joins labelers whose mean ranks differ by less than "
        f"{ranks.critical_difference:.2f} (Nemenyi, α = {ranks.alpha:g})."
    )
    return both_widths(
        partial(
            critical_difference,
            list(ranks.mean_ranks.items()),
            ranks.groups,
            distance=ranks.critical_difference,
        ),
        caption=caption,
    )


def both_widths(draw: Draw, *, caption: str = "", wide: int = WIDE) -> Drawing:
    """Draw a figure for the desktop and for a phone."""
    large = draw(width=wide)
    small = draw(width=NARROW)
    return Drawing(large, large.render("wide paired"), small.render("narrow"), caption)
