"""One label file as codes: tables in CheXpert's coding and ``predictions.jsonl`` alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labelwright.errors import InputError
from labelwright.io import delimited
from labelwright.io.jsonl import read_jsonl
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction
from labelwright.tasks.certainty.table import read_labels, unescape_id

Codes = NDArray[np.int8]
INDEX = {certainty: index for index, certainty in enumerate(Certainty)}
BLANK = INDEX[Certainty.BLANK]
NONE = -1
PREDICTIONS_FILE = "predictions.jsonl"


@dataclass(frozen=True, eq=False)
class LabelTable:
    """One file: ``codes`` is int8 ``[rows, observations]``, ``rows`` maps id to row."""

    source: str
    ids: tuple[str, ...]
    rows: Mapping[str, int]
    observations: tuple[str, ...]
    codes: Codes
    problems: Mapping[str, frozenset[str]]
    read_as_blank: int


def read_table(
    path: str | Path,
    label_set: LabelSet,
    *,
    id_columns: Sequence[str],
    undetermined: bool = True,
) -> LabelTable:
    """Read a label file; a folder stands for the ``predictions.jsonl`` in it.

    Args:
        undetermined: whether observations without a certainty are allowed (code -1).

    Raises:
        InputError: file or column missing, an id empty or twice, an unknown code, or another
            label set's observations.
    """
    file = Path(path)
    if file.is_dir():
        file = file / PREDICTIONS_FILE
    if file.suffix == ".jsonl":
        rows = _prediction_rows(file, label_set)
    else:
        rows = _table_rows(file, label_set, id_columns)
    return _Collector(str(path), label_set, undetermined).collect(rows)


def read_column(
    path: str | Path, column: str, *, id_columns: Sequence[str] = ("id",)
) -> dict[str, str]:
    """``{id: value}`` of one column of a table or JSONL file (patient, sex, scanner, …).

    Raises:
        InputError: file or column missing, or an id with two different values.
    """
    values: dict[str, str] = {}
    for row, identifier, value in _column_rows(Path(path), column, id_columns):
        if values.setdefault(identifier, value) != value:
            raise InputError(
                f"an id stands twice with different values of {column!r}",
                remedy="keep one row per report",
                source=path,
                row=row,
            )
    return values


Row = tuple[int, str, Mapping[str, Certainty | None], tuple[str, ...]]


class _Collector:
    def __init__(self, source: str, label_set: LabelSet, undetermined: bool) -> None:
        self.source = source
        self.label_set = label_set
        self.undetermined = undetermined
        self.read_as_blank = 0

    def collect(self, rows: Iterator[Row]) -> LabelTable:
        seen: dict[str, int] = {}
        lines: dict[str, int] = {}
        observations: tuple[str, ...] | None = None
        codes: list[list[int]] = []
        problems: dict[str, frozenset[str]] = {}
        for line, identifier, labels, named in rows:
            if not identifier.strip("/ "):
                raise self._error("empty id", "give every row an id", line)
            if identifier in seen:
                raise self._error(
                    f"the id of row {lines[identifier]} stands again",
                    "keep one row per report",
                    line,
                )
            names = tuple(n for n in self.label_set.names if n in labels)
            if observations is None:
                observations = names
            elif names != observations:
                raise self._error(
                    "the row has other observations than the rows before",
                    "write every row with the same label set",
                    line,
                )
            seen[identifier] = len(codes)
            lines[identifier] = line
            codes.append([self._code(name, labels[name], line) for name in names])
            if named:
                problems[identifier] = frozenset(p.partition(":")[0] for p in named)
        found = self.label_set.names if observations is None else observations
        return LabelTable(
            source=self.source,
            ids=tuple(seen),
            rows=seen,
            observations=found,
            codes=np.array(codes, dtype=np.int8).reshape(len(codes), len(found)),
            problems=problems,
            read_as_blank=self.read_as_blank,
        )

    def _code(self, name: str, value: Certainty | None, line: int) -> int:
        if value is None:
            if not self.undetermined:
                raise self._error(
                    f"{name} has no certainty", "give the gold a certainty everywhere", line
                )
            return NONE
        allowed = self.label_set.by_name[name].certainties
        if value in allowed:
            return INDEX[value]
        if value is Certainty.NEGATIVE:
            self.read_as_blank += 1
            return BLANK
        if self.undetermined:
            return NONE
        raise self._error(
            f"{name} cannot be {value.value} in label set {self.label_set.name}",
            f"use one of: {', '.join(allowed)}",
            line,
        )

    def _error(self, what: str, remedy: str, row: int) -> InputError:
        return InputError(what, remedy=remedy, source=self.source, row=row)


def _prediction_rows(path: Path, label_set: LabelSet) -> Iterator[Row]:
    for line, raw in read_jsonl(path):
        if "entities" in raw and not raw.get("labels"):
            raise InputError(
                f"the row holds entities, and label set {label_set.name} asks for none",
                remedy="give the label set of the entities (--label-set)",
                source=path,
                row=line,
            )
        try:
            prediction = Prediction.from_json(raw)
        except (KeyError, ValueError, TypeError, AttributeError):
            raise InputError(
                "the row is no prediction (id, labels with known certainties)",
                remedy="give the predictions.jsonl of a labeling run",
                source=path,
                row=line,
            ) from None
        foreign = [name for name in prediction.labels if name not in label_set.by_name]
        if foreign or not prediction.labels:
            raise InputError(
                f"the predictions are not of label set {label_set.name}",
                remedy="give the label set that they were made with (--label-set)",
                source=path,
                row=line,
            )
        yield line, prediction.id, prediction.labels, prediction.problems


def _table_rows(path: Path, label_set: LabelSet, id_columns: Sequence[str]) -> Iterator[Row]:
    columns = _id_columns(delimited.columns(path), id_columns)
    for row, identifier, labels in read_labels(
        path, label_set, id_columns=columns, allow_missing=True
    ):
        yield row, identifier, labels, ()


def _id_columns(found: Sequence[str], wanted: Sequence[str]) -> Sequence[str]:
    """The columns asked for, or ``id`` where a table of ours lacks them."""
    return ("id",) if "id" in found and not set(wanted) <= set(found) else wanted


def _column_rows(
    path: Path, column: str, id_columns: Sequence[str]
) -> Iterator[tuple[int, str, str]]:
    if path.suffix == ".jsonl":
        for line, raw in read_jsonl(path):
            meta = raw.get("meta")
            value = raw.get(column, meta.get(column) if isinstance(meta, dict) else None)
            identifier = raw.get("id", raw.get(id_columns[0], ""))
            yield line, str(identifier), "" if value is None else str(value)
        return
    found = delimited.columns(path)
    ids = _id_columns(found, id_columns)
    absent = [name for name in (*ids, column) if name not in found]
    if absent:
        raise delimited.no_column(", ".join(absent), found, path)
    for row, cells in delimited.rows(path):
        identifier = "/".join(cells[c].strip() for c in ids)
        yield row, unescape_id(identifier), cells[column].strip()
