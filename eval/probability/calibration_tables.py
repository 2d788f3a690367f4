"""The tables of the section on calibration."""

from __future__ import annotations

from dataclasses import dataclass

from eval.kinds.certainty.analysis import Analysis
from eval.kinds.certainty.counts import CLASSES
from eval.page.plots import colour
from eval.page.tables import Column, Table, Value
from eval.probability.calibration import BINS, KINDS, Calibration, Resampling, Spread
from eval.probability.temperature import Temperature
from eval.stats.tested import Estimate


@dataclass(frozen=True, eq=False)
class Judged:
    """One row of the tables: a labeler as it is, or with its temperature."""

    labeler: str
    title: str
    place: int
    found: Calibration
    temperature: Temperature | None = None


def resampling_of(analysis: Analysis) -> Resampling:
    """The comparison's own way of making intervals."""
    settings = analysis.tests.settings
    return Resampling(
        analysis.comparison.cluster_index, settings.resamples, settings.level, settings.seed
    )


def estimate(analysis: Analysis, spread: Spread, part: int = 0) -> Estimate | None:
    """One part of a score for a table; ``None`` where it has no decision."""
    if not spread.known[part]:
        return None
    if not analysis.enough:
        return Estimate(float(spread.value[part]))
    return Estimate(float(spread.value[part]), float(spread.low[part]), float(spread.high[part]))


def _signature(analysis: Analysis, score: str) -> str:
    return analysis.signature(f"{score}|bins:{BINS}")


def main(analysis: Analysis, judged: list[Judged]) -> Table:
    """ECE, Brier score and NLL of every labeler, all observations together."""
    rows: list[tuple[Value, ...]] = [
        (
            each.title,
            int(each.found.decisions[0]),
            estimate(analysis, each.found.ece["mass"]),
            float(each.found.by_chance["mass"][0]),
            estimate(analysis, each.found.ece["width"]),
            estimate(analysis, each.found.brier),
            estimate(analysis, each.found.nll),
        )
        for each in judged
    ]
    return Table(
        name="calibration",
        title="Calibration",
        columns=(
            Column("Labeler"),
            Column("Decisions", "count"),
            Column("ECE", "score", group="Bins of equal mass"),
            Column("by chance", "score", group="Bins of equal mass"),
            Column("ECE", "score", group="Of equal width"),
            Column("Brier", "score"),
            Column("NLL", "score"),
        ),
        rows=tuple(rows),
        caption="All observations together. Brier score: 0 is perfect, 2 the worst. NLL: mean "
        "negative log of the gold's probability. T: temperature fitted on other reports.",
        signature=_signature(analysis, "calibration"),
        keys=tuple(colour(each.place) for each in judged),
    )


def certainties(analysis: Analysis, judged: list[Judged]) -> Table:
    """ECE of each certainty's probability."""
    words = [c.value for c in CLASSES]
    rows: list[tuple[Value, ...]] = [
        (each.title, *(estimate(analysis, each.found.certainties[w]["mass"]) for w in words))
        for each in judged
    ]
    return Table(
        name="calibration-certainties",
        title="Calibration of each certainty",
        columns=(Column("Labeler"), *(Column(w, "score") for w in words)),
        rows=tuple(rows),
        caption="ECE of the probability of one certainty against how often the gold has it, "
        "bins of equal mass.",
        signature=_signature(analysis, "ece-by-certainty"),
        keys=tuple(colour(each.place) for each in judged),
    )


def observations(analysis: Analysis, judged: list[Judged]) -> Table:
    """The same scores per observation."""
    columns = [Column("Observation")]
    for each in judged:
        columns += [
            Column("ECE", "score", group=each.title, colour=colour(each.place)),
            Column("by chance", "score", group=each.title),
            Column("Brier", "score", group=each.title),
            Column("NLL", "score", group=each.title),
        ]
        if each.temperature is not None and each.temperature.per == "observation":
            columns.append(Column("T", "score", group=each.title))
    rows: list[tuple[Value, ...]] = []
    for index, observation in enumerate(analysis.comparison.observations):
        row: list[Value] = [observation]
        for each in judged:
            row += _of_observation(analysis, each, index)
        rows.append(tuple(row))
    return Table(
        name="calibration-observations",
        title="Calibration per observation",
        columns=tuple(columns),
        rows=tuple(rows),
        caption="ECE over bins of equal mass.",
        signature=_signature(analysis, "calibration"),
    )


def _of_observation(analysis: Analysis, each: Judged, index: int) -> list[Value]:
    part = index + 1
    known = bool(each.found.decisions[part])
    row: list[Value] = [
        estimate(analysis, each.found.ece["mass"], part),
        float(each.found.by_chance["mass"][part]) if known else None,
        estimate(analysis, each.found.brier, part),
        estimate(analysis, each.found.nll, part),
    ]
    if each.temperature is not None and each.temperature.per == "observation":
        row.append(float(each.temperature.values[index]))
    return row


def bins(judged: list[Judged]) -> Table:
    """Every bin of every diagram, for the CSV file."""
    rows: list[tuple[Value, ...]] = []
    for each in judged:
        for key, kinds in each.found.diagrams.items():
            for kind in KINDS:
                d = kinds[kind]
                for k, count in enumerate(d.decisions):
                    share = Estimate(float(d.share[k]), float(d.low[k]), float(d.high[k]))
                    borders = float(d.left[k]), float(d.right[k])
                    middle = float(d.confidence[k])
                    rows.append((each.title, key, kind, *borders, int(count), middle, share))
    return Table(
        name="calibration-bins",
        title="Bins of the reliability diagrams",
        columns=(
            *(Column(n) for n in ("labeler", "probability of", "bins")),
            Column("above", "score"),
            Column("up to", "score"),
            Column("decisions", "count"),
            Column("mean probability", "score"),
            Column("share", "score"),
        ),
        rows=tuple(rows),
    )
