"""What the tests of the index share: an embedder whose vectors can be seen in the texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelwright.records import Reject, Report
from retrieval.index import Index
from retrieval.index_build import Plan, build_index
from retrieval.index_groups import Item
from retrieval.index_shards import Entry


class Numbers:
    """The text "3 4 words" is the vector (0.6, 0.8): its numbers, made one long."""

    name = "numbers"

    def __init__(self, dimension: int = 3) -> None:
        self.dimension = dimension
        self.asked: list[str] = []

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "numbers", "name": self.name, "dimension": self.dimension}

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked += texts
        rows = [[float(part) for part in text.split()[: self.dimension]] for text in texts]
        made = np.array(rows, np.float64).reshape(len(texts), self.dimension)
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def entry(
    identifier: str,
    text: str,
    split: str = "train",
    patient: str | None = None,
    labels: Mapping[str, Any] | None = None,
) -> Entry:
    return Entry(Report(identifier, text, "x.csv", 1, patient=patient), split, labels)


def built(
    folder: Path,
    items: Sequence[Item],
    embedder: Any | None = None,
    *,
    rows: int = 4,
    kind: str = "flat",
    **parameters: int,
) -> Index:
    plan = Plan(source_of(items), kind=kind, parameters=parameters, shard_rows=rows)
    build_index(folder, lambda: iter(items), embedder or Numbers(), plan)
    return Index.open(folder)


def source_of(items: Sequence[Item]) -> dict[str, Any]:
    """What stands for the hash of the input: the items themselves."""
    return {"kind": "test", "items": [_told(item) for item in items]}


def _told(item: Item) -> list[Any]:
    if isinstance(item, Reject):
        return [item.id, item.reason]
    return [item.report.id, item.report.patient, item.split, len(item.report.text)]


def circle(count: int) -> list[Item]:
    """Reports r0, r1, …, each turned a little further than the one before, two per patient."""
    angles = np.linspace(0, 1.5, count)
    return [
        entry(f"r{n}", f"{np.cos(a):.6f} {np.sin(a):.6f} 0 report {n}", patient=f"p{n // 2}")
        for n, a in enumerate(angles)
    ]


def ids(found: Sequence[Any]) -> list[str]:
    return [one.id for one in found]


Search = Callable[..., list[list[Any]]]
