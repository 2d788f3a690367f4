"""``labelwright eval``: gold and predictions in, a comparison page with its tables out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from labelwright.commands.comparing.flags import (
    add_file_flags,
    add_section_flags,
    add_test_flags,
    add_text_flags,
    inputs_of,
    more_of,
    named_paths,
    seed_runs,
    settings_of,
)
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet, shipped_names

DEFAULT_LABEL_SET = "chexpert-14"
LABEL_SET_FILE = "label_set.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    from eval.kinds import views

    parser.epilog = (
        "labelwright eval ablation … compares labeling with and without similar reports."
    )
    parser.add_argument(
        "--gold",
        default="",
        metavar="FILE",
        help="reference labels in CheXpert's coding, annotated reports for entities, rows or "
        "tables of values for fields; labelers of fields can be compared without",
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
        "--label-set",
        metavar="FILE|NAME",
        help="default: the one that the first run folder names, else chexpert-14",
    )
    parser.add_argument(
        "--id-column",
        default="id",
        metavar="NAME[,NAME]",
        help="id column of the tables, or columns joined with / (default: %(default)s)",
    )
    parser.add_argument("--title", help="title of the page")
    parser.add_argument("--reference", metavar="NAME", help="compare this labeler with the others")
    add_file_flags(parser, "labeler", column="patient", column_help="default: %(default)s")
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="data folder that a model was trained on, to check that the gold is not in it",
    )
    add_text_flags(parser)
    add_section_flags(parser)
    add_test_flags(parser, list(views()))


def run(arguments: argparse.Namespace) -> int:
    """Score, test, write the report, say the verdict."""
    sys.stdout.writelines(f"{line}\n" for line in perform(arguments))
    return 0


def perform(arguments: argparse.Namespace) -> list[str]:
    """Score, test and write the report.

    Returns:
        The verdicts, what must be known before believing them, and the page's path, a line each.

    Raises:
        ConfigError: flags that do not fit each other or the label set.
        InputError: gold or predictions cannot be read, or share no report.
        OutputError: the folder cannot be written.
    """
    from eval.comparing import compare
    from eval.kinds import view_of
    from eval.page.write import check_folder, write_report

    settings, runs = settings_of(arguments), seed_runs(arguments.seeds)
    predictions = named_paths(arguments.pred) or {name: each[0] for name, each in runs.items()}
    label_set = found_label_set(arguments.label_set, arguments.gold, predictions.values())
    _refuse(arguments, label_set)
    more = more_of(arguments, runs)
    if arguments.reports and not (arguments.include_text or view_of(label_set).scores_texts):
        raise ConfigError(
            "--reports is read only with --include-text",
            remedy="add --include-text to put report text into the page",
        )
    for flag, given, usual, file in (
        ("--patient-column", arguments.patient_column, "patient", "patients"),
        ("--text-column", arguments.text_column, "text", "reports"),
    ):
        if given != usual and not getattr(arguments, file):
            raise ConfigError(f"{flag} is a column of --{file}", remedy=f"give --{file} FILE too")
    check_folder(arguments.out)
    page = compare(
        inputs_of(arguments, label_set, predictions),
        settings,
        metric=arguments.metric,
        reference=arguments.reference,
        more=more,
        data=arguments.data,
        include_text=arguments.include_text,
        title=arguments.title,
    )
    path = write_report(page, arguments.out)
    cautions = [f"Caution: {text}" for text in page.notices.grave if text not in page.said[0]]
    return [*page.said, *cautions, str(path)]


def found_label_set(given: str | None, gold: str, runs: Iterable[str]) -> LabelSet:
    """The label set that is given, or the one that the first run with a manifest names.

    Its file is looked for in the run's folder, beside the gold and among the shipped ones.

    Raises:
        LabelSetError: the file has mistakes.
        ConfigError: the label set that the run names is not found.
    """
    if given is not None:
        return LabelSet.load(given)
    for run in map(Path, runs):
        folder = run if run.is_dir() else run.parent
        name, digest = named_label_set(folder / "manifest.json")
        if not name:
            continue
        for path in (folder / LABEL_SET_FILE, Path(gold).parent / LABEL_SET_FILE):
            if path.is_file() and (found := LabelSet.load(path)).fingerprint == digest:
                return found
        if name in shipped_names():
            return LabelSet.load(name)
        raise ConfigError(
            f"{run} was labeled with label set {name}, which is not a shipped one",
            remedy="give its file with --label-set FILE",
        )
    return LabelSet.load(DEFAULT_LABEL_SET)


def named_label_set(manifest: Path) -> tuple[str, str]:
    """Name and digest of the label set of a run; empty where nothing is known of it."""
    try:
        value = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "", ""
    known = value if isinstance(value, dict) else {}
    return str(known.get("label_set") or ""), str(known.get("label_set_sha256") or "")


def _refuse(arguments: argparse.Namespace, label_set: LabelSet) -> None:
    """Refuse flags that only other kinds of label sets have.

    Raises:
        ConfigError: one is given.
    """
    from eval.kinds import view_of, views

    parser = argparse.ArgumentParser(add_help=False)
    add_arguments(parser)
    mine = view_of(label_set)
    for view in views():
        for name in sorted(view.flags - mine.flags):
            if getattr(arguments, name) != parser.get_default(name):
                raise ConfigError(
                    f"--{name.replace('_', '-')} does not apply to label set {label_set.name}, "
                    f"only to label sets of {view.noun}",
                    remedy="remove it, or give such a label set with --label-set",
                )
