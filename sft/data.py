"""The folder that ``labelwright build`` writes, read for training and checked on the way.

Training and labeling must show the model the same prompt and answer, so records that were
built for another label set or prompt version are refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelwright.certainty import PROMPT_VERSION, parse, system_prompt
from labelwright.errors import InputError
from labelwright.jsonl import read_jsonl
from labelwright.label_set import LabelSet

AGAIN = "run labelwright build again"


@dataclass(frozen=True)
class Records:
    """A checked data folder.

    Attributes:
        sections: the choice of sections that the reports were cut to.
        validation: ``None`` where the folder has no validation records.
        counts: what the builder counted, for the model card.
    """

    folder: Path
    label_set: LabelSet
    sections: str
    train: Path
    validation: Path | None
    counts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """One training record: the chat's two turns and the answer line."""

    id: str
    system: str
    user: str
    answer: str


def open_records(folder: str | Path) -> Records:
    """Check label set and manifest of a data folder.

    Raises:
        InputError: a file is missing or empty, or the records do not fit this version.
        LabelSetError: the label set has mistakes.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(
            "no such data folder", remedy="make it with labelwright build", source=root
        )
    for name in ("train.jsonl", "label_set.yaml", "manifest.json"):
        if not (root / name).is_file():
            raise InputError(
                f"the data folder has no {name}",
                remedy="make it with labelwright build",
                source=root,
            )
    train, validation = root / "train.jsonl", root / "validation.jsonl"
    if not train.stat().st_size:
        raise InputError("there are no training records", remedy=AGAIN, source=train)
    label_set = LabelSet.load(root / "label_set.yaml")
    manifest = _manifest(root / "manifest.json")
    if manifest.get("label_set_sha256") != label_set.fingerprint:
        raise InputError(
            "label_set.yaml is not the one that the records were built with",
            remedy=f"restore it, or {AGAIN}",
            source=root,
        )
    if str(manifest.get("prompt_version")) != PROMPT_VERSION:
        raise InputError(
            f"the records have prompt version {manifest.get('prompt_version')}, "
            f"this labelwright writes version {PROMPT_VERSION}",
            remedy=AGAIN,
            source=root,
        )
    return Records(
        folder=root,
        label_set=label_set,
        sections=str(manifest.get("sections") or ""),
        train=train,
        validation=validation if validation.is_file() and validation.stat().st_size else None,
        counts=dict(manifest.get("counts") or {}),
    )


def read_records(path: Path, label_set: LabelSet) -> Iterator[Record]:
    """Yield the records of one split.

    Raises:
        InputError: a line is no record, or its prompt or answer is not the label set's.
    """
    system = system_prompt(label_set)
    for row, value in read_jsonl(path):
        record = _record(path, row, value)
        if record.system != system:
            raise InputError(
                "the record's instruction is not the label set's",
                remedy=AGAIN,
                source=path,
                row=row,
            )
        parsed = parse(label_set, record.answer, ended=True)
        if parsed.problems or parsed.notes:
            raise InputError(
                f"the record's answer is not as written for the label set "
                f"({(parsed.problems + parsed.notes)[0]})",
                remedy=AGAIN,
                source=path,
                row=row,
            )
        yield record


def _manifest(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise InputError("the manifest is damaged", remedy=AGAIN, source=path)
    return value


def _record(path: Path, row: int, value: dict[str, Any]) -> Record:
    roles: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    try:
        system, user = value["prompt"]
        (answer,) = value["completion"]
        roles = (system["role"], user["role"], answer["role"])
        texts = (system["content"], user["content"], answer["content"])
        identifier = str(value["id"])
    except (KeyError, TypeError, ValueError):
        identifier = ""
    if roles != ("system", "user", "assistant") or not all(isinstance(t, str) for t in texts):
        raise InputError(
            "the line is no record",
            remedy="a record has id, prompt (system and user turn) and completion (assistant turn)",
            source=path,
            row=row,
        ) from None
    return Record(identifier, *texts)
