"""A tar file unpacked without trust in what it says.

A few kilobytes can unpack to more than any disk or memory holds: by files of zeros, by folders
without number, by headers that name a length of gigabytes, which are read whole. So what is read
is bounded twice: each header by :data:`HEADER`, and all files together by half of the free disk.
"""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import IO, Any

LARGEST, MOST_FILES = 40 << 30, 300
"""Bytes and files of a model."""
HEADER = 64 << 10
"""Bytes that may be read from one file of an archive to the next."""


class UnsoundError(Exception):
    """A tar file that is refused, with the reason."""


class _Bounded:
    """A file that gives no more than it is allowed to at the moment."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.left = file, 0

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self.left:
            raise UnsoundError("a header of it is too large")
        found = self._file.read(size)
        self.left -= len(found)
        return found

    def seek(self, at: int) -> int:
        if abs(at - self._file.tell()) > HEADER:
            raise UnsoundError("a header of it is too large")
        return self._file.seek(at)

    def tell(self) -> int:
        return self._file.tell()


def unpack(source: Path, folder: Path, allowed: Collection[str]) -> None:
    """Unpack a tar file, plain or with gzip, whose files have allowed suffixes.

    Raises:
        UnsoundError: it holds anything else, is damaged, or unpacks to too much.
    """
    try:
        with open(source, "rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            file: Any = gzip.GzipFile(fileobj=raw) if packed else raw
            _unpack(_Bounded(file), folder, allowed)
    except (tarfile.TarError, EOFError, OSError, ValueError, RecursionError, zlib.error) as error:
        raise UnsoundError(f"it cannot be unpacked ({type(error).__name__})") from None


def _unpack(file: _Bounded, folder: Path, allowed: Collection[str]) -> None:
    room = min(LARGEST, shutil.disk_usage(folder).free // 2)
    count = 0
    file.left = HEADER
    with tarfile.open(fileobj=file, mode="r:") as tar:  # type: ignore[call-overload]
        while (member := tar.next()) is not None:
            path = PurePosixPath(member.name)
            count += 1
            if count > MOST_FILES:
                raise UnsoundError("it is too large")
            if not member.isdir():
                _allowed(member, path, allowed)
                room -= member.size
                if room < 0:
                    raise UnsoundError("it is too large, or the disk too full")
                file.left = member.size + HEADER
                tar.extract(member, folder, filter="data")
            file.left = HEADER


def _allowed(member: tarfile.TarInfo, path: PurePosixPath, allowed: Collection[str]) -> None:
    if not member.isfile() or member.issparse() or member.size < 0:
        raise UnsoundError(f"{path.name} is no plain file")
    if path.is_absolute() or ".." in path.parts or "\\" in member.name:
        raise UnsoundError("a file would lie outside the folder")
    if path.suffix.lower() not in allowed:
        raise UnsoundError(f"{path.name} is no file of a model folder")
