"""Reports and labels -> data folder: both passes and the manifest."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data_builders.augment import Augmentation
from data_builders.collect import Collected, RejectLog, collect, open_spool
from data_builders.folder import MANIFEST, NAMES, NORMALISE, REJECTS, clear, output_folder
from data_builders.note_windows import Windows
from data_builders.prepare import Prepared, prepare
from data_builders.sources.entity_notes import EntityNotes
from data_builders.sources.labels import LabelSource
from data_builders.sources.tag_files import TagFiles
from data_builders.splits.oversample import Oversampling, oversampling
from data_builders.splits.split_plan import Plan, SplitOptions, make_plan
from data_builders.targets import Gold, Table, gold_of
from data_builders.writer import Writer
from labelwright.errors import InputError
from labelwright.io.jsonl import atomic_write, write_json
from labelwright.io.manifest import sha256_file, versions
from labelwright.label_set import LabelSet
from labelwright.prompt import prompt_version, system_prompt
from labelwright.records import Reject, Report


@dataclass(frozen=True)
class Job:
    """What to build.

    Attributes:
        source: labels, of a certainty task.
        notes: what prepares the annotated notes of an entities task.
        test_source: other labels for the test split.
        sections: one of :data:`labelwright.text.sections.SECTION_CHOICES`.
        layout: one of :data:`data_builders.instructions.FORMATS`.
        augmentation: variants of the training reports, or ``None``.
        oversample: one of :data:`data_builders.splits.oversample.RULES`, or ``None`` for no copies.
        windows: divides the records of long notes, or ``None``.
        tags: writes every token with its tag too, or ``None``.
        facts: what else the manifest shall say, such as the inputs.
    """

    label_set: LabelSet
    source: LabelSource | None = None
    notes: EntityNotes | None = None
    test_source: LabelSource | None = None
    sections: str = "full"
    layout: str = "trl"
    split: SplitOptions = field(default_factory=SplitOptions)
    augmentation: Augmentation | None = None
    oversample: str | None = None
    windows: Windows | None = None
    tags: TagFiles | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Built:
    """What was built: the manifest as written, and the class counts."""

    manifest: Mapping[str, Any]
    classes: Table


def build(
    found: Iterable[Report | Reject], job: Job, out: Path, *, overwrite: bool = False
) -> Built:
    """Write the data folder; nothing of an earlier one is touched before all checks have passed.

    Raises:
        InputError, ConfigError, LabelSetError: reports, labels or options cannot be used.
        OutputError: the folder holds another build, or cannot be written.
    """
    began, clock = datetime.now(UTC), time.perf_counter()
    with output_folder(out, overwrite=overwrite) as folder:
        with open_spool(folder) as spool, atomic_write(folder / REJECTS) as handle:
            log = RejectLog(handle)
            collected = collect(prepared(found, job), spool, log, where=folder)
            plan = _plan(collected, job, log)
            clear(folder)
            gold = gold_of(job.label_set)
            origins = _origins(job, plan.facts["reports"])
            copied = _copies(job, collected, plan)
            writer = Writer(
                folder,
                job.label_set,
                gold,
                job.layout,
                origins,
                augmentation=job.augmentation,
                copies={} if copied is None else copied.copies,
                windows=job.windows,
                tags=job.tags,
            )
            writer.write(collected, plan, log)
            if job.notes is not None and job.notes.normaliser is not None:
                with atomic_write(folder / NORMALISE, mode=0o644) as handle:
                    handle.write(job.notes.normaliser.text)
        manifest = {
            "command": "build",
            **_task(job),
            **_data(job, collected, plan, log, gold),
            "oversampling": None if copied is None else dict(copied.facts),
            "windows": None if job.windows is None else job.windows.facts(),
            "tags": None if job.tags is None else job.tags.facts(),
            "files": {n: sha256_file(folder / n) for n in sorted(NAMES) if (folder / n).exists()},
            "versions": dict(versions()),
            "began": began.isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - clock, 3),
        }
        write_json(folder / MANIFEST, manifest)
    return Built(manifest, gold.table)


def prepared(found: Iterable[Report | Reject], job: Job) -> Iterable[Prepared | Reject]:
    """Every report with what is known of it, or the reject it became.

    Raises:
        ValueError: the job has nothing that its label set's task needs.
    """
    if job.notes is not None:
        return job.notes.prepare(found)
    if job.source is None:
        raise ValueError("a job needs labels or annotated notes")
    return prepare(
        found,
        job.label_set,
        job.source,
        test_source=job.test_source,
        sections=job.sections,
    )


def _copies(job: Job, collected: Collected, plan: Plan) -> Oversampling | None:
    if job.oversample is None:
        return None
    return oversampling(job.oversample, job.label_set, collected, plan, seed=job.split.seed)


def _origins(job: Job, splits: Iterable[str]) -> dict[str, str]:
    """Who gave the labels of each split."""
    source = job.source if job.notes is None else job.notes.source
    origins = dict.fromkeys(splits, "" if source is None else source.name)
    if job.test_source is not None and "test" in origins:
        origins["test"] = job.test_source.name
    return origins


def _plan(collected: Collected, job: Job, log: RejectLog) -> Plan:
    if not collected.rows:
        raise InputError("no report can be used", remedy=_remedy(log))
    plan = make_plan(collected, job.split)
    if not plan.facts["reports"]:
        raise InputError("no report is left", remedy="; ".join(sorted(set(plan.reasons.values()))))
    return plan


def _remedy(log: RejectLog) -> str:
    why = ", ".join(f"{reason} ({count})" for reason, count in log.reasons.most_common(3))
    return f"rejected: {why}" if why else "the input is empty"


def _task(job: Job) -> dict[str, Any]:
    return {
        "task": job.label_set.task,
        "label_set": job.label_set.name,
        "label_set_version": job.label_set.version,
        "label_set_sha256": job.label_set.fingerprint,
        "prompt_version": prompt_version(job.label_set),
        "prompt": system_prompt(job.label_set),
        "sections": job.sections,
        "format": job.layout,
        "seed": job.split.seed,
    }


def _data(job: Job, collected: Collected, plan: Plan, log: RejectLog, gold: Gold) -> dict[str, Any]:
    split = job.split
    records = sum(plan.facts["reports"].values())
    return {
        **job.facts,
        **_sources(job),
        "augmentation": None if job.augmentation is None else job.augmentation.facts(),
        "counts": {
            "in": collected.read,
            "records": records,
            "rejected": log.count,
            "rejected_by_reason": dict(sorted(log.reasons.items())),
            "negatives_read_as_blank": collected.adjusted,
            **_entities(job, gold),
        },
        "split": {
            "by": "ratios" if split.table is None else "table",
            "ratios": split.ratios if split.table is None else None,
            "stratify": split.stratify if split.table is None else None,
            "duplicates": split.duplicates,
            **plan.facts,
        },
    }


def _sources(job: Job) -> dict[str, Any]:
    """Where labels or entities come from."""
    test = job.test_source
    return {
        "labels": None if job.source is None else dict(job.source.describe()),
        "test_labels": None if test is None else dict(test.describe()),
        **({} if job.notes is None else {"entities": job.notes.describe()}),
    }


def _entities(job: Job, gold: Gold) -> dict[str, Any]:
    """What became of every entity: in = records + rejected + left out."""
    if job.notes is None:
        return {}
    read, found = job.notes.counts(), gold.facts()
    return {
        "entities": {
            **read,
            **found,
            "rejected": read["rejected"] + found["rejected"],
        }
    }
