"""Gold and predictions of certainties: label files as codes, aligned by id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval.read.aligned import (
    Aligned,
    Coverage,
    Inputs,
    check_predictions,
    common,
    coverage,
    known_id_columns,
)
from labelwright.errors import InputError
from labelwright.io import delimited
from labelwright.io.jsonl import read_jsonl
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction
from labelwright.results import UNREADABLE, predictions_file
from labelwright.tasks.certainty.table import label_columns, read_labels

Codes = NDArray[np.int8]
INDEX = {certainty: index for index, certainty in enumerate(Certainty)}
BLANK = INDEX[Certainty.BLANK]
NONE = -1


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


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison(Aligned):
    """Gold and any number of labelers over the same reports and observations.

    Codes are 0 positive, 1 negative, 2 uncertain, 3 blank (the order of ``Certainty``) and,
    in predictions only, -1 for undetermined or missing, which is an error everywhere.

    Attributes:
        observations: those that the gold has a column for, in the label set's order.
        gold: int8, ``[reports, observations]``.
        pred: per labeler int8, ``[reports, observations]``.
        unscored: observations of the label set that the gold has no column for.
        gold_read_as_blank: as :attr:`Coverage.read_as_blank`, for the gold.
    """

    observations: tuple[str, ...]
    gold: Codes
    pred: Mapping[str, Codes]
    unscored: tuple[str, ...] = ()
    gold_read_as_blank: int = 0


def load(inputs: Inputs) -> Comparison:
    """Read and align a gold table, in CheXpert's coding, and prediction files.

    The gold may be prediction rows too, and may lack observations. A predictions table without the
    gold's id columns is read by its column ``id``.

    Raises:
        InputError: a file or column is missing, an id appears twice, a code is unknown, a file
            belongs to another label set, or gold and predictions share no id.
        ConfigError: no predictions are given.
    """
    check_predictions(inputs.predictions)
    label_set, id_columns = inputs.label_set, inputs.id_columns
    truth = read_table(inputs.gold, label_set, id_columns=id_columns, undetermined=False)
    if not truth.ids:
        raise InputError("no rows", remedy="give a gold table with labels", source=inputs.gold)
    tables = {
        name: read_table(path, label_set, id_columns=id_columns)
        for name, path in inputs.predictions.items()
    }
    for table in tables.values():
        _check(table, truth)
    shared = common(
        inputs,
        truth.rows,
        {name: table.rows for name, table in tables.items()},
        remedy="check the id columns of both files (--id-column)",
    )
    ids = shared["ids"]
    return Comparison(
        **shared,
        observations=truth.observations,
        gold=_aligned(truth, ids, truth.observations),
        pred={name: _aligned(t, ids, truth.observations) for name, t in tables.items()},
        coverage={name: _coverage(t, truth, ids) for name, t in tables.items()},
        unscored=tuple(n for n in label_set.names if n not in truth.observations),
        gold_read_as_blank=truth.read_as_blank,
    )


def _check(table: LabelTable, truth: LabelTable) -> None:
    absent = [name for name in truth.observations if name not in table.observations]
    if absent:
        raise InputError(
            f"no answers for {', '.join(absent)}, which the gold has",
            remedy="give predictions for these observations or remove them from the gold",
            source=table.source,
        )


def _aligned(table: LabelTable, ids: Sequence[str], observations: Sequence[str]) -> Codes:
    codes = np.full((len(ids), len(observations)), -1, dtype=np.int8)
    columns = [table.observations.index(name) for name in observations]
    here = [(place, table.rows[i]) for place, i in enumerate(ids) if i in table.rows]
    if here:
        places, rows = zip(*here, strict=True)
        codes[list(places)] = table.codes[list(rows)][:, columns]
    return codes


def _coverage(table: LabelTable, truth: LabelTable, ids: Sequence[str]) -> Coverage:
    columns = [table.observations.index(name) for name in truth.observations]
    left = (table.codes[:, columns] < 0).sum(axis=1).tolist()
    return coverage(
        table.source,
        table.rows,
        truth.rows,
        ids,
        problems=lambda i: table.problems.get(i, ()),
        open_parts=lambda i: left[table.rows[i]],
        read_as_blank=table.read_as_blank,
    )


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
    file = predictions_file(path)
    if file.suffix == ".jsonl":
        rows = _prediction_rows(file, label_set)
    else:
        rows = _table_rows(file, label_set, id_columns)
    return _Collector(str(path), label_set, undetermined).collect(rows)


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
            prediction = Prediction.from_json(raw, label_set)
        except UNREADABLE:
            raise InputError(
                "the row is not a prediction (id, labels with known certainties)",
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
    found = delimited.columns(path)
    labels = label_columns(label_set, found).values()
    columns = known_id_columns(found, id_columns, path, labels)
    for row, identifier, said in read_labels(
        path, label_set, id_columns=columns, allow_missing=True
    ):
        yield row, identifier, said, ()
