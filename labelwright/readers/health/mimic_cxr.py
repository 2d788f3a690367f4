"""The report tree of MIMIC-CXR: ``files/p10/p10000032/s50414267.txt``.

The study number (``50414267``) is the id and the folder's number (``10000032``) the patient.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from labelwright.errors import InputError
from labelwright.readers.opening import LONGEST, checked_encoding, faults
from labelwright.readers.options import ReadOptions
from labelwright.readers.tables.columns import report_or_reject
from labelwright.records import Reject, Report
from labelwright.text.sections import split_sections

_FOLDER = re.compile(r"p\d{2}(\d+)?")
_STUDY = re.compile(r"s(\d+)\.txt")


def is_mimic_tree(folder: Path) -> bool:
    """Whether a folder looks like the tree, its ``files`` folder or a part of it.

    A folder of any name is taken for a patient's only if all its text files are named like
    studies: the others would be passed over.
    """
    root = folder / "files" if (folder / "files").is_dir() else folder
    with os.scandir(root) as entries:
        names = [entry.name for entry in entries]
    if any(_FOLDER.fullmatch(name) for name in names):
        return True
    texts = [name for name in names if name.lower().endswith(".txt")]
    studies = [name for name in texts if _STUDY.fullmatch(name)]
    return bool(studies) and (studies == texts or _FOLDER.fullmatch(root.name) is not None)


def study_files(folder: Path) -> Iterator[Path]:
    """The report files, sorted by group, patient and study; other files are passed over."""
    return (file for file in _studies(folder) if file.is_file())


def read_mimic_cxr(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
    """Yield one report or reject per study; ``row`` is its place in the sorted order.

    A study that cannot be decoded or is far too large becomes a reject.

    Raises:
        InputError: there is no report below the folder.
        ConfigError: flags that only tables have.
    """
    options.refuse_columns("a MIMIC-CXR tree has no columns")
    encoding = checked_encoding(options.encoding or "utf-8")
    row = 0
    with faults(path):
        for file in _studies(path):
            row += 1
            yield _report(file, encoding, str(path), row)
    if row == 0:
        raise _no_reports(path)


def count_mimic_cxr(path: Path, options: ReadOptions) -> int:
    """The number of report files."""
    options.refuse_columns("a MIMIC-CXR tree has no columns")
    with faults(path):
        count = sum(1 for _ in _studies(path))
    if count == 0:
        raise _no_reports(path)
    return count


def _studies(folder: Path) -> Iterator[Path]:
    """What is named like a report, also pipes and links that lead nowhere."""
    return _walk(folder / "files" if (folder / "files").is_dir() else folder, depth=0)


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        names = sorted((entry.name, entry.is_dir()) for entry in entries)
    for name, is_folder in names:
        if is_folder and depth < 2 and _FOLDER.fullmatch(name):
            yield from _walk(folder / name, depth + 1)
        elif not is_folder and _STUDY.fullmatch(name):
            yield folder / name


def _report(file: Path, encoding: str, source: str, row: int) -> Report | Reject:
    identifier = file.stem[1:]
    if not file.is_file():  # reading a pipe would never end
        return Reject(identifier, source, row, f"{file.name} is not a regular file")
    if file.stat().st_size > LONGEST:
        return Reject(identifier, source, row, f"{file.name} is larger than {LONGEST} bytes")
    try:
        text = file.read_text(encoding=encoding)  # line ends become \n: offsets count on it
    except UnicodeError:
        reason = f"{file.name} is not {encoding.removesuffix('-sig').upper()}"
        return Reject(identifier, source, row, f"{reason}; --encoding names another")
    folder = _FOLDER.fullmatch(file.parent.name)
    patient = file.parent.name[1:] if folder and folder.group(1) else None
    return report_or_reject(source, row, identifier, text, split_sections(text), patient)


def _no_reports(path: Path) -> InputError:
    return InputError(
        "no report like p10/p10000032/s50414267.txt below this folder",
        remedy="give the folder that holds files/ or the p10 … p19 folders",
        source=path,
    )
