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

from labelwright.errors import OutputError
from labelwright.io.jsonl import write_json, writing
from labelwright.io.run_folder import differing
from labelwright.tasks import every_kind
from labelwright.version import __version__

JOB_FILE = "job.json"
PARTS = "parts"
PREDICTIONS, REJECTS, MANIFEST = "predictions.jsonl", "rejects.jsonl", "manifest.json"
DISAGREEMENTS = "disagreements.csv"
"""Only where two readers read."""
EXPORTS = {
    "parquet": "predictions.parquet",
    "omop": "note_nlp.csv",
    "fhir": "observations.ndjson",
}
"""Further files that a finished folder can hold, by the name that ``--also`` takes."""
EXPORT_FOLDERS = {"brat": "brat", "questionnaire": "questionnaire"}
"""Further folders, likewise."""
FURTHER = {**EXPORTS, **EXPORT_FOLDERS}
RETRY = "retry"
"""Folder of a retry (:mod:`inference.runs.retry`); ready to move up once it has a manifest."""


def results() -> tuple[str, ...]:
    """The names of all result files; a folder has the tables of its label set's task only."""
    tables = dict.fromkeys(name for kind in every_kind() for name in kind.files)
    return (*tables, PREDICTIONS, REJECTS, DISAGREEMENTS)


@dataclass(frozen=True)
class Job:
    """All that the content of a result folder depends on.

    Attributes:
        labeler: what :meth:`labelwright.labelers.base.ReportLabeler.describe` says; its
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
        return value | {"labelwright": __version__}

    def fingerprint(self) -> str:
        """SHA-256 of all that two runs must share to be the same job."""
        return hashlib.sha256(json.dumps(_key(self.to_json()), sort_keys=True).encode()).hexdigest()


def finished(out: Path, job: Job, *, any_labeler: bool = False) -> dict[str, Any] | None:
    """The manifest, if this very job is already done in ``out``.

    Args:
        any_labeler: whether another labeler may have done it, for the same label set.

    Raises:
        OutputError: ``out`` holds the result of something else.
    """
    move_up(out)
    if not (out / MANIFEST).exists():
        return None
    manifest = _read(out / MANIFEST)
    found, wanted = _key(manifest), _key(job.to_json())
    if any_labeler:
        found.pop("labeler")
        wanted.pop("labeler")
    if differs := _differences(found, wanted):
        raise _foreign(out, "the finished result of another job", differs)
    written = manifest.get("outputs") or {}
    missing = [name for name in results() if name in written and not (out / name).is_file()]
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
    known = (*results(), *FURTHER.values(), PARTS, RETRY)
    strange = [name for name in known if (out / name).exists()]
    if strange:
        raise OutputError(
            f"the folder holds {', '.join(strange)} of another origin",
            remedy="choose another --out, or delete what is there",
            source=out,
        )
    write_json(path, job.to_json() | {"shard_rows": shard_rows})
    return shard_rows


def begun_with(out: Path) -> dict[str, Any]:
    """The options of the unfinished job in ``out``; empty if there is none that can be read."""
    try:
        state = json.loads((out / JOB_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    options = state.get("options") if isinstance(state, dict) else None
    return options if isinstance(options, dict) else {}


def clear(out: Path) -> None:
    """Remove what is needed only while the job runs; called when the manifest stands."""
    with writing(out):
        (out / JOB_FILE).unlink(missing_ok=True)
        if (out / PARTS).is_dir():
            shutil.rmtree(out / PARTS)


def move_up(out: Path) -> None:
    """Put the result of a retry in the place of the old one, if it is ready; lock held.

    The manifest goes last: whenever this is interrupted, the next call ends it. What was
    made from the old result goes away first.
    """
    ready = out / RETRY
    if not (ready / MANIFEST).exists():
        return
    with writing(out):
        for name in FURTHER.values():
            _remove(out / name)
        for name in (*results(), MANIFEST):
            if (ready / name).exists():
                (ready / name).replace(out / name)
        shutil.rmtree(ready)


def remove_torn_files(out: Path) -> None:
    """Remove temporary files that a killed run left behind; only with the lock held."""
    ours = (*results(), *FURTHER.values(), MANIFEST, JOB_FILE)
    with writing(out):
        for torn in out.glob(".*.tmp"):
            if any(torn.name.startswith(f".{name}.") for name in ours):
                _remove(torn)
        for torn in (out / PARTS).glob(".*.tmp"):
            torn.unlink()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


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
    """Dotted names of the parts that differ, e.g. ``labeler.model_sha256``."""
    return [".".join(path) for path in differing(found, wanted)]
