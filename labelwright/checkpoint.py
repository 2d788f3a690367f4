"""What a model folder knows of its task: label set, prompt version, layouts, sections."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from labelwright.errors import CheckpointError
from labelwright.io.jsonl import atomic_write, write_json
from labelwright.label_set import LabelSet
from labelwright.prompt import prompt_version

LABEL_SET_FILE = "label_set.yaml"
TASK_FILE = "labelwright.json"
NORMALISE_FILE = "normalise.yaml"
"""The table by which training texts were normalised, in data folders and model folders."""
REPORT, SENTENCE, CLAUSE = UNITS = ("report", "sentence", "clause")
"""What a model may read at once."""
PARTS = (SENTENCE, CLAUSE)
"""Units smaller than a report, whose answers are merged."""
HEADS = "heads"
"""The layout of an encoder with one head per observation: it reads no prompt, writes no answer."""
TAGS = "tags"
"""The layout of an encoder that tags words: neither prompt nor answer, too."""


@dataclass(frozen=True)
class TaskInfo:
    """What the model was trained to answer.

    Attributes:
        label_set_sha256: fingerprint of the label set stored beside it.
        prompt_version: :func:`labelwright.prompt.prompt_version` at training time.
        layouts: the answer layouts it was trained on, e.g. ``("line",)``.
        sections: the choice of sections that its reports were cut to (``--sections``).
        base_model: the model it started from.
        unit: what it reads at once: ``report``, or ``sentence`` or ``clause``, whose answers are
            merged.
        neighbours: how similar reports stand in its prompts (:mod:`retrieval.augment`), JSON-ready;
            ``None`` for prompts without.
        normalise_sha256: fingerprint of the table by which its texts were normalised.
        by_group: whether it was trained to be asked for one group of fields at a time.
    """

    label_set_sha256: str
    prompt_version: str
    layouts: tuple[str, ...]
    sections: str
    base_model: str
    unit: str = REPORT
    neighbours: Mapping[str, Any] | None = None
    normalise_sha256: str | None = None
    by_group: bool = False


def save_task(
    folder: str | Path, label_set: LabelSet, info: TaskInfo, *, normalise: Path | None = None
) -> None:
    """Write both files into a model folder.

    Args:
        normalise: the data folder's table; it is copied if there is one.

    Raises:
        OutputError: the folder cannot be written.
    """
    if normalise is not None and normalise.is_file():
        table = normalise.read_text(encoding="utf-8")
        info = replace(info, normalise_sha256=hashlib.sha256(table.encode()).hexdigest())
        with atomic_write(Path(folder) / NORMALISE_FILE, mode=0o644) as handle:
            handle.write(table)
    with atomic_write(Path(folder) / LABEL_SET_FILE, mode=0o644) as handle:
        handle.write(label_set.text)
    write_json(Path(folder) / TASK_FILE, asdict(info))


def load_task(folder: str | Path) -> tuple[LabelSet, TaskInfo]:
    """Read both files and check that they belong together and to this version.

    Raises:
        CheckpointError: a file is missing or broken, the label set was changed after
            training, or the prompt version is another one.
    """
    root = Path(folder)
    for name in (LABEL_SET_FILE, TASK_FILE):
        if not (root / name).is_file():
            raise CheckpointError(
                f"the model folder has no {name}, so it does not say what it labels",
                remedy="use a folder that training wrote, or give --label-set for a plain model",
                source=root,
            )
    try:
        text = (root / LABEL_SET_FILE).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CheckpointError(
            f"{LABEL_SET_FILE} is damaged",
            remedy="restore it from the training output",
            source=root,
        ) from None
    try:
        raw = json.loads((root / TASK_FILE).read_text(encoding="utf-8"))
        info = TaskInfo(**(raw | {"layouts": tuple(raw["layouts"])}))
        if info.unit not in UNITS or not isinstance(info.neighbours, dict | None):
            raise ValueError("unit")
    except (ValueError, TypeError, KeyError):
        raise CheckpointError(
            f"{TASK_FILE} is damaged or of another version",
            remedy="restore it from the training output",
            source=root,
        ) from None
    if hashlib.sha256(text.encode()).hexdigest() != info.label_set_sha256:
        raise CheckpointError(
            f"{LABEL_SET_FILE} differs from the label set the model was trained on",
            remedy="restore the file, or train again with the new label set",
            source=root,
        )
    if info.normalise_sha256 is not None:
        _check_table(root / NORMALISE_FILE, info.normalise_sha256)
    label_set = LabelSet.from_text(text, root / LABEL_SET_FILE)
    written = prompt_version(label_set)
    if info.layouts not in ((HEADS,), (TAGS,)) and info.prompt_version != written:
        raise CheckpointError(
            f"the model was trained with prompt version {info.prompt_version}, "
            f"this labelwright writes version {written}",
            remedy="install the matching labelwright version or train again",
            source=root,
        )
    return label_set, info


def _check_table(path: Path, sha256: str) -> None:
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise CheckpointError(
            "the table by which the model's texts were normalised is missing or was changed",
            remedy="restore it from the training output",
            source=path,
        )


def has_heads(folder: str | Path) -> bool:
    """Whether a model folder is that of an encoder with heads; any other path is not."""
    return _only_layout(folder) == HEADS


def has_tags(folder: str | Path) -> bool:
    """Whether a model folder is that of a tagger; any other path is not."""
    return _only_layout(folder) == TAGS


def _only_layout(folder: str | Path) -> str | None:
    try:
        raw = json.loads((Path(folder) / TASK_FILE).read_text(encoding="utf-8"))
        [layout] = raw["layouts"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(layout)
