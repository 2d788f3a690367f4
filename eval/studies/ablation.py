"""An ablation of similar reports: the cells' scores, their differences to k = 0, in sentences.

The figure of an ablation: the score over the number of neighbours, a line per method.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from eval.kinds.certainty.scores import Analysis
from eval.page.contents import Section, unbroken
from eval.page.figures import Drawing, both_widths
from eval.page.plots import WIDE, Axis, colour, legend, signed
from eval.page.svg import Canvas, shorten
from eval.page.tables import Column, Table, Value, p_equals
from eval.page.verdict import outcome, percent, sample, span_words
from eval.stats.estimates import Estimate
from eval.stats.significance import Pair
from eval.studies.ablation_cells import KNN, WITHOUT, Cell, Run, methods_of

STEPS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)
MOST_TICKS = 7


@dataclass(frozen=True, slots=True)
class Line:
    """One method: its scores by number of neighbours, in ascending order."""

    name: str
    points: tuple[tuple[int, Estimate], ...]


def ablation_plot(
    lines: Sequence[Line], *, level: Estimate, score: str, width: int = WIDE
) -> Canvas:
    """Scores upwards, the numbers of neighbours across, evenly spaced whatever they are.

    Args:
        level: the score without neighbours; its interval is a band over the whole width.
        score: the score's short name.
    """
    left, right, tall, foot = 44, 14, 220, 40
    names = [line.name for line in lines]
    head = 44
    canvas = Canvas(width, head + tall + foot, label=_spoken(lines, level, score))
    numbers = sorted({0, *(k for line in lines for k, _ in line.points)})
    wide = (width - left - right) / len(numbers)
    across = {k: left + (place + 0.5) * wide for place, k in enumerate(numbers)}
    marks = [level, *(mark for line in lines for _, mark in line.points)]
    upwards = score_axis(marks, bottom=head + tall, top=head)
    legend(canvas, left, 13, names, start=0)
    canvas.text(0, 33, shorten(f"mean {score}", width - 4, 11.5), "t small", tip=f"mean {score}")
    end = width - right
    if level.low is not None and level.high is not None:
        high, low = upwards.at(level.high), upwards.at(level.low)
        canvas.rect(left, high, end - left, low - high, "band", tip=_tip("no neighbours", level))
    for tick in upwards.ticks:
        canvas.line(left, upwards.at(tick), end, upwards.at(tick), "grid")
        canvas.text(left - 6, upwards.at(tick) + 4, _plain(tick, upwards), "t tick end")
    canvas.line(left, head + tall, end, head + tall, "zero")
    for k in numbers:
        canvas.text(across[k], head + tall + 16, f"{k}", "t tick middle")
    canvas.text((left + end) / 2, head + tall + 33, "neighbours (k)", "t small middle")
    canvas.line(left, upwards.at(level.value), end, upwards.at(level.value), "wish")
    _mark(canvas, (across[0], upwards), level, "even", 0, "no neighbours")
    aside = min(9.0, wide / (len(lines) + 1))
    for place, line in enumerate(lines):
        shift = aside * (place - (len(lines) - 1) / 2)
        at = [(across[k] + shift, mark) for k, mark in line.points]
        canvas.curve([(x, upwards.at(mark.value)) for x, mark in at], colour(place))
        for (x, mark), (k, _) in zip(at, line.points, strict=True):
            name = f"{line.name}, k = {k}"
            _mark(canvas, (x, upwards), mark, colour(place), place, name)
    return canvas


def score_axis(marks: Sequence[Estimate], *, bottom: float, top: float) -> Axis:
    """An axis upwards that holds every interval and no more than it must, with round ticks."""
    values = [v for mark in marks for v in (mark.value, mark.low, mark.high) if v is not None]
    low, high = min(values), max(values)
    if high - low < STEPS[0]:
        low, high = low - STEPS[0], high + STEPS[0]
    for step in STEPS:
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first < MOST_TICKS:
            break
    ticks = tuple(round(i * step, 6) for i in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], bottom, top, ticks)


def _mark(
    canvas: Canvas,
    place: tuple[float, Axis],
    mark: Estimate,
    css: str,
    shape: int,
    name: str,
) -> None:
    x, upwards = place
    if mark.low is not None and mark.high is not None:
        canvas.line(x, upwards.at(mark.low), x, upwards.at(mark.high), f"whisker {css}")
    canvas.mark(shape, x, upwards.at(mark.value), css, tip=_tip(name, mark))


def _tip(name: str, mark: Estimate) -> str:
    if mark.low is None or mark.high is None:
        return f"{name}: {mark.value:.3f}"
    return f"{name}: {mark.value:.3f} [{mark.low:.3f}, {mark.high:.3f}]"


def _plain(tick: float, axis: Axis) -> str:
    digits = 3 if len(axis.ticks) > 1 and axis.ticks[1] - axis.ticks[0] < 0.01 else 2
    return f"{tick:.{digits}f}".replace("-", "−")


def _spoken(lines: Sequence[Line], level: Estimate, score: str) -> str:
    parts = [
        f"{line.name} {', '.join(f'{mark.value:.3f} with {k}' for k, mark in line.points)}"
        for line in lines
    ]
    return f"Mean {score} by number of neighbours: {level.value:.3f} without; {'; '.join(parts)}."


SECTION = "ablation"
_LEAD = (
    "Do similar reports help? Each cell labels the same reports with k neighbours from an index: "
    "their texts in the prompt (context), texts and labels as worked examples (few-shot), or "
    "neighbours that vote with their labels, without the model (knn). The difference is that to "
    "labeling without neighbours."
)
_SHARED = (
    ("index_sha256", "The cells took their neighbours from different indexes"),
    ("split", "The cells took their neighbours from different splits of the index"),
    ("most_similar", "The cells left out very similar reports by different limits"),
    ("words", "The cells gave their neighbours different room in the prompt"),
)
"""What a run records of its neighbours that should be the same in every cell."""
FEWER = 0.05
"""Cells that lack this many neighbours per report are worth a note."""

Outcome = Literal["higher", "lower", "no gain", "open"]
OUTCOMES: tuple[Outcome, ...] = ("higher", "lower", "no gain", "open")
"""``no gain``: no difference is shown, and a gain of the margin or more is ruled out; ``open``:
neither."""


@dataclass(frozen=True, eq=False)
class CellResult:
    """One cell's results.

    Attributes:
        change: its score minus that without neighbours; ``None`` for the latter.
        p: of the change, Holm-adjusted over all cells; ``None`` where there is no test.
        shown: neighbours per labeled report.
    """

    run: Run
    score: Estimate
    macro: Estimate | None
    micro: float
    change: Estimate | None
    p: float | None
    outcome: Outcome | None
    shown: float | None

    @property
    def cell(self) -> Cell:
        """Method and number of neighbours."""
        return self.run.cell


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


def _figure(analysis: Analysis, rows: Sequence[CellResult]) -> Drawing:
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


def _table(analysis: Analysis, rows: Sequence[CellResult]) -> Table:
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


def _numbers(row: CellResult) -> dict[str, Any]:
    return {
        "method": row.cell.method,
        "k": row.cell.k,
        "run": row.run.source.path,
        "score": row.score.to_json(),
        "macro_f1_positive": row.macro and row.macro.to_json(),
        "micro_f1_positive": row.micro,
        "difference": row.change and row.change.to_json(),
        "p_holm": row.p,
        "result": row.outcome,
        "neighbours_per_report": row.shown,
        "reports_per_second": row.run.rate,
    }


# Cells


def cell_rows(analysis: Analysis, runs: Sequence[Run]) -> list[CellResult]:
    """One row per run, in their order.

    Args:
        analysis: of the cells by name, with the one without neighbours as reference.

    Raises:
        InputError: a predictions file cannot be read.
    """
    return [_row(analysis, run) for run in runs]


def _row(analysis: Analysis, run: Run) -> CellResult:
    name = run.cell.name
    scores = analysis.scores[name].tasks["positive"]
    pair = next((p for p in analysis.pairs if p.b == name), None)
    tested = pair is not None and analysis.enough and analysis.measurable
    return CellResult(
        run=run,
        score=analysis.mean(name),
        macro=analysis.marks(name, "macro_f1_positive")[0],
        micro=scores.micro.f1,
        change=None if pair is None else _turned(analysis.change(pair)),
        p=analysis.p(pair) if pair is not None and tested else None,
        outcome=None if pair is None else _outcome(analysis, pair),
        shown=run.shown(),
    )


def _outcome(analysis: Analysis, pair: Pair) -> Outcome:
    """What is shown of a cell; the pair is the reference against it."""
    if not (analysis.enough and analysis.measurable):
        return "open"
    found = outcome(analysis, pair)
    if found != "open":
        return "lower" if found == "better" else "higher"
    test = analysis.equivalence(pair)
    if test is None or not test.noninferior:
        return "open"
    # The test is one-sided, its interval narrower than the one shown; no claim against that one.
    gain = _turned(analysis.change(pair)).high
    return "no gain" if gain is not None and gain < test.margin else "open"


def _turned(mark: Estimate) -> Estimate:
    """The difference the other way round."""
    if mark.low is None or mark.high is None:
        return Estimate(-mark.value)
    return Estimate(-mark.value, -mark.high, -mark.low)


# Sentences


def statements(analysis: Analysis, rows: Sequence[CellResult]) -> list[str]:
    """One sentence per method: it helps, does not help, or cannot be told, and on what grounds."""
    if not analysis.measurable:
        return [
            f"Nothing can be said of neighbours: the mean {analysis.short} is not defined, since "
            "the gold has no case that it is about."
        ]
    found = []
    for method in methods_of(row.cell for row in rows):
        own = [row for row in rows if row.cell.method == method]
        clauses = [
            clause
            for outcome in OUTCOMES
            if (clause := _clause(analysis, outcome, [r for r in own if r.outcome == outcome]))
        ]
        found.append(
            unbroken(
                f"{_claim(method, {row.outcome for row in own})}: against k\u00a0=\u00a00, on "
                f"{sample(analysis)}, the mean {analysis.short} {'; it '.join(clauses)}."
            )
        )
    return found


def _claim(method: str, found: set[Outcome | None]) -> str:
    """Only what every cell of the method bears out."""
    votes = method == KNN
    if "higher" in found and "lower" in found:
        if votes:
            return "Votes (knn) do better with some k and worse with others"
        return f"Showing {method} neighbours helps with some k and harms with others"
    if "higher" in found:
        return "Votes (knn) do better" if votes else f"Showing {method} neighbours helps"
    if "open" in found:
        what = "votes (knn) do better" if votes else f"showing {method} neighbours helps"
        return f"Whether {what} cannot be told"
    if found == {"lower"}:
        return "Votes (knn) do worse" if votes else f"Showing {method} neighbours harms"
    return "Votes (knn) do no better" if votes else f"Showing {method} neighbours does not help"


def _clause(analysis: Analysis, outcome: Outcome, rows: Sequence[CellResult]) -> str:
    if not rows:
        return ""
    margin = analysis.tests.settings.margin or 0.0
    claim = {
        "higher": "is higher with",
        "lower": "is lower with",
        "no gain": f"does not gain {margin:g} or more with",
        "open": "shows no difference with",
    }[outcome]
    return f"{claim} {', '.join(_cell(analysis, row) for row in rows)}"


def _cell(analysis: Analysis, row: CellResult) -> str:
    """``k = 3 (+0.031, 95 % CI +0.010 to +0.052, p = 0.004)``."""
    mark = row.change or Estimate(0.0)
    numbers = [signed(mark.value)]
    # Where no resample moves the difference, an interval of one point would claim too much.
    if mark.low != mark.high:
        numbers.append(span_words(mark, analysis.tests.settings.level))
    if row.p is not None:
        numbers.append(p_equals(row.p))
    return f"k\u00a0= {row.cell.k} ({', '.join(part for part in numbers if part)})"


def comparisons(rows: Sequence[CellResult]) -> str:
    """``6 comparisons with k = 0``."""
    count = len(rows) - 1
    return f"{count} comparison{'' if count == 1 else 's'} with k = 0"


def notes(rows: Sequence[CellResult]) -> list[str]:
    """What differs between the cells besides neighbours, and what the numbers are not."""
    runs = [row.run for row in rows]
    found = _models(runs)
    for key, finding in _SHARED:
        if len({str(run.facts[key]) for run in runs if key in run.facts}) > 1:
            found.append(f"{finding}, so not only method and k differ.")
    read = {str(run.options["sections"]) for run in runs if "sections" in run.options}
    if len(read) > 1:
        found.append(
            f"The cells read different sections of the reports: {', '.join(sorted(read))}."
        )
    found += [
        f"{run.cell.name}: so named on the command line; its manifest says {run.recorded.name}."
        for run in runs
        if run.recorded is not None and run.recorded != run.cell
    ]
    if any(row.shown is not None and row.cell.k - row.shown >= FEWER for row in rows):
        found.append("Some reports had fewer than k neighbours; the table says how many they had.")
    if len(rows) > 2:
        found.append(
            "The best of several cells looks better on these reports than it is: choose method and "
            "k on validation reports, then report that cell on test reports."
        )
    return found


def _models(runs: Sequence[Run]) -> list[str]:
    """Whether one model served with and without neighbours, or a cell had its own."""
    known = {run.cell: run.source.labeler.get("model_sha256") for run in runs}
    base = known.pop(WITHOUT, None)
    found = []
    if same := [c.name for c, digest in known.items() if base is not None and digest == base]:
        found.append(
            f"{', '.join(same)}: labeled by the same model as k = 0. A model does best on prompts "
            "like those of its training, so this shows what neighbours do to this model, not what "
            "they do for one that was trained with them."
        )
    if other := [c.name for c, digest in known.items() if digest is not None and digest != base]:
        found.append(
            f"{', '.join(other)}: labeled by another model than k = 0, so the difference is that "
            "of neighbours and training together, chance of a single training run included."
        )
    return found


def methods_text(analysis: Analysis, rows: Sequence[CellResult]) -> str:
    """A sentence for the methods section of a paper."""
    named = ", ".join(methods_of(row.cell for row in rows))
    unit = "patients" if analysis.tests.clustered else "reports"
    return (
        f"Labeling with similar reports ({named}; k as in the table) was compared with labeling "
        f"without (k = 0) by paired randomization tests over {unit}, Holm-adjusted over "
        f"{comparisons(rows)}."
    )
