"""Which job a result folder belongs to, so that two different runs are never mixed in it.

While a job runs its folder holds ``job.json`` and ``parts/``; when it is done, both are
gone and ``manifest.json``, written last, carries the same fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import labelwright
from labelwright.errors import OutputError
from labelwright.jsonl import write_json, writing

JOB_FILE = "job.json"
PARTS = "parts"
LABELS, PREDICTIONS, REJECTS, MANIFEST = (
    "labels.csv",
    "predictions.jsonl",
    "rejects.jsonl",
    "manifest.json",
)
OUTPUTS = (LABELS, PREDICTIONS, REJECTS)


@dataclass(frozen=True)
class Job:
    """All that the content of a result folder depends on.

    Attributes:
        labeler: what :meth:`labelwright.labeler.ReportLabeler.describe` says; its
            ``runtime`` part is recorded but may differ between two runs of one job.
        label_set_sha256: fingerprint of the label set.
        inputs: path, size and SHA-256 per input; only the hashes and their order count.
        options: the choices that shape the rows (columns, sections, limit, …).
    """

    labeler: Mapping[str, Any]
    label_set_sha256: str
    inputs: Sequence[Mapping[str, Any]]
    options: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The job's part of ``job.json`` and of the manifest."""
        value: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return value | {"labelwright": labelwright.__version__}

    def fingerprint(self) -> str:
        """SHA-256 of all that two runs must share to be the same job."""
        return hashlib.sha256(json.dumps(_key(self.to_json()), sort_keys=True).encode()).hexdigest()


def finished(out: Path, job: Job) -> dict[str, Any] | None:
    """The manifest, if this very job is already done in ``out``.

    Raises:
        OutputError: ``out`` holds the result of something else.
    """
    if not (out / MANIFEST).exists():
        return None
    manifest = _read(out / MANIFEST)
    if differs := _differences(_key(manifest), _key(job.to_json())):
        raise _foreign(out, "the finished result of another job", differs)
    missing = [name for name in OUTPUTS if not (out / name).is_file()]
    if missing:
        raise OutputError(
            f"the finished result lacks {', '.join(missing)}",
            remedy=f"restore it, or delete {MANIFEST} and run the same command again",
            source=out,
        )
    return manifest


def begin(out: Path, job: Job, *, shard_rows: int) -> int:
    """Claim ``out`` for the job, or find it claimed by an earlier run of the same job.

    Returns:
        The rows per shard: a resumed job keeps those it began with.

    Raises:
        OutputError: ``out`` belongs to another job or holds files of unknown origin.
    """
    path = out / JOB_FILE
    if path.exists():
        state = _read(path)
        if differs := _differences(_key(state), _key(job.to_json())):
            raise _foreign(out, "the unfinished result of another job", differs)
        return int(state["shard_rows"])
    strange = [name for name in (*OUTPUTS, PARTS) if (out / name).exists()]
    if strange:
        raise OutputError(
            f"the folder holds {', '.join(strange)} of another origin",
            remedy="choose another --out, or delete what is there",
            source=out,
        )
    write_json(path, job.to_json() | {"shard_rows": shard_rows})
    return shard_rows


def clear(out: Path) -> None:
    """Remove what is needed only while the job runs; called when the manifest stands."""
    with writing(out):
        (out / JOB_FILE).unlink(missing_ok=True)
        if (out / PARTS).is_dir():
            shutil.rmtree(out / PARTS)


def remove_torn_files(out: Path) -> None:
    """Remove temporary files that a killed run left behind; only with the lock held."""
    ours = (*OUTPUTS, MANIFEST, JOB_FILE)
    with writing(out):
        for torn in out.glob(".*.tmp"):
            if any(torn.name.startswith(f".{name}.") for name in ours):
                torn.unlink()
        for torn in (out / PARTS).glob(".*.tmp"):
            torn.unlink()


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise OutputError(
            "the file is damaged or belongs to something else",
            remedy="choose another --out, or delete this folder and run again",
            source=path,
        )
    return value


def _key(value: Mapping[str, Any]) -> dict[str, Any]:
    """What counts of a stored job: read from ``job.json`` and ``manifest.json`` alike."""
    labeler = value.get("labeler")
    inputs = value.get("inputs")
    return {
        "labelwright": value.get("labelwright"),
        "label_set": value.get("label_set_sha256"),
        "inputs": [i.get("sha256") for i in inputs] if isinstance(inputs, list) else None,
        "options": value.get("options"),
        "labeler": {k: v for k, v in labeler.items() if k != "runtime"}
        if isinstance(labeler, dict)
        else None,
    }


def _foreign(out: Path, what: str, differs: list[str]) -> OutputError:
    return OutputError(
        f"the folder holds {what} (differs in {', '.join(differs)})",
        remedy="choose another --out, delete the folder, or use the same inputs and flags",
        source=out,
    )


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Dotted names of the parts that differ, e.g. ``labeler.model_sha256``; values stay out."""
    names: list[str] = []
    for name in sorted({*found, *wanted}):
        one, two = found.get(name), wanted.get(name)
        if isinstance(one, dict) and isinstance(two, dict):
            names += [f"{name}.{inner}" for inner in _differences(one, two)]
        elif one != two:
            names.append(name)
    return names
