"""The first pass: what splitting must know of every report, and a spool of the texts.

The spool is a file without a name, gone when the process ends, however it ends. In memory
stay some 360 bytes per report, its id with them, and 100 per row of a label table.
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

from data_builders.prepare import Prepared
from data_builders.splits.split import SplitItem, text_digest
from labelwright.io.jsonl import dumps, writing
from labelwright.label_set import LabelSet
from labelwright.records import Reject
from labelwright.tasks import kind_of
from labelwright.tasks.base import Known

Strata = tuple[str, ...]
"""The classes of a report (:meth:`labelwright.tasks.base.TaskKind.strata`)."""
KNOWN = "known"
"""Key of a spooled report: what the main source knows, and that of the test split."""


@dataclass(frozen=True, slots=True)
class Row:
    """One report that can become a record.

    Attributes:
        known: its classes from the main source; the reason where nothing is known.
        test_known: likewise from the source of the test split; ``None`` without one.
    """

    item: SplitItem
    known: Strata | str
    test_known: Strata | str | None

    def known_in(self, split: str) -> Strata | str:
        """The classes that count in a split, or the reason why there are none."""
        if split == "test" and self.test_known is not None:
            return self.test_known
        return self.known


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
        """The spooled reports ``{id, text, patient, source, row, meta, known}``, in order.

        :func:`taken` takes out what is known.

        Args:
            purpose: what the progress bar says.
        """
        from labelwright.runtime.progress import progress_bar

        self.spool.seek(0)
        bar = progress_bar(self.spool, purpose, len(self.rows), leave=False)
        return (json.loads(line) for line in bar)


def taken(report: dict[str, Any], row: Row, split: str | None) -> Any:
    """What is known of a spooled report in a split, as JSON, taken out of the report.

    Args:
        split: ``None`` for one that is left out: what is known at all.
    """
    main, test = report.pop(KNOWN)
    if split == "test" and row.test_known is not None:
        return test
    return test if split is None and main is None else main


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
    prepared: Iterable[Prepared | Reject],
    label_set: LabelSet,
    spool: IO[str],
    log: RejectLog,
    *,
    where: Path,
) -> Collected:
    """Read everything once.

    Args:
        where: the folder of the spool, for the message if the disk is full.

    Raises:
        OutputError: the spool cannot be written.
    """
    found = Collected(spool)
    kind = kind_of(label_set)
    # one object for equal classes and patients: most reports share theirs with others
    same: dict[Strata, Strata] = {}
    patients: dict[str, str] = {}

    def strata(known: Known[Any] | str | None) -> Any:
        if not isinstance(known, Known):
            return known
        classes = kind.strata(label_set, known.value)
        return same.setdefault(classes, classes)

    for item in prepared:
        found.read += 1
        if isinstance(item, Reject):
            log.add(item)
            continue
        main, test = strata(item.known), strata(item.test_known)
        classes = main if isinstance(main, tuple) else test
        report = item.report
        patient = report.patient and patients.setdefault(report.patient, report.patient)
        made = SplitItem(report.id, patient, text_digest(report.text), classes or ())
        found.rows.append(Row(made, main, test))
        found.adjusted += item.adjusted
        both = (item.known, item.test_known)
        line: dict[str, Any] = {
            "id": report.id,
            "text": report.text,
            "patient": report.patient,
            "source": report.source,
            "row": report.row,
            "meta": dict(report.meta),
            KNOWN: [kind.to_json(k.value) if isinstance(k, Known) else None for k in both],
        }
        with writing(where):
            spool.write(dumps(line) + "\n")
    with writing(where):
        spool.flush()
    return found
