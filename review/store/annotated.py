"""Annotations that people made elsewhere, taken in as their finished work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, update

from labelwright.records import Reject, Report
from review.kinds.base import Form, Item
from review.store import events, notes, work
from review.store.events import Happening
from review.store.people import Person
from review.store.store import Store, now
from review.store.tables import assignment, queue


def add_finished(
    store: Store, form: Form, who: Person, values: Iterable[tuple[Report, Any]]
) -> tuple[int, list[Reject]]:
    """Add each value as what a person said of the note, done; a thousand in one transaction.

    Returns:
        How many notes, and rows that could not be used. A note that the person has worked on
        already is one of them.
    """
    count, refused = 0, []
    stream = iter(values)
    while part := list(islice(stream, notes.BATCH)):
        with store.writing() as connection:
            known = notes.texts_of(connection, [report.id for report, _ in part])
            taken = work.worked_on(connection, who, [note for note, _ in known.values()])
            fresh: dict[int, list[Item]] = {}
            for report, value in part:
                note, text = known.get(report.id, (0, ""))
                problem = ""
                if not note:
                    problem = "no note has this id"
                elif text != report.text:
                    problem = "a note of this id with another text is there already"
                elif note in taken or note in fresh:
                    problem = f"{who.name} has worked on this note already"
                else:
                    items = form.items(value)
                    problem = form.faulty(items, len(report.text))
                if problem:
                    refused.append(Reject(report.id, report.source, report.row, problem))
                else:
                    fresh[note] = items
            _add(connection, who, fresh)
            count += len(fresh)
    return count, refused


def _add(connection: Connection, who: Person, said: Mapping[int, Sequence[Item]]) -> None:
    """Desks with items, by the number of the note."""
    if not said:
        return
    full = [note for note, place in work.places(connection, said).items() if place.free < 1]
    # Somebody else's work is there: this person is one more annotator.
    connection.execute(
        update(queue)
        .where(queue.c.note.in_(full))
        .values(free=queue.c.free + 1, wanted=queue.c.wanted + 1)
    )
    at = now()
    desk = {
        "person": who.id,
        "role": work.ANNOTATE,
        "state": work.DONE,
        "blind": True,
        "version": 0,
        "opened": at,
        "closed": at,
    }
    made = connection.scalars(
        assignment.insert().returning(assignment.c.id, sort_by_parameter_order=True),
        [desk | {"note": note} for note in said],
    ).all()
    desks = list(zip(made, said.items(), strict=True))
    work.add_all_items(
        connection, [(number, each, "added") for number, (_, items) in desks for each in items]
    )
    work.settle_queue(connection, *said)
    kind = "annotations added"
    events.append_all(
        connection,
        [
            Happening(kind, who.id, note, number, after={"assignment": number, "items": len(items)})
            for number, (note, items) in desks
        ],
    )
