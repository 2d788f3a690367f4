"""Compressed input: gzip and Zstandard, known by their first bytes, and how damage shows.

Both may hold several members or frames one after another; whatever else follows the last one is
damage (zero padding after gzip is not: tapes and ``dd`` leave it).
"""

from __future__ import annotations

import gzip
import sys
import zlib
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, cast

from labelwright.errors import InputError

WINDOW_LOG = 27
"""Largest window of Zstandard data, as a power of two: 128 MiB, what ``zstd`` itself allows."""

_SIGNS = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)
_SKIPPABLE = b"\x2a\x4d\x18"  # the last three bytes; the first is 0x50 … 0x5f
_UNREADABLE = (
    (b"PK\x03\x04", "zip"),
    (b"\xfd7zXZ\0", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
)

_ZSTD = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"


def kind_of(start: bytes) -> str | None:
    """``gzip`` or ``zstd`` if the first four bytes of a file are those of one, else ``None``."""
    for sign, kind in _SIGNS:
        if start.startswith(sign):
            return kind
    skippable = len(start) >= 4 and start[0] >> 4 == 5 and start[1:4] == _SKIPPABLE
    return "zstd" if skippable else None


def opened(path: Path, kind: str) -> BinaryIO:
    """The decompressed bytes of a file; never more than a window of them is in memory."""
    if kind == "gzip":
        return cast(BinaryIO, gzip.open(path, "rb"))
    zstd = zstd_module()
    options = {zstd.DecompressionParameter.window_log_max: WINDOW_LOG}
    return cast(BinaryIO, zstd.ZstdFile(path, "rb", options=options))


def damage() -> tuple[type[Exception], ...]:
    """What reading damaged data raises; asked only once something was raised."""
    found: tuple[type[Exception], ...] = (EOFError, zlib.error, gzip.BadGzipFile)
    return (*found, zstd_module().ZstdError) if _ZSTD in sys.modules else found


def damage_error(path: Path, row: int, error: Exception) -> InputError:
    """The error for what :func:`damage` names.

    Args:
        row: the last row that could be read.
    """
    with open(path, "rb") as raw:
        kind = kind_of(raw.read(4)) or "compressed"
    if "too much memory" in str(error):
        return InputError(
            f"the zstd data need a window of more than {1 << WINDOW_LOG - 20} MiB",
            remedy="compress the file again without --long or --ultra",
            source=path,
        )
    return InputError(
        f"the {kind} data are damaged or cut short after row {row}",
        remedy="copy or download the file again",
        source=path,
    )


def refuse_others(start: bytes, path: Path) -> None:
    """Name the compressions that are not read, which would only look like a wrong encoding.

    Raises:
        InputError: ``start``, the first bytes of a file, are those of a zip, xz, … archive.
    """
    for sign, kind in _UNREADABLE:
        if start.startswith(sign):
            raise InputError(
                f"the file is {kind} data",
                remedy="unpack it, or compress it with gzip or zstd",
                source=path,
            )


def zstd_module() -> Any:
    """The standard library's Zstandard module, or its backport before Python 3.14."""
    return import_module(_ZSTD)
