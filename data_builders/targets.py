"""What is known of reports, on its way into a data folder: answers, gold, counts of classes."""

from __future__ import annotations

import csv
from collections import Counter
from typing import IO, Any

from data_builders.sources.base import Source
from data_builders.splits.split import SPLITS
from labelwright.label_set import LabelSet
from labelwright.tasks import kind_of
from labelwright.tasks.base import WriteGold


class ClassTable:
    """Counts by split, label and column, as the task counts its classes.

    Attributes:
        reports: the reports of each split.
    """

    def __init__(self, label_set: LabelSet) -> None:
        self._label_set = label_set
        self._kind = kind_of(label_set)
        self._form = self._kind.class_form(label_set)
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self.reports: Counter[str] = Counter()

    def add(self, split: str, value: Any) -> None:
        """Count one report."""
        self.reports[split] += 1
        for name, column, count in self._kind.class_counts(self._label_set, value):
            self._counts[split, name, column] += count

    def write_csv(self, handle: IO[str]) -> None:
        """One row per split and label."""
        writer = csv.writer(handle, lineterminator="\n")
        columns = self._form.columns
        writer.writerow(["split", self._form.row, *columns])
        for split in self._splits():
            for name in self._label_set.names:
                writer.writerow([split, name, *(self._counts[split, name, c] for c in columns)])

    def lines(self) -> list[str]:
        """The same for the eye: the columns side by side within each split."""
        shown, splits = self._form.shown, self._splits()
        width = max(map(len, self._label_set.names))
        heads = "".join(f"{head:>{size}}" for _, head, size in shown)
        titles = "".join(f"  {f'{s} ({self.reports[s]})':>{len(heads)}}" for s in splits)
        table = [f"{'':{width}}{titles}".rstrip(), f"{'':{width}}" + f"  {heads}" * len(splits)]
        for name in self._label_set.names:
            counts = "".join(
                "  " + "".join(f"{self._counts[s, name, c]:>{size}}" for c, _, size in shown)
                for s in splits
            )
            table.append(f"{name:{width}}{counts}")
        return table

    def _splits(self) -> list[str]:
        return [split for split in SPLITS if self.reports[split]]


class Targets:
    """What the writer asks: answers and gold of values, each counted where it goes.

    Attributes:
        table: the counts of classes.
        suffix: how files of gold end.
    """

    def __init__(self, label_set: LabelSet, source: Source) -> None:
        self._label_set = label_set
        self._source = source
        self._kind = kind_of(label_set)
        self.table = ClassTable(label_set)
        self.suffix = self._kind.gold_suffix

    def value(self, given: Any) -> Any:
        """A value as it was spooled."""
        return self._kind.from_json(self._label_set, given)

    def count(self, split: str, value: Any) -> None:
        """Count the value of one report of a split."""
        self._source.kept(split, value)
        self.table.add(split, value)

    def drop(self, value: Any) -> None:
        """Count the value of a report that is left out."""
        self._source.left_out(value)

    def answer(self, value: Any, text: str, split: str) -> str:
        """The answer of a record."""
        written = self._kind.render(self._label_set, value)
        self._source.said(split, value, written, text)
        return written

    def rows(self, handle: IO[str]) -> WriteGold:
        """Begin a file of gold."""
        return self._kind.gold_writer(handle, self._label_set)
