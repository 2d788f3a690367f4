"""HL7 version 2 result messages (ORU^R01): files with one or many, framed, batched or plain.

Framing is that of MLLP (``VT`` message ``FS CR``); batches have FHS, BHS, BTS, FTS segments.
Segments may end with CR, LF or both. Messages of other types are counted, and one reject at the
end of each file says how many were passed over.

The reports of an HL7 result message: one per OBR segment, with the texts of its OBX segments.

Text are the OBX-5 of the value types TX, FT and ST in order, each on lines of its own. Where
OBX-3 bears the standard's suffixes for parts of imaging reports (chapter 7: ``GDT`` description,
``IMP`` impression, ``ADT`` addendum, ``REC`` recommendation), the parts become sections. Numbers,
codes and embedded documents are not read, nor notes (NTE).
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
from labelwright.readers.health.hl7_message import Message, MessageError
from labelwright.readers.inputs import Counted, read_inputs
from labelwright.readers.opening import checked_encoding, faults, open_binary
from labelwright.readers.options import ReadOptions
from labelwright.readers.tables.columns import report_or_reject
from labelwright.records import Reject, Report
from labelwright.text.sections import Composer

IDS = ("OBR-3", "OBR-2", "MSH-10")
META = ("status", "code", "time", "message")

_TEXT_TYPES = ("TX", "FT", "ST")
_WITHDRAWN = {"W": "posted as wrong", "X": "not obtained", "D": "deleted"}
_SUFFIXES = {
    "GDT": "findings",
    "IMP": "impression",
    "ADT": "addendum",
    "REC": "recommendations",
}


@dataclass(slots=True)
class _Order:
    """One OBR segment with what belongs to it."""

    request: list[str]
    patient: str
    results: list[list[str]] = field(default_factory=list)


def reports_of(
    message: Message, source: str, row: int, options: ReadOptions
) -> Iterator[Report | Reject]:
    """The reports of a message, from ``row`` on.

    The id is the first component of OBR-3 (filler's order number), else of OBR-2 (placer's),
    else MSH-10, numbered (``…-2``) where a message has several OBR segments.
    """
    try:
        orders, strays = _orders(message)
    except MessageError as error:
        yield Reject(None, source, row, str(error))
        return
    if strays:
        yield Reject(None, source, row, "text results before the first OBR segment")
        row += 1
    elif not orders:
        yield Reject(None, source, row, "no OBR segment")
    for number, order in enumerate(orders, 1):
        identifier = ""
        try:
            identifier = _identifier(message, order, options, number if len(orders) > 1 else 0)
            names, cells = _parts(message, order)
            meta = _meta(message, order)
        except MessageError as error:
            yield Reject(identifier or None, source, row, str(error))
        else:
            kept = {name: meta[name] for name in options.meta_columns or META}
            composed = Composer(names).join(cells)
            yield report_or_reject(source, row, identifier, *composed, order.patient, kept)
        row += 1


def _orders(message: Message) -> tuple[list[_Order], bool]:
    """The orders, and whether text results stand before all of them."""
    orders: list[_Order] = []
    patient = ""
    strays = False
    order: _Order | None = None
    for segment in message.segments:
        name = segment[0]
        if name == "PID":
            patient = message.component(segment, 3)
            order = None
        elif name == "OBR":
            order = _Order(segment, patient)
            orders.append(order)
        elif name == "OBX":
            if order is not None:
                order.results.append(segment)
            elif message.field(segment, 2) in _TEXT_TYPES:
                strays = True
    return orders, strays


def _parts(message: Message, order: _Order) -> tuple[tuple[str, ...], list[str]]:
    """Names and texts of the parts; a report without suffixes is one part.

    Raises:
        MessageError: the report is cancelled or withdrawn, or has no text.
    """
    if (status := message.component(order.request, 25)) in ("X", "W"):
        raise MessageError(f"the status OBR-25 is {status} (cancelled)")
    found: list[tuple[str, str]] = []
    for result in order.results:
        if message.component(result, 2) not in _TEXT_TYPES:
            continue
        if (status := message.component(result, 11)) in _WITHDRAWN:
            raise MessageError(f"the status OBX-11 is {status} ({_WITHDRAWN[status]})")
        name = _SUFFIXES.get(message.suffix(result, 3), "")
        found.append((name, message.text(result, 5)))
    if not found:
        raise MessageError(f"no text in OBX-5 ({_types(message, order)})")
    if not any(name for name, _ in found):
        return ("text",), ["\n".join(text for _, text in found)]
    names: list[str] = []
    cells: list[list[str]] = []
    for name, text in found:
        if not names or names[-1] != (name or "text"):
            names.append(name or "text")
            cells.append([])
        cells[-1].append(text)
    return tuple(names), ["\n".join(lines) for lines in cells]


def _types(message: Message, order: _Order) -> str:
    types = {message.component(result, 2) for result in order.results}
    shown = sorted(t if t.isalnum() and t.isascii() and len(t) <= 3 else "none" for t in types)
    return f"value types: {', '.join(dict.fromkeys(shown))}" if shown else "no OBX segment"


def _identifier(message: Message, order: _Order, options: ReadOptions, number: int) -> str:
    control = message.field(message.segments[0], 10).strip()
    if control and number:
        control = f"{control}-{number}"
    values = {
        "OBR-3": message.component(order.request, 3),
        "OBR-2": message.component(order.request, 2),
        "MSH-10": control,
    }
    if options.id_column is not None:
        return values[options.id_column]
    return next((value for value in values.values() if value), "")


def _meta(message: Message, order: _Order) -> dict[str, str]:
    request = order.request
    return {
        "status": message.component(request, 25),
        "code": message.component(request, 4, 2) or message.component(request, 4),
        "time": message.component(request, 22) or message.component(request, 7),
        "message": message.field(message.segments[0], 10).strip(),
    }


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
        yield from reports_of(message, source, row + 1, options)
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
    if any(asked) or options.id_column not in (None, *IDS):
        raise ConfigError(
            "an HL7 report has its text in OBX-5 and its patient in PID-3",
            remedy="remove --text-columns and --patient-column; --id-column may be "
            + ", ".join(IDS),
        )
    if unknown := [name for name in options.meta_columns if name not in META]:
        raise ConfigError(
            f"an HL7 report has no metadata {', '.join(unknown)}",
            remedy=f"choose from: {', '.join(META)}",
        )
