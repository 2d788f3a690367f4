"""What an ablation found, cell by cell: scores, differences to k = 0 with their tests, speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from eval.kinds.certainty.analysis import Analysis
from eval.page.verdict import outcome
from eval.stats.significance import Pair
from eval.stats.tested import Estimate
from eval.studies.ablation_cells import Cell, Run

Outcome = Literal["higher", "lower", "no gain", "open"]
OUTCOMES: tuple[Outcome, ...] = ("higher", "lower", "no gain", "open")
"""``no gain``: no difference is shown, and a gain of the margin or more is ruled out; ``open``:
neither."""


@dataclass(frozen=True, eq=False)
class Row:
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


def cell_rows(analysis: Analysis, runs: Sequence[Run]) -> list[Row]:
    """One row per run, in their order.

    Args:
        analysis: of the cells by name, with the one without neighbours as reference.

    Raises:
        InputError: a predictions file cannot be read.
    """
    return [_row(analysis, run) for run in runs]


def _row(analysis: Analysis, run: Run) -> Row:
    name = run.cell.name
    scores = analysis.scores[name].tasks["positive"]
    pair = next((p for p in analysis.pairs if p.b == name), None)
    tested = pair is not None and analysis.enough and analysis.measurable
    return Row(
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
