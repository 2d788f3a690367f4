"""The tables of the section on selective labeling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from eval.kinds.certainty.analysis import Analysis
from eval.page.plots import colour
from eval.page.tables import Column, Table, Value
from eval.page.verdict import percent
from eval.probability.calibration_tables import estimate
from eval.probability.selective import WAYS, Curve, Outcome

Origin = Literal["guaranteed", "plain", "in hindsight"]


@dataclass(frozen=True, eq=False)
class Choice:
    """One threshold of one labeler and way; ``result`` is ``None`` where there is none.

    ``independent``: calibration reports that a guarantee counts, one per patient.
    """

    labeler: str
    place: int
    way: str
    origin: Origin
    result: Outcome | None
    independent: int = 0


@dataclass(frozen=True, eq=False)
class Risks:
    """The risk–coverage curve of one labeler and way."""

    labeler: str
    place: int
    way: str
    found: Curve


def sampled(found: Curve) -> list[tuple[float, float]]:
    """Coverage and risk at about every half percent of coverage, and at the end."""
    size = len(found.coverage)
    if not size:
        return []
    places = np.searchsorted(found.coverage, np.arange(1, 201) / 200 - 1e-9)
    kept = np.unique(np.append(np.minimum(places, size - 1), size - 1))
    return [(float(found.coverage[i]), float(found.risk[i])) for i in kept]


def thresholds(analysis: Analysis, choices: list[Choice], wish: float) -> Table:
    """What each threshold does to the scored reports."""
    rows: list[tuple[Value, ...]] = []
    for choice in choices:
        result = choice.result
        start: tuple[Value, ...] = (choice.labeler, WAYS[choice.way], choice.origin)
        if result is None:
            rows.append((*start, None, None, None, None))
            continue
        rows.append(
            (
                *start,
                f"{result.threshold:.6g}",
                estimate(analysis, result.coverage),
                estimate(analysis, result.accuracy),
                result.to_person / max(1, len(analysis.comparison.ids)),
            )
        )
    level = percent(analysis.tests.settings.level)
    return Table(
        name="thresholds",
        title=f"Thresholds for an accuracy of {percent(wish)}",
        columns=(
            Column("Labeler"),
            Column("Way", "text"),
            Column("Threshold", "text"),
            Column("Value", "text"),
            Column("Automatic", "percent"),
            Column("Right of these", "percent"),
            Column("Reports a person sees", "percent"),
        ),
        rows=tuple(rows),
        caption="Plain: the lowest that meets the wish on the calibration reports. Guaranteed: "
        f"meets it with {level} confidence on further reports of the same kind. Automatic and "
        "right are measured on the scored reports, which had no part in either. A dash: no "
        "threshold does.",
        signature=analysis.signature(f"selective|wish:{wish:g}"),
        keys=tuple(colour(c.place) for c in choices),
    )


def areas(analysis: Analysis, curves: list[Risks]) -> Table:
    """Areas under the curves, with the best possible and that of no order at all."""
    rows: list[tuple[Value, ...]] = [
        (c.labeler, WAYS[c.way], c.found.area, c.found.best_area, c.found.error) for c in curves
    ]
    return Table(
        name="risk-coverage",
        title="Area under the risk–coverage curve",
        columns=(
            Column("Labeler"),
            Column("Way", "text"),
            Column("Area", "score"),
            Column("Best possible", "score"),
            Column("Without any order", "score"),
        ),
        rows=tuple(rows),
        caption="Mean share wrong over all coverages: small is good. Best possible: the same "
        "mistakes, all of them least sure. Without any order: a confidence that says nothing.",
        signature=analysis.signature("aurc", intervals=False),
        keys=tuple(colour(c.place) for c in curves),
    )


def points(curves: list[Risks]) -> Table:
    """The curves, for the CSV file."""
    rows: list[tuple[Value, ...]] = [
        (c.labeler, WAYS[c.way], x, y) for c in curves for x, y in sampled(c.found)
    ]
    return Table(
        name="risk-coverage-points",
        title="Points of the risk–coverage curves",
        columns=(
            Column("labeler"),
            Column("way"),
            Column("coverage", "score"),
            Column("risk", "score"),
        ),
        rows=tuple(rows),
    )
