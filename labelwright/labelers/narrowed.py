"""A labeler that reads only the sentences in which a tagger found something.

The hybrid way: the tagger marks spans, the labeler is asked about their sentences alone, and what
it says is given at its place in the whole text. What the tagger does not see is lost; a note says
how much of the text was read. Where it finds nothing, the whole text is read; what it rejects is
rejected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from labelwright.labelers.base import ReportLabeler, Wrapping, key_of
from labelwright.labelers.normalising import back
from labelwright.records import Prediction, Reject, Report, Span
from labelwright.text.normalised_text import NormalisedText
from labelwright.text.sections import split_sections
from labelwright.text.sentences import sentence_spans


class Narrowed(Wrapping):
    """Wraps a labeler; implements :class:`labelwright.labelers.base.ReportLabeler`.

    Args:
        tagger: a labeler of entities.
    """

    def __init__(self, labeler: ReportLabeler, tagger: ReportLabeler) -> None:
        super().__init__(labeler)
        self._tagger = tagger

    def describe(self) -> Mapping[str, Any]:
        """The wrapped labeler's, and the tagger's."""
        return {**self._labeler.describe(), "narrowed_by": dict(self._tagger.describe())}

    def key(self, report: Report) -> bytes:
        """The text, and what the wrapped labeler asks of the report besides."""
        own = blake2b(report.text.encode("utf-8", "surrogatepass"), digest_size=16)
        own.update(key_of(self._labeler, report))
        return own.digest()

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """The wrapped labeler's results at their places in the whole texts."""
        tagged = self._tagger.label_reports(reports)
        pairs = [
            _narrow(report, found)
            for report, found in zip(reports, tagged, strict=True)
            if isinstance(found, Prediction)
        ]
        results = self._labeler.label_reports([narrow for narrow, _ in pairs])
        read = iter(zip(results, pairs, strict=True))
        return [
            replace(found, reason=f"tagger: {found.reason}")
            if isinstance(found, Reject)
            else _whole(*next(read), found.seconds or 0.0, len(report.text))
            for report, found in zip(reports, tagged, strict=True)
        ]


def _whole(
    result: Prediction | Reject,
    pair: tuple[Report, NormalisedText | None],
    tagging: float,
    size: int,
) -> Prediction | Reject:
    """What is said of the narrow text at its places in the whole one."""
    if isinstance(result, Reject):
        return result
    narrow, edited = pair
    note = f"read {len(narrow.text)} of {size} characters"
    told = result if edited is None else back(result, edited)
    return replace(told, notes=(*told.notes, note), seconds=(told.seconds or 0.0) + tagging)


def kept_sentences(text: str, spans: Sequence[Span]) -> list[Span]:
    """The sentences that hold a part of a span."""
    kept = []
    order = sorted(spans)
    at = reach = 0
    for start, end in sentence_spans(text):
        while at < len(order) and order[at][0] < end:
            reach = max(reach, order[at][1])
            at += 1
        if reach > start:
            kept.append((start, end))
    return kept


def _narrow(report: Report, found: Prediction) -> tuple[Report, NormalisedText | None]:
    """The report with the sentences of its entities alone; as it is where there are none."""
    entities = found.entities or ()
    kept = kept_sentences(report.text, [span for one in entities for span in one.spans])
    return cut_to(report, kept) if kept else (report, None)


def cut_to(report: Report, kept: Sequence[Span]) -> tuple[Report, NormalisedText]:
    """The report with these passages alone, a line each."""
    edits = []
    at = 0
    for start, end in kept:
        if start > at:
            edits.append((at, start, "\n" if at else ""))
        at = end
    if at < len(report.text):
        edits.append((at, len(report.text), ""))
    edited = NormalisedText.edited(report.text, edits)
    return replace(report, text=edited.text, sections=split_sections(edited.text)), edited
