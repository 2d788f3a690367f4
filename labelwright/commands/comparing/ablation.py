"""``labelwright eval ablation``: do similar reports help? Cells labeled where missing, compared."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.commands.comparing.flags import (
    DEFAULT_K,
    DEFAULT_METHODS,
    RUNS,
    add_file_flags,
    add_test_flags,
    id_columns,
    settings_of,
)
from labelwright.errors import ConfigError

if TYPE_CHECKING:
    from eval.page.frame import Page
    from eval.stats.significance import CompareSettings
    from eval.studies.ablation_cells import Cell, Run
    from labelwright.label_set import LabelSet

LABEL_SET = "chexpert-14"
TITLE = "Ablation of similar reports"
LABELING = ("index", "model", "methods", "k", "cell")
"""Flags that mean something beside ``--reports`` only."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    from eval.kinds import views

    parser.epilog = (
        "With --reports, every further flag is one of labelwright label and holds for each run: "
        "--device, --sections, --batch-size, --neighbour-words, --text-columns …"
    )
    parser.add_argument(
        "--gold", required=True, metavar="FILE", help="reference labels in CheXpert's coding"
    )
    parser.add_argument(
        "--pred",
        action="append",
        default=[],
        metavar="[METHOD:K=]RUN",
        help="a finished run of labelwright label, once per cell; method and k are those of its "
        "manifest unless given (none=RUN: without neighbours)",
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="where the page and the runs go"
    )
    parser.add_argument(
        "--label-set", metavar="FILE|NAME", help=f"of gold and runs (default: {LABEL_SET})"
    )
    parser.add_argument(
        "--id-column",
        metavar="NAME[,NAME]",
        help="id column of the gold and the reports, or columns of the gold joined with / "
        "(default: id)",
    )
    parser.add_argument("--title", default=TITLE, help="title of the page")
    add_file_flags(
        parser,
        "cell",
        column=None,
        column_help="column of the patient in that file and in the reports (default: patient)",
    )
    _add_labeling_flags(parser)
    add_test_flags(parser, [view for view in views() if view.ablation])


def _add_labeling_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "labeling", "cells that no --pred gives are labeled into DIR/runs; stopped runs go on"
    )
    group.add_argument(
        "--reports",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="the reports of the gold, in any format that labelwright label reads",
    )
    group.add_argument(
        "--index", type=Path, metavar="DIR", help="the index that the neighbours come from"
    )
    group.add_argument(
        "--model",
        metavar="DIR|HUB_NAME|rules",
        help="labels every cell that has no model of its own",
    )
    group.add_argument(
        "--methods",
        metavar="A,B",
        help=f"context, few-shot, knn (default: {DEFAULT_METHODS})",
    )
    group.add_argument(
        "--k", metavar="N,N", help=f"numbers of neighbours, with 0 (default: {DEFAULT_K})"
    )
    group.add_argument(
        "--cell",
        action="append",
        default=[],
        metavar="METHOD:K=MODEL",
        help="a cell with a model of its own, such as one trained with neighbours (none=MODEL: "
        "without); once per cell",
    )


def run(arguments: argparse.Namespace) -> int:
    """Label the missing cells, compare all with k = 0, write the page, say the result."""
    from eval.kinds import view_of
    from eval.page.write import check_folder, write_report
    from eval.read.provenance import read_source
    from eval.studies.ablation_cells import cell_of, read_runs
    from labelwright.commands.comparing.ablation_runs import label_cells
    from labelwright.label_set import LabelSet

    settings = settings_of(arguments)
    _check(arguments)
    given = given_runs(arguments.pred)
    check_folder(arguments.out, beside=(RUNS,))
    label_set = LabelSet.load(arguments.label_set or LABEL_SET)
    if not view_of(label_set).ablation:
        raise ConfigError(
            f"{label_set.name} asks for {view_of(label_set).noun}, and an ablation compares "
            "observations",
            remedy="compare such runs with labelwright eval",
        )
    _check_gold(arguments, label_set)
    if arguments.reports is not None:
        done = {cell_of(stated, read_source(path, path)) for stated, path in given}
        given += label_cells(arguments, done, label_set)
    page = _page(arguments, read_runs(given, label_set), label_set, settings)
    path = write_report(page, arguments.out, beside=(RUNS,))
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
    arguments: argparse.Namespace,
    runs: Sequence[Run],
    label_set: LabelSet,
    settings: CompareSettings,
) -> Page:
    from eval.kinds import view_of
    from eval.page.frame import Page
    from eval.read.aligned import Inputs
    from eval.studies.ablation import ablation_section

    view = view_of(label_set)
    inputs = Inputs(
        label_set,
        arguments.gold,
        {run.cell.name: run.source.path for run in runs},
        id_columns=_id_columns(arguments),
        missing=arguments.missing,
        patients=arguments.patients,
        patient_column=arguments.patient_column or "patient",
    )
    metric = arguments.metric or view.metrics(label_set)[0]
    analysis: Any = view.analyse(view.load(inputs), settings, metric=metric, all_pairs=False)
    section = ablation_section(analysis, runs)
    return Page(
        analysis=analysis,
        contents=view.contents(analysis, None),
        sources=[run.source for run in runs],
        title=arguments.title,
        sections=[section],
        opening=section.id,
    )


def _check(arguments: argparse.Namespace) -> None:
    """Refuse flags that cannot work before anything is read."""
    if not 0 < arguments.margin < 1:
        raise ConfigError(
            f"margin {arguments.margin:g} is not between 0 and 1",
            remedy="give the largest difference that would not matter, such as 0.02",
        )
    if arguments.reports is not None:
        return
    lone = [f"--{name}" for name in LABELING if getattr(arguments, name) not in (None, [])]
    if lone:
        raise ConfigError(
            f"{lone[0]} is for labeling, and there are no reports to label",
            remedy="give them with --reports FILE, or remove it",
        )
    if arguments.rest:
        arguments.parser.refuse_rest(arguments.rest)
    if not arguments.pred:
        raise ConfigError(
            "neither finished runs nor reports to label",
            remedy="give --pred RUN once per cell, or --reports FILE with --index DIR",
        )


def _check_gold(arguments: argparse.Namespace, label_set: LabelSet) -> None:
    """A mistake in the gold should not show after hours of labeling only."""
    from eval.kinds.certainty.read import read_table

    read_table(arguments.gold, label_set, id_columns=_id_columns(arguments), undetermined=False)


def _id_columns(arguments: argparse.Namespace) -> tuple[str, ...]:
    return id_columns(arguments.id_column or "id")
