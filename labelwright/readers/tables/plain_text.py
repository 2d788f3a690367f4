"""Text files, each a report: one ``.txt`` file or a folder of them, nested as it may be.

The id is the file's path below the folder without its suffix (``2024/ward-3/0017``).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from labelwright.errors import InputError
from labelwright.readers import folders
from labelwright.readers.folders import Found
from labelwright.readers.one_text import EncodingError, NoTextError, bytes_of, text_of
from labelwright.readers.opening import checked_encoding, faults, open_binary
from labelwright.readers.options import ReadOptions
from labelwright.readers.tables.columns import report_or_reject
from labelwright.records import Reject, Report
from labelwright.text.sections import split_sections

SUFFIXES = (".txt", ".text")


def read_text_files(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
    """Yield one report or reject per file; ``row`` is its place in the sorted order.

    A file that is empty, of another encoding or no text at all becomes a reject.

    Raises:
        InputError: a file or folder that cannot be opened, or a folder without text files.
        ConfigError: flags that only tables have, or an unknown encoding.
    """
    _check(options)
    row = 0
    with faults(path):
        for found in _found(path):
            row += 1
            yield _report(found, str(path), row, options)
    if row == 0:
        raise _no_files(path)


def count_text_files(path: Path, options: ReadOptions) -> int:
    """The number of text files."""
    _check(options)
    with faults(path):
        count = sum(1 for _ in _found(path))
    if count == 0:
        raise _no_files(path)
    return count


def _found(path: Path) -> Iterator[Found]:
    if path.is_dir():
        yield from folders.walk(path, SUFFIXES)
    else:
        open_binary(path).close()  # raises what is wrong with the only file
        yield Found(path, path.name)


def _report(found: Found, source: str, row: int, options: ReadOptions) -> Report | Reject:
    if found.problem is not None:
        return Reject(None, source, row, f"{found.problem}; {folders.shown(found.name)}")
    identifier = folders.without_suffix(found.name, SUFFIXES)
    with faults(found.path):
        try:
            text = text_of(bytes_of(found.path), options.encoding)
        except EncodingError as error:
            return Reject(identifier, source, row, f"{error}; --encoding names another")
        except NoTextError as error:
            return Reject(identifier, source, row, str(error))
    return report_or_reject(source, row, identifier, text, split_sections(text))


def _check(options: ReadOptions) -> None:
    options.refuse_columns("text files have no columns")
    if options.encoding is not None:
        checked_encoding(options.encoding)


def _no_files(path: Path) -> InputError:
    return InputError(
        "no .txt file below this folder", remedy="give a folder of text files", source=path
    )
