"""What becomes of a report of whose annotations some are bad: rejected whole, or kept without."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labelwright.annotations.edges import trimmed
from labelwright.readers.options import ReadOptions
from labelwright.records import Entity, Reject, Report, in_order

BAD_ANNOTATIONS = ("reject", "drop", "repair")
"""``reject`` the report, ``drop`` the annotation, or ``repair`` it where the format says how."""

OUTSIDE = "offsets outside the text, empty or out of order"
PASSED_OVER = "other annotations passed over"
"""Begins the reason of a reject without an id that counts what is neither mention nor certainty."""
LEFT_OUT = "left out or repaired"
"""Stands in the reason of one that counts what a report that is kept lacks."""
DIFFERS = "the text is not what the offsets cover"
SPACE = "it covers white space only"


@dataclass(frozen=True, slots=True)
class Bad:
    """One annotation that cannot be used: ``where`` names file and line, never text."""

    where: str
    reason: str


def settled(report: Report, bad: Sequence[Bad], options: ReadOptions) -> Iterator[Report | Reject]:
    """The report if all is well; else as ``options.bad_annotations`` says.

    A gold report that lacks a mention teaches that it is none, so rejecting it is the default.
    One reject says how many were bad and which was the first; it has no id if the report is kept.
    White space at the edges of mentions is trimmed unless ``options.mention_edges`` keeps it.
    """
    if report.entities and options.mention_edges == "trim":
        where = f"{Path(report.source).name}:{report.row}"
        kept, count, more = without_edges(report.text, report.entities, where)
        bad = [*bad, *more]
        if count or more:
            entities = tuple(in_order(kept))
            report = replace(report, entities=entities, trimmed=report.trimmed + count)
    if not bad:
        yield report
        return
    first = f"first at {bad[0].where}: {bad[0].reason}"
    if options.bad_annotations == "reject":
        reason = f"{_many(len(bad))} that cannot be used; {first}"
        yield Reject(report.id, report.source, report.row, reason)
    else:
        yield report
        reason = f"{_many(len(bad))} {LEFT_OUT}; {first}"
        yield Reject(None, report.source, report.row, reason)


def without_edges(
    text: str, entities: Iterable[Entity], where: str
) -> tuple[list[Entity], int, list[Bad]]:
    """The mentions without white space at their edges, how many had any, and those that are all."""
    kept: list[Entity] = []
    count, bad = 0, []
    for entity in entities:
        inner = trimmed(text, entity)
        if inner is None:
            bad.append(Bad(where, SPACE))
        else:
            count += inner is not entity
            kept.append(inner)
    return kept, count, bad


def _many(count: int) -> str:
    return f"{count} annotation{'' if count == 1 else 's'}"
