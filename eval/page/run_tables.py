"""The tables of runs: answers and failures, problems, the flow of reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from eval.kinds.certainty.analysis import Analysis
from eval.kinds.certainty.load import Coverage
from eval.page.plots import colour
from eval.page.provenance import Source
from eval.page.tables import Column, Table
from eval.stats.tested import Tested


def failures(analysis: Analysis) -> Table:
    """What each labeler left unanswered."""
    return answers(
        analysis,
        {
            "predictions": lambda _, c: c.rows,
            "missing": lambda _, c: len(c.missing),
            "with open observations": lambda _, c: len(c.undetermined),
            "open observations": lambda _, c: c.undetermined_cells,
            "without gold": lambda _, c: c.extra,
            "negatives read as blank": lambda _, c: c.read_as_blank,
        },
        caption="Predictions without gold are ignored; negatives are read as blank where the "
        "observation can only be positive or blank.",
    )


def answers(
    analysis: Tested, columns: Mapping[str, Callable[[str, Coverage], int | None]], *, caption: str
) -> Table:
    """The table of answers of any task, one row per labeler.

    Args:
        columns: what is counted by heading, from a labeler's name and coverage.
    """
    found = analysis.comparison.coverage
    return Table(
        name="failures",
        title="Answers",
        columns=(Column("Labeler"), *(Column(heading, "count") for heading in columns)),
        rows=tuple(
            (name, *(count(name, coverage) for count in columns.values()))
            for name, coverage in found.items()
        ),
        caption=caption,
        keys=tuple(colour(i) for i in range(len(found))),
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
