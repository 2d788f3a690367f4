"""From parts to the files the user asked for: one pass, in input order, constant memory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from inference.runs.job import DISAGREEMENTS, PARTS, PREDICTIONS, REJECTS
from inference.runs.shards import kind_of, part_path
from inference.runs.tables import table_of, write_table
from labelwright.errors import LabelwrightError, OutputError
from labelwright.io.jsonl import atomic_write, writing
from labelwright.io.manifest import sha256_file
from labelwright.label_set import ENTITIES, LabelSet

Line = tuple[str, dict[str, Any]]
"""A line with its end as it is stored, and the row that it says."""


@dataclass
class Counts:
    """Rows by fate; ``undetermined`` ones are rejected although they have a prediction.

    Attributes:
        entities: mentions per type, of labeled rows.
        elsewhere: those of them that the text does not hold.
        usage: tokens and cost of all answers, where a server tells them.
    """

    labeled: int = 0
    rejected: int = 0
    undetermined: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    entities: Counter[str] = field(default_factory=Counter)
    elsewhere: Counter[str] = field(default_factory=Counter)
    usage: dict[str, float] = field(default_factory=dict)

    def to_json(self, label_set: LabelSet) -> dict[str, Any]:
        """What the manifest says of the answers; of mentions for label sets of entities only."""
        value: dict[str, Any] = {
            "problems": dict(sorted(self.problems.items())),
            "notes": dict(sorted(self.notes.items())),
        }
        if label_set.task == ENTITIES:
            value["entities"] = {
                name: {"mentions": self.entities[name], "not_in_the_text": self.elsewhere[name]}
                for name in label_set.names
            }
        if self.usage:
            value["usage"] = {name: round(amount, 6) for name, amount in self.usage.items()}
        return value


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
        table, predictions, rejects = (
            stack.enter_context(atomic_write(folder / name))
            for name in (table_of(label_set), PREDICTIONS, REJECTS)
        )
        with writing(folder):  # else the error would name whichever file is closed first
            labeled = _pass_on(lines, predictions, rejects, counts)
            write_table(table, label_set, labeled, id_column=id_column)
        if counts.labeled + counts.rejected != expected:
            raise LabelwrightError(
                f"{expected} rows went in, {counts.labeled} labeled and "
                f"{counts.rejected} rejected came out",
                remedy="this is a mistake of labelwright; please report it",
            )
    return counts


def outputs(folder: Path, label_set: LabelSet) -> dict[str, str]:
    """SHA-256 of the result files."""
    names = [table_of(label_set), PREDICTIONS, REJECTS]
    names += [DISAGREEMENTS] if (folder / DISAGREEMENTS).exists() else []
    return {name: sha256_file(folder / name) for name in names}


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
    """Whether a prediction's row has a certainty for every observation, or its entities."""
    labels = row["labels"]
    return None not in labels.values() if labels else row.get("entities") is not None


def _pass_on(
    lines: Iterable[Line], predictions: IO[str], rejects: IO[str], counts: Counts
) -> Iterator[dict[str, Any]]:
    """Copy every line to its file; yield the rows that are labeled."""
    for line, row in lines:
        if "labels" not in row:
            rejects.write(line)
            counts.rejected += 1
            continue
        predictions.write(line)
        counts.problems.update(set(map(kind_of, row["problems"])))
        counts.notes.update(set(map(kind_of, row["notes"])))
        for name, amount in (row.get("usage") or {}).items():
            counts.usage[name] = counts.usage.get(name, 0) + amount
        if complete(row):
            counts.labeled += 1
            for entity in row.get("entities") or ():
                counts.entities[entity["type"]] += 1
                counts.elsewhere[entity["type"]] += not entity["spans"]
            yield row
        else:
            counts.undetermined += 1


def _damaged(path: Path) -> OutputError:
    return OutputError(
        "this part of the result is damaged",
        remedy="delete this one file and run the same command again",
        source=path,
    )
