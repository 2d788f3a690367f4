"""Reports and labels -> data folder: both passes and the manifest."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data_builders.augment import Augmentation
from data_builders.collect import Collected, RejectLog, collect, open_spool
from data_builders.folder import MANIFEST, NORMALISE, REJECTS, clear, names, output_folder
from data_builders.note_windows import Windows
from data_builders.prepare import Prepared, prepare
from data_builders.sources.base import Source
from data_builders.sources.tag_files import TagFiles
from data_builders.splits.oversample import Oversampling, oversampling
from data_builders.splits.split_plan import Plan, SplitOptions, make_plan
from data_builders.targets import ClassTable, Targets
from data_builders.writer import Writer
from labelwright.errors import InputError
from labelwright.io.jsonl import atomic_write, write_json
from labelwright.io.manifest import sha256_file, versions
from labelwright.label_set import LabelSet
from labelwright.prompt import prompt_version, system_prompt
from labelwright.records import Reject, Report
from labelwright.tasks import kind_of


@dataclass(frozen=True)
class Job:
    """What to build.

    Attributes:
        source: what is known of the reports.
        test_source: what is known of those of the test split, where that is something else.
        sections: one of :data:`labelwright.text.sections.SECTION_CHOICES`.
        layout: one of :data:`data_builders.instructions.FORMATS`.
        augmentation: variants of the training reports, or ``None``.
        oversample: one of :data:`data_builders.splits.oversample.RULES`, or ``None`` for no copies.
        windows: divides the records of long notes, or ``None``.
        parts: label sets of parts of the answer that get a record each.
        tags: writes every token with its tag too, or ``None``.
        facts: what else the manifest shall say, such as the inputs.
    """

    label_set: LabelSet
    source: Source
    test_source: Source | None = None
    sections: str = "full"
    layout: str = "trl"
    split: SplitOptions = field(default_factory=SplitOptions)
    augmentation: Augmentation | None = None
    oversample: str | None = None
    windows: Windows | None = None
    parts: Sequence[LabelSet] = ()
    tags: TagFiles | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Built:
    """What was built: the manifest as written, and the class counts."""

    manifest: Mapping[str, Any]
    classes: ClassTable


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
            collected = collect(prepared(found, job), job.label_set, spool, log, where=folder)
            plan = _plan(collected, job, log)
            clear(folder)
            targets = Targets(job.label_set, job.source)
            origins = _origins(job, plan.facts["reports"])
            copied = _copies(job, collected, plan)
            writer = Writer(
                folder,
                job.label_set,
                targets,
                job.layout,
                origins,
                augmentation=job.augmentation,
                copies={} if copied is None else copied.copies,
                windows=job.windows,
                parts=job.parts,
                tags=job.tags,
            )
            writer.write(collected, plan, log)
            if job.source.normaliser is not None:
                with atomic_write(folder / NORMALISE, mode=0o644) as handle:
                    handle.write(job.source.normaliser.text)
        manifest = {
            "command": "build",
            **_task(job),
            **_data(job, collected, plan, log),
            "oversampling": None if copied is None else dict(copied.facts),
            "windows": None if job.windows is None else job.windows.facts(),
            "by_group": len(job.parts),
            "tags": None if job.tags is None else job.tags.facts(),
            "files": {n: sha256_file(folder / n) for n in sorted(names()) if (folder / n).exists()},
            "versions": dict(versions()),
            "began": began.isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - clock, 3),
        }
        write_json(folder / MANIFEST, manifest)
    return Built(manifest, targets.table)


def prepared(found: Iterable[Report | Reject], job: Job) -> Iterable[Prepared | Reject]:
    """Every report with what is known of it, or the reject it became."""
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
    return oversampling(job.oversample, collected, plan, seed=job.split.seed)


def _origins(job: Job, splits: Iterable[str]) -> dict[str, str]:
    """Who gave the labels of each split."""
    origins = dict.fromkeys(splits, job.source.name)
    if job.test_source is not None and "test" in origins:
        origins["test"] = job.test_source.name
    return origins


def _plan(collected: Collected, job: Job, log: RejectLog) -> Plan:
    if not collected.rows:
        raise InputError("no report can be used", remedy=_remedy(log))
    plan = make_plan(
        collected, job.split, strata=kind_of(job.label_set).every_stratum(job.label_set)
    )
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


def _data(job: Job, collected: Collected, plan: Plan, log: RejectLog) -> dict[str, Any]:
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
            **job.source.counts(),
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
    """Where it comes from what is known."""
    test = None if job.test_source is None else dict(job.test_source.describe())
    key = kind_of(job.label_set).row_key
    return {"labels": None, "test_labels": test} | {key: dict(job.source.describe())}
