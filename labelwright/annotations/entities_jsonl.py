"""Writes labelwright's own JSON lines: ``{"id", "text", "entities", "patient"?, "meta"?}``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from labelwright.annotations.writing import Written, count, placed
from labelwright.io.jsonl import atomic_write, dumps
from labelwright.records import Entity, Report, in_order

NAME = "reports.jsonl"


class EntitiesWriter:
    """Writes into an open file; see :func:`open_file`."""

    def __init__(self, handle: IO[Any]) -> None:
        self._handle = handle
        self.written = Written()

    def write(self, report: Report, entities: Sequence[Entity] | None) -> Counter[str]:
        """Write one line, without ``entities`` if nothing is known of them."""
        kept, left = placed(report.text, entities or ())
        row: dict[str, Any] = {"id": report.id, "text": report.text}
        if entities is not None:
            row["entities"] = [entity.to_json() for entity in in_order(kept)]
        if report.patient is not None:
            row["patient"] = report.patient
        if report.meta:
            row["meta"] = dict(report.meta)
        self._handle.write(dumps(row) + "\n")
        count(self.written, report, len(kept), left, meta=True)
        return left


@contextmanager
def open_file(path: Path, *, scheme: str | None = None) -> Iterator[EntitiesWriter]:  # noqa: ARG001
    """A writer to a file, which is there, whole, when the context ends without an error.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_write(path) as handle:
        yield EntitiesWriter(handle)
