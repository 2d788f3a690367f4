"""JSON lines and files that are either written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from labelwright.errors import InputError, OutputError

PRIVATE = 0o600
"""Mode of files that may hold report text."""
_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def dumps(row: Mapping[str, Any]) -> str:
    """One JSON line without its line end; NaN is refused."""
    return _ENCODE(row)


def read_jsonl(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield ``(line, object)`` of a UTF-8 JSONL file; lines count from 1, blank ones are skipped.

    Raises:
        InputError: the file is missing, or a line is no JSON object.
    """
    try:
        with open(path, encoding="utf-8") as handle:
            for number, line in enumerate(handle, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError):
                    raise InputError(
                        "the line is not valid JSON",
                        remedy="write one JSON object per line",
                        source=path,
                        row=number,
                    ) from None
                if not isinstance(row, dict):
                    raise InputError(
                        "the line is JSON but no object",
                        remedy='write objects such as {"id": …}',
                        source=path,
                        row=number,
                    )
                yield number, row
    except UnicodeDecodeError:
        raise InputError(
            "the file is not UTF-8", remedy="convert it to UTF-8", source=path
        ) from None
    except FileNotFoundError:
        raise InputError("no such file", remedy="check the path", source=path) from None


@contextmanager
def atomic_write(
    path: str | Path, *, mode: int = PRIVATE, binary: bool = False
) -> Iterator[IO[Any]]:
    """Open a temporary file beside ``path`` and move it there once it is wholly on disk.

    An exception leaves ``path`` as it was and removes the temporary file.

    Raises:
        OutputError: the file cannot be written (disk full, read-only, no such folder).
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with writing(target):
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            if binary:
                handle: IO[Any] = os.fdopen(descriptor, "wb")
            else:
                # A path that is no valid text reaches us with lone surrogates; the escapes
                # written for them are those of JSON, so it comes back as it was.
                handle = os.fdopen(
                    descriptor, "w", encoding="utf-8", errors="backslashreplace", newline=""
                )
            with handle:
                yield handle
                handle.flush()
                os.fsync(handle.fileno())
            temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turn an ``OSError`` of the block into an :class:`OutputError` that names ``path``."""
    try:
        yield
    except (FileExistsError, NotADirectoryError):
        raise OutputError(
            "cannot write (a file is where a folder should be)",
            remedy="choose another folder",
            source=path,
        ) from None
    except OSError as error:
        raise OutputError(
            f"cannot write ({error.strerror or type(error).__name__})",
            remedy="free space or choose a writable folder, then run the same command again",
            source=path,
        ) from error


def write_jsonl(path: str | Path, rows: Iterable[Mapping[str, Any]], *, mode: int = PRIVATE) -> int:
    """Write all rows, or nothing; return their number.

    Raises:
        OutputError: the file cannot be written.
    """
    count = 0
    with atomic_write(path, mode=mode) as handle:
        for row in rows:
            handle.write(dumps(row) + "\n")
            count += 1
    return count


def write_json(path: str | Path, value: Mapping[str, Any], *, mode: int = 0o644) -> None:
    """Write one indented JSON object atomically, keys in the order given."""
    with atomic_write(path, mode=mode) as handle:
        handle.write(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2) + "\n")
