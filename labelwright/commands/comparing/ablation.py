"""``labelwright eval ablation``: do similar reports help? Cells labeled where missing, compared."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.checkpoint import TASK_FILE, load_task
from labelwright.commands.comparing.flags import (
    ABLATED,
    CELLS,
    DEFAULT_K,
    DEFAULT_METHODS,
    PATIENT,
    AblationOptions,
    add_metric,
)
from labelwright.commands.flags import Parser
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.labelers.settings import (
    KNN,
    MODEL,
    NO_NEIGHBOURS,
    NOBODY,
    SERVER,
    LabelerSettings,
    NeighbourSettings,
)
from labelwright.options import as_flag
from labelwright.shipped import named_model

if TYPE_CHECKING:
    from eval.page.frame import Page
    from eval.stats.significance import CompareSettings
    from eval.studies.ablation_cells import Cell, Run
    from labelwright.commands.labeling.command import LabelOptions

AROUND = ("calibration", "unchecked", "second_reader", "decide")
"""Settings that votes of neighbours are labeled without."""
OWN = ("neighbours", "dry_run", "retry_rejects")
"""Flags of labeling that an ablation sets itself or cannot bear."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    from eval.kinds import offers

    parser.epilog = (
        "With --reports, every further flag is one of labelwright label and holds for each run: "
        "--device, --sections, --batch-size, --neighbour-words, --text-columns …"
    )
    AblationOptions.add_flags(parser)
    add_metric(parser, (offer for offer in offers() if offer.ablation))


def run(arguments: argparse.Namespace) -> int:
    """Label the missing cells, compare all with k = 0, write the page, say the result."""
    from eval.comparing import view_of
    from eval.page.frame import check_folder, write_report
    from eval.read.provenance import read_source
    from eval.studies.ablation_cells import cell_of, read_runs

    options = AblationOptions.from_flags(arguments)
    settings = options.settings()
    _check(options)
    given = given_runs(options.pred)
    check_folder(options.out, beside=(CELLS,))
    label_set = LabelSet.load(options.label_set or ABLATED)
    if not view_of(label_set).offer.ablation:
        raise ConfigError(
            f"{label_set.name} asks for {view_of(label_set).offer.noun}, and an ablation compares "
            "observations",
            remedy="compare such runs with labelwright eval",
        )
    _check_gold(options, label_set)
    if options.reports:
        done = {cell_of(stated, read_source(path, path)) for stated, path in given}
        given += label_cells(options, done, label_set)
    page = _page(options, read_runs(given, label_set), label_set, settings)
    path = write_report(page, options.out, beside=(CELLS,))
    sys.stdout.writelines(f"{sentence}\n" for sentence in page.sections[0].statements)
    sys.stdout.writelines(f"Caution: {text}\n" for text in page.notices.grave)
    sys.stdout.write(f"{path}\n")
    return 0


def given_runs(values: Sequence[str]) -> list[tuple[Cell | None, str]]:
    """``METHOD:K=RUN``, or a run alone, whose manifest names its cell.

    Raises:
        ConfigError: a value names no cell and is no path.
    """
    from eval.studies.ablation_cells import Cell

    found: list[tuple[Cell | None, str]] = []
    for value in values:
        name, equals, path = value.partition("=")
        if not equals or Path(value).exists():
            found.append((None, value))
        elif path:
            found.append((Cell.parse(name), path))
        else:
            raise ConfigError(f"--pred {value!r} names no run", remedy="write METHOD:K=RUN")
    return found


def _page(
    options: AblationOptions,
    runs: Sequence[Run],
    label_set: LabelSet,
    settings: CompareSettings,
) -> Page:
    from eval.comparing import view_of
    from eval.page.frame import Page
    from eval.read.aligned import Inputs
    from eval.stats.significance import analysed
    from eval.studies.ablation import ablation_section

    view = view_of(label_set)
    inputs = Inputs(
        label_set,
        options.gold,
        {run.cell.name: run.source.path for run in runs},
        id_columns=options.id_columns(),
        missing=options.missing,
        patients=options.patients,
        patient_column=options.patient_column or PATIENT,
    )
    metric = options.metric or view.metrics(label_set)[0]
    analysis: Any = analysed(view, view.load(inputs), settings, metric=metric, all_pairs=False)
    section = ablation_section(analysis, runs)
    return Page(
        analysis=analysis,
        contents=view.contents(analysis, None),
        sources=[run.source for run in runs],
        title=options.title,
        sections=[section],
        opening=section.id,
    )


