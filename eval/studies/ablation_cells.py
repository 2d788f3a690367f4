"""The cells of an ablation: how similar reports were used and how many, read from each run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eval.read.provenance import Source, read_source
from labelwright.errors import ConfigError, InputError
from labelwright.io.jsonl import read_jsonl
from labelwright.label_set import LabelSet
from labelwright.results import predictions_file

CONTEXT, FEW_SHOT, KNN = METHODS = ("context", "few-shot", "knn")
NONE = "none"
NEAREST = "nearest neighbours"
"""Kind of labeler whose neighbours vote."""
_OPTIONS_OF_A_CELL = ("sections", "id_column")
"""Options of a labeling run that may differ between cells: they do not change which reports
are labeled."""
_FOUND = re.compile(r"neighbours: (\d+) of \d+")
_LEFT_OUT = re.compile(r"neighbours left out, the prompt is too long: (\d+)")


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One cell: a method and its number of neighbours; without neighbours all methods agree.

    Raises:
        ConfigError: method or number is none.
    """

    method: str
    k: int

    def __post_init__(self) -> None:
        if self.method != NONE and self.method not in METHODS:
            raise ConfigError(
                f"unknown method {self.method!r}",
                remedy=f"use one of: {', '.join(METHODS)}; {NONE} for k = 0",
            )
        if (self.k == 0) != (self.method == NONE) or self.k < 0:
            raise ConfigError(
                f"{self.method} cannot have k = {self.k}",
                remedy=f"give k of at least 1, or {NONE} for labeling without neighbours",
            )

    @classmethod
    def parse(cls, text: str) -> Cell:
        """``METHOD:K``, such as ``few-shot:3``; ``none`` and ``METHOD:0`` for k = 0.

        Raises:
            ConfigError: the text names no cell.
        """
        method, colon, number = (part.strip() for part in text.partition(":"))
        if method == NONE and not colon:
            return cls(NONE, 0)
        if not (number.isascii() and number.isdigit()):
            raise ConfigError(
                f"{text!r} is not a cell of an ablation",
                remedy="write METHOD:K, such as few-shot:3, or none",
            )
        k = int(number)
        if k == 0 and method in (*METHODS[:2], NONE):
            return cls(NONE, 0)
        return cls(method, k)

    @property
    def name(self) -> str:
        """How the page calls it; "none is better than" would say the contrary of what it means."""
        return "k=0" if self.k == 0 else f"{self.method} k={self.k}"

    @property
    def folder(self) -> str:
        """How its run's folder is called."""
        return self.method if self.k == 0 else f"{self.method}-k{self.k}"


WITHOUT = Cell(NONE, 0)
"""The cell that all others are compared with."""


@dataclass(frozen=True, eq=False)
class Run:
    """One finished run and its cell.

    Attributes:
        recorded: the cell that its manifest names; ``None`` where it names none.
    """

    cell: Cell
    source: Source
    recorded: Cell | None

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the run recorded of its neighbours; empty without any."""
        found = self.source.labeler
        if found.get("kind") == NEAREST:
            return found
        shown = found.get("neighbours")
        return shown if isinstance(shown, dict) else {}

    @property
    def options(self) -> Mapping[str, Any]:
        """The choices that shaped its rows."""
        found = (self.source.manifest or {}).get("options")
        return found if isinstance(found, dict) else {}

    @property
    def rate(self) -> float | None:
        """Reports per second of the run that finished the folder; ``None`` where not known."""
        manifest = self.source.manifest or {}
        try:
            now = int(manifest["counts"]["rows"]) - int(manifest.get("rows_of_earlier_runs", 0))
            seconds = float(manifest["seconds"])
        except (KeyError, TypeError, ValueError):
            return None
        return now / seconds if now > 0 and seconds > 0 else None

    def shown(self) -> float | None:
        """Neighbours per labeled report; ``None`` where the file does not say.

        Raises:
            InputError: the file cannot be read.
        """
        if self.cell == WITHOUT:
            return 0.0
        file = predictions_file(self.source.path)
        if file.suffix != ".jsonl":
            return None
        each = [_shown(row.get("notes"), self.cell.k) for _, row in read_jsonl(file)]
        return sum(each) / len(each) if each else None


def recorded_cell(source: Source) -> Cell | None:
    """The cell that a run's manifest names; ``None`` without manifest, or if it names none."""
    known = source.labeler
    if not known:
        return None
    found: Any = known.get("neighbours")
    if known.get("kind") == NEAREST:
        found = {"method": KNN, "k": known.get("k")}
    elif found is None:
        return WITHOUT
    try:
        return Cell(str(found["method"]), int(found["k"]))
    except (KeyError, TypeError, ValueError, ConfigError):
        return None


