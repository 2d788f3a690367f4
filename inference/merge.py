"""From parts to the files the user asked for: one pass, in input order, constant memory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from inference.job import LABELS, PARTS, PREDICTIONS, REJECTS
from inference.shards import part_path
from labelwright.errors import LabelwrightError, OutputError
from labelwright.jsonl import atomic_write, writing
from labelwright.label_csv import write_labels
from labelwright.label_set import LabelSet
from labelwright.records import Certainty

Line = tuple[str, dict[str, Any]]
"""A line with its end as it is stored, and the row that it says."""

CERTAINTIES: dict[str | None, Certainty | None] = {c.value: c for c in Certainty} | {None: None}


@dataclass
class Counts:
    """Rows by fate; ``undetermined`` ones are rejected although they have a prediction."""

    labeled: int = 0
    rejected: int = 0
    undetermined: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)


def merge(out: Path, label_set: LabelSet, *, id_column: str, rows: Sequence[int]) -> Counts:
    """Write the three result files from the parts.

    Args:
        rows: how many input rows each shard had.

    Raises:
        OutputError: a file cannot be written, or a part is damaged.
        LabelwrightError: rows in and rows out do not agree.
    """
    lines = part_lines(out / PARTS, rows)
    return write_results(out, label_set, lines, id_column=id_column, expected=sum(rows))


def write_results(
    folder: Path, label_set: LabelSet, lines: Iterable[Line], *, id_column: str, expected: int
) -> Counts:
    """Sort lines of predictions and rejects into the three result files.

    Args:
        lines: in input order; a prediction that leaves an observation undetermined is
            followed by its reject.
        expected: input rows.

    Raises:
        OutputError: a file cannot be written.
        LabelwrightError: rows in and rows out do not agree.
    """
    counts = Counts()
    with ExitStack() as stack:
        labels, predictions, rejects = (
            stack.enter_context(atomic_write(folder / name))
            for name in (LABELS, PREDICTIONS, REJECTS)
        )
        with writing(folder):  # else the error would name whichever file is closed first
            labeled = _pass_on(lines, predictions, rejects, counts)
            write_labels(labels, label_set, labeled, id_column=id_column)
        if counts.labeled + counts.rejected != expected:
            raise LabelwrightError(
                f"{expected} rows went in, {counts.labeled} labeled and "
                f"{counts.rejected} rejected came out",
                remedy="this is a mistake of labelwright; please report it",
            )
    return counts


def part_lines(folder: Path, rows: Sequence[int]) -> Iterator[Line]:
    """The lines of all parts, with what they say.

    Raises:
        OutputError: a part is damaged: a line is none, or rows are missing.
    """
    for index, expected in enumerate(rows):
        path = part_path(folder, index)
        done = 0
        for line, row in lines_of(path):
            if "labels" not in row or complete(row):
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


def complete(row: Mapping[str, Any]) -> bool:
    """Whether a prediction's row has a certainty for every observation."""
    return None not in row["labels"].values()


def _pass_on(
    lines: Iterable[Line], predictions: IO[str], rejects: IO[str], counts: Counts
) -> Iterator[tuple[str, dict[str, Certainty | None]]]:
    """Copy every line to its file; yield id and labels of the rows that are labeled."""
    for line, row in lines:
        if "labels" not in row:
            rejects.write(line)
            counts.rejected += 1
            continue
        predictions.write(line)
        for kind in {p.partition(":")[0] for p in row["problems"]}:
            counts.problems[kind] += 1
        for kind in {n.partition(":")[0] for n in row["notes"]}:
            counts.notes[kind] += 1
        if complete(row):
            counts.labeled += 1
            yield row["id"], {name: CERTAINTIES[text] for name, text in row["labels"].items()}
        else:
            counts.undetermined += 1


def _damaged(path: Path) -> OutputError:
    return OutputError(
        "this part of the result is damaged",
        remedy="delete this one file and run the same command again",
        source=path,
    )
