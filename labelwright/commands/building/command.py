"""``labelwright build``: reports and labels -> instruction records."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.commands.building.entities import check_task, entity_notes, tags_of, windows_of
from labelwright.commands.building.flags import SOURCES, add_arguments, check
from labelwright.commands.building.summary import summary
from labelwright.commands.input_flags import read_options
from labelwright.errors import ConfigError, InputError
from labelwright.label_set import ENTITIES, LabelSet
from labelwright.records import Reject, Report
from labelwright.tasks import kind_of

if TYPE_CHECKING:
    from data_builders.augment import Augmentation
    from data_builders.build import Built, Job
    from data_builders.sources.base import Source
    from data_builders.sources.labels import LabelSource

__all__ = ["add_arguments", "run"]


def run(arguments: argparse.Namespace) -> int:
    """Build, or show a preview."""
    if arguments.preview is not None:
        found, job = _job(arguments, _checked(arguments), scanned=False)
        _preview(found, job, arguments.preview)
        return 0
    sys.stdout.write(summary(perform(arguments), arguments.out))
    return 0


def perform(arguments: argparse.Namespace) -> Built:
    """Build the data folder.

    Raises:
        InputError, ConfigError, LabelSetError: reports, labels or options cannot be used.
        OutputError: the folder holds another build, or cannot be written.
    """
    from data_builders.build import build

    found, job = _job(arguments, _checked(arguments), scanned=True)
    return build(found, job, arguments.out, overwrite=arguments.overwrite)


def _checked(arguments: argparse.Namespace) -> LabelSet:
    """The label set, once no flag contradicts it or another flag."""
    label_set = LabelSet.load(arguments.label_set)
    check_task(arguments, label_set)
    check(arguments, labels_needed=label_set.task != ENTITIES)
    return label_set


def _job(
    arguments: argparse.Namespace, label_set: LabelSet, *, scanned: bool
) -> tuple[Iterable[Report | Reject], Job]:
    from data_builders.build import Job

    found, facts, source = _reports(arguments, label_set, scanned=scanned)
    if arguments.labels is not None:
        source = _source(arguments.labels, arguments, label_set)
    known: Source | None = source
    if label_set.task == ENTITIES:
        known = entity_notes(arguments, label_set)
    if known is None:
        raise ConfigError("--labels is missing", remedy=f"give {SOURCES}")
    test = arguments.test_labels
    split, split_facts = _split(arguments)
    job = Job(
        label_set=label_set,
        source=known,
        test_source=None if test is None else _source(test, arguments, label_set),
        sections=arguments.sections,
        layout=arguments.format,
        split=split,
        augmentation=_augmentation(arguments, label_set),
        oversample=arguments.oversample,
        windows=windows_of(arguments),
        tags=tags_of(arguments),
        facts={**facts, **split_facts},
    )
    return found, job


def _augmentation(arguments: argparse.Namespace, label_set: LabelSet) -> Augmentation | None:
    if arguments.augment is None:
        return None
    from data_builders.augment import Augmentation, Augmenter
    from data_builders.synthetic.lexicon import Lexicon

    lexicon = Lexicon.for_label_set(label_set, arguments.lexicon)
    return Augmentation(Augmenter(lexicon, arguments.seed), arguments.augment)


def _reports(
    arguments: argparse.Namespace, label_set: LabelSet, *, scanned: bool
) -> tuple[Iterable[Report | Reject], dict[str, Any], LabelSource | None]:
    if arguments.synthetic is not None:
        from data_builders.sources.labels import KnownLabels
        from data_builders.synthetic.lexicon import Lexicon
        from data_builders.synthetic.reports import write_reports

        lexicon = Lexicon.for_label_set(label_set, arguments.lexicon)
        count = arguments.synthetic
        seed = arguments.seed
        usual = {"balance": 0.0, "noise": 1.0, "brief": 0.0}
        given = {name: getattr(arguments, name) for name in usual}
        shares = {k: usual[k] if v is None else float(v) for k, v in given.items()}
        known = KnownLabels(
            write_reports(
                label_set,
                count,
                seed,
                balance=shares["balance"],
                noise=shares["noise"],
                brief=shares["brief"],
                lexicon=lexicon,
            )
        )
        drawn = {"reports": count, "seed": seed, **shares, "lexicon_sha256": lexicon.sha256}
        facts: dict[str, Any] = {"synthetic": drawn, "inputs": []}
        return _bar(known.reports(), count if scanned else None), facts, known
    from labelwright.readers import read_reports, scan

    options = read_options(arguments)
    found = read_reports(arguments.files, options)
    if not scanned:
        return found, {}, None
    seen = scan(arguments.files, options)
    facts = {"inputs": list(seen.inputs)}
    if annotations := options.annotations():
        facts["reading"] = annotations
    return _bar(found, seen.rows), facts, None


def _bar(found: Iterable[Report | Reject], total: int | None) -> Iterable[Report | Reject]:
    from tqdm import tqdm

    if total is None:
        return found
    bar: Iterable[Report | Reject] = tqdm(
        found, "reading", total, unit=" reports", disable=None, leave=False
    )
    return bar


def _source(given: str, arguments: argparse.Namespace, label_set: LabelSet) -> LabelSource:
    from data_builders.sources.labels import CodeLabels, LabelerLabels, TableLabels

    if given == "rules":
        from baselines.rules.labeler import RulesLabeler
        from labelwright.labelers.gate import gated

        return LabelerLabels(gated(RulesLabeler.for_label_set(label_set, arguments.rules)))
    if given == "openi-mesh":
        from data_builders.sources.openi_codes import CodeTable

        path = arguments.openi_table
        table = (
            CodeTable.for_label_set(label_set) if path is None else CodeTable.load(path, label_set)
        )
        return CodeLabels(table, label_set)
    if not Path(given).exists():
        raise InputError("no such label table", remedy=f"give {SOURCES}", source=given)
    return TableLabels(Path(given), label_set, asked_columns=arguments.label_id_columns)


def _split(arguments: argparse.Namespace) -> tuple[Any, Mapping[str, Any]]:
    from data_builders.splits.split import parse_ratios
    from data_builders.splits.split_file import read_split_file
    from data_builders.splits.split_plan import SplitOptions
    from labelwright.io.manifest import inputs

    path = arguments.split_file
    ratios = arguments.split or SplitOptions.ratios
    parse_ratios(ratios)
    table = None if path is None else read_split_file(path, asked=arguments.split_id_columns)
    options = SplitOptions(
        ratios=ratios,
        table=table,
        seed=arguments.seed,
        duplicates=arguments.duplicates,
        leakage=arguments.leakage,
        near_duplicates=arguments.near_duplicates,
        stratify=arguments.stratify or SplitOptions.stratify,
    )
    return options, {} if path is None else {"split_file": inputs([path])[0]}


def _parts(report: Report, known: Any, job: Job) -> list[tuple[str, str, Any]]:
    """Id, text and what is known of each record of a report: one, or its windows."""
    parts = (
        []
        if job.windows is None
        else job.windows.divide("preview", report.text, known, kind_of(job.label_set))
    )
    if len(parts) < 2:
        return [(report.id, report.text, known)]
    return [
        (f"{report.id}#{number}", report.text[part.start : part.end], part.value)
        for number, part in enumerate(parts, 1)
    ]


def _preview(found: Iterable[Report | Reject], job: Job, count: int) -> None:
    from data_builders.build import prepared
    from data_builders.instructions import readable, record

    kind = kind_of(job.label_set)
    shown = 0
    for item in prepared(found, job):
        if isinstance(item, Reject) or isinstance(item.known, str):
            continue
        for name, text, part in _parts(item.report, item.known.value, job):
            answer = kind.render(job.label_set, part)
            sys.stdout.write(readable(record(job.label_set, name, text, answer, meta={})))
        shown += 1
        if shown == count:
            return
    if not shown:
        what = "annotations" if kind.whole_text else "--labels, --sections"
        raise InputError("no report can be used", remedy=f"check {what} and the ids")
