"""What counts in the end: of each note the adjudicated value, else the one annotator's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice

from sqlalchemy import Connection, select

from review.kinds.base import Item
from review.store import work
from review.store.tables import assignment, note, person, queue

_PART = 500


@dataclass(frozen=True, slots=True)
class Final:
    """A note with what is finally said of it."""

    note: int
    ext: str
    text: str
    patient: str | None
    blind: bool
    items: tuple[Item, ...]


def finals(connection: Connection, person_name: str = "") -> Iterator[Final]:
    """The finished notes in order of their ids, a few at a time.

    Args:
        person_name: whose annotations; empty for what counts in the end.
    """
    wanted = (
        select(assignment.c.id, assignment.c.role, note, queue.c.blind)
        .join(note, note.c.id == assignment.c.note)
        .join(queue, queue.c.note == note.c.id)
        .where(assignment.c.state == work.DONE)
        .order_by(note.c.ext, assignment.c.role, assignment.c.id)
    )
    if person_name:
        wanted = wanted.join(person, person.c.id == assignment.c.person).where(
            person.c.name == person_name, assignment.c.role == work.ANNOTATE
        )
    else:
        wanted = wanted.where(queue.c.state == "final")
    rows = connection.execution_options(yield_per=_PART).execute(wanted)
    # The first of each note: "adjudicate" comes before "annotate".
    first = (next(found) for _, found in groupby(rows, key=lambda row: row.ext))
    while part := list(islice(first, _PART)):
        said = work.said_on(connection, [row[0] for row in part])
        for row in part:
            yield Final(row[2], row.ext, row.text, row.patient, bool(row.blind), said[row[0]])
