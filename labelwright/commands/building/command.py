"""``labelwright build``: reports and labels -> instruction records."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from labelwright.commands.building.entities import tags_of, windows_of
from labelwright.commands.building.fields import parts_of
from labelwright.commands.building.flags import SOURCES, BuildOptions, add_arguments, check
from labelwright.errors import ConfigError, InputError
from labelwright.label_set import LabelSet
from labelwright.records import Reject, Report
from labelwright.tasks import every_kind, extension, kind_of
from labelwright.text.amounts import amount

if TYPE_CHECKING:
    from data_builders.augment import Augmentation
    from data_builders.build import Built, Job
    from data_builders.sources.base import Source

__all__ = ["add_arguments", "run"]
BUILDING = "labelwright.commands.building"


def run(arguments: argparse.Namespace) -> int:
    """Build, or show a preview."""
    options = BuildOptions.from_flags(arguments)
    if options.preview is not None:
        found, job = _job(options, _checked(options), scanned=False)
        _preview(found, job, options.preview)
        return 0
    built, out = perform(options)
    sys.stdout.write(_summary(built, out))
    return 0


def perform(options: BuildOptions) -> tuple[Built, Path]:
    """Build the data folder; what is in it, and where it is.

    Raises:
        InputError, ConfigError, LabelSetError: reports, labels or options cannot be used.
        OutputError: the folder holds another build, or cannot be written.
    """
    from data_builders.build import build

    if options.out is None:
        raise ConfigError("--out is missing", remedy="give a folder, or --preview 3 to look first")
    found, job = _job(options, _checked(options), scanned=True)
    return build(found, job, options.out, overwrite=options.overwrite), options.out


def _checked(options: BuildOptions) -> LabelSet:
    """The label set, once no flag contradicts it or another flag."""
    label_set = LabelSet.load(options.label_set)
    kind, view = kind_of(label_set), _view(label_set)
    for other in every_kind():
        theirs = None if other is kind else extension(other, BUILDING)
        strange = () if theirs is None else [n for n in theirs.FLAGS if n not in _flags(view)]
        why = f"of the task {other.name}, and the task of {label_set.name} is {kind.name}"
        options.refuse(strange, f"is for label sets {why}", remedy="remove {}")
    if view is not None:
        view.check(options)
    check(options, labels_needed=view is None or view.NEEDS_LABELS)
    return label_set


def _view(label_set: LabelSet) -> ModuleType | None:
    """What the label set's kind adds to this command: its flags and where its values come from."""
    return extension(kind_of(label_set), BUILDING)


def _flags(view: ModuleType | None) -> tuple[str, ...]:
    """The flags of a kind; one without a module of its own takes its values from a gold file."""
    flags: tuple[str, ...] = ("labels",) if view is None else view.FLAGS
    return flags


def _source(options: BuildOptions, label_set: LabelSet) -> Source | None:
    if (view := _view(label_set)) is not None:
        source: Source | None = view.source(options, label_set)
        return source
    from data_builders.sources.base import GoldFile

    return None if options.labels is None else GoldFile(Path(options.labels), label_set)


def _test_source(options: BuildOptions, label_set: LabelSet) -> Source | None:
    view = _view(label_set)
    if options.test_labels is None or view is None:
        return None
    source: Source = view.source_of(options.test_labels, options, label_set)
    return source


def _job(
    options: BuildOptions, label_set: LabelSet, *, scanned: bool
) -> tuple[Iterable[Report | Reject], Job]:
    from data_builders.build import Job

    found, facts, grammar = _reports(options, label_set, scanned=scanned)
    known = _source(options, label_set) or grammar
    if known is None:
        raise ConfigError("--labels is missing", remedy=f"give {SOURCES}")
    split, split_facts = _split(options)
    job = Job(
        label_set=label_set,
        source=known,
        test_source=_test_source(options, label_set),
        sections=options.sections,
        layout=options.format,
        split=split,
        augmentation=_augmentation(options, label_set),
        oversample=options.oversample,
        windows=windows_of(options),
        parts=parts_of(label_set) if options.by_group else (),
        tags=tags_of(options),
        facts={**facts, **split_facts},
    )
    return found, job


def _augmentation(options: BuildOptions, label_set: LabelSet) -> Augmentation | None:
    if not options.augment:
        return None
    from data_builders.augment import Augmentation, Augmenter
    from data_builders.synthetic.lexicon import Lexicon

    lexicon = Lexicon.for_label_set(label_set, options.lexicon)
    return Augmentation(Augmenter(lexicon, options.seed), options.augment)


def _reports(
    options: BuildOptions, label_set: LabelSet, *, scanned: bool
) -> tuple[Iterable[Report | Reject], dict[str, Any], Source | None]:
    if options.synthetic:
        view = _view(label_set)
        write = getattr(view, "synthetic", None)
        if write is None:
            raise ConfigError(
                f"no grammar writes texts for the task {label_set.task}",
                remedy="give files of your own",
            )
        written, facts, known = write(options, label_set)
        return _bar(written, options.synthetic if scanned else None), facts, known
    from labelwright.readers import read_reports, scan

    found = read_reports(options.files, options.reading)
    if not scanned:
        return found, {}, None
    seen = scan(options.files, options.reading)
    facts = {"inputs": list(seen.inputs)}
    if annotations := options.reading.annotations():
        facts["reading"] = annotations
    return _bar(found, seen.rows), facts, None