def cell_of(stated: Cell | None, source: Source) -> Cell:
    """A run's cell: the one that the user states, else the one that its manifest names.

    Raises:
        InputError: neither says it.
    """
    cell = stated or recorded_cell(source)
    if cell is None:
        why = (
            "no manifest of labelwright label belongs to it"
            if source.manifest is None
            else "its manifest does not say"
        )
        raise InputError(
            f"no telling with which neighbours it was labeled: {why}",
            remedy="give method and k: --pred METHOD:K=RUN, or --pred none=RUN",
            source=source.path,
        )
    return cell


def read_runs(given: Iterable[tuple[Cell | None, str]], label_set: LabelSet) -> list[Run]:
    """The runs in the order of their cells, the one without neighbours first.

    Args:
        given: run folder or predictions file, with its cell where the user says it.

    Raises:
        InputError: a file cannot be read, its cell is not known, it was made for another
            label set, or the runs are of different reports.
        ConfigError: two runs are of one cell, or none is without neighbours, or all are.
    """
    runs: dict[Cell, Run] = {}
    for stated, path in given:
        source = read_source(path, path)
        cell = cell_of(stated, source)
        if cell in runs:
            raise ConfigError(
                f"two runs are of one cell, {cell.name}: {runs[cell].source.path} and {path}",
                remedy="leave one out, or say what it is: --pred METHOD:K=RUN",
            )
        runs[cell] = Run(cell, replace(source, name=cell.name), recorded_cell(source))
    _check_cells(runs)
    ordered = sorted(runs.values(), key=lambda run: _order(run.cell))
    _check_label_set(ordered, label_set)
    _check_reports(ordered)
    return ordered


def methods_of(cells: Iterable[Cell]) -> list[str]:
    """The methods among the cells, in the order of :data:`METHODS`."""
    found = {cell.method for cell in cells}
    return [method for method in METHODS if method in found]


def _order(cell: Cell) -> tuple[int, int]:
    return (0, 0) if cell == WITHOUT else (1 + METHODS.index(cell.method), cell.k)


def _check_cells(runs: Mapping[Cell, Run]) -> None:
    if WITHOUT not in runs:
        raise ConfigError(
            "no run is without neighbours, and there is nothing to compare with",
            remedy="label the reports once with --neighbours none (k = 0) and give that run too",
        )
    if len(runs) == 1:
        raise ConfigError(
            "the only run is without neighbours",
            remedy="give runs with --neighbours context or few-shot, or of --model knn",
        )


def _check_label_set(runs: Sequence[Run], label_set: LabelSet) -> None:
    for run in runs:
        used = (run.source.manifest or {}).get("label_set_sha256")
        if used is not None and used != label_set.fingerprint:
            raise InputError(
                f"the run was made for another label set than {label_set.name} "
                f"{label_set.version} as given here",
                remedy="give the one that all runs were made for: --label-set FILE",
                source=run.source.path,
            )


def _check_reports(runs: Sequence[Run]) -> None:
    """Only what manifests say; the ids are compared with the gold when predictions are read."""
    first: tuple[Run, Any] | None = None
    for run in runs:
        if run.source.manifest is None:
            continue
        found = _reports(run)
        if first is None:
            first = run, found
        elif first[1] != found:
            raise InputError(
                f"the run is of other reports, or read them otherwise, than {first[0].source.path}",
                remedy="label the same files with the same reading flags for every cell",
                source=run.source.path,
            )


def _reports(run: Run) -> Any:
    inputs = (run.source.manifest or {}).get("inputs")
    files = [i.get("sha256") if isinstance(i, dict) else None for i in inputs or ()]
    return files, {k: v for k, v in run.options.items() if k not in _OPTIONS_OF_A_CELL}


def _shown(notes: Any, k: int) -> int:
    """How many neighbours one prediction was made with."""
    found = k
    for note in notes or ():
        if fewer := _FOUND.fullmatch(note):
            found = int(fewer[1])
    for note in notes or ():
        if left := _LEFT_OUT.fullmatch(note):
            found -= int(left[1])
    return max(found, 0)
