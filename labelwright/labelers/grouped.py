"""A labeler that asks for parts of the answer one by one: a group of fields at a time.

Prompts name the group's fields alone and answers are short, so that small models lose no field of
many; the text is read once per group. What the parts say is one answer, and what lies between
parts is looked at in the whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from labelwright.labelers.base import ReportLabeler, Wrapping
from labelwright.labelers.narrowed import cut_to
from labelwright.labelers.normalising import back
from labelwright.records import Answer, Prediction, Reject, Report
from labelwright.tasks import kind_of
from labelwright.tasks.base import Part


class Grouped(Wrapping):
    """Implements :class:`labelwright.labelers.base.ReportLabeler`.

    Args:
        labeler: of the whole label set; only described.
        parts: one for each of the kind's ``asked_apart``, in that order.
    """

    def __init__(self, labeler: ReportLabeler, parts: Sequence[ReportLabeler]) -> None:
        super().__init__(labeler)
        self._kind = kind_of(labeler.label_set)
        self._parts = parts

    def describe(self) -> Mapping[str, Any]:
        """The labeler's, and that it asks group by group."""
        return {**self._labeler.describe(), "asked_apart": len(self._parts)}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """One result per report; a report that one part rejects is rejected."""
        every = [self._asked(part, reports) for part in self._parts]
        return [self._whole(report, said) for report, *said in zip(reports, *every, strict=True)]

    def _asked(self, part: ReportLabeler, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """What a part says of the passages that are its own, at their places in the text."""
        passages = [self._kind.read_in(part.label_set, report.text) for report in reports]
        pairs = [
            (report, None) if list(kept) == [(0, len(report.text))] else cut_to(report, kept)
            for report, kept in zip(reports, passages, strict=True)
        ]
        results = part.label_reports([narrow for narrow, _ in pairs])
        return [
            result if edited is None or isinstance(result, Reject) else back(result, edited)
            for result, (_, edited) in zip(results, pairs, strict=True)
        ]

    def _whole(self, report: Report, said: Sequence[Prediction | Reject]) -> Prediction | Reject:
        found = [one for one in said if isinstance(one, Prediction)]
        if len(found) < len(said):
            reasons = dict.fromkeys(one.reason for one in said if isinstance(one, Reject))
            return Reject(report.id, report.source, report.row, "; ".join(reasons))
        place = ((0, len(report.text)),)
        told = [Part(place, _answer(one)) for one in found]
        whole = self._kind.merge(self.label_set, told, length=len(report.text))
        usage: Counter[str] = Counter()
        for one in found:
            usage.update(one.usage or {})
        spent = replace(
            whole, seconds=sum(one.seconds or 0.0 for one in found), usage=dict(usage) or None
        )
        return Prediction.of(report, spent, model=self.name, task=self.label_set.task)


def _answer(one: Prediction) -> Answer:
    """What a part answers, without whose it is; places are those of the whole text."""
    return Answer(value=one.value, raw=one.raw, problems=one.problems, notes=one.notes)
