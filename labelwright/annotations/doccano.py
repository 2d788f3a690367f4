"""Writes doccano's JSON lines: ``{"id", "text", "label": [[start, end, type]]}``.

doccano runs in a browser and counts UTF-16 code units, so these are what is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from labelwright.annotations.offsets import Utf16
from labelwright.annotations.writing import Written, count, count_plain, in_one_piece, placed
from labelwright.io.jsonl import atomic_write, dumps
from labelwright.records import Entity, Report, in_order

NAME = "reports.jsonl"


class DoccanoWriter:
    """Writes into an open file; see :func:`open_file`."""

    def __init__(self, handle: IO[Any]) -> None:
        self._handle = handle
        self.written = Written()

    def write(self, report: Report, entities: Sequence[Entity] | None) -> Counter[str]:
        """Write one line, without ``label`` if nothing is known of entities.

        Overlapping mentions are written; doccano shows them in projects that allow them.
        """
        kept, left = placed(report.text, entities or ())
        kept = in_order(in_one_piece(kept, left))
        row: dict[str, Any] = {"id": report.id, "text": report.text}
        if entities is not None:
            units = Utf16(report.text)
            row["label"] = [[units.unit(e.start), units.unit(e.end), e.type] for e in kept]
        if report.patient is not None:
            row["patient"] = report.patient
        self._handle.write(dumps(row) + "\n")
        count(self.written, report, len(kept), left)
        count_plain(self.written, kept)
        return left


@contextmanager
def open_file(path: Path, *, scheme: str | None = None) -> Iterator[DoccanoWriter]:  # noqa: ARG001
    """A writer to a file, which is there, whole, when the context ends without an error.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_write(path) as handle:
        yield DoccanoWriter(handle)
