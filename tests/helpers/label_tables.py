from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import IO

from labelwright.label_set import LabelSet
from labelwright.records import Certainty
from labelwright.tasks.certainty.table import LabelWriter


def write_labels(
    handle: IO[str],
    label_set: LabelSet,
    rows: Iterable[tuple[str, Mapping[str, Certainty | None]]],
    *,
    id_column: str = "id",
) -> int:
    """A whole table in CheXpert's coding; how many rows it has."""
    writer = LabelWriter(handle, label_set, id_column=id_column)
    count = 0
    for identifier, labels in rows:
        writer.add(identifier, labels)
        count += 1
    return count