def _check(options: AblationOptions) -> None:
    """Refuse flags that cannot work before anything is read."""
    if not 0 < options.margin < 1:
        raise ConfigError(
            f"margin {options.margin:g} is not between 0 and 1",
            remedy="give the largest difference that would not matter, such as 0.02",
        )
    options.refuse_idle()
    if options.reports:
        return
    if options.rest:
        options.parser.refuse_rest(options.rest)
    if not options.pred:
        raise ConfigError(
            "neither finished runs nor reports to label",
            remedy="give --pred RUN once per cell, or --reports FILE with --index DIR",
        )


def _check_gold(options: AblationOptions, label_set: LabelSet) -> None:
    """A mistake in the gold should not show after hours of labeling only."""
    from eval.kinds.certainty.read import read_table

    read_table(options.gold, label_set, id_columns=options.id_columns(), undetermined=False)


def label_cells(
    options: AblationOptions, done: Collection[Cell], label_set: LabelSet
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
    from labelwright.commands.labeling.command import perform

    models = _models(options.cell)
    cells = [c for c in dict.fromkeys((*_grid(options), *models)) if c not in done]
    base = _label_options(options)
    _check_index(options, cells, label_set)
    _check_models({models.get(c, options.model) for c in cells if c.method != KNN}, label_set)
    found: list[tuple[Cell | None, str]] = []
    for cell in cells:
        own = _of_cell(base, options, cell, models.get(cell, options.model))
        sys.stdout.write(perform(own) + "\n")
        free_memory()  # or two large models would stand side by side
        found.append((cell, str(own.out)))
    return found


def _grid(options: AblationOptions) -> list[Cell]:
    """All methods with all numbers of neighbours; only ``--cell`` where nothing else is asked."""
    from eval.studies.ablation_cells import METHODS, WITHOUT, Cell

    if options.cell and options.methods is None and options.k is None:
        return []
    methods = _parts(options.methods or DEFAULT_METHODS, "--methods")
    if unknown := [method for method in methods if method not in METHODS]:
        raise ConfigError(
            f"unknown method {unknown[0]!r}", remedy=f"use some of: {', '.join(METHODS)}"
        )
    numbers = _parts(options.k or DEFAULT_K, "--k")
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


def _label_options(options: AblationOptions) -> LabelOptions:
    """What ``labelwright label`` would be told for all cells alike.

    Raises:
        ConfigError: a flag that the ablation sets itself.
    """
    from labelwright.commands.labeling import command as label

    if options.rest and not options.rest[0].startswith("-"):
        options.parser.refuse_rest(options.rest)
    parser = Parser(prog=options.parser.prog)
    label.add_arguments(parser)
    words = [*map(str, options.reports), *options.rest, "--out", str(options.out)]
    parsed, rest = parser.parse_known_args(words)
    if rest:
        parser.refuse_rest(rest)
    for name in OWN:
        if getattr(parsed, name):
            raise ConfigError(
                f"{as_flag(name)} is not for an ablation",
                remedy="remove it; --methods and --k say what is labeled",
            )
    if options.id_column is not None and "," in options.id_column:
        raise ConfigError(
            f"--id-column {options.id_column} joins columns, which reports cannot have",
            remedy="label with labelwright label, then give the runs with --pred",
        )
    base = label.LabelOptions.from_flags(parsed)
    return replace(
        base,
        id_column=options.id_column,
        patient_column=options.patient_column,
        settings=replace(base.settings, label_set=options.label_set),
    )


def _check_index(options: AblationOptions, cells: Sequence[Cell], label_set: LabelSet) -> None:
    """What is wrong with the index should not show after the first run only."""
    from eval.studies.ablation_cells import WITHOUT
    from retrieval.index import Index

    if all(cell == WITHOUT for cell in cells):
        return
    if options.index is None:
        raise ConfigError(
            "cells with neighbours need --index", remedy="make one: labelwright index build"
        )
    labels = Index.open(options.index).label_set
    if labels is not None and any(cell.method == KNN for cell in cells):
        _check_label_set(labels, label_set, f"the index {options.index}")


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
    base: LabelOptions, options: AblationOptions, cell: Cell, model: str | None
) -> LabelOptions:
    """What ``labelwright label`` is told for one cell."""
    from eval.studies.ablation_cells import WITHOUT

    settings = base.settings
    changes: dict[str, Any] = {"model": model, "second_reader": settings.second_reader or NOBODY}
    if cell == WITHOUT:
        reads = LabelerSettings(model=model, server=settings.server).labeler in (MODEL, SERVER)
        changes |= dict.fromkeys(NeighbourSettings.names(), None)
        changes |= {"neighbours": NO_NEIGHBOURS if reads else None}
    elif cell.method == KNN:
        changes |= dict.fromkeys((*settings.strangers(KNN), *AROUND), None)
        changes |= {"model": KNN, "index": options.index, "k": cell.k}
    else:
        changes |= {"neighbours": cell.method, "index": options.index, "k": cell.k}
    out = options.out / CELLS / cell.folder
    return replace(base, out=out, settings=replace(settings, **changes))
