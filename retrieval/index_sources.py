"""What an index is built from: a data folder with its splits, or report files, labeled or not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelwright.errors import InputError
from labelwright.io.data_folder import open_data_folder
from labelwright.io.delimited import id_columns
from labelwright.io.manifest import inputs, sha256_file
from labelwright.label_set import LabelSet
from labelwright.readers import ReadOptions, read_reports
from labelwright.records import Reject, Report
from labelwright.tasks import kind_of
from retrieval.index_groups import Item, Items
from retrieval.index_shards import Entry

REPORTS, RECORDS = ".reports.jsonl", ".jsonl"
MADE_FROM = ("variant_of", "copy_of")
"""Keys of a record's meta that name the report it repeats."""
VARIANT = "a variant or copy of a training report"


@dataclass(frozen=True)
class Source:
    """Reports on their way into an index.

    Attributes:
        items: gives them, the same at every call.
        facts: what was read and all choices that shape the rows, for the manifest.
        total: how many there are.
    """

    items: Items
    facts: Mapping[str, Any]
    label_set: LabelSet | None
    total: int


@dataclass(frozen=True)
class Images:
    """Where the image of a report is: ``column`` of its metadata, a path below ``root``."""

    column: str
    root: Path

    def of(self, report: Report) -> Path | str:
        """The image's path, or why the report has none."""
        named = report.meta.get(self.column, "").strip()
        if not named:
            return f"no image is named in {self.column}"
        root = self.root.resolve()
        path = (root / named).resolve()
        if not path.is_relative_to(root):
            return "the image lies outside of --image-root"
        return path


def with_images(source: Source, images: Images) -> Source:
    """The same reports, each with its image; one without becomes a reject."""

    def items() -> Iterator[Item]:
        for item in source.items():
            if isinstance(item, Reject):
                yield item
                continue
            found = images.of(item.report)
            if isinstance(found, str):
                yield _rejected(item.report, found)
            else:
                yield Entry(item.report, item.split, item.labels, found)

    facts = {**source.facts, "image_column": images.column}
    return Source(items, facts, source.label_set, source.total)


def from_data_folder(folder: Path, splits: Sequence[str], meta_column: str | None = None) -> Source:
    """The reports of a folder that ``labelwright build`` wrote, with their labels.

    Variants and copies that the build made are rejects: each is its report over again.

    Args:
        splits: those to take; empty takes all that are there.
        meta_column: a key of the reports' metadata to keep.

    Raises:
        InputError: the folder lacks a split or a file, or its parts do not agree.
    """
    present = [p.name.removesuffix(REPORTS) for p in sorted(folder.glob(f"*{REPORTS}"))]
    wanted = list(splits) or present
    names = [split + REPORTS for split in wanted] or [f"train{REPORTS}"]
    data = open_data_folder(folder, names)
    kind = kind_of(data.label_set)
    known = {split: _split_values(folder, split, data.label_set) for split in wanted}
    variants = _variants(folder, wanted)

    def items() -> Iterator[Item]:
        for split in wanted:
            for item in _split_reports(folder / (split + REPORTS), meta_column):
                if isinstance(item, Reject):
                    yield item
                elif item.id in variants:
                    yield _rejected(item, VARIANT)
                elif item.id in known[split]:
                    yield Entry(item, split, kind.to_object(known[split][item.id]))
                else:
                    reason = f"no labels: its id is not in {split}{kind.gold_suffix}"
                    yield _rejected(item, reason)

    facts = {
        "kind": "data folder",
        "path": str(folder),
        "manifest_sha256": sha256_file(folder / "manifest.json"),
        "splits": wanted,
        "sections": data.sections,
    }
    return Source(items, facts, data.label_set, sum(map(_lines, (folder / n for n in names))))


def from_reports(
    reports: Callable[[], Iterable[Report | Reject]],
    *,
    facts: Mapping[str, Any],
    total: int,
    split: str,
    labels: LabelTable | None = None,
) -> Source:
    """Reports of one split, with the labels of a table where one is given; rejects stay rejects."""

    def items() -> Iterator[Item]:
        for item in reports():
            if isinstance(item, Reject):
                yield item
            elif not _encodable(item):
                yield _rejected(item, "the text holds half a character (a lone surrogate)")
            elif labels is None:
                yield Entry(item, split)
            else:
                found = labels.of(item.id)
                yield (
                    _rejected(item, found) if isinstance(found, str) else Entry(item, split, found)
                )

    told = {
        **facts,
        "kind": "files",
        "split": split,
        "labels": None if labels is None else labels.facts,
    }
    return Source(items, told, None if labels is None else labels.label_set, total)


class LabelTable:
    """Labels of a CSV or TSV in CheXpert's coding, by report id.

    Raises:
        InputError: it cannot be read, or says two different things of one report.
    """

    def __init__(self, path: Path, label_set: LabelSet, asked_columns: Sequence[str] = ()) -> None:
        self.label_set = label_set
        keys = id_columns(path, asked_columns, "--label-id-columns")
        self.facts = {**inputs([path])[0], "id_columns": keys}
        self._kind = kind_of(label_set)
        self._found = self._kind.values(path, label_set, id_columns=keys)

    def of(self, identifier: str) -> dict[str, Any] | str:
        """The labels of a report, or why it has none."""
        if identifier not in self._found:
            return "no labels: its id is not in the label table"
        known = self._kind.fit(self.label_set, self._found[identifier])
        return known if isinstance(known, str) else self._kind.to_object(known.value)


def _split_values(folder: Path, split: str, label_set: LabelSet) -> Mapping[str, Any]:
    kind = kind_of(label_set)
    path = folder / (split + kind.gold_suffix)
    if not path.is_file():
        raise InputError(
            f"the data folder has no {path.name}",
            remedy="make it with labelwright build",
            source=folder,
        )
    return kind.values(path, label_set)


def _split_reports(path: Path, meta_column: str | None) -> Iterator[Report | Reject]:
    options = ReadOptions(
        id_column="id",
        text_columns=("text",),
        patient_column="patient",
        meta_columns=("meta",) if meta_column else (),
        format="jsonl",
    )
    for item in read_reports([path], options):
        if meta_column and isinstance(item, Report):
            value = json.loads(item.meta["meta"] or "{}").get(meta_column) or ""
            yield Report(
                item.id, item.text, item.source, item.row, item.patient, (), {meta_column: value}
            )
        else:
            yield item


def _variants(folder: Path, splits: Sequence[str]) -> set[str]:
    found = set()
    for path in (folder / (split + RECORDS) for split in splits):
        if not path.is_file():
            continue
        with open(path, encoding="utf-8") as handle:
            for line in handle:
                if any(f'"{key}"' in line for key in MADE_FROM):  # most lines need no parser
                    row = json.loads(line)
                    if any(row["meta"].get(key) for key in MADE_FROM):
                        found.add(str(row["id"]))
    return found


def _lines(path: Path) -> int:
    with open(path, "rb") as handle:
        return sum(1 for line in handle if line.strip())


def _encodable(report: Report) -> bool:
    try:
        "".join((report.id, report.patient or "", report.text)).encode()
    except UnicodeEncodeError:
        return False
    return True


def _rejected(report: Report, reason: str) -> Reject:
    return Reject(report.id, report.source, report.row, reason)
