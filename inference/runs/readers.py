"""``disagreements.csv``: where the two readers of a run differ, one line per observation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.runs.job import DISAGREEMENTS, PREDICTIONS
from inference.runs.merge import lines_of, value_of
from labelwright.io.delimited import TableWriter
from labelwright.io.jsonl import PRIVATE, atomic_write
from labelwright.label_set import LabelSet
from labelwright.tasks import kind_of

COLUMNS = ("observation", "first", "second", "label", "decided_by", "probability")
"""Behind the id. ``label`` is what the result says; a rule of the label set may have overridden
both. ``probability`` is that of the first reader's label, where it gives one."""


@dataclass(frozen=True)
class Differences:
    """How often two readers differ: labels, the reports that these stand in, and who decided."""

    labels: int = 0
    reports: int = 0
    decided_by_second: int = 0

    def to_json(self) -> dict[str, int]:
        """For the manifest."""
        return {
            "labels_that_differ": self.labels,
            "reports_that_differ": self.reports,
            "decided_by_second": self.decided_by_second,
        }


def write_disagreements(folder: Path, label_set: LabelSet, *, id_column: str) -> Differences:
    """Write the table of a result folder from its ``predictions.jsonl``.

    Raises:
        OutputError: it cannot be written, or a line is damaged.
    """
    labels = reports = by_second = 0
    with atomic_write(folder / DISAGREEMENTS, mode=PRIVATE) as handle:
        name = "id" if id_column in COLUMNS else id_column  # else two columns had one name
        table = TableWriter(handle, COLUMNS, id_column=name)
        kind = kind_of(label_set)
        for _, row in lines_of(folder / PREDICTIONS):
            value = value_of(row, label_set)
            if not kind.complete(value):
                continue
            found = list(_cells(row, kind.picks(label_set, value)))
            for cells in found:
                table.add(row["id"], cells)
            labels += len(found)
            reports += bool(found)
            by_second += len((row.get("second") or {}).get("decided", ()))
    return Differences(labels, reports, by_second)


def compare_readers(
    folder: Path, label_set: LabelSet, labelers: Iterable[Mapping[str, Any]], *, id_column: str
) -> dict[str, dict[str, int]]:
    """What the manifest says of two readers, whose table is written; empty where there are none.

    Args:
        labelers: what the labelers say of themselves that labeled the folder.

    Raises:
        OutputError: as :func:`write_disagreements`.
    """
    if not any("second_reader" in said for said in labelers):
        return {}
    return {"readers": write_disagreements(folder, label_set, id_column=id_column).to_json()}


def _cells(row: Mapping[str, Any], picks: Mapping[str, str | None]) -> Iterator[list[str]]:
    second = row.get("second") or {}
    for name in second.get("disagree", ()):
        first = second["first"][name]
        given = (row.get("probs") or {}).get(name, {}).get(first)
        yield [
            name,
            first or "",
            second["labels"][name] or "",
            picks[name] or "",
            "second" if name in second["decided"] else "first",
            "" if given is None else str(given),
        ]
