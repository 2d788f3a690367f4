"""The first pass: what splitting must know of every report, and a spool of the texts.

The spool is a file without a name, gone when the process ends, however it ends. In memory
stay some 400 bytes per report.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from data_builders.prepare import Packed, Prepared
from data_builders.splits.split import Item, text_digest
from labelwright.io.jsonl import dumps, writing
from labelwright.records import Reject


@dataclass(frozen=True, slots=True)
class Row:
    """One report that can become a record; ``labels`` and ``test_labels`` as in ``Prepared``."""

    item: Item
    labels: Packed | str
    test_labels: Packed | str | None

    def labels_in(self, split: str) -> Packed | str:
        """The labels that count in a split, or the reason why there are none."""
        if split == "test" and self.test_labels is not None:
            return self.test_labels
        return self.labels


class RejectLog:
    """Writes ``rejects.jsonl`` and counts the reasons (up to their first semicolon)."""

    def __init__(self, handle: IO[str]) -> None:
        self._handle = handle
        self.reasons: Counter[str] = Counter()

    def add(self, reject: Reject) -> None:
        """Write one row."""
        self.reasons[reject.reason.partition(";")[0]] += 1
        self._handle.write(dumps(reject.to_json()) + "\n")

    @property
    def count(self) -> int:
        """Number of rejects so far."""
        return sum(self.reasons.values())


@dataclass
class Collected:
    """The outcome of the first pass; ``spool`` holds one JSON line per row, in the same order."""

    spool: IO[str]
    rows: list[Row] = field(default_factory=list)
    read: int = 0
    adjusted: int = 0

    def reports(self, purpose: str) -> Iterator[dict[str, Any]]:
        """The spooled reports ``{id, text, patient, source, row, meta}``, in order.

        Those of an entities task have ``entities`` too.

        Args:
            purpose: what the progress bar says.
        """
        from tqdm import tqdm

        self.spool.seek(0)
        bar = tqdm(self.spool, purpose, len(self.rows), leave=False, disable=None)
        return (json.loads(line) for line in bar)


@contextmanager
def open_spool(folder: Path) -> Iterator[IO[str]]:
    """An unnamed file in ``folder``, readable by its owner only.

    Raises:
        OutputError: the folder cannot be written.
    """
    with writing(folder):
        handle = tempfile.TemporaryFile(  # noqa: SIM115  (closed below)
            "w+", encoding="utf-8", errors="backslashreplace", newline="\n", dir=folder
        )
    try:
        yield handle
    finally:
        with suppress(OSError):  # a full disk has been told of when the row was written
            handle.close()


def collect(
    prepared: Iterable[Prepared | Reject], spool: IO[str], log: RejectLog, *, where: Path
) -> Collected:
    """Read everything once.

    Args:
        where: the folder of the spool, for the message if the disk is full.

    Raises:
        OutputError: the spool cannot be written.
    """
    found = Collected(spool)
    # one object for equal labels: most reports share theirs with many others
    same: dict[Packed | str, Packed | str] = {}
    for item in prepared:
        found.read += 1
        if isinstance(item, Reject):
            log.add(item)
            continue
        labels, test_labels = same.setdefault(item.labels, item.labels), item.test_labels
        if test_labels is not None:
            test_labels = same.setdefault(test_labels, test_labels)
        known = labels if isinstance(labels, tuple) else test_labels
        report = item.report
        stratify = known if isinstance(known, tuple) else ()
        made = Item(report.id, report.patient, text_digest(report.text), stratify)
        found.rows.append(Row(made, labels, test_labels))
        found.adjusted += item.adjusted
        line: dict[str, Any] = {
            "id": report.id,
            "text": report.text,
            "patient": report.patient,
            "source": report.source,
            "row": report.row,
            "meta": dict(report.meta),
        }
        if item.entities is not None:
            line["entities"] = [entity.to_json() for entity in item.entities]
        with writing(where):
            spool.write(dumps(line) + "\n")
    with writing(where):
        spool.flush()
    return found
