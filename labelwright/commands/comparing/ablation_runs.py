"""The runs of an ablation: every missing cell labeled as ``labelwright label`` would."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.checkpoint import TASK_FILE, load_task
from labelwright.commands.comparing.flags import DEFAULT_K, DEFAULT_METHODS, RUNS
from labelwright.commands.flags import Parser
from labelwright.commands.labeling import command as label
from labelwright.errors import ConfigError
from labelwright.labelers.takes import CHOSEN, KNN, MODEL, SERVER, SHOWN, TAKES
from labelwright.loading import NO_NEIGHBOURS, NOBODY, LabelerSettings
from labelwright.shipped import named_model

if TYPE_CHECKING:
    from eval.studies.ablation_cells import Cell
    from labelwright.label_set import LabelSet

OWN = ("neighbours", "dry_run", "retry_rejects")
"""Flags of labeling that an ablation sets itself or cannot bear."""


def label_cells(
    arguments: argparse.Namespace, done: Collection[Cell], label_set: LabelSet
) -> list[tuple[Cell | None, str]]:
    """Label all cells but those ``done``, or find them finished; return their folders.

    Args:
        label_set: of the gold; models and index must be of the same.

    Raises:
        ConfigError: the flags name no cell, or fit neither each other nor a model.
        InputError: index or reports cannot be read.
        OutputError: a run's folder belongs to another job.
    """
    from inference.decode.memory import free_memory

    models = _models(arguments.cell)
    cells = [c for c in dict.fromkeys((*_grid(arguments), *models)) if c not in done]
    base = _label_arguments(arguments)
    _check_index(arguments, cells, label_set)
    _check_models({models.get(c, arguments.model) for c in cells if c.method != KNN}, label_set)
    found: list[tuple[Cell | None, str]] = []
    for cell in cells:
        own = _of_cell(base, arguments, cell, models.get(cell, arguments.model))
        label.run(own)
        free_memory()  # or two large models would stand side by side
        found.append((cell, str(own.out)))
    return found


def _grid(arguments: argparse.Namespace) -> list[Cell]:
    """All methods with all numbers of neighbours; only ``--cell`` where nothing else is asked."""
    from eval.studies.ablation_cells import METHODS, WITHOUT, Cell

    if arguments.cell and arguments.methods is None and arguments.k is None:
        return []
    methods = _parts(arguments.methods or DEFAULT_METHODS, "--methods")
    if unknown := [method for method in methods if method not in METHODS]:
        raise ConfigError(
            f"unknown method {unknown[0]!r}", remedy=f"use some of: {', '.join(METHODS)}"
        )
    numbers = _parts(arguments.k or DEFAULT_K, "--k")
    if wrong := [text for text in numbers if not (text.isascii() and text.isdigit())]:
        raise ConfigError(
            f"--k {wrong[0]!r} is not a number of neighbours",
            remedy="give whole numbers with commas between, such as 0,1,3,5",
        )
    counts = sorted({int(text) for text in numbers})
    grid = [WITHOUT] if counts[0] == 0 else []
    return [*grid, *(Cell(method, k) for method in methods for k in counts if k)]


def _parts(text: str, flag: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise ConfigError(f"{flag} {text!r} has an empty part", remedy="write A,B,C")
    return list(dict.fromkeys(parts))


def _models(values: Sequence[str]) -> dict[Cell, str]:
    from eval.studies.ablation_cells import KNN, Cell

    found: dict[Cell, str] = {}
    for value in values:
        name, _, model = value.partition("=")
        if not model:
            raise ConfigError(f"--cell {value!r} names no model", remedy="write METHOD:K=MODEL")
        cell = Cell.parse(name)
        if cell.method == KNN:
            raise ConfigError(
                f"--cell {value!r}: neighbours that vote need no model",
                remedy="remove it; --methods knn labels these cells",
            )
        if cell in found:
            raise ConfigError(
                f"--cell gives two models for {cell.name}", remedy="give each cell one model"
            )
        found[cell] = model
    return found


def _label_arguments(arguments: argparse.Namespace) -> argparse.Namespace:
    """What ``labelwright label`` would be told for all cells alike.

    Raises:
        ConfigError: a flag that the ablation sets itself.
    """
    if arguments.rest and not arguments.rest[0].startswith("-"):
        arguments.parser.refuse_rest(arguments.rest)
    parser = Parser(prog=arguments.parser.prog)
    label.add_arguments(parser)
    words = [*map(str, arguments.reports), *arguments.rest, "--out", str(arguments.out)]
    base, rest = parser.parse_known_args(words)
    if rest:
        parser.refuse_rest(rest)
    for name in OWN:
        if getattr(base, name):
            raise ConfigError(
                f"--{name.replace('_', '-')} is not for an ablation",
                remedy="remove it; --methods and --k say what is labeled",
            )
    id_column: str | None = arguments.id_column
    if id_column is not None and "," in id_column:
        raise ConfigError(
            f"--id-column {id_column} joins columns, which reports cannot have",
            remedy="label with labelwright label, then give the runs with --pred",
        )
    base.id_column = id_column
    base.patient_column = arguments.patient_column
    base.label_set = arguments.label_set
    return base


def _check_index(arguments: argparse.Namespace, cells: Sequence[Cell], label_set: LabelSet) -> None:
    """What is wrong with the index should not show after the first run only."""
    from eval.studies.ablation_cells import WITHOUT
    from retrieval.index import Index

    if all(cell == WITHOUT for cell in cells):
        return
    if arguments.index is None:
        raise ConfigError(
            "cells with neighbours need --index", remedy="make one: labelwright index build"
        )
    labels = Index.open(arguments.index).label_set
    if labels is not None and any(cell.method == KNN for cell in cells):
        _check_label_set(labels, label_set, f"the index {arguments.index}")


def _check_models(models: Collection[str | None], label_set: LabelSet) -> None:
    for model in models:
        folder = Path(named_model(model)) if model is not None else None
        if folder is not None and (folder / TASK_FILE).is_file():
            _check_label_set(load_task(folder)[0], label_set, f"the model {model}")


def _check_label_set(found: LabelSet, wanted: LabelSet, whose: str) -> None:
    if found != wanted:
        raise ConfigError(
            f"{whose} is of label set {found.name} {found.version}, the gold is to be read as "
            f"{wanted.name} {wanted.version}",
            remedy="give the label set of both: --label-set FILE",
        )


def _of_cell(
    base: argparse.Namespace, arguments: argparse.Namespace, cell: Cell, model: str | None
) -> argparse.Namespace:
    """The arguments of ``labelwright label`` for one cell."""
    from eval.studies.ablation_cells import WITHOUT

    changes: dict[str, Any] = {"model": model, "second_reader": base.second_reader or NOBODY}
    if cell == WITHOUT:
        reads = LabelerSettings(model=model, server=base.server).labeler in (MODEL, SERVER)
        changes |= dict.fromkeys((*SHOWN, *CHOSEN), None)
        changes |= {"neighbours": NO_NEIGHBOURS if reads else None}
    elif cell.method == KNN:
        settings = {field.name for field in fields(LabelerSettings)} - {"model", "sections"}
        changes |= dict.fromkeys(settings - TAKES[KNN], None)
        changes |= {"model": KNN, "index": arguments.index, "k": cell.k}
    else:
        changes |= {"neighbours": cell.method, "index": arguments.index, "k": cell.k}
    out = arguments.out / RUNS / cell.folder
    return argparse.Namespace(**(vars(base) | changes | {"out": out}))
