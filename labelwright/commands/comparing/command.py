"""``labelwright eval``: gold and predictions in, a comparison page with its tables out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from labelwright.commands.comparing import entities as evaluate_entities
from labelwright.commands.comparing import sections as evaluate_sections
from labelwright.commands.comparing.comparing import (
    add_missing_flag,
    add_patients_flag,
    check_seed,
    id_columns,
    settings_of,
)
from labelwright.errors import ConfigError
from labelwright.label_set import ENTITIES, LabelSet

METRICS = (
    "chexbert_all",
    "chexbert_posneg",
    "paper_all",
    "paper_posneg",
    "macro_f1_positive",
    "macro_f1_negative",
    "macro_f1_uncertain",
    "macro_f1_mention",
    "kappa",
    "accuracy",
)
LONGEST_NAME = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    parser.epilog = (
        "labelwright eval ablation … compares labeling with and without similar reports."
    )
    parser.add_argument(
        "--gold",
        required=True,
        metavar="FILE",
        help="reference labels in CheXpert's coding, or annotated reports for entities",
    )
    parser.add_argument(
        "--pred",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="a labeler's predictions.jsonl, labels table or run folder; once per labeler, the "
        "first is compared with the others",
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="where the report goes"
    )
    parser.add_argument(
        "--label-set", default="chexpert-14", metavar="FILE|NAME", help="default: %(default)s"
    )
    parser.add_argument(
        "--id-column",
        default="id",
        metavar="NAME[,NAME]",
        help="id column of the tables, or columns joined with / (default: %(default)s)",
    )
    parser.add_argument("--title", help="title of the page")
    parser.add_argument("--reference", metavar="NAME", help="compare this labeler with the others")
    add_patients_flag(parser)
    parser.add_argument(
        "--patient-column", default="patient", metavar="NAME", help="default: %(default)s"
    )
    add_missing_flag(parser, "labeler")
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="data folder that a model was trained on, to check that the gold is not in it",
    )
    _add_text_flags(parser)
    evaluate_sections.add_arguments(parser)
    evaluate_entities.add_arguments(parser)
    add_test_flags(parser, (*METRICS, *evaluate_entities.METRICS), default=None)


def _add_text_flags(parser: argparse.ArgumentParser) -> None:
    text = parser.add_argument_group("report text")
    text.add_argument(
        "--include-text",
        action="store_true",
        help="put the text of wrongly labeled reports into the page (then readable by you only)",
    )
    text.add_argument("--reports", metavar="FILE", help="table or JSONL file with the texts")
    text.add_argument("--text-column", default="text", metavar="NAME", help="default: %(default)s")


def add_test_flags(
    parser: argparse.ArgumentParser,
    metrics: Sequence[str] = METRICS,
    *,
    default: str | None = METRICS[0],
) -> None:
    """``--metric``, ``--margin`` and what else scores and tests depend on."""
    tests = parser.add_argument_group("scores and tests")
    both = (
        f"; for labels one of {', '.join(METRICS)} (default: {METRICS[0]}); for entities "
        "micro_f1_SCHEME or macro_f1_SCHEME, SCHEME one of "
        f"{', '.join(evaluate_entities.SCHEMES)} (default: {evaluate_entities.METRICS[0]}), or "
        "macro_f1_words_o"
    )
    tests.add_argument(
        "--metric",
        choices=metrics,
        metavar=None if default else "NAME",
        default=default,
        help="what the verdict is about" + (" (default: %(default)s)" if default else both),
    )
    tests.add_argument(
        "--margin",
        type=float,
        default=0.02,
        help="largest acceptable loss, chosen before seeing the result (default: %(default)s)",
    )
    tests.add_argument(
        "--undefined",
        choices=("zero", "one", "skip"),
        default="zero",
        help="F1 of what neither gold nor labeler has (default: %(default)s)",
    )
    tests.add_argument("--seed", type=int, default=13, help="default: %(default)s")
    tests.add_argument(
        "--resamples", type=int, default=2_000, metavar="N", help="bootstrap (default: %(default)s)"
    )
    tests.add_argument(
        "--permutations",
        type=int,
        default=10_000,
        metavar="N",
        help="randomization test (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Score, test, write the report, say the verdict."""
    sys.stdout.writelines(f"{line}\n" for line in perform(arguments))
    return 0


