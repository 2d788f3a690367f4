"""Inputs that change while they are read: noticed before a row of them is labeled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from inference.runs.shards import Item
from labelwright.errors import InputError
from labelwright.io.manifest import sha256_file

BLOCK = 256
"""Rows between two looks at the files."""

Mark = tuple[tuple[str, int, int, int, int], ...]


class Watch:
    """Remembers how the inputs looked before the first look into them.

    Args:
        paths: the input files and folders.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files = {path: _mark([path]) for path in paths if not path.is_dir()}
        self._folders = {path: _folder_mark(path) for path in paths if path.is_dir()}

    def stream(self, items: Iterable[Item], inputs: Sequence[Mapping[str, Any]]) -> Iterator[Item]:
        """Pass the rows on, each only when its file was still unchanged after it was read.

        A file that was touched, but has the content it had, is no other file. Folders are
        looked at when all is read.

        Args:
            inputs: ``path`` and ``sha256`` of each input.

        Raises:
            InputError: an input changed.
        """
        digests = {Path(value["path"]): value["sha256"] for value in inputs}
        rows = iter(items)
        while block := list(islice(rows, BLOCK)):
            for path, before in self._files.items():
                now = _mark([path])
                if now != before:
                    if not path.is_file() or sha256_file(path) != digests[path]:
                        raise _changed(path)
                    self._files[path] = now
            yield from block
        for path, number in self._folders.items():
            if _folder_mark(path) != number:
                raise _changed(path)


def _mark(paths: Iterable[Path]) -> Mark:
    """What the system says of files; the change time cannot be set back by a program."""
    marks = []
    for path in paths:
        try:
            stat = path.stat()
        except OSError:
            marks.append((str(path), 0, 0, 0, 0))
            continue
        marks.append((str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
    return tuple(marks)


def _folder_mark(folder: Path) -> int:
    """One number for all files below a folder, so that a large tree takes no memory."""
    return hash(frozenset(hash(_mark([path])) for path in folder.rglob("*")))


def _changed(path: Path) -> InputError:
    return InputError(
        "the input changed while it was read",
        remedy="restore it and run the same command again, or label it into another --out",
        source=path,
    )
