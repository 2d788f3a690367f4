"""Annotations that people made elsewhere, taken in as their finished work."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from sqlalchemy import select, update

from labelwright.records import Reject, Report
from review.kinds.base import Form
from review.store import events, notes, work
from review.store.events import Happening
from review.store.people import Person
from review.store.store import Store, now
from review.store.tables import assignment, queue

_PART = 200


def add_finished(
    store: Store, form: Form, who: Person, values: Iterable[tuple[Report, Any]]
) -> tuple[int, list[Reject]]:
    """Add each value as what a person said of the note, done.

    Returns:
        How many notes, and rows that could not be used. A note that the person has worked on
        already is one of them, and so is one that all annotators have been found for.
    """
    count, refused = 0, []
    stream = iter(values)
    while part := list(islice(stream, _PART)):
        with store.writing() as connection:
            known = notes.texts_of(connection, [report.id for report, _ in part])
            for report, value in part:
                problem = "no note has this id"
                if (place := known.get(report.id)) is not None:
                    problem = (
                        _add(connection, form, who, place[0], value, len(report.text))
                        if place[1] == report.text
                        else "a note of this id with another text is there already"
                    )
                count += not problem
                if problem:
                    refused.append(Reject(report.id, report.source, report.row, problem))
    return count, refused


def _add(connection: Any, form: Form, who: Person, note: int, value: Any, length: int) -> str:
    if work.desk(connection, note, who.id) is not None:
        return f"{who.name} has worked on this note already"
    items = form.items(value)
    try:
        for each in items:
            form.check(each, length)
    except ValueError as error:
        return str(error)
    place = connection.execute(select(queue).where(queue.c.note == note)).one()
    if place.free < 1:
        # Somebody else's work is there: this person is one more annotator.
        connection.execute(
            update(queue)
            .where(queue.c.note == note)
            .values(free=queue.c.free + 1, wanted=queue.c.wanted + 1)
        )
    at = now()
    made = connection.execute(
        assignment.insert()
        .values(
            note=note,
            person=who.id,
            role=work.ANNOTATE,
            state=work.DONE,
            blind=True,
            version=0,
            opened=at,
            closed=at,
        )
        .returning(assignment.c.id)
    ).scalar_one()
    work.add_items(connection, made, [(each, "added") for each in items])
    work.settle_queue(connection, note)
    after = {"assignment": made, "items": len(items)}
    events.append(connection, Happening("annotations added", who.id, note, made, after=after))
    return ""
