"""A data folder whose prompts show similar reports: the same records, splits and labels.

Every record's report is looked up in an index under the leakage rule and its prompt written
anew by :mod:`retrieval.augment`. An index that has one of the reports in another split than the
folder is refused: its training reports would be the folder's test reports.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from data_builders.folder import MANIFEST, clear, names, output_folder
from data_builders.splits.split import SPLITS
from labelwright.errors import ConfigError, InputError
from labelwright.io.data_folder import open_data_folder
from labelwright.io.jsonl import atomic_write, dumps, read_jsonl, write_json
from labelwright.io.manifest import sha256_file, versions
from labelwright.records import Report
from retrieval.augment import BATCH, Augmenter, Recipe
from retrieval.index import Index

RECORDS, REPORTS = ".jsonl", ".reports.jsonl"
MADE_FROM = ("variant_of", "copy_of", "window_of")
"""Keys of a record's meta that name the report it was made from."""


@dataclass
class NeighbourFacts:
    """What was written.

    Attributes:
        records: per split.
        neighbours: how many records show how many neighbours.
        notes: what was left out, with counts.
    """

    records: Counter[str] = field(default_factory=Counter)
    neighbours: Counter[int] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)


def with_neighbours(
    data: Path, index: Path, recipe: Recipe, out: Path, *, overwrite: bool = False
) -> NeighbourFacts:
    """Write the folder ``out``: the data folder ``data`` with neighbours in its prompts.

    Raises:
        InputError: data folder or index cannot be read, or do not belong together.
        ConfigError: the recipe does not fit index or label set.
        OutputError: ``out`` cannot be written, or holds a build.
    """
    began, clock = datetime.now(UTC), time.perf_counter()
    folder = open_data_folder(data, ["train.jsonl", "train.reports.jsonl"])
    if folder.manifest.get("neighbours"):
        raise InputError(
            "the records show neighbours already",
            remedy="give the folder that labelwright build wrote",
            source=data,
        )
    if folder.manifest.get("format") != "trl":
        raise InputError(
            f"the records have the format {folder.manifest.get('format')}",
            remedy="build them with --format trl",
            source=data,
        )
    if folder.manifest.get("augmentation"):
        raise InputError(
            "the records hold variants of reports, which would be each other's neighbours",
            remedy="build them without --augment",
            source=data,
        )
    _no_parts(folder.manifest, data)
    if data.resolve() == out.resolve():
        raise ConfigError("--out is the data folder itself", remedy="choose another --out")
    opened = Index.open(index)
    augmenter = Augmenter(opened, recipe, folder.label_set)
    _same_splits(data, opened)
    with output_folder(out, overwrite=overwrite) as target:
        clear(target)
        told = NeighbourFacts()
        for name in sorted({*names(), *_others(data)} - {MANIFEST}):
            split = name.removesuffix(RECORDS)
            if split in SPLITS and (data / name).is_file():
                _write(data / name, target / name, split, augmenter, told)
            elif (data / name).is_file():
                _copy(data / name, target / name)
        write_json(
            target / MANIFEST,
            {
                **folder.manifest,
                "files": {n: sha256_file(target / n) for n in folder.manifest.get("files", {})},
                "neighbours": {
                    "recipe": augmenter.recipe.to_json(),
                    "index_sha256": opened.fingerprint,
                    "built_from": sha256_file(data / MANIFEST),
                    "records_by_neighbours": {
                        str(k): v for k, v in sorted(told.neighbours.items())
                    },
                    "notes": dict(sorted(told.notes.items())),
                },
                "versions": dict(versions()),
                "began": began.isoformat(timespec="seconds"),
                "seconds": round(time.perf_counter() - clock, 3),
            },
        )
    return told


def _no_parts(manifest: Mapping[str, Any], data: Path) -> None:
    """Refuse records that stand beside others of the same note."""
    for fact, flag in (("oversampling", "--oversample"), ("windows", "--windows")):
        if manifest.get(fact):
            raise InputError(
                "the records hold copies or windows of notes, which would be each other's "
                "neighbours",
                remedy=f"build them without {flag}",
                source=data,
            )


def _others(data: Path) -> list[str]:
    """Files of splits that other tasks write, such as ``train.entities.jsonl``."""
    return [p.name for split in SPLITS for p in data.glob(f"{split}.*") if p.is_file()]


def _same_splits(data: Path, index: Index) -> None:
    for split in SPLITS:
        if not (data / (split + REPORTS)).is_file():
            continue
        for row, report in read_jsonl(data / (split + REPORTS)):
            found = index.split_of(str(report["id"]))
            if found not in (None, split):
                raise InputError(
                    f"the report is in split {split} here and in {found} of the index, so that the "
                    "index would leak it",
                    remedy="build the index from this data folder",
                    source=data / (split + REPORTS),
                    row=row,
                )


def _write(here: Path, there: Path, split: str, augmenter: Augmenter, told: NeighbourFacts) -> None:
    rows = read_jsonl(here)
    with atomic_write(there) as handle:
        while batch := [record for _, record in islice(rows, BATCH)]:
            shown = augmenter.show([_report(record) for record in batch])
            for record, found in zip(batch, shown, strict=True):
                system, user = record["prompt"]
                lead = {**user, "content": found.leads[0] + user["content"]}
                meta = {**record["meta"], "neighbours": list(found.neighbours)}
                handle.write(dumps({**record, "prompt": [system, lead], "meta": meta}) + "\n")
                told.records[split] += 1
                told.neighbours[len(found.neighbours)] += 1
                told.notes.update(found.notes)


def _report(record: Mapping[str, Any]) -> Report:
    """The report that a record asks about; of a copy or a part, the report it was made from."""
    meta = record["meta"]
    identifier = next((meta[key] for key in MADE_FROM if meta.get(key)), record["id"])
    text = record["prompt"][1]["content"]
    return Report(str(identifier), text, meta["source"], int(meta["row"]), meta["patient"])


def _copy(here: Path, there: Path) -> None:
    with open(here, encoding="utf-8", newline="") as source, atomic_write(there) as handle:
        shutil.copyfileobj(source, handle)
