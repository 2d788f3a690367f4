"""Where it is known what reports say: what building asks of every origin, whatever the task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labelwright.errors import InputError
from labelwright.io.manifest import inputs
from labelwright.label_set import LabelSet
from labelwright.records import Report
from labelwright.tasks import kind_of
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


class GoldFile(Source):
    """Values by the report's id, from a file as the label set's kind writes them."""

    def __init__(self, path: Path, label_set: LabelSet) -> None:
        """Read the file.

        Raises:
            InputError: it cannot be read, or says two different things of one report.
        """
        self.name = path.name
        self._path = path
        self._found: dict[str, Any] = {}
        for row, identifier, value in kind_of(label_set).read_gold(path, label_set):
            if self._found.setdefault(identifier, value) != value:
                raise InputError(
                    f"report {identifier} appears twice with different values",
                    remedy="keep one of the rows",
                    source=path,
                    row=row,
                )

    def known(self, reports: Sequence[Report], label_set: LabelSet) -> list[Known[Any] | str]:
        """The values by id, as the label set can say them."""
        kind = kind_of(label_set)
        return [
            kind.fit(label_set, self._found[report.id])
            if report.id in self._found
            else "no value: its id is not in the gold file"
            for report in reports
        ]

    def describe(self) -> Mapping[str, Any]:
        """The file, its hash and how many reports it knows."""
        return {"kind": "gold", **inputs([self._path])[0], "reports": len(self._found)}
