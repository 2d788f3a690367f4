"""Known values and predictions of any kind of task, by id, checked row by row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.errors import InputError
from labelwright.io.jsonl import read_jsonl
from labelwright.records import Prediction
from labelwright.tasks import kind_of

if TYPE_CHECKING:
    from labelwright.label_set import LabelSet

_UNREADABLE = (KeyError, ValueError, TypeError, AttributeError)
"""What the readers of a kind raise at a value that is none of it."""


def known_values(path: Path, label_set: LabelSet) -> dict[str, Any]:
    """The values of a gold file, by id.

    Raises:
        InputError: it cannot be read or holds nothing, or an id stands twice.
    """
    found: dict[str, Any] = {}
    remedy = "give the label set of the file (--label-set)"
    with _readable(f"a row is not a known value of label set {label_set.name}", remedy, path):
        for row, identifier, value in kind_of(label_set).read_gold(path, label_set):
            _once(identifier, found, path, row)
            found[identifier] = value
    if not found:
        raise InputError("no rows", remedy="give gold with values", source=path)
    return found


def predictions(
    file: Path, label_set: LabelSet, *, strange: str = "not a prediction"
) -> Iterator[tuple[int, Prediction]]:
    """Row and prediction of each line of a labeling run's ``predictions.jsonl``.

    Args:
        strange: what the error calls a row of another label set.

    Raises:
        InputError: a row is none of this label set, or an id stands twice.
    """
    seen: dict[str, Any] = {}
    what = f"the row is {strange} of label set {label_set.name}"
    remedy = "give the predictions.jsonl of a labeling run, and its label set"
    for row, raw in read_jsonl(file):
        with _readable(what, remedy, file, row):
            prediction = Prediction.from_json(raw, label_set)
        _once(prediction.id, seen, file, row)
        seen[prediction.id] = None
        yield row, prediction


def _once(identifier: str, seen: dict[str, Any], source: Path, row: int) -> None:
    if identifier in seen:
        raise InputError(
            "an id stands twice", remedy="keep one row per report", source=source, row=row
        )


@contextmanager
def _readable(what: str, remedy: str, source: Path, row: int | None = None) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE:
        raise InputError(what, remedy=remedy, source=source, row=row) from None
