"""The folder that ``labelwright label`` writes, as all that comes after a run reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from labelwright.errors import ConfigError, InputError
from labelwright.io.jsonl import read_jsonl
from labelwright.label_set import LabelSet
from labelwright.records import Prediction

PREDICTIONS, MANIFEST = "predictions.jsonl", "manifest.json"
UNREADABLE = (KeyError, ValueError, TypeError, AttributeError)
"""What the readers of a kind raise at a row or value that is none of it."""


def predictions_file(path: str | Path) -> Path:
    """The predictions of a folder; any other path is itself."""
    file = Path(path)
    return file / PREDICTIONS if file.is_dir() else file


def read_predictions(
    path: str | Path, label_set: LabelSet | None = None
) -> Iterator[tuple[int, Prediction]]:
    """Row and prediction of each line; without a label set the rows tell their task.

    Raises:
        InputError: the file cannot be read, or a row is not a prediction of the label set.
    """
    file = predictions_file(path)
    of, and_set = "", ""
    if label_set is not None:
        of, and_set = f" of label set {label_set.name}", ", and its label set"
    for row, value in read_jsonl(file):
        try:
            prediction = Prediction.from_json(value, label_set)
        except UNREADABLE:
            raise InputError(
                f"the row is not a prediction{of}",
                remedy=f"give the predictions.jsonl of a labeling run{and_set}",
                source=file,
                row=row,
            ) from None
        yield row, prediction


def manifest_beside(path: str | Path) -> dict[str, Any]:
    """What the manifest of a folder, or beside a file, says; empty where none can be read."""
    place = Path(path)
    try:
        value = json.loads(
            ((place if place.is_dir() else place.parent) / MANIFEST).read_text(encoding="utf-8")
        )
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def left_to_cut(paths: Sequence[Path], choice: str) -> str:
    """What is still to be cut from these files: nothing if ``labelwright build`` did it.

    The reports of a data folder hold the chosen sections only; cutting them again could take
    more away, since a choice such as the last paragraph finds another one in what is left.

    Raises:
        ConfigError: some of the files were cut so and others were not.
    """
    built = {_built_with(path) for path in paths}
    if choice == "full" or choice not in built:
        return choice
    if built != {choice}:
        raise ConfigError(
            f"some of the files are already cut to {choice!r} by labelwright build, others not",
            remedy="label them in runs of their own",
        )
    return "full"


def _built_with(path: Path) -> str | None:
    """The sections that a data folder's reports were cut to; ``None`` for any other file."""
    if not path.name.endswith(".reports.jsonl"):
        return None
    manifest = manifest_beside(path)
    known = path.name in (manifest.get("files") or {})
    return str(manifest.get("sections")) if known else None
