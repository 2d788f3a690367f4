"""Where the labels of a report come from: a table, index codes, another labeler."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_builders.sources.base import Source
from data_builders.sources.openi_codes import CodeTable
from labelwright.io.delimited import id_columns
from labelwright.io.manifest import inputs
from labelwright.label_set import LabelSet
from labelwright.labelers.base import ReportLabeler
from labelwright.records import Labels, Prediction, Report
from labelwright.tasks import kind_of
from labelwright.tasks.base import Known

Answer = Labels | str
"""Labels, or the reason why a report has none (fit for ``rejects.jsonl``)."""

CODES_META = "mesh"
"""The reader's metadata field that holds Open-i's index codes."""


class LabelSource(Source):
    """An origin of labels: what it gives is fitted to the label set."""

    @abstractmethod
    def labels(self, reports: Sequence[Report]) -> list[Answer]:
        """One answer per report, in order."""

    def known(self, reports: Sequence[Report], label_set: LabelSet) -> list[Known[Any] | str]:
        """The labels as the label set means them, none that contradict each other."""
        return [_fitted(answer, label_set) for answer in self.labels(reports)]


def _fitted(answer: Answer, label_set: LabelSet) -> Known[Any] | str:
    known = answer if isinstance(answer, str) else kind_of(label_set).fit(label_set, answer)
    if isinstance(known, str):
        return known
    for one, other in label_set.contradictions(known.value):
        return f"contradictory labels; {one} with {other}"
    return known


class TableLabels(LabelSource):
    """Labels of a CSV or TSV in CheXpert's coding, joined by the report's id."""

    def __init__(
        self,
        path: Path,
        label_set: LabelSet,
        *,
        asked_columns: Sequence[str] = (),
        reports_id: str | None = None,
    ) -> None:
        """Read the table.

        Args:
            asked_columns: the id columns, if not one of the usual names.
            reports_id: the column that was named for the id of the reports, which counts where
                the table has it and no usual one.

        Raises:
            InputError: it cannot be read, or says two different things of one report.
        """
        self.name = path.name
        self._path = path
        self._keys = id_columns(path, asked_columns, "--label-id-columns", reports=reports_id)
        self._used: set[str] = set()
        self._found = kind_of(label_set).values(path, label_set, id_columns=self._keys)

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
        if identifier not in self._found:
            return "no labels: its id is not in the label table"
        self._used.add(identifier)
        labels: Labels = self._found[identifier]
        return labels


class CodeLabels(LabelSource):
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


class LabelerLabels(LabelSource):
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


class KnownLabels(LabelSource):
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
