"""How a table of text was saved: its encoding and what parts its columns, found by looking.

Spreadsheets of many countries part columns with semicolons, since the comma is their decimal mark,
and save in Windows' code page. Nothing is guessed that the bytes contradict: text that is neither
UTF-8 nor plausibly Windows-1252 is refused as before.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

DELIMITERS = (",", ";", "\t", "|")
WINDOWS = "cp1252"
_SAMPLE = 1 << 16
_ROWS = 30
_BLOCK = 1 << 20
_SEP = re.compile(r'^\ufeff?"?sep=(?P<sign>.)"?\r?\n?$')
_SEQUENCE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_UNDEFINED = frozenset(b"\x81\x8d\x8f\x90\x9d")
_USUAL = frozenset(range(0xC0, 0x100)) - {0xD7, 0xF7} | frozenset(
    "€‘’“”–—…•°ª«»º±²³µ·½¼¾§ \u00a0".encode(WINDOWS)
)
_PLAUSIBLE = 0.8


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a table is to be read.

    Attributes:
        delimiter: what parts its cells.
        encoding: as found, or ``None`` where nothing speaks against what is usual.
        announced: whether the first line only names the delimiter (``sep=;``), as Excel writes.
    """

    delimiter: str
    encoding: str | None = None
    announced: bool = False


def detect(
    opened: Callable[[], BinaryIO], usual: str, *, encoding: str | None, delimiter: str | None
) -> Dialect:
    """Look at a file.

    Args:
        opened: opens its bytes, unpacked.
        usual: the delimiter that its name promises; taken where nothing speaks for another.
        encoding, delimiter: what the user says, which is not doubted.

    Raises:
        OSError, EOFError: as reading does.
    """
    found = encoding
    if encoding is None:
        found = detected_encoding(lambda: _blocks(opened))
    with opened() as raw:
        sample = raw.read(_SAMPLE)
    text = sample.decode(found or "utf-8-sig", errors="replace")
    announced = _SEP.match(text.partition("\n")[0])
    if announced is not None:
        sign = delimiter or announced["sign"]
        return Dialect(sign, found, announced=True)
    whole = len(sample) < _SAMPLE
    return Dialect(delimiter or detected_delimiter(text, usual, whole=whole), found)


def _blocks(opened: Callable[[], BinaryIO]) -> Iterator[bytes]:
    with opened() as raw:
        while block := raw.read(_BLOCK):
            yield block


def detected_encoding(blocks: Callable[[], Iterator[bytes]]) -> str | None:
    """``cp1252`` or UTF-16, with its mark or without; ``None`` for UTF-8 and what is no text.

    Args:
        blocks: gives the bytes from the start; asked again where they are not UTF-8.
    """
    stream = blocks()
    first = next(stream, b"")
    if first.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if first.startswith(codecs.BOM_UTF8):
        return None
    sample = first[:4096]
    if sample.count(0) * 4 > len(sample) > 0:
        little = sample[1::2].count(0) >= sample[::2].count(0)
        name = f"utf-16-{'le' if little else 'be'}"
        return name if _decodes(first[: len(first) // 2 * 2], name) else None
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for block in chain((first,), stream):
            decoder.decode(block)
    except UnicodeDecodeError:
        return WINDOWS if _plausible(blocks()) else None
    return None


def _plausible(blocks: Iterator[bytes]) -> bool:
    """Whether bytes that are not UTF-8 read well in Windows' code page."""
    high: Counter[int] = Counter()
    sequences = 0
    for block in blocks:
        if above := block.translate(None, bytes(range(128))):
            high.update(above)
            sequences += sum(map(len, _SEQUENCE.findall(block)))
    count = sum(high.values())
    if not count or sequences * 2 > count or _UNDEFINED & high.keys():
        return False
    return sum(number for byte, number in high.items() if byte in _USUAL) >= _PLAUSIBLE * count


def _decodes(data: bytes, name: str) -> bool:
    try:
        return "\0" not in data.decode(name)
    except UnicodeDecodeError:
        return False


def detected_delimiter(text: str, usual: str, *, whole: bool) -> str:
    """The delimiter of the first rows.

    One that does not part the header is none. Of several that do, the one counts with which most
    rows have as many cells as the header, then the one with more cells: a decimal comma parts
    every row, but into fewer cells than the semicolon does.

    Args:
        whole: whether ``text`` is all there is; else its last record may be torn.
    """
    best, score = usual, (0.0, 0)
    for sign in (usual, *(each for each in DELIMITERS if each != usual)):
        rows = _first_rows(text, sign, whole)
        if not rows or len(rows[0]) < 2:
            continue
        fitting = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
        if (fitting, len(rows[0])) > score:
            best, score = sign, (fitting, len(rows[0]))
    return best


def _first_rows(text: str, sign: str, whole: bool) -> list[list[str]]:
    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign)
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) > _ROWS:
                return rows[:-1]
    except csv.Error:
        pass
    return rows if whole or len(rows) < 2 else rows[:-1]
