"""Where the labels of a report come from: a table, index codes, another labeler."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from data_builders.sources.openi_codes import CodeTable
from labelwright.errors import InputError
from labelwright.io.delimited import id_columns
from labelwright.io.manifest import inputs
from labelwright.label_set import LabelSet
from labelwright.labelers.base import ReportLabeler
from labelwright.records import Certainty, Labels, Prediction, Report
from labelwright.tasks.certainty.table import read_labels

Answer = Labels | str
"""Labels, or the reason why a report has none (fit for ``rejects.jsonl``)."""

CODES_META = "mesh"
"""The reader's metadata field that holds Open-i's index codes."""


class LabelSource(Protocol):
    """One interface for all origins of labels; ``name`` stands in every record's meta."""

    name: str

    def labels(self, reports: Sequence[Report]) -> list[Answer]:
        """One answer per report, in order."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """What the labels depend on, for the manifest."""
        ...


class TableLabels:
    """Labels of a CSV or TSV in CheXpert's coding, joined by the report's id."""

    def __init__(
        self, path: Path, label_set: LabelSet, *, asked_columns: Sequence[str] = ()
    ) -> None:
        """Read the table.

        Raises:
            InputError: it cannot be read, or says two different things of one report.
        """
        self.name = path.name
        self._path = path
        self._names = label_set.names
        self._keys = id_columns(path, asked_columns, "--label-id-columns")
        self._used: set[str] = set()
        self._found: dict[str, tuple[Certainty, ...]] = {}
        same: dict[tuple[Certainty, ...], tuple[Certainty, ...]] = {}
        for row, identifier, labels in read_labels(path, label_set, id_columns=self._keys):
            packed = tuple(labels[name] for name in self._names)
            packed = same.setdefault(packed, packed)
            if self._found.setdefault(identifier, packed) != packed:
                raise InputError(
                    f"report {identifier} stands twice with different labels",
                    remedy="keep one of the rows",
                    source=path,
                    row=row,
                )

    def labels(self, reports: Sequence[Report]) -> list[Answer]:
        """The labels by id."""
        return [self._one(report.id) for report in reports]

    def describe(self) -> Mapping[str, Any]:
        """The file, its hash, and how many of its reports were not among the input."""
        return {
            "kind": "table",
            **inputs([self._path])[0],
            "id_columns": self._keys,
            "reports": len(self._found),
            "labels_without_report": len(self._found) - len(self._used),
        }

    def _one(self, identifier: str) -> Answer:
        packed = self._found.get(identifier)
        if packed is None:
            return "no labels: its id is not in the label table"
        self._used.add(identifier)
        return dict(zip(self._names, packed, strict=True))


class CodeLabels:
    """Labels from the human index codes that the Open-i reader keeps with each report."""

    name = "openi-mesh"

    def __init__(self, table: CodeTable, label_set: LabelSet) -> None:
        self._table = table
        self._label_set = label_set

    def labels(self, reports: Sequence[Report]) -> list[Answer]:
        """The labels by the table of codes."""
        return [self._one(report) for report in reports]

    def describe(self) -> Mapping[str, Any]:
        """The table's name and text."""
        return {"kind": self.name, "table": self._table.name, "table_text": self._table.text}

    def _one(self, report: Report) -> Answer:
        codes = report.meta.get(CODES_META)
        if codes is None:
            return "no labels: the report has no index codes"
        found = self._table.labels(codes, self._label_set)
        return "no labels: the report was not indexed" if found is None else found


class LabelerLabels:
    """Weak labels by another labeler, such as the rules."""

    def __init__(self, labeler: ReportLabeler) -> None:
        self.name = labeler.name
        self._labeler = labeler

    def labels(self, reports: Sequence[Report]) -> list[Answer]:
        """The labeler's answers; an answer with gaps is no label."""
        return [
            self._one(found)
            if isinstance(found, Prediction)
            else f"no labels: {self.name}: {found.reason}"
            for found in self._labeler.label_reports(reports)
        ]

    def describe(self) -> Mapping[str, Any]:
        """The labeler's own description."""
        return {"kind": "labeler", "name": self.name, **self._labeler.describe()}

    def _one(self, prediction: Prediction) -> Answer:
        known = {name: value for name, value in prediction.labels.items() if value is not None}
        if len(known) < len(prediction.labels):
            return f"no labels: {self.name} left an observation open"
        return known


class KnownLabels:
    """Labels that come along with the reports, as the grammar's do."""

    name = "grammar"

    def __init__(self, pairs: Iterable[tuple[Report, Labels]]) -> None:
        self._pairs = pairs
        self._waiting: dict[str, Labels] = {}

    def reports(self) -> Iterator[Report]:
        """The reports; the labels of each are kept until they are asked for."""
        for report, labels in self._pairs:
            self._waiting[report.id] = labels
            yield report

    def labels(self, reports: Sequence[Report]) -> list[Answer]:
        """The labels that came with the reports."""
        return [self._waiting.pop(report.id) for report in reports]

    def describe(self) -> Mapping[str, Any]:
        """Its kind only: the grammar's settings stand beside it in the manifest."""
        return {"kind": self.name}
