"""Formats whose files hold many reports: one file, or a folder whose bad files are rejects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from labelwright.errors import InputError
from labelwright.readers import folders
from labelwright.readers.opening import faults
from labelwright.records import Reject, Report


@dataclass(frozen=True, slots=True)
class Counted:
    """What was read at a row of a file."""

    row: int
    item: Report | Reject


def read_inputs(
    path: Path, suffixes: tuple[str, ...], read: Callable[[Path], Iterator[Counted]], what: str
) -> Iterator[Report | Reject]:
    """The items of a file, or of all files below a folder.

    In a folder, ``source`` is the folder and ``row`` the running number; a reject's reason ends
    with the file and its row. A file that cannot be read on becomes one reject.

    Args:
        what: what the files should hold, for the error if there is none.

    Raises:
        InputError: the only file cannot be read, or nothing was found.
    """
    row = 0
    if not path.is_dir():
        for counted in read(path):
            row += 1
            yield counted.item
    else:
        with faults(path):
            for item in _of_folder(path, suffixes, read):
                row += 1
                yield replace(item, source=str(path), row=row)
    if row == 0:
        raise InputError(f"no {what} in it", remedy="check the path", source=path)


def _of_folder(
    folder: Path, suffixes: tuple[str, ...], read: Callable[[Path], Iterator[Counted]]
) -> Iterator[Report | Reject]:
    for found in folders.walk(folder, suffixes):
        name = folders.shown(found.name)
        if found.problem is not None:
            yield Reject(None, "", 0, f"{found.problem}; {name}")
            continue
        at = 0
        try:
            for counted in read(found.path):
                at = counted.row
                if isinstance(counted.item, Reject):
                    reason = f"{counted.item.reason}; {name}:{at}"
                    yield replace(counted.item, reason=reason)
                else:
                    yield counted.item
        except InputError as error:
            yield Reject(
                None, "", 0, f"the file cannot be read on; {name} after row {at}: {error.what}"
            )
