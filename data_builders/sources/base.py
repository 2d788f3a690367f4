"""Where it is known what reports say: what building asks of every origin, whatever the task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from labelwright.label_set import LabelSet
from labelwright.records import Report
from labelwright.tasks.base import Known
from labelwright.text.normalise import Normaliser


class Source(ABC):
    """One interface for all origins.

    Attributes:
        name: stands in every record's meta.
        normaliser: the table by which it normalises texts, if it does.
    """

    name: str
    normaliser: Normaliser | None = None

    @abstractmethod
    def known(self, reports: Sequence[Report], label_set: LabelSet) -> list[Known[Any] | str]:
        """What is known of each report, in order, or why nothing is (fit for ``rejects.jsonl``)."""

    @abstractmethod
    def describe(self) -> Mapping[str, Any]:
        """What it depends on, for the manifest."""

    def finish(self) -> None:  # noqa: B027
        """All reports have been asked about.

        Raises:
            InputError: taken together they cannot be used.
        """

    def kept(self, split: str, value: Any) -> None:  # noqa: B027
        """A value stands in a split."""

    def left_out(self, value: Any) -> None:  # noqa: B027
        """The report of a value is left out of all splits."""

    def said(self, split: str, value: Any, answer: str, text: str) -> None:  # noqa: B027
        """A value stands in a record as this answer to this text."""

    def counts(self) -> dict[str, Any]:
        """What it counted of all this, for the manifest."""
        return {}
