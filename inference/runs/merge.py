"""From parts to the files the user asked for: one pass, in input order, constant memory.

The tables are written as the label set's task kind says; where two readers labeled,
``disagreements.csv`` says where they differ, one line per observation.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from inference.runs.job import DISAGREEMENTS, PARTS, PREDICTIONS, REJECTS
from inference.runs.shards import part_path, sort_of
from labelwright.errors import LabelwrightError, OutputError
from labelwright.io.delimited import TableWriter, id_header
from labelwright.io.jsonl import PRIVATE, atomic_write, writing
from labelwright.io.manifest import sha256_file
from labelwright.label_set import LabelSet
from labelwright.records import LABELS
from labelwright.tasks import kind_of
from labelwright.tasks.base import Side, Tally
from labelwright.text.amounts import amount


def tables_of(label_set: LabelSet) -> tuple[str, ...]:
    """The tables' file names."""
    return kind_of(label_set).files


def id_clash(label_set: LabelSet, id_column: str) -> bool:
    """Whether the id column has the name of another column of a table."""
    return any(
        id_header(id_column) in table.columns for table in kind_of(label_set).tables(label_set)
    )


class Tables:
    """Writes the tables from complete values, row by row."""

    def __init__(self, handles: Sequence[IO[str]], label_set: LabelSet, *, id_column: str) -> None:
        tables = kind_of(label_set).tables(label_set)
        self._tables = [
            (TableWriter(handle, table.columns, id_column=id_column), table.rows)
            for handle, table in zip(handles, tables, strict=True)
        ]

    def add(self, identifier: str, value: Any) -> None:
        """Write the rows of one report."""
        for writer, rows in self._tables:
            for cells in rows(value):
                writer.add(identifier, cells)


Line = tuple[str, dict[str, Any]]
"""A line with its end as it is stored, and the row that it says."""


@dataclass
class RowCounts:
    """Rows by fate; ``undetermined`` ones are rejected although they have a prediction.

    Attributes:
        tally: what the task's kind counts of labeled rows.
        usage: tokens and cost of all answers, where a server tells them.
    """

    tally: Tally[Any]
    labeled: int = 0
    rejected: int = 0
    undetermined: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    usage: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What the manifest says of the answers."""
        value: dict[str, Any] = {
            "problems": dict(sorted(self.problems.items())),
            "notes": dict(sorted(self.notes.items())),
            **self.tally.facts(),
        }
        if self.usage:
            value["usage"] = {name: round(amount, 6) for name, amount in self.usage.items()}
        return value


def merge(out: Path, label_set: LabelSet, *, id_column: str, rows: Sequence[int]) -> RowCounts:
    """Write the result files from the parts.

    Args:
        rows: how many input rows each shard had.

    Raises:
        OutputError: a file cannot be written, or a part is damaged.
        LabelwrightError: rows in and rows out do not agree.
    """
    lines = part_lines(out / PARTS, label_set, rows)
    return write_results(out, label_set, lines, id_column=id_column, expected=sum(rows))


def write_results(
    folder: Path, label_set: LabelSet, lines: Iterable[Line], *, id_column: str, expected: int
) -> RowCounts:
    """Sort lines of predictions and rejects into the result files.

    Args:
        lines: in input order; a prediction that leaves an observation undetermined is
            followed by its reject.
        expected: input rows.

    Raises:
        OutputError: a file cannot be written.
        LabelwrightError: rows in and rows out do not agree.
    """
    kind = kind_of(label_set)
    counts = RowCounts(kind.tally(label_set))
    with ExitStack() as stack:
        *files, predictions, rejects = (
            stack.enter_context(atomic_write(folder / name))
            for name in (*tables_of(label_set), PREDICTIONS, REJECTS)
        )
        with writing(folder):  # else the error would name whichever file is closed first
            tables = Tables(files, label_set, id_column=id_column)
            for identifier, value in _pass_on(lines, label_set, predictions, rejects, counts):
                counts.tally.add(value)
                tables.add(identifier, value)
        if counts.labeled + counts.rejected != expected:
            raise LabelwrightError(
                f"{amount(expected, 'row')} went in, {counts.labeled} labeled and "
                f"{counts.rejected} rejected came out",
                remedy="this is a mistake of labelwright; please report it",
            )
    return counts


def outputs(folder: Path, label_set: LabelSet) -> dict[str, str]:
    """SHA-256 of the result files."""
    names = [*tables_of(label_set), PREDICTIONS, REJECTS]
    names += [DISAGREEMENTS] if (folder / DISAGREEMENTS).exists() else []
    return {name: sha256_file(folder / name) for name in names}


def part_lines(folder: Path, label_set: LabelSet, rows: Sequence[int]) -> Iterator[Line]:
    """The lines of all parts, with what they say.

    Raises:
        OutputError: a part is damaged: a line is none, or rows are missing.
    """
    for index, expected in enumerate(rows):
        path = part_path(folder, index)
        done = 0
        for line, row in lines_of(path):
            if LABELS not in row or complete(row, label_set):
                done += 1
            yield line, row
        if done != expected:
            raise _damaged(path)


def lines_of(path: Path) -> Iterator[Line]:
    """The lines of a JSONL file that a run wrote, with what they say.

    Raises:
        OutputError: a line is damaged.
    """
    with open(path, encoding="utf-8", newline="\n") as handle:
        for line in handle:
            try:
                row = json.loads(line)
            except ValueError:
                raise _damaged(path) from None
            yield line, row


def value_of(row: Mapping[str, Any], label_set: LabelSet) -> Any:
    """The value of a prediction's row; ``None`` where the answer determines none."""
    kind = kind_of(label_set)
    given = row.get(kind.row_key)
    return None if given is None else kind.from_json(label_set, given)


