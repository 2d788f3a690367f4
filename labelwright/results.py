"""The folder that ``labelwright label`` writes, as all that comes after a run reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labelwright.errors import InputError
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
