"""Where the texts come from: a data folder, files of reports, and what must not be trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from baselines.pretrain.arguments import DROP, MLM, REFUSE, PretrainArguments
from baselines.pretrain.corpus import Counts
from baselines.tagger.notes import GOLD, Note, read_split
from labelwright.errors import ConfigError, InputError
from labelwright.io.data_folder import AGAIN, REPORTS, DataFolder, open_data_folder
from labelwright.io.jsonl import read_jsonl
from labelwright.io.manifest import sha256_file
from labelwright.readers.formats import read_reports, scan
from labelwright.readers.options import ReadOptions
from labelwright.records import Reject, Report

TEST, VALIDATION, TRAIN = "test", "validation", "train"


@dataclass
class Known:
    """Digests of texts, and patients, of one split of the data folder."""

    texts: set[bytes] = field(default_factory=set)
    patients: set[str] = field(default_factory=set)

    def holds(self, report: Report) -> bool:
        """Whether a report is one of these notes, or of one of their patients."""
        return report.patient in self.patients or digest(report.text) in self.texts


@dataclass(frozen=True)
class Sources:
    """All that a run reads.

    Attributes:
        data: the data folder, if one is given.
        texts: files of reports.
    """

    task: PretrainArguments
    data: DataFolder | None
    texts: tuple[Path, ...]
    options: ReadOptions
    seed: int
    rejects: list[Reject] = field(default_factory=list)

    @classmethod
    def open(cls, task: PretrainArguments, seed: int) -> Sources:
        """Open the folder and look for the files.

        Raises:
            InputError, ConfigError: they cannot be read, or lack what the objective needs.
        """
        data = None
        if task.data:
            needed = [REPORTS.format(TRAIN)]
            needed += [GOLD.format(TRAIN)] * (task.objective != MLM)
            data = open_data_folder(task.data, needed)
        options = ReadOptions(
            format=task.input_format,
            text_columns=tuple(task.text_column),
            patient_column=task.patient_column,
        )
        texts = tuple(map(Path, task.texts))
        if texts:
            scan(texts, options)
        return cls(task, data, texts, options, seed)

    def identity(self) -> dict[str, Any]:
        """Digests of everything that is read."""
        found = {}
        if self.data is not None:
            names = [
                name.format(split)
                for split in (TRAIN, VALIDATION, TEST)
                for name in (REPORTS, GOLD)[: 1 if self.task.objective == MLM else 2]
            ]
            found = {n: sha256_file(path) for n in names if (path := self.data.file(n))}
        digests = [i["sha256"] for i in scan(self.texts, self.options).inputs] if self.texts else []
        return {"data": found, "texts": digests}

    @property
    def validates(self) -> bool:
        """Whether the data folder has held-out reports of its own."""
        return self.data is not None and self.data.file(REPORTS.format(VALIDATION)) is not None

    def training_texts(self) -> Iterator[str]:
        """Training texts, for the vocabulary of a model from scratch."""
        for held_out, note in self.notes(Counts()):
            if not held_out:
                yield note.text

    def notes(self, counts: Counts) -> Iterator[tuple[bool, Note]]:
        """Notes and whether they are held out, in a stream: the folder's, then those of the files.

        Args:
            counts: what is rejected or left out is counted there.

        Raises:
            InputError: a file is damaged.
            ConfigError: test notes are among the texts, and ``on_test`` does not allow it.
        """
        if self.data is not None:
            for split in (TRAIN, VALIDATION) if self.validates else (TRAIN,):
                for note in self._split(self.data, split):
                    yield split == VALIDATION, note
        if self.texts:
            yield from self._files(counts)

    def _split(self, data: DataFolder, split: str) -> Iterator[Note]:
        if self.task.objective != MLM:
            yield from read_split(data, split)
            return
        path = data.path / REPORTS.format(split)
        for row, value in read_jsonl(path):
            text = value.get("text")
            if not isinstance(text, str) or not text.strip():
                raise InputError("the report has no text", remedy=AGAIN, source=path, row=row)
            yield Note(str(value.get("id", "")), text, ())

    def _files(self, counts: Counts) -> Iterator[tuple[bool, Note]]:
        known = {split: self._known(split) for split in (TRAIN, VALIDATION, TEST)}
        self.rejects.clear()
        seen: set[bytes] = set()
        tested = 0
        for item in read_reports(self.texts, self.options):
            if isinstance(item, Reject):
                self.rejects.append(item)
                counts.rejected += 1
                continue
            if not item.text.strip():
                empty = Reject(item.id, item.source, item.row, "the report has no text")
                self.rejects.append(empty)
                counts.rejected += 1
                continue
            own = digest(item.text)
            if known[TEST].holds(item):
                tested += 1
                if self.task.on_test == DROP:
                    counts.left_out["it is a test note, or of a patient of one"] += 1
                    continue
                if self.task.on_test == REFUSE:
                    continue
            elif known[VALIDATION].holds(item):
                counts.left_out["it is a validation note, or of a patient of one"] += 1
                continue
            elif own in known[TRAIN].texts or own in seen:
                counts.left_out["it stands in the corpus already"] += 1
                continue
            seen.add(own)
            yield self._held(item), Note(item.id, item.text, ())
        if tested and self.task.on_test == REFUSE:
            raise ConfigError(
                f"{tested} of the texts are test notes of the data folder, or of their patients",
                remedy="remove them with --on_test drop, or, where the test notes will not be "
                "scored, use them with --on_test use",
                source=self.task.data,
            )

    def _held(self, report: Report) -> bool:
        """Whether a patient is held out: by a digest, so that order and number do not matter."""
        if self.validates or not self.task.held_out:
            return False
        who = report.patient if report.patient is not None else report.id
        found = hashlib.sha256(f"{self.seed}\0{who}".encode()).digest()
        return int.from_bytes(found[:8], "big") < self.task.held_out * 2**64

    def _known(self, split: str) -> Known:
        known = Known()
        path = None if self.data is None else self.data.file(REPORTS.format(split))
        for _, row in read_jsonl(path) if path else ():
            known.texts.add(digest(str(row.get("text", ""))))
            if row.get("patient"):
                known.patients.add(str(row["patient"]))
        return known


def digest(text: str) -> bytes:
    """The same for texts that differ in white space and case only."""
    return hashlib.sha256(" ".join(text.split()).casefold().encode()).digest()
