"""Bytes that should be one text: a whole small file, or what is embedded in a message."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from labelwright.readers import opening, packed
from labelwright.readers.opening import MARKS, checked_encoding, open_binary

_OTHERS = (
    (b"{\\rtf", "RTF"),
    (b"%PDF-", "PDF"),
    (b"PK\x03\x04", "a zip archive or Office file"),
    (b"\xd0\xcf\x11\xe0", "an old Office file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"\x7fELF", "a program"),
)
_DICOM = slice(128, 132)
_CONTROLS = re.compile("[\x01-\x08\x0e-\x1f\x7f]")
_MOST_CONTROLS = 3, 0.02
"""Number and share of control characters; what is above both is not text."""


class NoTextError(ValueError):
    """Bytes that are no text, or not in this encoding; the message says why and never quotes."""


class EncodingError(NoTextError):
    """Bytes that may be text of another encoding."""


def bytes_of(path: Path) -> bytes:
    """A whole file, unpacked.

    Raises:
        NoTextError: it is larger than :data:`labelwright.readers.opening.LONGEST`, or damaged.
        OSError: it cannot be opened.
    """
    try:
        with open_binary(path) as raw:
            data = raw.read(opening.LONGEST + 1)
    except packed.damage():
        raise NoTextError("the packed data are damaged or cut short") from None
    if len(data) > opening.LONGEST:
        raise NoTextError(f"larger than {opening.LONGEST} bytes")
    return data


def text_of(data: bytes, encoding: str | None) -> str:
    """The text, with line ends as ``\\n`` and without a byte order mark; see :func:`decoded`."""
    text = decoded(data, encoding)
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def decoded(data: bytes, encoding: str | None) -> str:
    """The characters with their line ends, without the byte order mark that told the encoding.

    Args:
        encoding: ``None`` reads what the mark says, else UTF-8.

    Raises:
        NoTextError: nothing in it, another kind of file, or bytes of another encoding
            (:class:`EncodingError`).
        ConfigError: an unknown encoding.
    """
    if not data:
        raise NoTextError("the file is empty")
    for sign, kind in _OTHERS:
        if data.startswith(sign):
            raise NoTextError(f"no plain text but {kind}")
    if data[_DICOM] == b"DICM":
        raise NoTextError("no plain text but DICOM")
    name = _encoding(data) if encoding is None else checked_encoding(encoding)
    try:
        text = data.decode(name)
    except UnicodeError:
        shown = name.removesuffix("-sig").upper()
        raise EncodingError(f"not {shown}") from None
    most, share = _MOST_CONTROLS
    if len(_CONTROLS.findall(text)) > max(most, share * len(text)):
        raise NoTextError("no text: too many control characters")
    return text


def _encoding(data: bytes) -> str:
    for mark, name in MARKS:
        if data.startswith(mark):
            return name
    sample = data[:4096]
    if sample.count(0) * 4 > len(sample):
        raise EncodingError("largely NUL bytes, like UTF-16 without its mark")
    return codecs.lookup("utf-8").name
