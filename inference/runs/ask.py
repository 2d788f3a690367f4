"""Ask a labeler for a block of reports; where memory does not do, for halves of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from inference.decode.memory import free_memory, out_of_memory
from labelwright.errors import LabelwrightError
from labelwright.labelers.base import ReportLabeler
from labelwright.records import Prediction, Reject, Report

Result = Prediction | Reject

HALVED = "out of memory: labeled in a smaller block"
"""Note of a prediction that came only when its block was halved."""
ALONE = "out of memory, even alone"
"""Reason of a report that the memory does not do for although it does for others."""


def ask(labeler: ReportLabeler, reports: Sequence[Report], rows: str) -> list[Result]:
    """One result per report, in order.

    A block that the memory does not do for is halved until it does; the predictions bear the
    note :data:`HALVED`, and a report that does not pass even alone is rejected.

    Args:
        rows: where the reports stand, for messages, e.g. ``rows 1 to 32``.

    Raises:
        LabelwrightError: the labeler failed, or not one report passed; never shows text.
    """
    results = _answers(labeler, reports, rows)
    if all(isinstance(result, Reject) and result.reason == ALONE for result in results):
        raise _failed(labeler, rows, "lack of memory", "with a smaller --batch-size")
    return results


def memory_shaped(result: Result) -> bool:
    """Whether lack of memory left its mark on a result, so that another try may be better."""
    if isinstance(result, Reject):
        return result.reason == ALONE
    return HALVED in result.notes


def _answers(labeler: ReportLabeler, reports: Sequence[Report], rows: str) -> list[Result]:
    try:
        answers = list(labeler.label_reports(reports))
    except LabelwrightError:
        raise
    except Exception as error:  # its message may quote a report: only its type is shown
        if not out_of_memory(error):
            raise _failed(labeler, rows, type(error).__name__) from error
    else:
        if [answer.id for answer in answers] != [report.id for report in reports]:
            raise LabelwrightError(
                f"{labeler.name} did not answer every report of {rows} once and in order",
                remedy="fix the labeler: label_reports returns one result per report",
            )
        return answers
    free_memory()  # only here is the error gone, and with it what its frames held
    if len(reports) == 1:
        return [Reject(reports[0].id, reports[0].source, reports[0].row, ALONE)]
    middle = len(reports) // 2
    halves = _answers(labeler, reports[:middle], rows) + _answers(labeler, reports[middle:], rows)
    return [_noted(result) for result in halves]


def _noted(result: Result) -> Result:
    if isinstance(result, Reject) or HALVED in result.notes:
        return result
    return replace(result, notes=(*result.notes, HALVED))


def _failed(
    labeler: ReportLabeler, rows: str, what: str, again: str | None = None
) -> LabelwrightError:
    return LabelwrightError(
        f"{labeler.name} failed on {rows} with {what}",
        remedy=f"run the same command again {again}"
        if again
        else "finished rows are kept; --debug shows where (it may show report text)",
    )
