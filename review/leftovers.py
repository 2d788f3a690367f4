"""Files that a killed process left half taken in; they may hold the texts of notes."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from labelwright.errors import OutputError
from labelwright.io.jsonl import writing
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
    with _alone(store.folder):
        left = [*(store.folder / UPLOADS).glob("*"), *(store.folder / IMPORTS).glob(f"*/{SENT}")]
        return sum(map(_gone, left))


@contextmanager
def passing(store: Store) -> Iterator[Path]:
    """A folder of its own among the uploads for the time; :func:`sweep` lets it alone.

    Raises:
        OutputError: it cannot be written.
    """
    uploads = store.folder / UPLOADS
    with writing(uploads), ExitStack() as stack:
        with _alone(store.folder):  # made and held at once, or it could be swept in between
            uploads.mkdir(mode=0o700, exist_ok=True)
            name = stack.enter_context(tempfile.TemporaryDirectory(dir=uploads))
            stack.enter_context(locked(Path(name)))
        yield Path(name)


@contextmanager
def _alone(project: Path) -> Iterator[None]:
    """Wait until no other process sweeps or makes a folder, and keep others waiting."""
    descriptor = os.open(project, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _gone(folder: Path) -> int:
    count = sum(path.is_file() and path.name != LOCK_FILE for path in folder.rglob("*"))
    try:
        with locked(folder):
            shutil.rmtree(folder, ignore_errors=True)
    except OutputError:
        return 0
    return count
