"""The files of a kind below a folder, sorted, with a reason beside each that cannot be read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKINGS = ("", ".gz", ".zst")
_OFFICE = (".docx", ".docm", ".doc", ".rtf", ".xlsx", ".xlsm", ".xls", ".ods", ".odt")


@dataclass(frozen=True, slots=True)
class Found:
    """One entry below a folder.

    Attributes:
        path: where it is.
        name: its path below the folder, with ``/`` on every system.
        problem: why it cannot be read, if so.
    """

    path: Path
    name: str
    problem: str | None = None


def walk(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Found]:
    """The entries whose names end in one of ``suffixes``, packed or not, in any case of letters.

    Each folder's entries come sorted by name. What begins with a dot is passed over. Links to
    files are followed; links to folders would lead in circles and come with a problem, as do
    pipes, broken links and names that are no UTF-8.

    Raises:
        OSError: a folder that cannot be read.
    """
    endings = tuple(suffix + packing for suffix in suffixes for packing in PACKINGS)
    open_folders = [_entries(folder, "")]
    while open_folders:
        entry = next(open_folders[-1], None)
        if entry is None:
            open_folders.pop()
        elif entry.is_folder:
            open_folders.append(_entries(entry.path, entry.name + "/"))
        elif entry.linked_folder:
            yield Found(entry.path, entry.name, "a link to a folder is not followed")
        elif entry.path.name.lower().endswith(endings):
            yield Found(entry.path, entry.name, _problem(entry.path))


def files(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """The files of :func:`walk` that have no problem."""
    return (found.path for found in walk(folder, suffixes) if found.problem is None)


def without_suffix(name: str, suffixes: tuple[str, ...]) -> str:
    """A name without its packing and its suffix."""
    for packing in PACKINGS[1:]:
        if name.lower().endswith(packing):
            name = name[: -len(packing)]
    for suffix in suffixes:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def passed_over(name: str) -> bool:
    """Whether no reader looks at files of this name.

    Hidden ones (``.DS_Store``), and those beside a document that somebody has open in Office
    (``~$letter.docx``), which hold a user's name and nothing of the document.
    """
    return name.startswith(".") or (name.startswith("~$") and name.lower().endswith(_OFFICE))


def shown(name: str) -> str:
    """A file's name for a message; an odd one could hold anything."""
    plain = name.isprintable() and len(name) <= 200 and ";" not in name
    return name if plain else "a file with an odd name"


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    name: str
    is_folder: bool
    linked_folder: bool


def _entries(folder: Path, prefix: str) -> Iterator[_Entry]:
    with os.scandir(folder) as scanned:
        found = [
            (e.name, e.is_dir(follow_symlinks=False), e.is_symlink() and e.is_dir())
            for e in scanned
            if not passed_over(e.name)
        ]
    for name, is_folder, linked in sorted(found):
        yield _Entry(folder / name, prefix + name, is_folder, linked)


def _problem(path: Path) -> str | None:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return "the file's name is not UTF-8"
    if path.is_file():
        return None
    return "not a regular file" if path.exists() else "a link that leads nowhere"
