"""Gold and any number of labelers over the same reports: what every comparison starts from.

Nothing is dropped in silence: reports without a prediction, answers that determine nothing and
predictions without gold are counted per labeler in :class:`Coverage`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from labelwright.errors import ConfigError, InputError
from labelwright.io import delimited
from labelwright.io.delimited import unescape_id
from labelwright.io.jsonl import read_jsonl
from labelwright.label_set import LabelSet
from labelwright.readers.options import ReadOptions
from labelwright.readers.tables.columns import usual
from labelwright.records import Prediction
from labelwright.results import PREDICTIONS, UNREADABLE, read_predictions
from labelwright.tasks import kind_of

if TYPE_CHECKING:
    from labelwright.label_set import LabelSet


Missing = Literal["error", "drop"]
"""Gold reports that a labeler has no prediction for: its errors, or left out for all labelers."""

PATIENT = "patient"


@dataclass(frozen=True)
class Inputs:
    """What is compared, and how the files are read.

    Attributes:
        gold: empty without gold, where the kind can do without.
        predictions: file or run folder by labeler.
        id_columns: of tables, joined with ``/``.
        patients, reports: tables or JSONL files with a column of patients, of texts.
        reading: how annotated gold is read.
        pred_reading: how annotated predictions are read, by labeler; ``""``: of all others.
            A prediction file tells its format by itself where nothing is said.
    """

    label_set: LabelSet
    gold: str | Path
    predictions: Mapping[str, str | Path]
    id_columns: tuple[str, ...] = ("id",)
    missing: Missing = "error"
    patients: str | Path | None = None
    patient_column: str = PATIENT
    reports: str | Path | None = None
    text_column: str = "text"
    reading: ReadOptions = field(default_factory=ReadOptions)
    pred_reading: Mapping[str, ReadOptions] = field(default_factory=dict)

    def patient_by_id(self) -> dict[str, str] | None:
        """The column of patients, where there is a file."""
        return self._column(self.patients, self.patient_column)

    def text_by_id(self) -> dict[str, str] | None:
        """The column of texts, where there is a file."""
        return self._column(self.reports, self.text_column)

    def _column(self, path: str | Path | None, column: str) -> dict[str, str] | None:
        return None if path is None else read_column(path, column, id_columns=self.id_columns)


@dataclass(frozen=True)
class Coverage:
    """How much of the gold one labeler answered.

    Attributes:
        source: the file read.
        rows: predictions in the file.
        missing: ids of gold reports without a prediction.
        extra: predictions without gold; ignored.
        undetermined: ids of predicted reports whose answer leaves something open.
        problems: ``{kind: reports}`` of the problems that the predictions name.
        undetermined_cells: what these answers leave open, where a report has several parts.
        read_as_blank: negatives of observations that can only be positive or blank; a table
            with 0 for "no" in such a column means blank.
    """

    source: str
    rows: int
    missing: tuple[str, ...]
    extra: int
    undetermined: tuple[str, ...]
    problems: Mapping[str, int]
    undetermined_cells: int = 0
    read_as_blank: int = 0


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

    def first(self, labeler: str) -> Self:
        """The same with this labeler in front."""
        return replace(self, pred={labeler: self.pred[labeler], **self.pred})

    @property
    def cluster_index(self) -> NDArray[np.int64]:
        """Cluster number per report, 0-based in order of first appearance, ``[reports]``."""
        if self.clusters is None:
            return np.arange(len(self.ids))
        numbers: dict[str, int] = {}
        return np.array([numbers.setdefault(c, len(numbers)) for c in self.clusters])


def prediction_file(path: str | Path) -> Path:
    """The file that a run folder stands for; any other path is itself."""
    file = Path(path)
    found = file / PREDICTIONS
    return found if file.is_dir() and found.is_file() else file


def common(
    inputs: Inputs,
    gold: Collection[str],
    files: Mapping[str, Collection[str]],
    *,
    remedy: str = "check the ids of both files",
    patients: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The reports that are scored, and their patients: what every :class:`Aligned` says of them.

    Args:
        gold: ids of the gold; ``files``: those of each labeler.
        remedy: where gold and a labeler share none.
        patients: by id, where the inputs name no file of them.

    Raises:
        InputError: gold and predictions share no id, or none is left.
    """
    for name, rows in files.items():
        check_common(gold, rows, source=str(inputs.predictions[name]), remedy=remedy)
    ids, dropped = scored_ids(tuple(gold), list(files.values()), inputs.missing, source=inputs.gold)
    given = inputs.patient_by_id()
    clusters, alone = clusters_of(ids, patients if given is None else given)
    return {
        "label_set": inputs.label_set,
        "ids": ids,
        "clusters": clusters,
        "missing": inputs.missing,
        "dropped": dropped,
        "gold_source": str(inputs.gold),
        "without_cluster": alone,
    }


def check_predictions(predictions: Mapping[str, object]) -> None:
    """Refuse a comparison of nothing.

    Raises:
        ConfigError: no predictions are given.
    """
    if not predictions:
        raise ConfigError("no predictions to score", remedy="give at least one --pred NAME=PATH")


def check_common(gold: Collection[str], rows: Collection[str], *, source: str, remedy: str) -> None:
    """Refuse predictions of other reports.

    Raises:
        InputError: gold and predictions share no id.
    """
    if set(gold).isdisjoint(rows):
        raise InputError("no id of the gold stands in it", remedy=remedy, source=source)


