"""What an export is made from: predictions of a finished folder, with their reports if needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labelwright.label_set import LabelSet
from labelwright.records import Prediction, Report
from labelwright.tasks import kind_of
from labelwright.tasks.base import Finding


@dataclass(frozen=True)
class Row:
    """One line of ``predictions.jsonl``; ``report`` as it was labeled, where inputs are read."""

    prediction: Mapping[str, Any]
    report: Report | None = None


@dataclass(frozen=True)
class Context:
    """What is the same for all rows.

    Attributes:
        finished: when the rows were labeled, ISO 8601 with its zone.
        system: program and version.
        text: whether words of the reports may be written.
        whole: whether the labeled text is the report as it was read, not a cut of it.
    """

    label_set: LabelSet
    finished: str
    system: str
    text: bool
    whole: bool


def findings(row: Row, label_set: LabelSet) -> Iterator[Finding]:
    """All that a report says, as the label set's task sees it."""
    prediction = Prediction.from_json(row.prediction, label_set)
    return kind_of(label_set).findings(label_set, prediction)


def observed(row: Row, label_set: LabelSet) -> Iterator[Finding]:
    """What a report says of things with a code, missing values included where the kind has them."""
    prediction = Prediction.from_json(row.prediction, label_set)
    return kind_of(label_set).observed(label_set, prediction)


def escaped(text: str) -> str:
    """Text for formats that take UTF-8 only; file names that are not text bring lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
