"""The data folder: the second pass writes every file whole, the manifest last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from data_builders.augment import Augmentation
from data_builders.collect import Collected, RejectLog
from data_builders.gold import ENTITIES_JSONL, LABELS_CSV, Add, Gold
from data_builders.instructions import alpaca, record
from data_builders.plan import Plan
from data_builders.split import SPLITS
from labelwright.errors import OutputError
from labelwright.jsonl import atomic_write, dumps, writing
from labelwright.label_set import LabelSet
from labelwright.lock import locked
from labelwright.records import Reject

TRAIN = SPLITS[0]
MANIFEST = "manifest.json"
REJECTS = "rejects.jsonl"
CLASSES = "classes.csv"
LABEL_SET = "label_set.yaml"
KINDS = (".jsonl", ".reports.jsonl", LABELS_CSV, ENTITIES_JSONL)
"""The files of a split, after its name: records, texts, labels or entities."""

NAMES = (MANIFEST, REJECTS, CLASSES, LABEL_SET, *(s + kind for s in SPLITS for kind in KINDS))
"""Every file that a build may write."""


@contextmanager
def output_folder(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Make the folder, or take an old one, for this process alone.

    A build that fails leaves no part of itself behind, nor a folder made in vain, so the same
    command can be given again.

    Raises:
        OutputError: it holds files of a build and ``overwrite`` is off, another build is
            writing there, or it cannot be written.
    """
    made = not path.exists()
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
    try:
        with locked(path):
            there = [name for name in NAMES if (path / name).exists()]
            if there and not overwrite:
                raise OutputError(
                    f"the folder already holds {there[0]}",
                    remedy="choose another --out, or replace the build there with --overwrite",
                    source=path,
                )
            _remove_torn_files(path)
            try:
                yield path
            except BaseException:
                if not (path / MANIFEST).exists():  # the earlier build is already gone
                    with suppress(OutputError):
                        clear(path)
                raise
    except BaseException:
        if made and not any(path.iterdir()):
            path.rmdir()
        raise


def _remove_torn_files(folder: Path) -> None:
    """Remove temporary files that a killed build left behind; only with the lock held."""
    with writing(folder):
        for name in NAMES:
            for torn in folder.glob(f".{name}.*.tmp"):
                torn.unlink()


def clear(folder: Path) -> None:
    """Remove an earlier build, its manifest first, so that no mixture passes for a whole one."""
    with writing(folder):
        for name in NAMES:
            (folder / name).unlink(missing_ok=True)


class _Ids:
    """New ids for variants, none of which a report of the build has."""

    def __init__(self, collected: Collected) -> None:
        self._taken = {row.item.id for row in collected.rows}

    def new(self, identifier: str) -> str:
        """``identifier~1``, or the next number that is free."""
        number = 1
        while (made := f"{identifier}~{number}") in self._taken:
            number += 1
        self._taken.add(made)
        return made


@dataclass(frozen=True)
class Writer:
    """Writes the records of a plan.

    Attributes:
        gold: what the task knows of every report.
        layout: one of :data:`data_builders.instructions.FORMATS`.
        origins: who gave the labels, by split.
        augmentation: writes variants of training reports, each with its report's labels and
            patient, right behind it; ``None`` for none.
    """

    folder: Path
    label_set: LabelSet
    gold: Gold
    layout: str
    origins: Mapping[str, str]
    augmentation: Augmentation | None = None

    def write(self, collected: Collected, plan: Plan, log: RejectLog) -> None:
        """Write records, texts, gold, classes and the label set; log what is left out.

        Raises:
            OutputError: a file cannot be written.
        """
        taken = _Ids(collected) if self.augmentation is not None else None
        names = [split for split in SPLITS if plan.facts["reports"].get(split)]
        with ExitStack() as stack:
            files = {split: self._files(split, stack) for split in names}
            for index, report in enumerate(collected.reports("writing")):
                split = plan.splits[index]
                if split is None:
                    reason = plan.reasons[index]
                    self.gold.drop(report)
                    log.add(Reject(report["id"], report["source"], report["row"], reason))
                    continue
                known = self.gold.of(report, collected.rows[index], split)
                self.gold.count(split, known)
                files[split].add(report, known)
                if taken is not None and split == TRAIN:
                    for other, told in self._variants(report, taken):
                        files[split].add(other, known, told)
        with self._open(CLASSES, mode=0o644) as handle:
            self.gold.table.write_csv(handle)
        with self._open(LABEL_SET, mode=0o644) as handle:
            handle.write(self.label_set.text)

    def _open(self, name: str, *, mode: int = 0o600) -> Any:
        return atomic_write(self.folder / name, mode=mode)

    def _files(self, split: str, stack: ExitStack) -> _Files:
        kinds = (".jsonl", ".reports.jsonl", self.gold.suffix)
        records, texts, gold = (stack.enter_context(self._open(split + kind)) for kind in kinds)
        return _Files(self, split, records, texts, self.gold.rows(gold))

    def _variants(
        self, report: Mapping[str, Any], taken: _Ids
    ) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        if self.augmentation is None:
            return
        for variant in self.augmentation.of(report["id"], report["text"]):
            other = {**report, "id": taken.new(report["id"]), "text": variant.text}
            yield other, {"variant_of": report["id"], "operations": list(variant.operations)}


@dataclass(frozen=True)
class _Files:
    """The open files of one split."""

    writer: Writer
    split: str
    records: IO[str]
    texts: IO[str]
    add_gold: Add

    def add(
        self,
        report: Mapping[str, Any],
        known: Any,
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Write one report with what is known of it; ``more`` goes into the record's meta."""
        writer = self.writer
        meta = {
            "patient": report["patient"],
            "source": report["source"],
            "row": report["row"],
            "labels_by": writer.origins[self.split],
            **more,
        }
        answer = writer.gold.answer(known, report["text"], self.split)
        made = record(writer.label_set, report["id"], report["text"], answer, meta=meta)
        shaped = alpaca(made) if writer.layout == "alpaca" else made
        self.records.write(dumps(shaped) + "\n")
        self.texts.write(dumps(report) + "\n")
        self.add_gold(report["id"], known)
