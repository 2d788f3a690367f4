"""The records of one report: one, one for each of its windows, or one for each group of fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from data_builders.note_windows import Windows
from labelwright.label_set import LabelSet
from labelwright.records import Report
from labelwright.tasks import kind_of


@dataclass(frozen=True, slots=True)
class Piece:
    """A text with what is asked and known of it.

    Attributes:
        number: among the report's pieces, from 1; 0 for a report in one piece.
        meta: what the record tells of it.
    """

    label_set: LabelSet
    text: str
    value: Any
    number: int = 0
    meta: Mapping[str, Any] = field(default_factory=dict)


def pieces(
    label_set: LabelSet,
    text: str,
    value: Any,
    split: str,
    windows: Windows | None = None,
    parts: Sequence[LabelSet] = (),
) -> Iterator[Piece]:
    """What of a report stands in a record of its own.

    Args:
        split: for the counts of ``windows``.
        parts: label sets of parts of the answer, each asked of its own passages
            (``TaskKind.asked_apart``), exactly as labeling by group asks them.
    """
    kind = kind_of(label_set)
    if parts:
        yield from _by_part(label_set, text, value, parts)
        return
    found = [] if windows is None else windows.divide(split, text, value, kind)
    if len(found) < 2:
        yield Piece(label_set, text, value)
        return
    for number, one in enumerate(found, 1):
        span = (one.start, one.end)
        yield Piece(label_set, text[slice(*span)], one.value, number, {"span": list(span)})


def _by_part(
    label_set: LabelSet, text: str, value: Any, parts: Sequence[LabelSet]
) -> Iterator[Piece]:
    from labelwright.labelers.narrowed import cut_to

    kind = kind_of(label_set)
    for number, part in enumerate(parts, 1):
        passages = kind.read_in(part, text)
        read = text
        if list(passages) != [(0, len(text))]:
            read = cut_to(Report("", text, "", 0), passages)[0].text
        yield Piece(part, read, kind.known_in(part, value, passages), number)
