"""The tables of scores: labelers, observations, extraction tasks, confusion."""

from __future__ import annotations

from collections.abc import Sequence

from eval.kinds.certainty.analysis import METRICS, Analysis
from eval.kinds.certainty.scores import TaskScores
from eval.page.plots import colour
from eval.page.tables import Column, Table, Value
from eval.stats.counts import MENTION, TASKS
from eval.stats.tested import Marks
from labelwright.records import Certainty


def labelers(analysis: Analysis) -> Table:
    """One row per labeler: the metric, positive extraction, exact match, failures."""
    c = analysis.comparison
    rows: list[tuple[Value, ...]] = []
    for name in c.names:
        coverage = c.coverage[name]
        failed = len(coverage.missing) * (c.missing == "error") + len(coverage.undetermined)
        rows.append(
            (
                name,
                analysis.mean(name),
                analysis.scores[name].tasks["positive"].micro.f1,
                analysis.scores[name].exact_match,
                failed,
            )
        )
    return Table(
        name="labelers",
        title="Labelers",
        columns=(
            Column("Labeler"),
            Column(f"Mean {analysis.short}", "score"),
            Column("Micro F1 pos.", "score"),
            Column("All right", "percent"),
            Column("No answer", "count"),
        ),
        rows=tuple(rows),
        caption="All right: reports without a single error. No answer: reports whose answer was "
        "missing or left an observation open.",
        signature=analysis.signature(),
        keys=tuple(colour(i) for i in range(len(rows))),
    )


def main(analysis: Analysis) -> Table:
    """The metric of the verdict per observation, with the gold's prevalence."""
    c = analysis.comparison
    marks = [analysis.marks(name, analysis.metric) for name in c.names]
    gold = analysis.scores[analysis.reference].confusion.sum(axis=2)[:, :3]
    rows: list[tuple[Value, ...]] = [
        (name, *(int(n) for n in gold[index]), *(m[index + 1] for m in marks))
        for index, name in enumerate(c.observations)
    ]
    return Table(
        name="scores",
        title=f"{analysis.short[0].upper()}{analysis.short[1:]} per observation",
        columns=(
            Column("Observation"),
            *(Column(short, "count", group="Gold reports") for short in ("pos.", "neg.", "unc.")),
            *_labeler_columns(analysis),
        ),
        rows=tuple(rows),
        foot=("Mean", *(int(n) for n in gold.sum(axis=0)), *(m[0] for m in marks)),
        caption=f"{analysis.definition[0].upper()}{analysis.definition[1:]}.",
        signature=analysis.signature(),
    )


def paper(analysis: Analysis) -> list[Table]:
    """The two tables of Abdullah & Kim 2025: all certainties, positive and negative only."""
    titles = {
        "paper_all": ("all-certainties", "All certainties"),
        "paper_posneg": ("positive-negative", "Positive and negative only"),
    }
    found = []
    for statistic, (name, title) in titles.items():
        marks = {n: analysis.marks(n, statistic) for n in analysis.comparison.names}
        found.append(
            Table(
                name=name,
                title=title,
                columns=(Column("Observation"), *_labeler_columns(analysis)),
                rows=_rows(analysis.comparison.observations, list(marks.values())),
                foot=("Mean", *(m[0] for m in marks.values())),
                caption=f"{METRICS[statistic][1][0].upper()}{METRICS[statistic][1][1:]}.",
                signature=analysis.signature(statistic),
            )
        )
    return found


def tasks(analysis: Analysis) -> list[Table]:
    """Precision, recall and F1 of each extraction task."""
    return [_task(analysis, task) for task in TASKS]


def _task(analysis: Analysis, task: str) -> Table:
    c = analysis.comparison
    columns = [Column("Observation"), Column("gold", "count")]
    for index, name in enumerate(c.names):
        columns += [
            Column("P", "score", group=name, colour=colour(index), compare="P"),
            Column("R", "score", group=name, compare="R"),
            Column("F1", "score", group=name, compare="F1"),
        ]
    by_name = {n: analysis.scores[n].tasks[task] for n in c.names}
    marks = {n: analysis.marks(n, f"macro_f1_{task}") for n in c.names}
    support = next(iter(by_name.values())).support
    rows: list[tuple[Value, ...]] = []
    for index, observation in enumerate(c.observations):
        row: list[Value] = [observation, int(support[index])]
        for name, found in by_name.items():
            row += [*_precision_recall(found, index), marks[name][index + 1]]
        rows.append(tuple(row))
    foot: list[Value] = ["Macro mean", int(support.sum())]
    for name, found in by_name.items():
        foot += [found.macro.precision, found.macro.recall, marks[name][0]]
    title = "Mention (anything but blank)" if task == MENTION else f"Extraction of {task}"
    return Table(
        name=f"extraction-{task}",
        title=title,
        columns=tuple(columns),
        rows=tuple(rows),
        foot=tuple(foot),
        caption="Precision, recall and F1 with its interval.",
        signature=analysis.signature(f"macro_f1_{task}"),
    )


def _precision_recall(found: TaskScores, index: int) -> tuple[Value, Value]:
    applies = bool(found.applicable[index])
    return (
        float(found.precision[index]) if applies and found.predicted[index] else None,
        float(found.recall[index]) if applies and found.support[index] else None,
    )


def confusion(analysis: Analysis) -> Table:
    """Every confusion count in long form, for the CSV file."""
    words = [c.value for c in Certainty]
    rows: list[tuple[Value, ...]] = []
    for name, scores in analysis.scores.items():
        for index, observation in enumerate(analysis.comparison.observations):
            for g, gold in enumerate(words):
                for a, answer in enumerate([*words, "none"]):
                    count = int(scores.confusion[index, g, a])
                    rows.append((name, observation, gold, answer, count))
    return Table(
        name="confusion",
        title="Confusion",
        columns=(
            *(Column(n) for n in ("labeler", "observation", "gold", "answer")),
            Column("reports", "count"),
        ),
        rows=tuple(rows),
    )


def _labeler_columns(analysis: Analysis) -> list[Column]:
    return [
        Column(name, "score", colour=colour(i), compare="score")
        for i, name in enumerate(analysis.comparison.names)
    ]


def _rows(names: Sequence[str], marks: Sequence[Marks]) -> tuple[tuple[Value, ...], ...]:
    return tuple((name, *(m[i + 1] for m in marks)) for i, name in enumerate(names))
