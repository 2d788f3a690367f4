"""How often each certainty occurs per observation and split."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from typing import IO

from data_builders.splits.split import SPLITS
from labelwright.label_set import LabelSet
from labelwright.records import Certainty


class ClassTable:
    """Counts by split, observation and certainty."""

    def __init__(self, label_set: LabelSet) -> None:
        self._label_set = label_set
        self._counts: Counter[tuple[str, str, Certainty]] = Counter()
        self.reports: Counter[str] = Counter()

    def add(self, split: str, labels: Iterable[Certainty]) -> None:
        """Count one record; ``labels`` in the label set's order."""
        self.reports[split] += 1
        for name, certainty in zip(self._label_set.names, labels, strict=True):
            self._counts[split, name, certainty] += 1

    def write_csv(self, handle: IO[str]) -> None:
        """One row per split and observation, a column per certainty."""
        writer = csv.writer(handle, lineterminator="\n")
        certainties = self._label_set.certainties
        writer.writerow(["split", "observation", *certainties])
        for split in self._splits():
            for name in self._label_set.names:
                writer.writerow([split, name, *(self._counts[split, name, c] for c in certainties)])

    def lines(self) -> list[str]:
        """The same for the eye: certainties side by side within each split, blanks left out."""
        shown = [c for c in self._label_set.certainties if c is not Certainty.BLANK]
        width = max(map(len, self._label_set.names))
        splits = self._splits()
        cells = [f"{c.value[:3]:>7}" for c in shown]
        block = len("".join(cells))
        titles = "".join(f"  {f'{s} ({self.reports[s]})':>{block}}" for s in splits)
        table = [
            f"{'':{width}}{titles}".rstrip(),
            f"{'':{width}}" + f"  {''.join(cells)}" * len(splits),
        ]
        for name in self._label_set.names:
            counts = "".join(
                "  " + "".join(f"{self._counts[s, name, c]:>7}" for c in shown) for s in splits
            )
            table.append(f"{name:{width}}{counts}")
        return table

    def _splits(self) -> list[str]:
        return [split for split in SPLITS if self.reports[split]]
