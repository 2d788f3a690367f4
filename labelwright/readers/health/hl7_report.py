"""The reports of an HL7 result message: one per OBR segment, with the texts of its OBX segments.

Text are the OBX-5 of the value types TX, FT and ST in order, each on lines of its own. Where
OBX-3 bears the standard's suffixes for parts of imaging reports (chapter 7: ``GDT`` description,
``IMP`` impression, ``ADT`` addendum, ``REC`` recommendation), the parts become sections. Numbers,
codes and embedded documents are not read, nor notes (NTE).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from labelwright.readers.health.hl7_message import Message, MessageError
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
