"""Entities of a labeler as training data: the notes that it is sure of, added to a data folder.

One round of self-training, in files: train on the folder, label unlabeled notes, add those whose
least sure entity has at least some probability, train again on the union. The labeler may be of
any kind that gives probabilities. Validation and test stay as they are, and no note goes into
training that stands in a split already or is of a patient of validation or test.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data_builders.folder import (
    CLASSES,
    CONLL,
    MANIFEST,
    NORMALISE,
    TRAIN,
    clear,
    names,
    output_folder,
)
from data_builders.instructions import alpaca, record
from data_builders.note_windows import Windows
from data_builders.sources.pseudo_choice import (
    Round,
    SureChoice,
    check_run,
    sure_answers,
)
from data_builders.splits.split import SPLITS
from data_builders.targets import ClassTable
from labelwright.errors import InputError
from labelwright.io.data_folder import DataFolder
from labelwright.io.jsonl import atomic_write, dumps, read_jsonl, write_json, writing
from labelwright.io.manifest import sha256_file, versions
from labelwright.label_set import LabelSet
from labelwright.records import Entity, Reject, Report
from labelwright.results import PREDICTIONS
from labelwright.tasks import kind_of
from labelwright.text.normalise import Normaliser

RECORDS, TEXTS, GOLD = ".jsonl", ".reports.jsonl", ".entities.jsonl"


@dataclass(frozen=True)
class KnownNotes:
    """Ids and digests of a data folder's notes, and the patients of validation and test."""

    ids: set[str]
    texts: set[bytes]
    held_out: set[str]


def add_pseudo_labels(
    data: DataFolder,
    found: Iterable[Report | Reject],
    run: Path,
    out: Path,
    choice: SureChoice,
    *,
    overwrite: bool = False,
) -> Round:
    """Write a copy of a data folder with the notes of a labeling run that are sure enough.

    Args:
        found: the reports that the run labeled.
        run: its folder, finished.

    Raises:
        InputError: run and reports do not belong together, or a file is damaged.
        ConfigError: the run is of another label set or task, or gives no probabilities.
        OutputError: the folder holds another build, or cannot be written.
    """
    began, clock = datetime.now(UTC), time.perf_counter()
    facts = check_run(data.label_set, run)
    rounds = list(data.manifest.get("pseudo_labels") or [])
    this = Round(len(rounds) + 1)
    with output_folder(out, overwrite=overwrite) as folder:
        known = _known(data)
        sure = sure_answers(run / PREDICTIONS, data.label_set, choice, this)
        clear(folder)
        adder = _Adder(data, folder, this, str(facts["labeler"].get("name", "")))
        with ExitStack() as stack:
            adder.open(stack)
            for report in found:
                if isinstance(report, Report) and report.id in sure:
                    adder.add(report, *sure.pop(report.id), known)
        if sure:
            raise InputError(
                f"{len(sure)} sure predictions of the run have no report in the input",
                remedy="give all reports that were labeled, read with the same flags",
                source=run,
            )
        _copy(data, folder)
        with atomic_write(folder / CLASSES, mode=0o644) as handle:
            _table(data.label_set, folder).write_csv(handle)
        told = {
            **this.to_json(),
            "least_probability": choice.least,
            "with_empty": choice.with_empty,
            "data": {"path": str(data.path), "manifest": sha256_file(data.path / MANIFEST)},
            "run": {"path": str(run), "predictions": sha256_file(run / PREDICTIONS), **facts},
        }
        counts = {**data.counts, "records": data.counts.get("records", 0) + adder.records}
        manifest = {
            **data.manifest,
            "command": "pseudo-label",
            "counts": counts,
            "pseudo_labels": [*rounds, told],
            "files": {n: sha256_file(folder / n) for n in sorted(names()) if (folder / n).exists()},
            "versions": dict(versions()),
            "began": began.isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - clock, 3),
        }
        write_json(folder / MANIFEST, manifest)
    return this


def _known(data: DataFolder) -> KnownNotes:
    known = KnownNotes(set(), set(), set())
    for split in SPLITS:
        path = data.file(split + TEXTS)
        for _, row in read_jsonl(path) if path else ():
            known.ids.add(str(row["id"]))
            known.texts.add(_digest(str(row["text"])))
            if split != TRAIN and row.get("patient"):
                known.held_out.add(str(row["patient"]))
    return known


