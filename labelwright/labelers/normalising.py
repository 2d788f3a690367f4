"""A labeler whose training texts were normalised: reports pass the same table first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from labelwright import kinds
from labelwright.checkpoint import NORMALISE_FILE
from labelwright.labelers.base import ReportLabeler, Wrapping, key_of
from labelwright.records import Prediction, Reject, Report
from labelwright.text.normalise import Normaliser
from labelwright.text.normalised_text import NormalisedText
from labelwright.text.sections import split_sections


class Normalising(Wrapping):
    """Wraps a labeler; implements :class:`labelwright.labelers.base.ReportLabeler`.

    The wrapped labeler sees normalised reports. Entities and evidence are given at their places
    in the report as it was, with the words that stand there.
    """

    def __init__(self, labeler: ReportLabeler, normaliser: Normaliser) -> None:
        super().__init__(labeler)
        self._normaliser = normaliser

    def describe(self) -> Mapping[str, Any]:
        """The wrapped labeler's, and which table it is."""
        return {**self._labeler.describe(), "normalised_by": self._normaliser.facts()}

    def key(self, report: Report) -> bytes:
        """The wrapped labeler's and the report's own: equal normalised texts are not enough."""
        changed, _ = self._changed(report)
        own = blake2b(report.text.encode("utf-8", "surrogatepass"), digest_size=16)
        own.update(key_of(self._labeler, changed))
        return own.digest()

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """The wrapped labeler's results at the places of the reports as they were."""
        pairs = [self._changed(report) for report in reports]
        results = self._labeler.label_reports([changed for changed, _ in pairs])
        return [
            back(result, normalised) if isinstance(result, Prediction) else result
            for result, (_, normalised) in zip(results, pairs, strict=True)
        ]

    def _changed(self, report: Report) -> tuple[Report, NormalisedText]:
        normalised = self._normaliser.apply(report.text)
        text = normalised.text
        if text == report.text:
            return report, normalised
        return replace(report, text=text, sections=split_sections(text)), normalised


def normalising(labeler: ReportLabeler, folder: str | Path) -> ReportLabeler:
    """The labeler of a model folder, normalising if its training texts were normalised.

    Raises:
        LabelSetError: the folder's table has mistakes.
    """
    table = Path(folder) / NORMALISE_FILE
    return Normalising(labeler, Normaliser.load(table)) if table.is_file() else labeler


def back(prediction: Prediction, normalised: NormalisedText) -> Prediction:
    """A prediction about a changed text as one about the text as it was."""
    value, evidence = prediction.value, prediction.evidence
    if value is not None:
        value = kinds.load(prediction.task).to_original(value, normalised)
    if evidence is not None:
        evidence = {
            name: [list(normalised.to_original((start, end))) for start, end in spans]
            for name, spans in evidence.items()
        }
    return replace(prediction, value=value, evidence=evidence)
