"""Why a document cannot be used, and the bounds that keep a hostile one from filling the memory."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labelwright.readers import opening

LARGEST_FILE = 512 * 1024 * 1024
"""Most bytes of a document on disk."""

LARGEST_PART = 4 * opening.LONGEST
"""Most bytes of one part of a packed document (DOCX, spreadsheets), unpacked."""

LARGEST_WHOLE = 16 * opening.LONGEST
"""Most bytes of all its parts, unpacked."""

MOST_PARTS = 20_000


class UnreadableError(Exception):
    """A document, or a page of it, that cannot be used; the message is the reason of a reject."""


def size_of(path: Path) -> int:
    """The bytes of a document.

    Raises:
        UnreadableError: it is empty, or larger than any letter.
    """
    size = path.stat().st_size
    if size == 0:
        raise UnreadableError("the file is empty")
    if size > LARGEST_FILE:
        raise UnreadableError(f"larger than {LARGEST_FILE} bytes")
    return size


@contextmanager
def zipped(path: Path) -> Iterator[zipfile.ZipFile]:
    """A packed document whose parts are known to be of bearable size.

    Raises:
        UnreadableError: it is damaged, locked, or unpacks to far more than a document holds.
    """
    size_of(path)
    try:
        with zipfile.ZipFile(path) as archive:
            check_sizes(archive)
            yield archive
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
        raise UnreadableError("the file is damaged, or no packed document") from error
    except RuntimeError as error:  # zipfile's word for a password
        raise UnreadableError("locked with a password; save a copy without one") from error


def check_sizes(archive: zipfile.ZipFile) -> None:
    """Refuse what says beforehand that it unpacks to too much; reading holds it to its word.

    Raises:
        UnreadableError: it does.
    """
    parts = archive.infolist()
    if len(parts) > MOST_PARTS:
        raise UnreadableError(f"holds more than {MOST_PARTS} parts")
    if any(part.file_size > LARGEST_PART for part in parts):
        raise UnreadableError("unpacks to far more than a document holds")
    if sum(part.file_size for part in parts) > LARGEST_WHOLE:
        raise UnreadableError("unpacks to far more than a document holds")
