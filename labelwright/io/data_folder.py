"""The folder that ``labelwright build`` writes, opened and checked for every training."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from labelwright.errors import InputError
from labelwright.io.jsonl import read_jsonl
from labelwright.label_set import LabelSet
from labelwright.text.amounts import amount

AGAIN = "run labelwright build again"
REPORTS = "{}.reports.jsonl"
"""The texts of a split."""

T = TypeVar("T")


@dataclass(frozen=True)
class DataFolder:
    """A data folder whose label set is the one that it was built with.

    Attributes:
        sections: the choice of sections that the reports were cut to.
        manifest: all that the builder wrote down.
    """

    path: Path
    label_set: LabelSet
    sections: str
    manifest: Mapping[str, Any]

    @property
    def counts(self) -> dict[str, Any]:
        """What the builder counted."""
        return dict(self.manifest.get("counts") or {})

    def file(self, name: str) -> Path | None:
        """A file of the folder, or ``None`` if it is missing or empty."""
        path = self.path / name
        return path if path.is_file() and path.stat().st_size else None


def open_data_folder(folder: str | Path, needed: Sequence[str]) -> DataFolder:
    """Check that the ``needed`` files are there, the first of them with rows, and the label set.

    Raises:
        InputError: a file is missing or empty, or the label set is another one.
        LabelSetError: the label set has mistakes.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(
            "no such data folder", remedy="make it with labelwright build", source=root
        )
    for name in (*needed, "label_set.yaml", "manifest.json"):
        if not (root / name).is_file():
            raise InputError(
                f"the data folder has no {name}",
                remedy="make it with labelwright build",
                source=root,
            )
    if not (root / needed[0]).stat().st_size:
        raise InputError("there are no training records", remedy=AGAIN, source=root / needed[0])
    label_set = LabelSet.load(root / "label_set.yaml")
    manifest = _manifest(root / "manifest.json")
    if manifest.get("label_set_sha256") != label_set.fingerprint:
        raise InputError(
            "label_set.yaml is not the one that the records were built with",
            remedy=f"restore it, or {AGAIN}",
            source=root,
        )
    return DataFolder(root, label_set, str(manifest.get("sections") or ""), manifest)


def joined(
    data: DataFolder, split: str, known: dict[str, T], *, file: str, what: str
) -> Iterator[tuple[int, str, str, T]]:
    """Yield row, id, text and what is known of every report of a split; ``known`` is used up.

    Args:
        file: where ``known`` was read from.
        what: what a row of it is called in errors.

    Raises:
        InputError: a report has no text or is not known, an id appears twice, or something is
            known of a report that is not there.
    """
    path = data.path / REPORTS.format(split)
    for row, value in read_jsonl(path):
        identifier, text = str(value.get("id", "")), value.get("text")
        found = known.pop(identifier, None)
        if found is None:
            raise InputError(
                f"the report has no {what} in {file}, or its id appears twice",
                remedy=AGAIN,
                source=path,
                row=row,
            )
        if not isinstance(text, str) or not text.strip():
            raise InputError("the report has no text", remedy=AGAIN, source=path, row=row)
        yield row, identifier, text, found
    if known:
        raise InputError(
            f"{amount(len(known), 'row')} of {file} without a report", remedy=AGAIN, source=path
        )


def _manifest(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise InputError("the manifest is damaged", remedy=AGAIN, source=path)
    return value
