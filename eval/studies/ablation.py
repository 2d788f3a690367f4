"""The page's section on an ablation: do similar reports help, by which method, how many?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from eval.kinds.certainty.analysis import Analysis
from eval.page.figures import Drawing, both_widths
from eval.page.section import Section
from eval.page.tables import Column, Table, Value
from eval.page.verdict import percent
from eval.stats.tested import Estimate
from eval.studies.ablation_cells import Run, methods_of
from eval.studies.ablation_plot import Line, ablation_plot
from eval.studies.ablation_prose import comparisons, methods_text, notes, statements
from eval.studies.ablation_rows import Row, cell_rows

SECTION = "ablation"
_LEAD = (
    "Do similar reports help? Each cell labels the same reports with k neighbours from an index: "
    "their texts in the prompt (context), texts and labels as worked examples (few-shot), or "
    "neighbours that vote with their labels, without the model (knn). The difference is that to "
    "labeling without neighbours."
)


def ablation_section(analysis: Analysis, runs: Sequence[Run]) -> Section:
    """Table, figure and a sentence per method.

    Args:
        analysis: of the cells by name, with the one without neighbours as reference.
        runs: the cells' runs, the one without neighbours first.

    Raises:
        InputError: a predictions file cannot be read.
    """
    rows = cell_rows(analysis, runs)
    return Section(
        id=SECTION,
        title="Ablation",
        lead=_LEAD,
        statements=tuple(statements(analysis, rows)),
        notes=tuple(notes(rows)),
        figures=(_figure(analysis, rows),),
        tables=(_table(analysis, rows),),
        methods=methods_text(analysis, rows),
        numbers={row.cell.name: _numbers(row) for row in rows},
    )


def _figure(analysis: Analysis, rows: Sequence[Row]) -> Drawing:
    lines = [
        Line(
            method,
            tuple((row.cell.k, row.score) for row in rows if row.cell.method == method),
        )
        for method in methods_of(row.cell for row in rows)
    ]
    level = percent(analysis.tests.settings.level)
    return both_widths(
        partial(ablation_plot, lines, level=rows[0].score, score=analysis.short),
        caption=f"Mean {analysis.short} by number of neighbours, with {level} intervals. Grey: no "
        "neighbours, its interval as a band. Overlapping intervals do not mean that there is no "
        "difference: the tests in the table are paired.",
    )


def _table(analysis: Analysis, rows: Sequence[Row]) -> Table:
    mean, against = "Mean over observations", "Against k = 0"
    columns: list[tuple[Column, list[Value]]] = [
        (Column("Method"), [row.cell.method for row in rows]),
        (Column("k", "count"), [row.cell.k for row in rows]),
        (Column(analysis.short, "score", group=mean), [row.score for row in rows]),
        (Column("F1 of positive", "score", group=mean), [row.macro for row in rows]),
        (Column("F1 of positive", "score", group="Pooled"), [row.micro for row in rows]),
        (Column("difference", "delta", group=against), [row.change for row in rows]),
        (Column("p, Holm", "p", group=against), [row.p for row in rows]),
        (Column("result", "text", group=against), [row.outcome for row in rows]),
        (Column("Neighbours per report", "tenth"), [row.shown for row in rows]),
        (Column("Reports per second", "tenth"), [row.run.rate for row in rows]),
    ]
    if analysis.metric == "macro_f1_positive":
        del columns[3]  # it is the metric itself
    return Table(
        name=SECTION,
        title="Cells of the ablation",
        columns=tuple(column for column, _ in columns),
        rows=tuple(zip(*(values for _, values in columns), strict=True)),
        caption=f"Difference: the cell minus k = 0. p: paired randomization test, Holm over "
        f"{comparisons(rows)}. Result: higher or lower where test and interval agree; no gain "
        "where a gain of the margin or more is ruled out; else open. Neighbours per report: those "
        "that the index had and the prompt had room for. Reports per second: as each run measured "
        "them, loading not counted.",
        signature=analysis.signature(tests=True),
    )


def _numbers(row: Row) -> dict[str, Any]:
    return {
        "method": row.cell.method,
        "k": row.cell.k,
        "run": row.run.source.path,
        "score": _json(row.score),
        "macro_f1_positive": _json(row.macro),
        "micro_f1_positive": row.micro,
        "difference": _json(row.change),
        "p_holm": row.p,
        "result": row.outcome,
        "neighbours_per_report": row.shown,
        "reports_per_second": row.run.rate,
    }


def _json(mark: Estimate | None) -> dict[str, float | None] | None:
    return None if mark is None else {"value": mark.value, "low": mark.low, "high": mark.high}
