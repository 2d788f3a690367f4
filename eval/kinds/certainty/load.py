"""Gold and predictions, aligned by id: what every score and test starts from.

Nothing is dropped in silence: reports without a prediction, answers that determine nothing and
predictions without gold are counted per labeler in :class:`Coverage`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from eval.kinds.certainty.label_table import Codes, LabelTable, read_column, read_table
from labelwright.errors import ConfigError, InputError
from labelwright.label_set import LabelSet

Missing = Literal["error", "drop"]
"""Gold reports that a labeler has no prediction for: its errors, or left out for all labelers."""


@dataclass(frozen=True)
class Coverage:
    """How much of the gold one labeler answered.

    Attributes:
        source: the file read.
        rows: predictions in the file.
        missing: ids of gold reports without a prediction.
        extra: predictions without gold; ignored.
        undetermined: ids of predicted reports with at least one undetermined observation.
        undetermined_cells: undetermined observations of predicted reports.
        problems: ``{kind: reports}`` of the problems that the predictions name.
        read_as_blank: negatives of observations that can only be positive or blank; a table
            with 0 for "no" in such a column means blank.
    """

    source: str
    rows: int
    missing: tuple[str, ...]
    extra: int
    undetermined: tuple[str, ...]
    undetermined_cells: int
    problems: Mapping[str, int]
    read_as_blank: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Aligned:
    """What every comparison has: gold and any number of labelers over the same reports.

    Attributes:
        ids: reports in the gold's order.
        clusters: patient per report, or ``None`` where not known (each report by itself).
        pred: the answers per labeler, in the order of ``ids``.
        coverage: per labeler.
        dropped: ids left out by ``missing="drop"``.
        without_cluster: reports without a patient; each is a cluster of its own.
    """

    label_set: LabelSet
    ids: tuple[str, ...]
    clusters: tuple[str, ...] | None
    pred: Mapping[str, Any]
    coverage: Mapping[str, Coverage]
    missing: Missing = "error"
    dropped: tuple[str, ...] = ()
    gold_source: str = ""
    without_cluster: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The labelers, in order."""
        return tuple(self.pred)

    @property
    def cluster_index(self) -> NDArray[np.int64]:
        """Cluster number per report, 0-based in order of first appearance, ``[reports]``."""
        if self.clusters is None:
            return np.arange(len(self.ids))
        numbers: dict[str, int] = {}
        return np.array([numbers.setdefault(c, len(numbers)) for c in self.clusters])


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


def load_comparison(
    gold: str | Path,
    predictions: Mapping[str, str | Path],
    label_set: LabelSet,
    *,
    id_columns: Sequence[str] = ("id",),
    missing: Missing = "error",
    patients: str | Path | None = None,
    patient_column: str = "patient",
) -> Comparison:
    """Read and align a gold table and prediction files.

    Args:
        gold: a table in CheXpert's coding (or prediction rows); it may lack observations.
        predictions: ``{labeler: predictions.jsonl, run folder or table in CheXpert's coding}``.
        id_columns: the id of the gold's and the predictions' tables; a predictions table
            without them is read by its column ``id``.
        patients: a table or JSONL file with the id and ``patient_column``.

    Raises:
        InputError: a file or column is missing, an id stands twice, a code is unknown, a file
            belongs to another label set, or gold and predictions share no id.
        ConfigError: no predictions are given.
    """
    if not predictions:
        raise ConfigError("no predictions to score", remedy="give at least one --pred NAME=FILE")
    truth = read_table(gold, label_set, id_columns=id_columns, undetermined=False)
    if not truth.ids:
        raise InputError("no rows", remedy="give a gold table with labels", source=gold)
    tables = {
        name: read_table(path, label_set, id_columns=id_columns)
        for name, path in predictions.items()
    }
    for table in tables.values():
        _check(table, truth)
    ids = list(truth.ids)
    dropped: list[str] = []
    if missing == "drop":
        dropped = [i for i in ids if any(i not in t.rows for t in tables.values())]
        ids = [i for i in ids if all(i in t.rows for t in tables.values())]
        if not ids:
            raise InputError(
                "no report of the gold is predicted by all labelers",
                remedy='score missing predictions as errors (missing "error")',
                source=gold,
            )
    by_id = (
        None if patients is None else read_column(patients, patient_column, id_columns=id_columns)
    )
    clusters, alone = clusters_of(ids, by_id)
    return Comparison(
        label_set=label_set,
        observations=truth.observations,
        ids=tuple(ids),
        clusters=clusters,
        gold=_aligned(truth, ids, truth.observations),
        pred={name: _aligned(t, ids, truth.observations) for name, t in tables.items()},
        coverage={name: _coverage(t, truth, ids) for name, t in tables.items()},
        missing=missing,
        dropped=tuple(dropped),
        unscored=tuple(n for n in label_set.names if n not in truth.observations),
        gold_source=str(gold),
        gold_read_as_blank=truth.read_as_blank,
        without_cluster=alone,
    )


def _check(table: LabelTable, truth: LabelTable) -> None:
    absent = [name for name in truth.observations if name not in table.observations]
    if absent:
        raise InputError(
            f"no answers for {', '.join(absent)}, which the gold has",
            remedy="give predictions for these observations or leave them out of the gold",
            source=table.source,
        )
    if not table.rows.keys() & truth.rows.keys():
        raise InputError(
            "no id of the gold stands in it",
            remedy="check the id columns of both files (--id-column)",
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
    known = [i for i in ids if i in table.rows]
    open_cells = (_aligned(table, known, truth.observations) < 0).sum(axis=1)
    kinds: Counter[str] = Counter()
    for identifier in known:
        kinds.update(table.problems.get(identifier, ()))
    return Coverage(
        source=table.source,
        rows=len(table.ids),
        missing=tuple(i for i in truth.ids if i not in table.rows),
        extra=sum(i not in truth.rows for i in table.ids),
        undetermined=tuple(i for i, n in zip(known, open_cells, strict=True) if n),
        undetermined_cells=int(open_cells.sum()),
        problems=dict(sorted(kinds.items())),
        read_as_blank=table.read_as_blank,
    )


def clusters_of(
    ids: Sequence[str], patients: Mapping[str, str] | None
) -> tuple[tuple[str, ...] | None, int]:
    """Patient per report, and how many reports have none; ``None`` where none are known."""
    if patients is None:
        return None, 0
    found = [patients.get(i, "") for i in ids]
    # A tab cannot stand in a patient's name as read, so no report joins another by accident.
    named = tuple(p or f"\t{i}" for p, i in zip(found, ids, strict=True))
    return named, sum(not p for p in found)
