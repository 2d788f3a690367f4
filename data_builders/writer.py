"""The second pass: every report of a plan as a record, its text and its gold, with its copies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from data_builders.augment import Augmentation
from data_builders.collect import Collected, RejectLog, taken
from data_builders.folder import CLASSES, LABEL_SET, TRAIN
from data_builders.instructions import alpaca, record
from data_builders.note_windows import Windows
from data_builders.pieces import Piece, pieces
from data_builders.sources.tag_files import TagFiles
from data_builders.splits.split import SPLITS
from data_builders.splits.split_plan import Plan
from data_builders.targets import Targets
from labelwright.io.jsonl import atomic_write, dumps
from labelwright.label_set import LabelSet
from labelwright.records import Reject
from labelwright.tasks import kind_of
from labelwright.tasks.base import WriteGold


class NewIds:
    """New ids for variants, copies and windows, none of which a report of the build has."""

    def __init__(self, collected: Collected) -> None:
        self._taken = {row.item.id for row in collected.rows}

    def new(self, identifier: str, mark: str) -> str:
        """``identifier~1`` where ``mark`` is ``~``, or the next number that is free."""
        number = 1
        while (made := f"{identifier}{mark}{number}") in self._taken:
            number += 1
        self._taken.add(made)
        return made


@dataclass(frozen=True)
class Writer:
    """Writes the records of a plan.

    Attributes:
        targets: answers, gold and counts of what is known.
        layout: one of :data:`data_builders.instructions.FORMATS`.
        origins: who gave the labels, by split.
        augmentation: writes variants of training reports, each with its report's labels and
            patient, right behind it; ``None`` for none.
        copies: how many copies of a training report to write behind it, by row.
        windows: divides the records of long notes, those of the test split excepted.
        parts: label sets of parts that get a record each, those of the test split excepted.
        tags: writes tags of every token too.
    """

    folder: Path
    label_set: LabelSet
    targets: Targets
    layout: str
    origins: Mapping[str, str]
    augmentation: Augmentation | None = None
    copies: Mapping[int, int] = field(default_factory=dict)
    windows: Windows | None = None
    parts: Sequence[LabelSet] = ()
    tags: TagFiles | None = None

    def write(self, collected: Collected, plan: Plan, log: RejectLog) -> None:
        """Write records, texts, gold, classes and the label set; log what is left out.

        Raises:
            OutputError: a file cannot be written.
        """
        ids = NewIds(collected)
        names = [split for split in SPLITS if plan.facts["reports"].get(split)]
        with ExitStack() as stack:
            files = {split: self._files(split, stack, ids) for split in names}
            for index, report in enumerate(collected.reports("writing")):
                split = plan.splits[index]
                given = taken(report, collected.rows[index], split)
                value = self.targets.value(given)
                if split is None:
                    reason = plan.reasons[index]
                    self.targets.drop(value)
                    log.add(Reject(report["id"], report["source"], report["row"], reason))
                    continue
                self.targets.count(split, value)
                files[split].add(report, value)
                if split == TRAIN:
                    for other, told in self._more(index, report, ids):
                        files[split].add(other, value, told)
        with self._open(CLASSES, mode=0o644) as handle:
            self.targets.table.write_csv(handle)
        with self._open(LABEL_SET, mode=0o644) as handle:
            handle.write(self.label_set.text)

    def _open(self, name: str, *, mode: int = 0o600) -> Any:
        return atomic_write(self.folder / name, mode=mode)

    def _files(self, split: str, stack: ExitStack, ids: NewIds) -> _Files:
        if self.tags is not None:
            self.tags.open(self.folder, split, stack)
        kinds = (".jsonl", ".reports.jsonl", self.targets.suffix)
        records, texts, gold = (stack.enter_context(self._open(split + kind)) for kind in kinds)
        return _Files(self, split, records, texts, self.targets.rows(gold), ids)

    def _more(
        self, index: int, report: Mapping[str, Any], ids: NewIds
    ) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """The variants of a training report, then its copies, each with what meta tells of it."""
        name = report["id"]
        if self.augmentation is not None:
            for variant in self.augmentation.of(name, report["text"]):
                other = {**report, "id": ids.new(name, "~"), "text": variant.text}
                yield other, {"variant_of": name, "operations": list(variant.operations)}
        for _ in range(self.copies.get(index, 0)):
            yield {**report, "id": ids.new(name, "~")}, {"copy_of": name}


@dataclass(frozen=True)
class _Files:
    """The open files of one split."""

    writer: Writer
    split: str
    records: IO[str]
    texts: IO[str]
    add_gold: WriteGold
    ids: NewIds

    def add(
        self,
        report: Mapping[str, Any],
        value: Any,
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Write one report with what is known of it; ``more`` goes into the record's meta."""
        meta = {
            "patient": report["patient"],
            "source": report["source"],
            "row": report["row"],
            "labels_by": self.writer.origins[self.split],
            **more,
        }
        writer, name = self.writer, report["id"]
        whole = self.split == SPLITS[-1]
        windows, parts = (None, ()) if whole else (writer.windows, writer.parts)
        of = "group_of" if parts else "window_of"
        for piece in pieces(writer.label_set, report["text"], value, self.split, windows, parts):
            own = self.ids.new(name, "#") if piece.number else name
            told = {**meta, of: name, **piece.meta} if piece.number else meta
            self._record(own, piece, told)
        self.texts.write(dumps(report) + "\n")
        self.add_gold(report["id"], value)
        if self.writer.tags is not None:
            marks = kind_of(self.writer.label_set).marks(value)
            self.writer.tags.add(self.split, report, marks)

    def _record(self, identifier: str, piece: Piece, meta: Mapping[str, Any]) -> None:
        writer = self.writer
        answer = writer.targets.answer(piece.value, piece.text, self.split)
        if gaps := kind_of(writer.label_set).gaps(writer.label_set, piece.value):
            meta = {**meta, "unknown": list(gaps)}
        made = record(piece.label_set, identifier, piece.text, answer, meta=meta)
        shaped = alpaca(made) if writer.layout == "alpaca" else made
        self.records.write(dumps(shaped) + "\n")
