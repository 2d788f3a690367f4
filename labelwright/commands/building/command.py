"""``labelwright build``: reports and labels -> instruction records."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from labelwright.commands.building.entities import tags_of, windows_of
from labelwright.commands.building.flags import SOURCES, add_arguments, check
from labelwright.commands.building.summary import summary
from labelwright.commands.input_flags import read_options
from labelwright.errors import ConfigError, InputError
from labelwright.label_set import LabelSet
from labelwright.records import Reject, Report
from labelwright.tasks import every_kind, extension, kind_of

if TYPE_CHECKING:
    from data_builders.augment import Augmentation
    from data_builders.build import Built, Job
    from data_builders.sources.base import Source

__all__ = ["add_arguments", "run"]
BUILDING = "labelwright.commands.building"


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
    kind, view = kind_of(label_set), _view(label_set)
    for other in every_kind():
        theirs = None if other is kind else extension(other, BUILDING)
        for name in () if theirs is None else theirs.FLAGS:
            if getattr(arguments, name) not in (None, (), []) and name not in _flags(view):
                flag = f"--{name.replace('_', '-')}"
                raise ConfigError(
                    f"{flag} is for label sets of the task {other.name}, and the task of "
                    f"{label_set.name} is {kind.name}",
                    remedy=f"remove {flag}",
                )
    if view is not None:
        view.check(arguments)
    check(arguments, labels_needed=view is None or view.NEEDS_LABELS)
    return label_set


def _view(label_set: LabelSet) -> ModuleType | None:
    """What the label set's kind adds to this command: its flags and where its values come from."""
    return extension(kind_of(label_set), BUILDING)


def _flags(view: ModuleType | None) -> tuple[str, ...]:
    """The flags of a kind; one without a module of its own takes its values from a gold file."""
    flags: tuple[str, ...] = ("labels",) if view is None else view.FLAGS
    return flags


def _source(arguments: argparse.Namespace, label_set: LabelSet) -> Source | None:
    if (view := _view(label_set)) is not None:
        source: Source | None = view.source(arguments, label_set)
        return source
    from data_builders.sources.base import GoldFile

    return None if arguments.labels is None else GoldFile(Path(arguments.labels), label_set)


def _test_source(arguments: argparse.Namespace, label_set: LabelSet) -> Source | None:
    view = _view(label_set)
    if arguments.test_labels is None or view is None:
        return None
    source: Source = view.test_source(arguments, label_set)
    return source


def _job(
    arguments: argparse.Namespace, label_set: LabelSet, *, scanned: bool
) -> tuple[Iterable[Report | Reject], Job]:
    from data_builders.build import Job

    found, facts, grammar = _reports(arguments, label_set, scanned=scanned)
    known = _source(arguments, label_set) or grammar
    if known is None:
        raise ConfigError("--labels is missing", remedy=f"give {SOURCES}")
    split, split_facts = _split(arguments)
    job = Job(
        label_set=label_set,
        source=known,
        test_source=_test_source(arguments, label_set),
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
) -> tuple[Iterable[Report | Reject], dict[str, Any], Source | None]:
    if arguments.synthetic is not None:
        view = _view(label_set)
        write = getattr(view, "synthetic", None)
        if write is None:
            raise ConfigError(
                f"no grammar writes texts for the task {label_set.task}",
                remedy="give files of your own",
            )
        written, facts, known = write(arguments, label_set)
        return _bar(written, arguments.synthetic if scanned else None), facts, known
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


def _split(arguments: argparse.Namespace) -> tuple[Any, Mapping[str, Any]]:
    from data_builders.splits.split import parse_ratios
    from data_builders.splits.split_file import read_split_file
    from data_builders.splits.split_plan import SplitOptions
    from labelwright.io.manifest import inputs

    path = arguments.split_file
    ratios = arguments.split or SplitOptions.ratios
    parse_ratios(ratios)
    table = None
    if path is not None:
        asked, reports_id = arguments.split_id_columns, arguments.id_column
        table = read_split_file(path, asked=asked, reports_id=reports_id)
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
