"""A labeler whose questions depend on what another labeler finds: attributes of observations.

Side, size and change are asked only of what is there or may be. The other labeler says what that
is, and everything said of what is absent is taken back, with a note.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from labelwright.labelers.base import ReportLabeler, Wrapping
from labelwright.records import Prediction, Reject, Report
from labelwright.tasks import kind_of

UNKNOWN = "observations not known"
"""The problem of a report that the other labeler rejected; what was said of it stays."""


class Dependent(Wrapping):
    """Wraps a labeler; implements :class:`labelwright.labelers.base.ReportLabeler`.

    Args:
        other: a labeler of the label set that the wrapped one's depends on.
    """

    def __init__(self, labeler: ReportLabeler, other: ReportLabeler) -> None:
        super().__init__(labeler)
        self._other = other
        self._kind = kind_of(labeler.label_set)

    def describe(self) -> Mapping[str, Any]:
        """The wrapped labeler's, and the other's."""
        return {**self._labeler.describe(), "depends_on": dict(self._other.describe())}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """The wrapped labeler's results without what is said of absent observations."""
        results = self._labeler.label_reports(reports)
        found = self._other.label_reports(reports)
        return [
            result if isinstance(result, Reject) else self._kept(result, other)
            for result, other in zip(results, found, strict=True)
        ]

    def _kept(self, result: Prediction, other: Prediction | Reject) -> Prediction:
        if result.value is None:
            return result
        if isinstance(other, Reject):
            return replace(result, problems=(*result.problems, UNKNOWN))
        value, notes = self._kind.settle(self.label_set, result.value, other.labels)
        return replace(result, value=value, notes=(*result.notes, *notes))


def dependent(labeler: ReportLabeler, load: Callable[[str], ReportLabeler]) -> ReportLabeler:
    """A labeler beside the one that its label set depends on; itself where it depends on none.

    Args:
        load: gives the labeler of a label set of this name.
    """
    named = kind_of(labeler.label_set).depends_on(labeler.label_set)
    return Dependent(labeler, load(named)) if named else labeler
