"""Tables with a row or a column per labeler, whatever the kind: scores, answers, reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from eval.page.plots import colour, colours
from eval.page.tables import Column, Table, Value, sentence
from eval.read.aligned import Coverage
from eval.read.provenance import Source
from eval.stats.tested import Marks, Tested

Filled = tuple[Column, Sequence[Value]]
"""A column with its values, that of the last row (all parts together) included."""
P, R, F1 = (Column(name, "score", compare=name) for name in ("P", "R", "F1"))
"""Precision, recall and F1 of a labeler; the best of each is bold."""


def scores_per_part(
    analysis: Tested,
    name: str,
    title: str,
    statistic: str,
    *,
    before: Sequence[Filled] = (),
    foot: str,
    **more: Any,
) -> Table:
    """A statistic per part and labeler with intervals, over all parts in the last row.

    Args:
        before: further columns, in front of the labelers'.
        foot: name of the last row; ``more``: further fields of the table.
    """
    scores = [
        (
            Column(labeler, "score", colour=colour(place), compare="score"),
            whole_last(analysis.marks(labeler, statistic)),
        )
        for place, labeler in enumerate(analysis.comparison.names)
    ]
    parts = (Column(sentence(analysis.unit[0])), [*analysis.parts, foot])
    return Table.of_columns(name, title, [parts, *before, *scores], foot=True, **more)


def per_labeler(
    analysis: Tested,
    name: str,
    title: str,
    before: Sequence[Filled],
    by_labeler: Mapping[str, Sequence[Filled]],
    *,
    foot: bool = True,
    **more: Any,
) -> Table:
    """Several columns of each labeler under its name; with a foot, over all parts at the end."""
    columns = list(before)
    for labeler, filled in by_labeler.items():
        key = colour(analysis.comparison.names.index(labeler))
        for place, (column, values) in enumerate(filled):
            columns.append((replace(column, group=labeler, colour="" if place else key), values))
    return Table.of_columns(name, title, columns, foot=foot, **more)


def whole_last(marks: Marks) -> list[Value]:
    """Scores with the one over all parts at the end."""
    return [*marks[1:], marks[0]]


def without_answer(analysis: Tested) -> list[int]:
    """Per labeler the reports whose answer is missing or leaves something open."""
    c = analysis.comparison
    found = [c.coverage[name] for name in c.names]
    return [len(f.missing) * (c.missing == "error") + len(f.undetermined) for f in found]


def answers(
    analysis: Tested, counts: Mapping[str, Callable[[str, Coverage], int | None]], *, caption: str
) -> Table:
    """What each labeler left unanswered.

    Args:
        counts: by heading, each from a labeler's name and coverage.
    """
    found = analysis.comparison.coverage
    return Table.of_columns(
        "failures",
        "Answers",
        [
            (Column("Labeler"), list(found)),
            *(
                (Column(heading, "count"), [count(*each) for each in found.items()])
                for heading, count in counts.items()
            ),
        ],
        caption=caption,
        keys=colours(len(found)),
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
