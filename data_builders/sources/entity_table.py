"""How many notes and mentions there are of each type, by split."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from typing import IO

from data_builders.splits.split import SPLITS
from labelwright.label_set import LabelSet
from labelwright.records import Entity


class EntityTable:
    """Counts by split and type."""

    def __init__(self, label_set: LabelSet) -> None:
        self._names = label_set.names
        self._notes: Counter[tuple[str, str]] = Counter()
        self._mentions: Counter[tuple[str, str]] = Counter()
        self.reports: Counter[str] = Counter()

    def add(self, split: str, entities: Iterable[Entity]) -> None:
        """Count one note."""
        self.reports[split] += 1
        found = Counter(entity.type for entity in entities)
        for name, count in found.items():
            self._notes[split, name] += 1
            self._mentions[split, name] += count

    def write_csv(self, handle: IO[str]) -> None:
        """One row per split and type: notes of the split, notes with the type, mentions."""
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["split", "type", "notes", "notes_with_it", "mentions"])
        for split in self._splits():
            for name in self._names:
                counts = (self._notes[split, name], self._mentions[split, name])
                writer.writerow([split, name, self.reports[split], *counts])

    def lines(self) -> list[str]:
        """The same for the eye: notes and mentions side by side within each split."""
        width = max(map(len, self._names))
        splits = self._splits()
        heads = f"{'notes':>9}{'mentions':>10}"
        titles = "".join(f"  {f'{s} ({self.reports[s]})':>{len(heads)}}" for s in splits)
        table = [f"{'':{width}}{titles}".rstrip(), f"{'':{width}}" + f"  {heads}" * len(splits)]
        for name in self._names:
            counts = "".join(
                f"  {self._notes[s, name]:>9}{self._mentions[s, name]:>10}" for s in splits
            )
            table.append(f"{name:{width}}{counts}")
        return table

    def _splits(self) -> list[str]:
        return [split for split in SPLITS if self.reports[split]]