def _bar(found: Iterable[Report | Reject], total: int | None) -> Iterable[Report | Reject]:
    from labelwright.runtime.progress import progress_bar

    if total is None:
        return found
    bar: Iterable[Report | Reject] = progress_bar(
        found, "reading", total, unit=" reports", leave=False
    )
    return bar


def _split(options: BuildOptions) -> tuple[Any, Mapping[str, Any]]:
    from data_builders.splits.split import parse_ratios
    from data_builders.splits.split_plan import SplitOptions, read_split_file
    from labelwright.io.manifest import inputs

    path = options.split_file
    ratios = options.split or SplitOptions.ratios
    parse_ratios(ratios)
    table = None
    if path is not None:
        asked, reports_id = options.split_id_columns, options.id_column
        table = read_split_file(path, asked=asked, reports_id=reports_id)
    plan = SplitOptions(
        ratios=ratios,
        table=table,
        seed=options.seed,
        duplicates=options.duplicates,
        leakage=options.leakage,
        near_duplicates=options.near_duplicates,
        stratify=options.stratify or SplitOptions.stratify,
    )
    return plan, {} if path is None else {"split_file": inputs([path])[0]}


def _preview(found: Iterable[Report | Reject], job: Job, count: int) -> None:
    from data_builders.build import prepared
    from data_builders.instructions import readable, record
    from data_builders.pieces import pieces

    kind = kind_of(job.label_set)
    shown = 0
    for item in prepared(found, job):
        if isinstance(item, Reject) or isinstance(item.known, str):
            continue
        text, value = item.report.text, item.known.value
        for piece in pieces(job.label_set, text, value, "preview", job.windows, job.parts):
            name = item.report.id + (f"#{piece.number}" if piece.number else "")
            answer = kind.render(piece.label_set, piece.value)
            sys.stdout.write(readable(record(piece.label_set, name, piece.text, answer, meta={})))
        shown += 1
        if shown == count:
            return
    if not shown:
        what = "annotations" if kind.whole_text else "--labels, --sections"
        raise InputError("no report can be used", remedy=f"check {what} and the ids")


def _summary(built: Built, out: Path) -> str:
    """The lines for the terminal."""
    return "\n".join([*built.classes.lines(), "", *_told(built.manifest), f"written to {out}", ""])


def _told(manifest: Mapping[str, Any]) -> Iterator[str]:
    counts, split = manifest["counts"], manifest["split"]
    records = amount(counts["records"], "record")
    yield f"{amount(counts['in'], 'row')} in = {records} + {counts['rejected']:,} rejected"
    for reason, count in counts["rejected_by_reason"].items():
        yield f"  rejected {count}: {reason}"
    for key in ("labels", "test_labels"):
        if left := (manifest[key] or {}).get("labels_without_report"):
            yield f"  {key} of {amount(left, 'report')} not in the input, not used"
    yield from _told_entities(counts.get("entities"))
    if counts["negatives_read_as_blank"]:
        yield f"  {counts['negatives_read_as_blank']} negatives read as blank (label set)"
    if augmentation := manifest["augmentation"]:
        yield (
            f"{augmentation['made']} variants of {augmentation['reports']} training reports "
            "were added to them"
        )
    yield from _told_records(manifest)
    yield f"{amount(split['reports_that_repeat_a_text'], 'report', 'repeat')} the text of another"
    if (largest := split.get("largest_group", 0)) > max(1, counts["records"] / 10):
        yield (
            f"{amount(largest, 'report', 'are')} linked by patient or equal text and stay in one "
            "split; --duplicates drop loosens them"
        )
    for pair, count in split["near_duplicates"]["reports"].items():
        yield f"near duplicates ({split['near_duplicates']['action']}): {count} {pair}"


def _told_records(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What the records have beside one for each report."""
    if copies := manifest["oversampling"]:
        yield (
            f"{copies['copies']} copies of {copies['reports_copied']} training reports with rare "
            "classes were added to them"
        )
    if windows := manifest["windows"]:
        notes, records = (sum(windows[key].values()) for key in ("notes_divided", "windows"))
        yield f"{amount(notes, 'note')} of train and validation stand in {records} windows"
        if longer := windows["sentences_longer_than_a_window"]:
            yield f"  {longer} windows are longer than asked, to keep an entity in one piece"
    if groups := manifest["by_group"]:
        yield f"{amount(groups, 'record')} of groups for each report of train and validation"
    if tags := manifest["tags"]:
        for reason, count in tags["left_out"].items():
            yield f"  not in the tag files {count}: {reason}"


def _told_entities(counts: Mapping[str, Any] | None) -> Iterator[str]:
    if counts is None:
        return
    left_out = sum(counts["left_out"].values())
    yield (
        f"{amount(counts['in'], 'entity')} in = {counts['records']:,} in records + "
        f"{counts['rejected']:,} in rejected notes + {left_out} left out"
    )
    for reason, count in counts["left_out"].items():
        yield f"  left out {count}: {reason}"
    if unasked := counts.get("certainties_not_asked_for"):
        yield f"  {unasked} have a certainty, which the label set does not ask for"
    if trimmed := counts.get("white_space_trimmed"):
        yield f"  {trimmed} had white space at their edges, which was trimmed"
    if widened := counts.get("widened_by_normalising"):
        yield f"  {widened} cover a part of what normalising replaced, and now all of it"
    if unsaid := sum(counts["place_not_said_by_answer"].values()):
        yield f"  {unsaid} stand where the words of their answer line would not be looked for"
