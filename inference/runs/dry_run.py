"""A dry run: some rows labeled, nothing written, and what all rows would take."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from inference.runs.merge import Tables, tables_of
from inference.runs.shards import Item, Shard, label_shard, lines_for
from labelwright.errors import InputError
from labelwright.labelers.base import ReportLabeler
from labelwright.records import Prediction


@dataclass(frozen=True)
class Estimate:
    """What some rows say of all.

    Attributes:
        rows: rows labeled or rejected, of ``total``.
        rejected: those without a whole answer.
        seconds: time of labeling them, without loading and reading.
        size: bytes of the result files for these rows.
    """

    rows: int
    total: int
    rejected: int
    seconds: float
    size: int

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.rows / max(self.seconds, 1e-9)

    def line(self) -> str:
        """One line for the user."""
        share = self.total / self.rows
        labeled = self.rows - self.rejected
        return (
            f"dry run: {self.rows:,} of {self.total:,} rows: {labeled:,} labeled, "
            f"{self.rejected:,} rejected; {self.rate:,.1f} rows/s -> all rows: about "
            f"{duration(self.total / self.rate)}, {round(self.rejected * share):,} rejects, "
            f"{size(self.size * share)}; nothing was written"
        )


def dry_run(labeler: ReportLabeler, items: Iterable[Item], *, total: int, rows: int) -> Estimate:
    """Label ``rows`` rows spread evenly over the ``total`` rows of ``items``.

    The first batch warms the device up, so few rows make the rate look lower than it is.

    Raises:
        InputError: there are no rows.
        LabelwrightError: the labeler failed.
    """
    picked = list(spread(items, total=total, rows=rows))
    if not picked:
        raise InputError("the input holds no rows", remedy="check the files and --limit")
    began = time.perf_counter()
    results = label_shard(labeler, Shard(0, 0, picked))
    seconds = time.perf_counter() - began
    whole = [r for r in results if isinstance(r, Prediction) and r.complete]
    files = [io.StringIO() for _ in tables_of(labeler.label_set)]
    tables = Tables(files, labeler.label_set, id_column="id")
    for result in whole:
        tables.add(result.id, result.value)
    lines = "".join(lines_for(picked, results))
    return Estimate(
        rows=len(picked),
        total=total,
        rejected=len(picked) - len(whole),
        seconds=seconds,
        size=len(lines.encode("utf-8", "backslashreplace"))
        + sum(len(file.getvalue()) for file in files),
    )


def spread(items: Iterable[Item], *, total: int, rows: int) -> Iterator[Item]:
    """The middle row of each of ``rows`` equal stretches of the input."""
    wanted = min(rows, total)
    places = iter([(2 * k + 1) * total // (2 * wanted) for k in range(wanted)])
    place = next(places, None)
    for index, item in enumerate(items):
        if place is None:
            return
        if index == place:
            yield item
            place = next(places, None)


def duration(seconds: float) -> str:
    """A time in the two largest units that say something."""
    if seconds < 90:
        return f"{max(seconds, 0.1):.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def size(amount: float) -> str:
    """Bytes in decimal units."""
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
