"""An ablation in sentences: what each method does, and what has to be kept in mind."""

from __future__ import annotations

from collections.abc import Sequence

from eval.kinds.certainty.analysis import Analysis
from eval.page.plots import signed
from eval.page.section import unbroken
from eval.page.tables import p_equals
from eval.page.verdict import sample, span_words
from eval.stats.tested import Estimate
from eval.studies.ablation_cells import KNN, WITHOUT, Run, methods_of
from eval.studies.ablation_rows import OUTCOMES, Outcome, Row

_SHARED = (
    ("index_sha256", "The cells took their neighbours from different indexes"),
    ("split", "The cells took their neighbours from different splits of the index"),
    ("most_similar", "The cells left out very similar reports by different limits"),
    ("words", "The cells gave their neighbours different room in the prompt"),
)
"""What a run records of its neighbours that should be the same in every cell."""
FEWER = 0.05
"""Cells that lack this many neighbours per report are worth a note."""


def statements(analysis: Analysis, rows: Sequence[Row]) -> list[str]:
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


def _clause(analysis: Analysis, outcome: Outcome, rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    margin = analysis.tests.settings.margin or 0.0
    words = {
        "higher": "is higher with",
        "lower": "is lower with",
        "no gain": f"does not gain {margin:g} or more with",
        "open": "shows no difference with",
    }[outcome]
    return f"{words} {', '.join(_cell(analysis, row) for row in rows)}"


def _cell(analysis: Analysis, row: Row) -> str:
    """``k = 3 (+0.031, 95 % CI +0.010 to +0.052, p = 0.004)``."""
    mark = row.change or Estimate(0.0)
    numbers = [signed(mark.value)]
    # Where no resample moves the difference, an interval of one point would claim too much.
    if mark.low != mark.high:
        numbers.append(span_words(mark, analysis.tests.settings.level))
    if row.p is not None:
        numbers.append(p_equals(row.p))
    return f"k\u00a0= {row.cell.k} ({', '.join(part for part in numbers if part)})"


def comparisons(rows: Sequence[Row]) -> str:
    """``6 comparisons with k = 0``."""
    count = len(rows) - 1
    return f"{count} comparison{'' if count == 1 else 's'} with k = 0"


def notes(rows: Sequence[Row]) -> list[str]:
    """What differs between the cells besides neighbours, and what the numbers are not."""
    runs = [row.run for row in rows]
    found = _models(runs)
    for key, words in _SHARED:
        if len({str(run.facts[key]) for run in runs if key in run.facts}) > 1:
            found.append(f"{words}, so not only method and k differ.")
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


def methods_text(analysis: Analysis, rows: Sequence[Row]) -> str:
    """A sentence for the methods section of a paper."""
    named = ", ".join(methods_of(row.cell for row in rows))
    unit = "patients" if analysis.tests.clustered else "reports"
    return (
        f"Labeling with similar reports ({named}; k as in the table) was compared with labeling "
        f"without (k = 0) by paired randomization tests over {unit}, Holm-adjusted over "
        f"{comparisons(rows)}."
    )