def complete(row: Mapping[str, Any], label_set: LabelSet) -> bool:
    """Whether a prediction's row leaves nothing open."""
    return kind_of(label_set).complete(value_of(row, label_set))


def _pass_on(
    lines: Iterable[Line],
    label_set: LabelSet,
    predictions: IO[str],
    rejects: IO[str],
    counts: RowCounts,
) -> Iterator[tuple[str, Any]]:
    """Copy every line to its file; yield id and value of the rows that are labeled."""
    kind = kind_of(label_set)
    for line, row in lines:
        if LABELS not in row:
            rejects.write(line)
            counts.rejected += 1
            continue
        predictions.write(line)
        counts.problems.update(set(map(sort_of, row["problems"])))
        counts.notes.update(set(map(sort_of, row["notes"])))
        for name, used in (row.get("usage") or {}).items():
            counts.usage[name] = counts.usage.get(name, 0) + used
        value = value_of(row, label_set)
        if kind.complete(value):
            counts.labeled += 1
            yield row["id"], value
        else:
            counts.undetermined += 1


def _damaged(path: Path) -> OutputError:
    return OutputError(
        "this part of the result is damaged",
        remedy="delete this one file and run the same command again",
        source=path,
    )


COLUMNS = ("observation", "first", "second", "label", "decided_by", "probability")
"""Behind the id. ``label`` is what the result says; a rule of the label set may have overridden
both. ``probability`` is that of the first reader's label, where it gives one."""


@dataclass(frozen=True)
class Differences:
    """How often two readers differ: labels, the reports that these stand in, and who decided."""

    labels: int = 0
    reports: int = 0
    decided_by_second: int = 0

    def to_json(self) -> dict[str, int]:
        """For the manifest."""
        return {
            "labels_that_differ": self.labels,
            "reports_that_differ": self.reports,
            "decided_by_second": self.decided_by_second,
        }


def write_disagreements(folder: Path, label_set: LabelSet, *, id_column: str) -> Differences:
    """Write the table of a result folder from its ``predictions.jsonl``.

    Raises:
        OutputError: it cannot be written, or a line is damaged.
    """
    labels = reports = by_second = 0
    with atomic_write(folder / DISAGREEMENTS, mode=PRIVATE) as handle:
        name = "id" if id_column in COLUMNS else id_column  # else two columns had one name
        table = TableWriter(handle, COLUMNS, id_column=name)
        kind = kind_of(label_set)
        for _, row in lines_of(folder / PREDICTIONS):
            value = value_of(row, label_set)
            if not kind.complete(value):
                continue
            found = list(_cells(row, kind.sides(label_set, value)))
            for cells in found:
                table.add(row["id"], cells)
            labels += len(found)
            reports += bool(found)
            by_second += len((row.get("second") or {}).get("decided", ()))
    return Differences(labels, reports, by_second)


def compare_readers(
    folder: Path, label_set: LabelSet, labelers: Iterable[Mapping[str, Any]], *, id_column: str
) -> dict[str, dict[str, int]]:
    """What the manifest says of two readers, whose table is written; empty where there are none.

    Args:
        labelers: what the labelers say of themselves that labeled the folder.

    Raises:
        OutputError: as :func:`write_disagreements`.
    """
    if not any("second_reader" in said for said in labelers):
        return {}
    return {"readers": write_disagreements(folder, label_set, id_column=id_column).to_json()}


def _cells(row: Mapping[str, Any], sides: Mapping[str, Side]) -> Iterator[list[str]]:
    second = row.get("second") or {}
    for name in second.get("disagree", ()):
        first = second["first"][name]
        given = (row.get("probs") or {}).get(name, {}).get(first)
        given = second.get("sure", {}).get(name) if given is None else given
        yield [
            name,
            first or "",
            second["labels"][name] or "",
            sides[name][0] or "",
            "second" if name in second["decided"] else "first",
            "" if given is None else str(given),
        ]
