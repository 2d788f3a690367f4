"""The data folder: the second pass writes every file whole, the manifest last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from data_builders.augment import Augmentation
from data_builders.class_table import ClassTable
from data_builders.collect import Collected, RejectLog
from data_builders.instructions import alpaca, record
from data_builders.plan import Plan
from data_builders.split import SPLITS
from labelwright.errors import OutputError
from labelwright.jsonl import atomic_write, dumps, writing
from labelwright.label_csv import write_labels
from labelwright.label_set import LabelSet
from labelwright.lock import locked
from labelwright.records import Certainty, Reject

TRAIN = SPLITS[0]
MANIFEST = "manifest.json"
REJECTS = "rejects.jsonl"
CLASSES = "classes.csv"
LABEL_SET = "label_set.yaml"
KINDS = (".jsonl", ".reports.jsonl", ".labels.csv")
"""The files of a split, after its name: records, texts, labels."""

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
        layout: one of :data:`data_builders.instructions.FORMATS`.
        origins: who gave the labels, by split.
        augmentation: writes variants of training reports, each with its report's labels and
            patient, right behind it; ``None`` for none.
    """

    folder: Path
    label_set: LabelSet
    layout: str
    origins: Mapping[str, str]
    augmentation: Augmentation | None = None

    def write(self, collected: Collected, plan: Plan, log: RejectLog) -> ClassTable:
        """Write records, texts, labels, classes and the label set; log what is left out.

        Raises:
            OutputError: a file cannot be written.
        """
        table = ClassTable(self.label_set)
        taken = _Ids(collected) if self.augmentation is not None else None
        variants: dict[int, list[str]] = {}
        names = [split for split in SPLITS if plan.facts["reports"].get(split)]
        with ExitStack() as stack:
            records = {s: stack.enter_context(self._open(s + KINDS[0])) for s in names}
            texts = {s: stack.enter_context(self._open(s + KINDS[1])) for s in names}
            for index, report in enumerate(collected.reports("writing")):
                split = plan.splits[index]
                if split is None:
                    reason = plan.reasons[index]
                    log.add(Reject(report["id"], report["source"], report["row"], reason))
                    continue
                labels = self._labels(collected, index, split)
                table.add(split, labels.values())
                records[split].write(dumps(self._record(report, labels, split)) + "\n")
                texts[split].write(dumps(report) + "\n")
                if self.augmentation is None or taken is None or split != TRAIN:
                    continue
                for variant in self.augmentation.of(report["id"], report["text"]):
                    new = taken.new(report["id"])
                    variants.setdefault(index, []).append(new)
                    other = {**report, "id": new, "text": variant.text}
                    told = {"variant_of": report["id"], "operations": list(variant.operations)}
                    record = self._record(other, labels, split, told)
                    records[split].write(dumps(record) + "\n")
                    texts[split].write(dumps(other) + "\n")
        for split in names:
            self._write_labels(collected, plan, split, variants)
        with self._open(CLASSES, mode=0o644) as handle:
            table.write_csv(handle)
        with self._open(LABEL_SET, mode=0o644) as handle:
            handle.write(self.label_set.text)
        return table

    def _open(self, name: str, *, mode: int = 0o600) -> Any:
        return atomic_write(self.folder / name, mode=mode)

    def _labels(self, collected: Collected, index: int, split: str) -> dict[str, Certainty]:
        packed = collected.rows[index].labels_in(split)
        if isinstance(packed, str):  # the plan has left such rows out
            raise ValueError("a row without labels was planned")
        return dict(zip(self.label_set.names, packed, strict=True))

    def _record(
        self,
        report: Mapping[str, Any],
        labels: Mapping[str, Certainty],
        split: str,
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> dict[str, Any]:
        meta = {
            "patient": report["patient"],
            "source": report["source"],
            "row": report["row"],
            "labels_by": self.origins[split],
            **more,
        }
        made = record(self.label_set, report["id"], report["text"], labels, meta=meta)
        return alpaca(made) if self.layout == "alpaca" else made

    def _write_labels(
        self, collected: Collected, plan: Plan, split: str, variants: Mapping[int, Sequence[str]]
    ) -> None:
        handle: IO[str]
        with self._open(split + KINDS[2]) as handle:
            write_labels(
                handle,
                self.label_set,
                (
                    (identifier, self._labels(collected, index, split))
                    for index, found in plan.kept()
                    if found == split
                    for identifier in (collected.rows[index].item.id, *variants.get(index, ()))
                ),
            )
