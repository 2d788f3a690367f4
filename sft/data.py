"""The folder that ``labelwright build`` writes, read for training and checked on the way.

Training and labeling must show the model the same prompt and answer, so records that were
built for another label set or prompt version are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelwright.errors import InputError
from labelwright.io.data_folder import AGAIN, open_data_folder
from labelwright.io.jsonl import read_jsonl
from labelwright.label_set import LabelSet
from labelwright.prompt import faults, prompt_version, system_prompt
from labelwright.tasks import kind_of


@dataclass(frozen=True)
class Records:
    """A checked data folder.

    Attributes:
        sections: the choice of sections that the reports were cut to.
        validation: ``None`` where the folder has no validation records.
        counts: what the builder counted, for the model card.
        neighbours: how similar reports stand in the prompts; ``None`` for prompts without.
        by_group: whether a record asks for one group of fields.
    """

    folder: Path
    label_set: LabelSet
    sections: str
    train: Path
    validation: Path | None
    counts: dict[str, Any]
    neighbours: dict[str, Any] | None = None
    by_group: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One training record: the chat's two turns, the answer, and the slots it knows nothing of."""

    id: str
    system: str
    user: str
    answer: str
    unknown: tuple[str, ...] = ()


def open_records(folder: str | Path) -> Records:
    """Check label set and manifest of a data folder.

    Raises:
        InputError: a file is missing or empty, or the records do not fit this version.
        LabelSetError: the label set has mistakes.
    """
    data = open_data_folder(folder, ["train.jsonl"])
    manifest = data.manifest
    written = prompt_version(data.label_set)
    if str(manifest.get("prompt_version")) != written:
        raise InputError(
            f"the records have prompt version {manifest.get('prompt_version')}, "
            f"this labelwright writes version {written}",
            remedy=AGAIN,
            source=data.path,
        )
    return Records(
        folder=data.path,
        label_set=data.label_set,
        sections=data.sections,
        train=data.path / "train.jsonl",
        validation=data.file("validation.jsonl"),
        counts=data.counts,
        neighbours=manifest.get("neighbours"),
        by_group=bool(manifest.get("by_group")),
    )


def read_records(path: Path, label_set: LabelSet) -> Iterator[Record]:
    """Yield the records of one split.

    Raises:
        InputError: a line is not a record, or its prompt or answer is not the label set's.
    """
    parts = kind_of(label_set).asked_apart(label_set)
    systems = {system_prompt(one) for one in (label_set, *parts)}
    for row, value in read_jsonl(path):
        record = _record(path, row, value)
        if record.system not in systems:
            raise InputError(
                "the record's instruction is not the label set's",
                remedy=AGAIN,
                source=path,
                row=row,
            )
        if wrong := faults(label_set, record.answer):
            raise InputError(
                f"the record's answer is not as written for the label set ({wrong[0]})",
                remedy=AGAIN,
                source=path,
                row=row,
            )
        yield record


def value_of(label_set: LabelSet, record: Record) -> Any:
    """What the record's answer says of its text."""
    kind = kind_of(label_set)
    value = kind.parse(label_set, record.answer, record.user, ended=True).value
    return kind.without(value, record.unknown) if record.unknown else value


def _record(path: Path, row: int, value: dict[str, Any]) -> Record:
    roles: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    try:
        system, user = value["prompt"]
        (answer,) = value["completion"]
        roles = (system["role"], user["role"], answer["role"])
        texts = (system["content"], user["content"], answer["content"])
        identifier = str(value["id"])
        unknown = tuple(map(str, value.get("meta", {}).get("unknown", ())))
    except (KeyError, TypeError, ValueError, AttributeError):
        roles, identifier, unknown = (), "", ()
    if roles != ("system", "user", "assistant") or not all(isinstance(t, str) for t in texts):
        raise InputError(
            "the line is not a record",
            remedy="a record has id, prompt (system and user turn) and completion (assistant turn)",
            source=path,
            row=row,
        ) from None
    return Record(identifier, texts[0], texts[1], texts[2], unknown)
