"""HL7 version 2 result messages (ORU^R01): files with one or many, framed, batched or plain.

Framing is that of MLLP (``VT`` message ``FS CR``); batches have FHS, BHS, BTS, FTS segments.
Segments may end with CR, LF or both. Messages of other types are counted, and one reject at the
end of each file says how many were passed over.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from labelwright.errors import ConfigError, InputError
from labelwright.readers import opening
from labelwright.readers.health import hl7_report
from labelwright.readers.health.hl7_message import Message, MessageError
from labelwright.readers.inputs import Counted, read_inputs
from labelwright.readers.opening import checked_encoding, faults, open_binary
from labelwright.readers.options import ReadOptions
from labelwright.records import Reject, Report

SUFFIXES = (".hl7",)
_BLOCK = 1 << 18
_ENDS = re.compile(rb"([\x0b\x1c]|[\r\n]+)")
_START, _STOP = b"\x0b", b"\x1c"
_NAME = re.compile(rb"[A-Z][A-Z0-9]{2}")
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BATCH = (b"FHS", b"BHS", b"BTS", b"FTS")


def read_hl7(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
    """Yield one report or reject per OBR segment; ``row`` is the running number.

    Raises:
        InputError: a file that was given is damaged, or nothing is in it; in a folder, a
            damaged file becomes a reject.
        ConfigError: flags that do not fit.
    """
    _check(options)
    return read_inputs(path, SUFFIXES, lambda file: _items(file, options), "HL7 message")


def _items(file: Path, options: ReadOptions) -> Iterator[Counted]:
    passed_over: Counter[str] = Counter()
    encoding = None if options.encoding is None else checked_encoding(options.encoding)
    options = replace(options, encoding=encoding)
    row = 0
    with faults(file) as position, open_binary(file) as raw:
        for found in _messages(raw, file):
            for item in _of_message(found, str(file), row, options, passed_over):
                row += 1
                position.row = row
                yield Counted(row, item)
        if passed_over:
            counts = ", ".join(f"{count} {kind}" for kind, count in sorted(passed_over.items()))
            reason = f"other messages passed over; {counts}"
            yield Counted(row + 1, Reject(None, str(file), row + 1, reason))


def _of_message(
    found: list[bytes] | str, source: str, row: int, options: ReadOptions, passed_over: Counter[str]
) -> Iterator[Report | Reject]:
    if isinstance(found, str):
        yield Reject(None, source, row + 1, found)
        return
    try:
        message = Message(found, options.encoding)
    except MessageError as error:
        yield Reject(None, source, row + 1, str(error))
        return
    if message.kind[0] == "ORU" and message.kind[1] in ("", "R01"):
        yield from hl7_report.reports_of(message, source, row + 1, options)
    else:
        passed_over[message.shown_kind] += 1


@dataclass(slots=True)
class _Reading:
    """The message being put together, and what framing and batches promise of it."""

    segments: list[bytes] = field(default_factory=list)
    size: int = 0
    framed: bool = False
    problem: str | None = None
    in_batch: bool = False
    messages: int = 0

    def taken(self) -> Iterator[list[bytes] | str]:
        """What has been read so far, if anything, as a message or a reason; starts anew."""
        if self.problem is not None:
            yield self.problem
        elif self.segments:
            yield self.segments
        self.messages += bool(self.segments)
        self.segments, self.size, self.problem = [], 0, None

    def add(self, segment: bytes) -> None:
        """Take one more segment."""
        self.size += len(segment)
        if not self.segments and not segment.startswith(b"MSH"):
            self.problem = "data before the MSH segment"
        elif self.size > opening.LONGEST:
            self.problem = f"the message is longer than {opening.LONGEST} bytes"
        elif self.segments and not self._is_segment(segment):
            self.problem = "a line that is not a segment (a line end inside a field?)"
        if self.problem is None:
            self.segments.append(segment)

    def _is_segment(self, line: bytes) -> bool:
        separator = self.segments[0][3:4]
        return line[3:4] == separator and _NAME.fullmatch(line[:3]) is not None


def _messages(raw: BinaryIO, path: Path) -> Iterator[list[bytes] | str]:
    """The segments of each message, or why it cannot be used."""
    reading = _Reading()
    for segment in _segments(raw, path):
        if segment == _START:
            if reading.framed:
                reading.problem = "the message is cut short (its frame is not closed)"
            yield from reading.taken()
            reading.framed = True
        elif segment == _STOP:
            yield from reading.taken()
            reading.framed = False
        elif segment[:3] in _BATCH:
            yield from reading.taken()
            yield from _batch(reading, segment)
        else:
            if segment.startswith(b"MSH"):
                yield from reading.taken()
            reading.add(segment)
    if reading.framed:
        reading.problem = "the message is cut short (its frame is not closed)"
    yield from reading.taken()
    if reading.in_batch:
        yield "the batch is cut short (no BTS segment)"


def _batch(reading: _Reading, segment: bytes) -> Iterator[str]:
    if segment.startswith(b"BHS"):
        if reading.in_batch:
            yield "the batch is cut short (no BTS segment)"
        reading.in_batch, reading.messages = True, 0
    elif segment.startswith(b"BTS"):
        said = segment[4:].split(segment[3:4])[0] if len(segment) > 4 else b""
        if re.fullmatch(rb"\d{1,9}", said) and int(said) != reading.messages:
            yield f"the batch says {int(said)} messages, {reading.messages} were found"
        reading.in_batch = False


def _segments(raw: BinaryIO, path: Path) -> Iterator[bytes]:
    """Segments that are not blank, and the signs of framing; long ones are cut off."""
    pending: list[bytes] = []
    size = 0
    first = True
    while block := raw.read(_BLOCK):
        if first:
            block = _unmarked(block, path)
            first = False
        for at, piece in enumerate(_ENDS.split(block)):
            if at % 2 == 0:
                size += len(piece)
                if size <= opening.LONGEST + _BLOCK:
                    pending.append(piece)
            else:
                segment = b"".join(pending)
                if segment.strip():
                    yield segment
                if piece in (_START, _STOP):
                    yield piece
                pending, size = [], 0
    if (segment := b"".join(pending)).strip():
        yield segment


def _unmarked(block: bytes, path: Path) -> bytes:
    if block.startswith(_WIDE) or block[:64].count(0) > 16:
        raise InputError(
            "the file is UTF-16, in which HL7 segments cannot be told",
            remedy="save it as UTF-8 and give --encoding utf-8",
            source=path,
        )
    return block.removeprefix(codecs.BOM_UTF8)


def _check(options: ReadOptions) -> None:
    if options.encoding is not None:
        checked_encoding(options.encoding)
    asked = [options.patient_column, *options.text_columns]
    if any(asked) or options.id_column not in (None, *hl7_report.IDS):
        raise ConfigError(
            "an HL7 report has its text in OBX-5 and its patient in PID-3",
            remedy="remove --text-columns and --patient-column; --id-column may be "
            + ", ".join(hl7_report.IDS),
        )
    if unknown := [name for name in options.meta_columns if name not in hl7_report.META]:
        raise ConfigError(
            f"an HL7 report has no metadata {', '.join(unknown)}",
            remedy=f"choose from: {', '.join(hl7_report.META)}",
        )
