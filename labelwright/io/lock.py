"""One run per folder: a lock that the system itself releases when the process ends."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from labelwright.errors import OutputError
from labelwright.io.jsonl import writing

LOCK_FILE = ".lock"

log = logging.getLogger(__name__)


@contextmanager
def locked(
    folder: Path, *, remedy: str = "wait until it ends, or choose another --out"
) -> Iterator[None]:
    """Hold ``folder`` for this process alone.

    Args:
        remedy: what to do if another process holds it.

    Raises:
        OutputError: another run holds it, or the lock file cannot be made.
    """
    path = folder / LOCK_FILE
    descriptor = _acquire(path, remedy)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)


def _acquire(path: Path, remedy: str) -> int:
    """Open and lock; again if the holder before us removed the file in between."""
    while True:
        with writing(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise OutputError(
                "another run is writing into this folder",
                remedy=remedy,
                source=path.parent,
            ) from None
        except OSError as error:
            log.warning(
                "%s: this file system has no locks (%s); make sure that only one run writes here",
                path.parent,
                error.strerror,
            )
            return descriptor
        if _same_file(descriptor, path):
            return descriptor
        os.close(descriptor)


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
