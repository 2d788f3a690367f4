"""Zip archives as inputs: unpacked into a private folder, within bounds.

Of a hostile archive nothing leaves that folder: paths that lead out of it, links and devices are
not followed, and no more is written than the bounds allow, whatever it says of its sizes. The
files in it are read one after another, or as the folder that they make.
"""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Protocol

from labelwright.errors import InputError, LabelwrightError
from labelwright.readers import folders
from labelwright.readers.folders import passed_over
from labelwright.readers.options import ReadOptions
from labelwright.readers.private import new_folder
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
    with _named(path, found.folder):
        formats: dict[Path, Readable] = {}
        for file in found.files:
            with suppress(InputError):  # asked again below, unless the folder's reader rejects it
                formats[file] = format_of(file, options)
        if len(found.files) == 1 or not any(form.whole_folders for form in formats.values()):
            return [(f, formats.get(f) or format_of(f, options)) for f in found.files]
        folder = found.folder
        while len(inner := list(folder.iterdir())) == 1 and inner[0].is_dir():
            folder = inner[0]
        return [(folder, format_of(folder, options))]


@contextmanager
def _named(path: Path, folder: Path) -> Iterator[None]:
    """Errors name the archive and its member, not the place where it was unpacked."""
    try:
        yield
    except LabelwrightError as error:
        place = Path(error.source or folder)
        if place.is_relative_to(folder):
            member = place.relative_to(folder).as_posix()
            error.source = str(path) if member == "." else f"{path}/{folders.shown(member)}"
        error.args = (error.line(),)
        raise


def count_parts(path: Path, options: ReadOptions, parts: list[tuple[Path, Readable]]) -> int:
    """The rows that :func:`read_parts` would yield."""
    found = unpacked(path)
    with _named(path, found.folder):
        return sum(form.rows(part, options) for part, form in parts) + len(found.refused)


def read_parts(
    path: Path, options: ReadOptions, parts: list[tuple[Path, Readable]]
) -> Iterator[Report | Reject]:
    """The reports of all parts; then a reject for every member that was refused."""
    found = unpacked(path)
    row = 0
    for part, form in parts:
        name = folders.shown(part.relative_to(found.folder).as_posix())
        with _named(path, found.folder):
            for item in form.read(part, options):
                row += 1
                if isinstance(item, Reject) and part.is_file():
                    item = replace(item, reason=f"{item.reason}; {name}:{item.row}")
                yield replace(item, source=str(path), row=row)
    for member, reason in found.refused:
        row += 1
        yield Reject(None, str(path), row, f"{reason}; {folders.shown(member)}")


LARGEST_MEMBER = 4 * 1024**3
LARGEST_WHOLE = 8 * 1024**3
MOST_MEMBERS = 500_000
MOST_RATIO = 2000
"""Bounds on what an archive unpacks to: bytes, members, and bytes for one packed byte."""
_BLOCK = 1 << 20
_FREE = 64 * 1024**2
"""Bytes to which the ratio does not apply: a table of empty cells packs well."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Where the members are, and which were refused: name and reason."""

    folder: Path
    files: tuple[Path, ...]
    refused: tuple[tuple[str, str], ...]


def unpacked(path: Path) -> Unpacked:
    """The members of an archive, unpacked once.

    Raises:
        InputError: it is damaged, locked, or beyond the bounds.
    """
    found = path.stat()
    return _unpacked(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=8)
def _unpacked(path: Path, size: int, _time: int) -> Unpacked:
    folder = new_folder()
    files: list[Path] = []
    refused: list[tuple[str, str]] = []
    total = 0
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MOST_MEMBERS:
                raise _beyond(path, f"holds more than {MOST_MEMBERS} files")
            for member in members:
                parts = PurePosixPath(member.filename.replace("\\", "/")).parts
                hidden = any(passed_over(part) and part != ".." for part in parts)
                if member.is_dir() or "__MACOSX" in parts or (hidden and ".." not in parts):
                    continue
                if reason := _refusal(member, parts):
                    refused.append((parts[-1] if parts else "", reason))
                    continue
                target = folder.joinpath(*parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                if target.exists():
                    refused.append((parts[-1], "a second file of this name"))
                    continue
                total += _written(archive, member, target, path, total, size)
                files.append(target)
    except RuntimeError:  # zipfile's word for a password
        raise InputError(
            "the zip archive is locked", remedy="save it without a password", source=path
        ) from None
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, OSError):
        raise InputError(
            "the zip archive is damaged, or packed in a way that is not known",
            remedy="make it again, or unpack it and give the folder",
            source=path,
        ) from None
    return Unpacked(folder, tuple(sorted(files)), tuple(refused))


def _refusal(member: zipfile.ZipInfo, parts: tuple[str, ...]) -> str | None:
    mode = member.external_attr >> 16
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "a link or device, not a file"
    if not parts or parts[0].endswith(":") or "/" in parts or ".." in parts:
        return "its path leads out of the archive"
    if parts[-1].lower().endswith(".zip"):
        return "an archive in an archive; unpack it"
    return None


def _written(
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    target: Path,
    path: Path,
    total: int,
    packed: int,
) -> int:
    """Write one member; its bytes."""
    size = 0
    with archive.open(member) as source, open(target, "xb") as out:
        while block := source.read(_BLOCK):
            size += len(block)
            whole = total + size
            if size > LARGEST_MEMBER or whole > LARGEST_WHOLE:
                raise _beyond(path, f"unpacks to more than {LARGEST_WHOLE} bytes")
            if whole > _FREE and whole > MOST_RATIO * packed:
                raise _beyond(path, "unpacks to far more than reports pack to")
            out.write(block)
    return size


def _beyond(path: Path, what: str) -> InputError:
    return InputError(
        f"the zip archive {what}", remedy="unpack it and give the folder", source=path
    )
