"""``labelwright eval``: gold and predictions in, a comparison page with its tables out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from labelwright.commands.comparing.flags import EvalOptions, add_metric, named_paths, seed_runs
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet, shipped_names
from labelwright.results import manifest_beside

DEFAULT_LABEL_SET = "chexpert-14"
LABEL_SET_FILE = "label_set.yaml"
OTHER_SET = "remove it, or give such a label set with --label-set"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    from eval.kinds import offers

    parser.epilog = (
        "labelwright eval ablation … compares labeling with and without similar reports."
    )
    EvalOptions.add_flags(parser)
    add_metric(parser, offers())


def run(arguments: argparse.Namespace) -> int:
    """Score, test, write the report, say the verdict."""
    sys.stdout.writelines(f"{line}\n" for line in perform(EvalOptions.from_flags(arguments)))
    return 0


def perform(options: EvalOptions) -> list[str]:
    """Score, test and write the report.

    Returns:
        The verdicts, what must be known before believing them, and the page's path, a line each.

    Raises:
        ConfigError: flags that do not fit each other or the label set.
        InputError: gold or predictions cannot be read, or share no report.
        OutputError: the folder cannot be written.
    """
    from eval.comparing import compare, view_of
    from eval.kinds import offers
    from eval.page.frame import check_folder, write_report

    settings, runs = options.settings(), seed_runs(options.seeds)
    predictions = named_paths(options.pred) or {name: each[0] for name, each in runs.items()}
    label_set = found_label_set(options.label_set, options.gold, predictions.values())
    own = view_of(label_set)
    for offer in offers():
        why = f"does not apply to label set {label_set.name}, only to label sets of {offer.noun}"
        options.refuse(sorted(offer.flags - own.offer.flags), why, remedy=OTHER_SET)
    more = options.more(runs)
    if options.reports and not (options.include_text or own.scores_texts):
        raise ConfigError(
            "--reports is read only with --include-text",
            remedy="add --include-text to put report text into the page",
        )
    options.refuse_idle()
    check_folder(options.out)
    page = compare(
        options.inputs(label_set, predictions),
        settings,
        metric=options.metric,
        reference=options.reference,
        more=more,
        data=options.data,
        include_text=options.include_text,
        title=options.title,
    )
    path = write_report(page, options.out)
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
        name, digest = named_label_set(folder)
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


def named_label_set(run: Path) -> tuple[str, str]:
    """Name and digest of the label set of a run; empty where nothing is known of it."""
    known = manifest_beside(run)
    return str(known.get("label_set") or ""), str(known.get("label_set_sha256") or "")