class _Adder:
    """Writes the training files: those of the old folder, then the new notes.

    Attributes:
        records: how many records were added.
    """

    def __init__(self, data: DataFolder, folder: Path, this: Round, name: str) -> None:
        self._data, self._folder, self._this, self._name = data, folder, this, name
        self._kind = kind_of(data.label_set)
        table = data.file(NORMALISE)
        self._normaliser = None if table is None else Normaliser.load(table)
        windows: Mapping[str, Any] | None = data.manifest.get("windows")
        self._windows = None if windows is None else Windows(windows["words"], windows["overlap"])
        self._alpaca = data.manifest.get("format") == "alpaca"
        self.records = 0

    def open(self, stack: ExitStack) -> None:
        """Open the three files and copy what they held."""
        self._files = {}
        for kind in (RECORDS, TEXTS, GOLD):
            handle = stack.enter_context(atomic_write(self._folder / f"{TRAIN}{kind}"))
            with open(self._data.path / f"{TRAIN}{kind}", encoding="utf-8", newline="\n") as old:
                shutil.copyfileobj(old, handle)
            self._files[kind] = handle

    def add(
        self, report: Report, entities: tuple[Entity, ...], least: float | None, known: KnownNotes
    ) -> None:
        """Add a note, unless it must not be in training.

        Raises:
            InputError: the entities do not stand in this text.
        """
        if any(Entity.of(report.text, e.type, *e.spans).text != e.text for e in entities):
            raise InputError(
                "the entities of the run do not stand in this report",
                remedy="give the reports that were labeled, read with the same flags",
                source=report.source,
                row=report.row,
            )
        text, moved = self._normalised(report.text, entities)
        if len(moved) < len(entities):
            self._this.reasons["normalising leaves nothing of an entity"] += 1
            return
        entities = moved
        digest = _digest(text)
        if report.id in known.ids or digest in known.texts:
            self._this.reasons["it stands in the data already"] += 1
            return
        if report.patient is not None and report.patient in known.held_out:
            self._this.reasons["its patient is in validation or test"] += 1
            return
        known.texts.add(digest)
        self._this.kept += 1
        self._this.entities.update(entity.type for entity in entities)
        pseudo = {"pseudo_round": str(self._this.number), "pseudo_by": self._name}
        row = {
            "id": report.id,
            "text": text,
            "patient": report.patient,
            "source": report.source,
            "row": report.row,
            "meta": {**report.meta, **pseudo},
        }
        self._files[TEXTS].write(dumps(row) + "\n")
        gold = tuple(replace(entity, prob=None) for entity in entities)
        told = {"id": report.id, "entities": [entity.to_json() for entity in gold]}
        self._files[GOLD].write(dumps(told) + "\n")
        meta = {
            "patient": report.patient,
            "source": report.source,
            "row": report.row,
            "labels_by": self._name,
            "pseudo": {"round": self._this.number, "least_probability": least},
        }
        self._records(report.id, text, gold, meta)

    def _normalised(
        self, text: str, entities: tuple[Entity, ...]
    ) -> tuple[str, tuple[Entity, ...]]:
        """Text and entities as the folder has them, where it was built with a table."""
        if self._normaliser is None:
            return text, entities
        normalised = self._normaliser.apply(text)
        moved = (normalised.entity_to_normalised(entity) for entity in entities)
        return normalised.text, tuple(entity for entity in moved if entity is not None)

    def _records(
        self, identifier: str, text: str, entities: tuple[Entity, ...], meta: Mapping[str, Any]
    ) -> None:
        windows = self._windows
        parts = [] if windows is None else windows.divide(TRAIN, text, entities, self._kind)
        if len(parts) < 2:
            self._record(identifier, text, entities, meta)
            return
        for number, part in enumerate(parts, 1):
            told = {**meta, "window_of": identifier, "span": [part.start, part.end]}
            own = f"{identifier}#{number}"
            self._record(own, text[part.start : part.end], part.value, told)

    def _record(
        self, identifier: str, text: str, entities: tuple[Entity, ...], meta: Mapping[str, Any]
    ) -> None:
        answer = self._kind.render(self._data.label_set, entities)
        made = record(self._data.label_set, identifier, text, answer, meta=meta)
        self._files[RECORDS].write(dumps(alpaca(made) if self._alpaca else made) + "\n")
        self.records += 1


def _copy(data: DataFolder, folder: Path) -> None:
    """The other files as they are; tags of the old training notes alone would mislead."""
    skipped = {MANIFEST, CLASSES, TRAIN + CONLL}
    for name in names():
        if name not in skipped and not (folder / name).exists() and (data.path / name).exists():
            with writing(folder / name):
                shutil.copy2(data.path / name, folder / name)


def _table(label_set: LabelSet, folder: Path) -> ClassTable:
    table = ClassTable(label_set)
    for split in SPLITS:
        path = folder / f"{split}{GOLD}"
        for _, row in read_jsonl(path) if path.exists() else ():
            table.add(split, tuple(Entity.from_json(entity) for entity in row["entities"]))
    return table


def _digest(text: str) -> bytes:
    """The same for texts that differ in white space and case only."""
    return hashlib.sha256(" ".join(text.split()).casefold().encode()).digest()
