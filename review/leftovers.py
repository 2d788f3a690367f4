"""Files that a killed process left half taken in; they may hold the texts of notes."""

from __future__ import annotations

import shutil
from pathlib import Path

from labelwright.errors import OutputError
from labelwright.io.lock import LOCK_FILE, locked
from review.store.store import Store

UPLOADS = "uploads"
"""Folder of the project in which files lie while they arrive, or a model is unpacked."""
IMPORTS, SENT = "imports", "sent"
"""What became of each import, and in its folder the files, until it has ended."""


def sweep(store: Store) -> int:
    """Delete them while no server runs; returns their number.

    A model that a command is unpacking at this moment is let alone.
    """
    left = [*(store.folder / UPLOADS).glob("*"), *(store.folder / IMPORTS).glob(f"*/{SENT}")]
    return sum(map(_gone, left))


def _gone(folder: Path) -> int:
    count = sum(path.is_file() and path.name != LOCK_FILE for path in folder.rglob("*"))
    try:
        with locked(folder):
            shutil.rmtree(folder, ignore_errors=True)
    except OutputError:
        return 0
    return count
