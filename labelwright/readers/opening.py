"""Opening input files: packed or plain, the encoding, and what can go wrong as one line each."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from labelwright.errors import ConfigError, InputError
from labelwright.readers import packed

LONGEST = 32 * 1024 * 1024
"""Most characters of one row, line or report: a longer one is rejected, and never in memory."""

LONGEST_SKIP = 64 * LONGEST
"""Most characters of a row that is passed over; a file with a longer one is refused."""

TOO_LONG = ""
"""What :func:`lines` yields in place of a line that is too long; no real line is empty."""

MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks and the encodings they stand for."""

_SAMPLE = 4096


@dataclass(slots=True)
class Position:
    """The row that was read last; readers keep it up to date for error messages."""

    row: int = 0


@contextmanager
def faults(path: Path, encoding: str | None = None) -> Iterator[Position]:
    """Turn whatever goes wrong while reading ``path`` into an :class:`InputError`."""
    position = Position()
    try:
        yield position
    except FileNotFoundError:
        raise InputError("no such file or folder", remedy="check the path", source=path) from None
    except UnicodeError:
        try:
            raise _encoding_error(path, encoding) from None
        except packed.damage() as error:  # what it made of the damage was no valid text
            raise packed.damage_error(path, position.row, error) from None
    except packed.damage() as error:
        raise packed.damage_error(path, position.row, error) from None
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror or type(error).__name__})",
            remedy="check the path and its permissions",
            source=path,
        ) from None


def open_binary(path: Path) -> BinaryIO:
    """The bytes of a regular file, decompressed if they are gzip or Zstandard data.

    Raises:
        InputError: a folder, pipe or device.
        OSError: as ``open``.
    """
    if path.exists() and not path.is_file():
        raise InputError(
            "not a regular file (a folder or a pipe)",
            remedy="give a file; what a pipe brings must be saved first",
            source=path,
        )
    raw = open(path, "rb")  # noqa: SIM115  (the caller closes it)
    if (kind := packed.kind_of(raw.peek(4)[:4])) is not None:
        raw.close()
        return packed.opened(path, kind)
    return raw


@contextmanager
def open_text(path: Path, encoding: str | None) -> Iterator[io.TextIOWrapper]:
    """The text of a file with its line ends as they are, without a byte order mark.

    Raises:
        InputError: the file is empty, or looks like UTF-16 without saying so.
        ConfigError: an unknown encoding.
    """
    with open_binary(path) as raw:
        name = encoding_of(raw, path, encoding)
        with io.TextIOWrapper(raw, encoding=name, newline="") as handle:
            yield handle


def lines(handle: TextIO, path: Path) -> Iterator[str]:
    """The lines with their ends, or :data:`TOO_LONG`; one bounded line is in memory at most.

    Raises:
        InputError: a line is longer than :data:`LONGEST_SKIP`.
    """
    number = 1
    while line := handle.readline(LONGEST):
        if len(line) == LONGEST and line[-1] not in "\r\n":
            _pass_over(handle, path, number)
            line = TOO_LONG
        yield line
        number += 1


def too_long() -> str:
    """The reason of a reject for :data:`TOO_LONG`."""
    return f"the row is longer than {LONGEST} characters"


def endless(path: Path, line: int) -> InputError:
    """The error for a row that is not worth passing over."""
    return InputError(
        f"the row at line {line} is longer than {LONGEST_SKIP} characters",
        remedy="give a file with one report per row",
        source=path,
    )


def _pass_over(handle: TextIO, path: Path, number: int) -> None:
    passed = LONGEST
    while line := handle.readline(1 << 20):
        if line[-1] in "\r\n":
            return
        passed += len(line)
        if passed > LONGEST_SKIP:
            raise endless(path, number)


def encoding_of(raw: BinaryIO, path: Path, encoding: str | None) -> str:
    """The encoding asked for, else by byte order mark, else UTF-8; ``raw`` stays at its start."""
    sample = cast(io.BufferedReader, raw).peek(_SAMPLE)[:_SAMPLE]
    if not sample:
        raise InputError("the file is empty", remedy="give a file with a header", source=path)
    if encoding is not None:
        return checked_encoding(encoding)
    packed.refuse_others(sample, path)
    for mark, name in MARKS:
        if sample.startswith(mark):
            return name
    if sample.count(0) * 4 > len(sample):
        little = sample[1::2].count(0) >= sample[::2].count(0)
        raise InputError(
            "the file is largely NUL bytes, like UTF-16 without its mark",
            remedy=f"give --encoding utf-16-{'le' if little else 'be'}",
            source=path,
        )
    return "utf-8"


def checked_encoding(name: str) -> str:
    """The encoding under Python's name for it; UTF-8 also takes its mark.

    Raises:
        ConfigError: Python does not know it as an encoding of text.
    """
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=name)
        known = codecs.lookup(name).name
    except (LookupError, UnicodeError):
        raise ConfigError(
            f"unknown encoding {name!r}", remedy="try utf-8, latin-1, windows-1252 or utf-16"
        ) from None
    return "utf-8-sig" if known == "utf-8" else known


def _encoding_error(path: Path, encoding: str | None) -> InputError:
    offset, line, name = _first_bad_byte(path, encoding)
    remedy = (
        f"give the encoding it was saved in, such as --encoding latin-1 (it is not {name})"
        if name.startswith("utf-8")
        else "give the encoding it was saved in with --encoding"
    )
    return InputError(
        f"byte {offset} (line {line}) is not valid {name.removesuffix('-sig').upper()}",
        remedy=remedy,
        source=path,
    )


def _first_bad_byte(path: Path, encoding: str | None) -> tuple[int, int, str]:
    """``(offset, line, encoding)``: a second, slower pass that knows where it stands."""
    with open_binary(path) as raw:
        name = encoding_of(raw, path, encoding)
        decoder = codecs.getincrementaldecoder(name)()
        before, lines = 0, 1
        while True:
            pending = len(decoder.getstate()[0])
            block = raw.read(1 << 16)
            try:
                lines += decoder.decode(block, final=not block).count("\n")
            except UnicodeDecodeError as error:
                good = error.object[: error.start].decode(name, errors="replace")
                return before - pending + error.start, lines + good.count("\n"), name
            except UnicodeError:
                return before, lines, name
            before += len(block)
            if not block:
                return before, lines, name
