"""What people say to each other about a note; texts are here alone, events hold the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, exists, select

from review.store import events, work
from review.store.events import Happening
from review.store.people import DECIDERS, Person
from review.store.store import Store, now
from review.store.tables import assignment, comment, person
from review.store.work import ANNOTATE, OPEN, RefusedError

LONGEST = 2000
"""Characters of a comment."""


def add(store: Store, who: Person, note: int, text: str) -> None:
    """Say something about a note.

    Raises:
        RefusedError: it says nothing, or too much.
    """
    text = text.strip()
    if not text or len(text) > LONGEST:
        raise RefusedError(f"a comment has 1 to {LONGEST} characters")
    with store.writing() as connection:
        made = connection.execute(
            comment.insert()
            .values(note=note, person=who.id, at=now(), text=text)
            .returning(comment.c.id)
        ).scalar_one()
        events.append(connection, Happening("commented", who.id, note, after={"comment": made}))


def take_back(store: Store, who: Person, number: int) -> int:
    """Take an own comment back; its text is gone. Returns the note.

    Raises:
        RefusedError: it is somebody else's, or there is none.
    """
    with store.writing() as connection:
        row = connection.execute(
            select(comment).where(comment.c.id == number, comment.c.person == who.id)
        ).one_or_none()
        if row is None:
            raise RefusedError("this is no comment of yours")
        connection.execute(comment.update().where(comment.c.id == number).values(text=None))
        gone = Happening("comment taken back", who.id, row.note, before={"comment": number})
        events.append(connection, gone)
    return int(row.note)


def on_note(connection: Connection, who: Person, note: int) -> Sequence[Any]:
    """The comments that somebody may read, the oldest first.

    Two people who annotate a note do not read each other's before it is final.
    """
    wanted = (
        select(comment.c.id, comment.c.at, comment.c.text, comment.c.person, person.c.name)
        .join(person, person.c.id == comment.c.person)
        .where(comment.c.note == note, comment.c.text.is_not(None))
        .order_by(comment.c.id)
    )
    place = work.place(connection, note)
    on = work.desk(connection, note, who.id, ANNOTATE)
    annotates = (on is not None and on.state == OPEN) or who.role not in (*DECIDERS, "reader")
    if place is not None and place.state != "final" and annotates:
        theirs = exists().where(
            assignment.c.note == note,
            assignment.c.person == comment.c.person,
            assignment.c.role == ANNOTATE,
        )
        wanted = wanted.where((comment.c.person == who.id) | ~theirs)
    return connection.execute(wanted).all()
