"""Zip archives as inputs: the files in them, read one after another or as the folder they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from labelwright.errors import InputError
from labelwright.readers import folders
from labelwright.readers.archives import unpacked
from labelwright.readers.options import ReadOptions
from labelwright.records import Reject, Report


class Readable(Protocol):
    """What a format is to an archive."""

    @property
    def read(self) -> Callable[[Path, ReadOptions], Iterator[Report | Reject]]:
        """Reads a path."""
        ...

    @property
    def whole_folders(self) -> bool:
        """Whether several such files are read as the folder that they lie in."""
        ...

    def rows(self, path: Path, options: ReadOptions) -> int:
        """How many reports and rejects a path gives."""
        ...


FormatOf = Callable[[Path, ReadOptions], Readable]


def parts_of(path: Path, options: ReadOptions, format_of: FormatOf) -> list[tuple[Path, Readable]]:
    """What an archive holds: its only file, the folder, or its tables one after another.

    Raises:
        InputError: nothing that can be read, or files of several formats.
    """
    found = unpacked(path)
    if not found.files:
        why = "".join(f" ({reason})" for _, reason in found.refused[:1])
        raise InputError(
            f"the zip archive holds no file that can be read{why}",
            remedy="unpack it and give the folder",
            source=path,
        )
    if len(found.files) == 1:
        return [(found.files[0], format_of(found.files[0], options))]
    formats = [format_of(file, options) for file in found.files]
    if not any(form.whole_folders for form in formats):
        return list(zip(found.files, formats, strict=True))
    folder = found.folder
    while len(inner := list(folder.iterdir())) == 1 and inner[0].is_dir():
        folder = inner[0]
    return [(folder, format_of(folder, options))]


def count_parts(path: Path, options: ReadOptions, parts: list[tuple[Path, Readable]]) -> int:
    """The rows that :func:`read_parts` would yield."""
    return sum(form.rows(part, options) for part, form in parts) + len(unpacked(path).refused)


def read_parts(
    path: Path, options: ReadOptions, parts: list[tuple[Path, Readable]]
) -> Iterator[Report | Reject]:
    """The reports of all parts; then a reject for every member that was refused."""
    found = unpacked(path)
    row = 0
    for part, form in parts:
        name = folders.shown(part.relative_to(found.folder).as_posix())
        for item in form.read(part, options):
            row += 1
            if isinstance(item, Reject) and part.is_file():
                item = replace(item, reason=f"{item.reason}; {name}:{item.row}")
            yield replace(item, source=str(path), row=row)
    for member, reason in found.refused:
        row += 1
        yield Reject(None, str(path), row, f"{reason}; {folders.shown(member)}")