def perform(arguments: argparse.Namespace) -> list[str]:
    """Score, test and write the report; return the verdicts and the page's path, a line each.

    Raises:
        ConfigError: flags that do not fit each other.
        InputError: gold or predictions cannot be read, or share no report.
        OutputError: the folder cannot be written.
    """
    from eval.kinds.certainty.analysis import analyse
    from eval.kinds.certainty.load import load_comparison
    from eval.page.provenance import independence, read_source
    from eval.page.report import TITLE, Page
    from eval.page.verdict import verdicts
    from eval.page.write import check_folder, write_report

    label_set = LabelSet.load(arguments.label_set)
    check_seed(arguments)
    if label_set.task == ENTITIES:
        return evaluate_entities.perform(
            arguments,
            label_set,
            named_paths(arguments.pred) if arguments.pred else {},
            usual=_parser().get_default,
        )
    evaluate_entities.refuse(arguments)
    predictions = named_paths(arguments.pred)
    columns = id_columns(arguments.id_column)
    _check_text_flags(arguments)
    evaluate_sections.check(arguments)
    check_folder(arguments.out)
    comparison = load_comparison(
        arguments.gold,
        predictions,
        label_set,
        id_columns=columns,
        missing=arguments.missing,
        patients=arguments.patients,
        patient_column=arguments.patient_column,
    )
    analysis = analyse(
        comparison,
        settings_of(arguments),
        metric=arguments.metric or METRICS[0],
        reference=arguments.reference,
    )
    page = Page(
        analysis=analysis,
        sources=[read_source(name, predictions[name]) for name in analysis.comparison.names],
        split=independence(arguments.data, comparison.ids, comparison.clusters)
        if arguments.data
        else None,
        texts=_texts(arguments, columns),
        title=arguments.title or TITLE,
        sections=evaluate_sections.sections(
            arguments,
            analysis,
            predictions,
            calibration=named_paths(arguments.calibration_pred, "--calibration-pred")
            if arguments.calibration_pred
            else {},
            id_columns=columns,
        ),
    )
    path = write_report(page, arguments.out)
    return [*map(str, verdicts(analysis)), str(path)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    add_arguments(parser)
    return parser


def named_paths(values: Sequence[str], flag: str = "--pred") -> dict[str, str]:
    """``NAME=PATH`` or a path alone, named after its folder or file.

    Raises:
        ConfigError: none is given, a name stands twice, is empty, too long or unprintable.
    """
    if not values:
        raise ConfigError("no predictions to score", remedy="give at least one --pred NAME=PATH")
    found: dict[str, str] = {}
    for value in values:
        name, equals, path = value.partition("=")
        if not equals or Path(value).exists():
            name, path = Path(value).resolve().name.removesuffix(".gz"), value
            name = name if Path(value).is_dir() else name.rpartition(".")[0] or name
        name = name.strip()
        if not name or not path or len(name) > LONGEST_NAME or not name.isprintable():
            raise ConfigError(
                f"{flag} {value!r} does not name a labeler and a file",
                remedy=f"write NAME=PATH with a name of up to {LONGEST_NAME} characters",
            )
        if name in found:
            raise ConfigError(
                f"two labelers are named {name!r}", remedy=f"give each {flag} a name of its own"
            )
        found[name] = path
    return found


def _check_text_flags(arguments: argparse.Namespace) -> None:
    if arguments.include_text and not arguments.reports:
        raise ConfigError("--include-text needs the texts", remedy="give them with --reports FILE")
    if arguments.reports and not arguments.include_text:
        raise ConfigError(
            "--reports is read only with --include-text",
            remedy="add --include-text to put report text into the page",
        )


def _texts(arguments: argparse.Namespace, columns: Sequence[str]) -> dict[str, str] | None:
    if not arguments.include_text:
        return None
    from eval.kinds.certainty.label_table import read_column

    return read_column(arguments.reports, arguments.text_column, id_columns=columns)
