"""``labelwright eval`` for label sets of entities: its flags, its page."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from labelwright.commands.comparing.comparing import settings_of
from labelwright.commands.input_flags import add_annotation_flags, annotation_options
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.readers.options import ReadOptions

if TYPE_CHECKING:
    from eval.page.section import Section

SCHEMES = ("strict", "exact", "partial", "type", "overlap", "certainty", "words")
METRICS = (
    *(f"{average}_f1_{scheme}" for scheme in SCHEMES for average in ("micro", "macro")),
    "macro_f1_words_o",
)
"""The first is the default."""
_NOT_FOR_ENTITIES = (
    "id_column",
    "calibration_gold",
    "calibration_pred",
    "temperature",
    "accuracy",
    "metadata",
    "subgroup",
    "subgroup_min",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of entities alone."""
    group = parser.add_argument_group("entities")
    group.add_argument(
        "--seeds",
        action="append",
        default=[],
        metavar="NAME=RUN,RUN,…",
        help="several runs of one labeler, trained with other seeds; once per labeler, at least "
        "two runs each",
    )
    group.add_argument(
        "--input-format", metavar="FORMAT", help="of annotated gold, where the suffix does not tell"
    )
    group.add_argument("--encoding", metavar="NAME", help="of annotated text files")
    add_annotation_flags(parser)


ONLY_ENTITIES: Mapping[str, object] = {
    "seeds": [],
    "input_format": None,
    "encoding": None,
    "bad_annotations": "reject",
    "tag_scheme": None,
    "tag_column": None,
    "documents": "auto",
    "offset_unit": None,
}


def refuse(arguments: argparse.Namespace) -> None:
    """Refuse flags of entities where the label set has certainties only.

    Raises:
        ConfigError: one is given.
    """
    for name, usual in ONLY_ENTITIES.items():
        if getattr(arguments, name) != usual:
            raise ConfigError(
                f"--{name.replace('_', '-')} is for label sets of entities",
                remedy="leave it out, or give such a label set with --label-set",
            )
    if arguments.metric in METRICS:
        raise ConfigError(
            f"--metric {arguments.metric} is for label sets of entities",
            remedy="choose a metric of certainties, or give such a label set with --label-set",
        )


def perform(
    arguments: argparse.Namespace,
    label_set: LabelSet,
    predictions: Mapping[str, str],
    *,
    usual: Callable[[str], object],
) -> list[str]:
    """Score, test and write the report; return the verdicts and the page's path, a line each.

    Args:
        predictions: path by labeler; without any the first run of each ``--seeds`` is compared.
        usual: the default of a flag.
    """
    from eval.kinds.entities.analysis import analyse_spans
    from eval.kinds.entities.file import read_span_source
    from eval.kinds.entities.load import load_span_comparison
    from eval.kinds.entities.report import TITLE, SpanPage
    from eval.page.provenance import independence
    from eval.page.verdict import verdicts
    from eval.page.write import check_folder, write_report

    _check(arguments, usual)
    runs = seed_runs(arguments.seeds)
    chosen = dict(predictions) or {name: paths[0] for name, paths in runs.items()}
    check_folder(arguments.out)
    options = annotation_options(arguments)
    patients = _column(arguments.patients, arguments.patient_column)
    texts = _column(arguments.reports, arguments.text_column)
    comparison = load_span_comparison(
        arguments.gold,
        chosen,
        label_set,
        options=options,
        missing=arguments.missing,
        patients=patients,
        texts=texts,
    )
    if arguments.include_text and comparison.texts is None:
        raise ConfigError(
            "--include-text needs the texts of all reports", remedy="give them with --reports FILE"
        )
    settings = settings_of(arguments)
    analysis = analyse_spans(
        comparison,
        settings,
        metric=arguments.metric or METRICS[0],
        reference=arguments.reference,
    )
    page = SpanPage(
        analysis=analysis,
        sources=[read_span_source(name, chosen[name]) for name in analysis.comparison.names],
        split=independence(arguments.data, comparison.ids, comparison.clusters)
        if arguments.data
        else None,
        include_text=arguments.include_text,
        title=arguments.title or TITLE,
        seeds=_seeds(
            runs,
            arguments,
            label_set,
            options,
            patients,
            texts,
            shown=analysis.comparison.names,
            first_only=not predictions,
        ),
    )
    path = write_report(page, arguments.out)
    return [*map(str, verdicts(analysis)), str(path)]


def seed_runs(values: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """``NAME=RUN,RUN,…`` as runs by labeler.

    Raises:
        ConfigError: a value is no such list, has fewer than two runs, or names one twice.
    """
    found: dict[str, tuple[str, ...]] = {}
    for value in values:
        name, _, rest = value.partition("=")
        paths = tuple(part.strip() for part in rest.split(","))
        if not name.strip() or not all(paths) or len(paths) < 2:
            raise ConfigError(
                f"--seeds {value!r} does not name a labeler and its runs",
                remedy="write NAME=RUN,RUN with at least two run folders or prediction files",
            )
        if len({str(Path(p).resolve()) for p in paths}) < len(paths):
            raise ConfigError(
                f"--seeds of {name.strip()!r} names a run twice", remedy="give each run once"
            )
        if name.strip() in found:
            raise ConfigError(
                f"two --seeds are named {name.strip()!r}", remedy="give each labeler once"
            )
        found[name.strip()] = paths
    return found


def _check(arguments: argparse.Namespace, usual: Callable[[str], object]) -> None:
    for name in _NOT_FOR_ENTITIES:
        if getattr(arguments, name) != usual(name):
            raise ConfigError(
                f"--{name.replace('_', '-')} is for label sets of certainties",
                remedy="leave it out",
            )
    if arguments.metric not in (None, *METRICS):
        raise ConfigError(
            f"--metric {arguments.metric} is for label sets of certainties",
            remedy=f"use one of: {', '.join(METRICS)}",
        )
    if not arguments.pred and not arguments.seeds:
        raise ConfigError("no predictions to score", remedy="give at least one --pred NAME=PATH")


def _column(path: str | None, column: str) -> dict[str, str] | None:
    if path is None:
        return None
    from eval.kinds.certainty.label_table import read_column

    return read_column(path, column)


def _seeds(
    runs: Mapping[str, tuple[str, ...]],
    arguments: argparse.Namespace,
    label_set: LabelSet,
    options: ReadOptions,
    patients: Mapping[str, str] | None,
    texts: Mapping[str, str] | None,
    *,
    shown: Sequence[str],
    first_only: bool,
) -> Section | None:
    if not runs:
        return None
    from eval.kinds.entities.load import load_span_comparison
    from eval.kinds.entities.seeds import seeds_section

    every = {
        f"{name}\t{number}": path
        for name, paths in runs.items()
        for number, path in enumerate(paths)
    }
    comparison = load_span_comparison(
        arguments.gold,
        every,
        label_set,
        options=options,
        missing=arguments.missing,
        patients=patients,
        texts=texts,
    )
    groups = {name: [f"{name}\t{k}" for k in range(len(paths))] for name, paths in runs.items()}
    return seeds_section(
        comparison,
        groups,
        metric=arguments.metric or METRICS[0],
        undefined=arguments.undefined,
        shown=shown,
        first_only=first_only,
    )
