"""What the batch runner asks of anything that labels reports: model, rules or encoder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import Any, Protocol, cast, runtime_checkable

from labelwright.label_set import LabelSet
from labelwright.records import Prediction, Reject, Report, Section
from labelwright.tasks import kind_of


@dataclass(frozen=True, slots=True)
class Ask:
    """What a model is asked about: a text, and what its prompt shows before it.

    Attributes:
        lead: similar reports, or nothing; no answer is about it.
        sections: of the text, where they are known.
    """

    text: str
    lead: str = ""
    sections: tuple[Section, ...] = ()

    @property
    def whole(self) -> str:
        """What stands in the prompt."""
        return self.lead + self.text


class ReportLabeler(Protocol):
    """One interface for every labeler."""

    @property
    def name(self) -> str:
        """What stands in ``Prediction.model``."""
        ...

    @property
    def label_set(self) -> LabelSet:
        """The observations it labels."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """All that its answers depend on (hashes, prompt, decoding, versions), JSON-ready.

        It goes into the manifest and into the fingerprint that keeps two different runs
        from being mixed in one folder. Only what stands under ``runtime`` (batch size,
        device) is left out of the fingerprint: it may change when a job is resumed.
        """
        ...

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """One result per report, in the order given; a ``Reject`` where it cannot label."""
        ...


class LedLabeler(ReportLabeler, Protocol):
    """A labeler that can be shown something before a report."""

    def label_led(
        self, reports: Sequence[Report], leads: Sequence[str]
    ) -> list[Prediction | Reject]:
        """As ``label_reports``; every report with its lead. Results are those of the report alone.

        A report whose lead makes its prompt too long is rejected, with a reason that begins with
        :data:`TOO_LONG`.
        """
        ...


TOO_LONG = "too long"
"""How the reason begins where a shorter lead may help."""


@runtime_checkable
class Keyed(Protocol):
    """A labeler whose answers depend on more of a report than its text and sections."""

    def key(self, report: Report) -> bytes:
        """What two reports must share to get the same answer."""
        ...


@cache
def _keyed(kind: type) -> bool:
    """Asked once per kind of labeler: a protocol takes as long to tell as a short report."""
    return issubclass(kind, Keyed)


def key_of_one(report: Report) -> bytes:
    """The key where the answer also depends on whose report it is."""
    digest = blake2b(digest_size=16)
    for part in (report.id, report.patient or "", report.text):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.digest()


def key_of(labeler: ReportLabeler, report: Report) -> bytes:
    """What two reports must share to get the same answer: mostly text and section bounds."""
    if _keyed(type(labeler)):
        return cast(Keyed, labeler).key(report)
    digest = blake2b(report.text.encode("utf-8", "surrogatepass"), digest_size=16)
    for section in report.sections:
        digest.update(f"\0{section.name} {section.start} {section.end}".encode())
    return digest.digest()


class Wrapping:
    """A labeler around another: what it does not change is the wrapped labeler's."""

    def __init__(self, labeler: ReportLabeler) -> None:
        self._labeler = labeler
        self.name, self.label_set = labeler.name, labeler.label_set

    def key(self, report: Report) -> bytes:
        """The wrapped labeler's."""
        return key_of(self._labeler, report)


Texts = Sequence[str | Report]
"""Texts, or reports."""


def reports_of(texts: Texts) -> list[Report]:
    """Texts and reports as reports.

    Raises:
        TypeError: one text instead of a list of texts, or an item that is none.
    """
    if isinstance(texts, str | bytes | Report | Mapping) or not isinstance(texts, Iterable):
        raise TypeError(
            f"a list of texts or reports is needed, not one {type(texts).__name__}; "
            "write label([text])"
        )
    if hasattr(texts, "columns"):  # going over a frame gives its columns' names
        raise TypeError(
            "a list of texts or reports is needed, not a table; write labelwright.label(table, "
            "labeler), or label(table[column]) for one column"
        )
    reports = []
    for row, item in enumerate(texts):
        if isinstance(item, str):
            reports.append(Report(id=str(row), text=item, source="text", row=row + 1))
        elif isinstance(item, Report):
            reports.append(item)
        else:
            raise TypeError(f"item {row} is neither a text nor a Report: {type(item).__name__}")
    return reports


def unlabeled(label_set: LabelSet, reject: Reject, model: str) -> Prediction:
    """The prediction of a report that could not be labeled: nothing is known, and why."""
    nothing = kind_of(label_set).nothing(label_set)
    return Prediction(
        id=str(reject.id),
        model=model,
        task=label_set.task,
        value=nothing,
        problems=(reject.reason,),
    )
