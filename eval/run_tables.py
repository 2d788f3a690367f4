"""The tables of runs: answers and failures, problems, the flow of reports."""

from __future__ import annotations

from collections.abc import Sequence

from eval.analysis import Analysis
from eval.plots import colour
from eval.provenance import Source
from eval.tables import Column, Table
from eval.tested import Tested


def failures(analysis: Analysis) -> Table:
    """What each labeler left unanswered."""
    c = analysis.comparison
    rows = tuple(
        (
            name,
            coverage.rows,
            len(coverage.missing),
            len(coverage.undetermined),
            coverage.undetermined_cells,
            coverage.extra,
            coverage.read_as_blank,
        )
        for name, coverage in c.coverage.items()
    )
    return Table(
        name="failures",
        title="Answers",
        columns=(
            Column("Labeler"),
            Column("predictions", "count"),
            Column("missing", "count"),
            Column("with open observations", "count"),
            Column("open observations", "count"),
            Column("without gold", "count"),
            Column("negatives read as blank", "count"),
        ),
        rows=rows,
        caption="Predictions without gold are ignored; negatives are read as blank where the "
        "observation can only be positive or blank.",
        keys=tuple(colour(i) for i in range(len(rows))),
    )


def problems(analysis: Tested) -> Table:
    """Problems that the labelers' own rows name, by kind."""
    found = analysis.comparison.coverage
    kinds = sorted({kind for coverage in found.values() for kind in coverage.problems})
    return Table(
        name="problems",
        title="Problems named in the predictions",
        columns=(Column("Problem"), *(Column(name, "count") for name in found)),
        rows=tuple(
            (kind, *(coverage.problems.get(kind, 0) for coverage in found.values()))
            for kind in kinds
        ),
        caption="Reports with at least one problem of the kind.",
    )


def flow(analysis: Tested, sources: Sequence[Source]) -> Table:
    """From input rows to scored reports, one row per labeler."""
    c = analysis.comparison
    rows = []
    for source in sources:
        coverage, counts = c.coverage[source.name], source.counts
        rows.append(
            (
                source.name,
                *(_count(counts.get(key)) for key in ("rows", "labeled", "rejected")),
                coverage.rows,
                coverage.rows - coverage.extra,
                len(coverage.missing),
                len(c.ids),
            )
        )
    return Table(
        name="flow",
        title="Flow of reports",
        columns=(
            Column("Labeler"),
            *(Column(n, "count", group="Labeling run") for n in ("rows", "labeled", "rejected")),
            Column("rows", "count", group="Prediction file"),
            Column("with gold", "count", group="Prediction file"),
            Column("missing", "count", group="Scored"),
            Column("reports", "count", group="Scored"),
        ),
        rows=tuple(rows),
        caption="A rejected row whose answer leaves observations open stays in the prediction "
        "file. A dash: the run left no manifest.",
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None
