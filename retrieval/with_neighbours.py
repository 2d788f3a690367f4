"""Any labeler of reports, shown similar reports before each report that it labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from labelwright.labelers.base import TOO_LONG, Ask, LedLabeler, Wrapping, key_of_one
from labelwright.records import Prediction, Reject, Report
from retrieval.augment import Augmenter, Lead


@runtime_checkable
class Measures(Protocol):
    """A labeler that can say beforehand whether a prompt fits into its context whole."""

    def fits(self, asks: Sequence[Ask]) -> list[bool]:
        """One answer each."""
        ...


class WithNeighbours(Wrapping):
    """Shows neighbours before every report and lets another labeler answer.

    A prompt that is too long is tried with fewer neighbours, at last with none, so that no
    report is lost to its neighbours. They stand beside the report, not in it: what is said is said
    of the report alone.

    It implements :class:`labelwright.labelers.base.ReportLabeler`.
    """

    def __init__(self, inner: LedLabeler, augmenter: Augmenter) -> None:
        super().__init__(inner)
        self._inner = inner
        self._augmenter = augmenter

    def describe(self) -> Mapping[str, Any]:
        """The inner labeler's facts and those of the neighbours."""
        return {**self._labeler.describe(), "neighbours": self._augmenter.describe()}

    def key(self, report: Report) -> bytes:
        """Equal texts have different neighbours where id or patient differ."""
        return key_of_one(report)

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """One result per report, in order."""
        able = [index for index, report in enumerate(reports) if report.text.strip()]
        shown = dict(zip(able, self._augmenter.show([reports[i] for i in able]), strict=True))
        empty = Lead(("",), (), ())
        each = [shown.get(index, empty) for index in range(len(reports))]
        level = self._levels(reports, each)
        results: list[Prediction | Reject | None] = [None] * len(reports)
        open_ = list(range(len(reports)))
        while open_:
            leads = [each[index].leads[level[index]] for index in open_]
            asked = self._inner.label_led([reports[index] for index in open_], leads)
            again = []
            for index, result in zip(open_, asked, strict=True):
                more = level[index] + 1 < len(each[index].leads)
                if isinstance(result, Reject) and result.reason.startswith(TOO_LONG) and more:
                    level[index] += 1
                    again.append(index)
                    continue
                results[index] = self._own(each[index], level[index], result)
            open_ = again
        return [result for result in results if result is not None]

    def _levels(self, reports: Sequence[Report], each: Sequence[Lead]) -> list[int]:
        """With how many neighbours left out each prompt fits, where the labeler can tell."""
        level = [0] * len(reports)
        if not isinstance(self._labeler, Measures):
            return level
        open_ = [index for index, shown in enumerate(each) if len(shown.leads) > 1]
        while open_:
            fit = self._labeler.fits([Ask(reports[i].text, each[i].leads[level[i]]) for i in open_])
            for index, fits in zip(open_, fit, strict=True):
                level[index] += not fits
            open_ = [
                index
                for index, fits in zip(open_, fit, strict=True)
                if not fits and level[index] + 1 < len(each[index].leads)
            ]
        return level

    def _own(self, shown: Lead, level: int, result: Prediction | Reject) -> Prediction | Reject:
        if isinstance(result, Reject):
            return result
        notes = (*result.notes, *shown.notes)
        if level:
            notes = (*notes, f"neighbours left out, the prompt is too long: {level}")
        return replace(result, notes=notes)