def scored_ids(
    gold: Sequence[str],
    predicted: Collection[Collection[str]],
    missing: Missing,
    *,
    source: str | Path,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The reports to score in the gold's order, and those left out.

    Raises:
        InputError: none is left.
    """
    if missing == "error":
        return tuple(gold), ()
    kept = tuple(i for i in gold if all(i in rows for rows in predicted))
    if not kept:
        raise InputError(
            "no report of the gold is predicted by all labelers",
            remedy='score missing predictions as errors (missing "error")',
            source=source,
        )
    known = set(kept)
    return kept, tuple(i for i in gold if i not in known)


def coverage(
    source: str,
    rows: Collection[str],
    gold: Collection[str],
    ids: Sequence[str],
    *,
    problems: Callable[[str], Iterable[str]],
    open_parts: Callable[[str], int],
    read_as_blank: int = 0,
) -> Coverage:
    """Count what one labeler answered.

    Args:
        rows: ids of its predictions; ``gold``: those of the gold; ``ids``: those scored.
        problems: the kinds of problems that a prediction names.
        open_parts: how much a prediction leaves open.
    """
    known = [i for i in ids if i in rows]
    kinds = Counter(kind for i in known for kind in problems(i))
    left = {i: n for i in known if (n := open_parts(i))}
    return Coverage(
        source=source,
        rows=len(rows),
        missing=tuple(i for i in gold if i not in rows),
        extra=sum(i not in gold for i in rows),
        undetermined=tuple(left),
        problems=dict(sorted(kinds.items())),
        undetermined_cells=sum(left.values()),
        read_as_blank=read_as_blank,
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
                f"an id appears twice with different values of {column!r}",
                remedy="keep one row per report",
                source=path,
                row=row,
            )
    return values


def known_id_columns(
    found: Sequence[str],
    wanted: Sequence[str],
    path: str | Path,
    others: Collection[str] = (),
) -> Sequence[str]:
    """The columns asked for, or ``id`` where a table of ours lacks them.

    Where none is asked for (``id``), it is the only one besides ``others``: a table of labels has
    the id under the name that the reports had for it.

    Raises:
        InputError: they cannot be told.
    """
    if set(wanted) <= set(found):
        return wanted
    if "id" in found:
        return ("id",)
    if tuple(wanted) == ("id",) and (name := usual(found, "id")):
        return (name,)
    rest = [name for name in found if name not in others]
    if others and len(rest) == 1 and tuple(wanted) == ("id",):
        return rest
    missing = ", ".join(name for name in wanted if name not in found)
    raise InputError(
        f"no column {missing}",
        remedy=f"name the id with --id-column; columns found: {delimited.shown(found)}",
        source=path,
    )


def _column_rows(
    path: Path, column: str, id_columns: Sequence[str]
) -> Iterator[tuple[int, str, str]]:
    if path.suffix == ".jsonl":
        keys: dict[str, None] = {}
        for line, raw in read_jsonl(path):
            meta = raw.get("meta")
            every = {**(meta if isinstance(meta, dict) else {}), **raw}
            if column not in keys:
                keys |= dict.fromkeys(every)
            value = every.get(column if column in keys else _meant(column, list(keys)))
            identifier = raw.get("id", raw.get(id_columns[0], ""))
            yield line, str(identifier), "" if value is None else str(value)
        if column not in keys and _meant(column, list(keys)) not in keys:
            raise _no_column(column, list(keys), path)
        return
    found = delimited.columns(path)
    ids = known_id_columns(found, id_columns, path)
    meant = _meant(column, found)
    if meant not in found:
        raise _no_column(column, found, path)
    for row, cells in delimited.rows(path):
        identifier = "/".join(cells[c].strip() for c in ids)
        yield row, unescape_id(identifier), cells[meant].strip()


def _meant(column: str, found: Sequence[str]) -> str:
    """The column; for patients also the one with a usual name, where none is called that."""
    if column != PATIENT or column in found:
        return column
    return usual(found, PATIENT) or column


def _no_column(column: str, found: Sequence[str], path: Path) -> InputError:
    flag = "name it with --patient-column; " if column == PATIENT else ""
    return InputError(
        f"no column {column}",
        remedy=f"{flag}columns found: {delimited.shown(found)}",
        source=path,
    )


def known_values(path: Path, label_set: LabelSet) -> dict[str, Any]:
    """The values of a gold file, by id.

    Raises:
        InputError: it cannot be read or holds nothing, or an id stands twice.
    """
    found: dict[str, Any] = {}
    try:
        for row, identifier, value in kind_of(label_set).read_gold(path, label_set):
            _once(identifier, found, path, row)
            found[identifier] = value
    except UNREADABLE:
        raise InputError(
            f"a row is not a known value of label set {label_set.name}",
            remedy="give the label set of the file (--label-set)",
            source=path,
        ) from None
    if not found:
        raise InputError("no rows", remedy="give gold with values", source=path)
    return found


def predictions(file: Path, label_set: LabelSet) -> Iterator[tuple[int, Prediction]]:
    """Row and prediction of each line of a labeling run's ``predictions.jsonl``.

    Raises:
        InputError: a row is none of this label set, or an id stands twice.
    """
    seen: dict[str, Any] = {}
    for row, prediction in read_predictions(file, label_set):
        _once(prediction.id, seen, file, row)
        seen[prediction.id] = None
        yield row, prediction


def _once(identifier: str, seen: dict[str, Any], source: Path, row: int) -> None:
    if identifier in seen:
        raise InputError(
            "an id stands twice", remedy="keep one row per report", source=source, row=row
        )
