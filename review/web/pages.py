"""The other pages: home, lists of notes, phrases, people, events."""

from __future__ import annotations

from sqlalchemy import func, select
from starlette.responses import Response

from labelwright.errors import ConfigError
from labelwright.records import Reject, Report
from review.store import events, notes, order, people, phrases, work
from review.store.tables import assignment, event, note, person, queue
from review.web.site import Ask, DeniedError, rows

VERDICTS = {"keep": phrases.KEPT, "discard": phrases.DISCARDED, "open": phrases.OPEN}
STATES = ("new", "open", "done", "final", "skipped")


def home(ask: Ask) -> Response:
    """What is to be done, and how far it is."""
    with ask.site.store.reading() as connection:
        counts = work.progress(connection)
        mine = connection.execute(
            select(assignment.c.state, func.count())
            .where(assignment.c.person == ask.who.id)
            .group_by(assignment.c.state)
        )
        recent = connection.execute(
            select(note.c.id, note.c.ext, assignment.c.state, assignment.c.role)
            .join(assignment, assignment.c.note == note.c.id)
            .where(assignment.c.person == ask.who.id)
            .order_by(assignment.c.id.desc())
            .limit(12)
        ).all()
        return ask.page(
            "home.html",
            counts=counts,
            total=sum(counts.values()),
            states=STATES,
            mine=dict(mine.tuples().all()),
            recent=rows(recent),
            empty=ask.query("empty") == "1",
        )


def disputed(ask: Ask) -> Response:
    """Notes that two people annotated and nobody decided."""
    with ask.site.store.reading() as connection:
        waiting = connection.execute(
            select(note.c.id, note.c.ext, queue.c.state)
            .join(queue, queue.c.note == note.c.id)
            .where(queue.c.state == "done")
            .order_by(queue.c.note)
            .limit(200)
        ).all()
        mine = connection.execute(
            select(note.c.id, note.c.ext, assignment.c.state)
            .join(assignment, assignment.c.note == note.c.id)
            .where(assignment.c.person == ask.who.id, assignment.c.role == work.ADJUDICATE)
            .order_by(assignment.c.id.desc())
            .limit(50)
        ).all()
        begun = {row.id for row in mine}
        return ask.page(
            "adjudicate.html",
            waiting=[row for row in rows(waiting) if row["id"] not in begun],
            mine=rows(mine),
        )


def everyone(ask: Ask) -> Response:
    """People and their roles."""
    with ask.site.store.reading() as connection:
        return ask.page("people.html", people=people.people(connection), roles=people.ROLES)


def add_person(ask: Ask) -> Response:
    """Somebody new."""
    fields = ask.fields
    name, role, password = (fields.get(each, "") for each in ("name", "role", "password"))
    people.add_person(ask.site.store, name, role, password, ask.who.id)
    return ask.go("/people")


def change_person(ask: Ask) -> Response:
    """Another role or password, or out and in again."""
    fields, store = ask.fields, ask.site.store
    name = fields.get("name", "")
    if name == ask.who.name and fields.get("what") != "password":
        raise DeniedError(422, "an admin cannot shut out or demote themselves")
    if fields.get("what") == "role":
        people.set_role(store, name, fields.get("role", ""), ask.who.id)
        work.release_unfit(store, name)
    elif fields.get("what") == "password":
        people.set_password(store, name, fields.get("password", ""), ask.who.id)
    elif fields.get("what") in ("disable", "enable"):
        people.set_disabled(store, name, fields["what"] == "disable", ask.who.id)
        work.release_unfit(store, name)
    else:
        raise ConfigError("nothing to change", remedy="choose what")
    return ask.go("/people")


def add_note(ask: Ask) -> Response:
    """A note that an admin wrote or pasted."""
    given = ask.fields
    name, text = given.get("id", "").strip()[:200], given.get("text", "").replace("\r\n", "\n")
    if not name:
        raise DeniedError(422, "the note needs an id")
    if ask.site.store.sections != "full":
        raise DeniedError(422, "this project keeps to some sections of reports: send it as a file")
    report = Report(name, text, f"pasted by {ask.who.name}", 1, given.get("patient") or None)
    for found in notes.add_notes(ask.site.store, [report], ask.who.id):
        if isinstance(found, Reject):
            raise DeniedError(422, f"the note was not taken in: {found.reason}")
    order.arrange(ask.site.store)
    with ask.site.store.reading() as connection:
        number, _ = notes.texts_of(connection, [name])[name]
    return ask.go(f"/note/{number}")


def happenings(ask: Ask) -> Response:
    """The events, newest first."""
    before = ask.place("before")
    wanted = (
        select(
            *(event.c[name] for name in ("id", "at", "note", "kind", "before", "after", "undoes")),
            event.c.hash,
            person.c.name,
        )
        .join(person, person.c.id == event.c.person, isouter=True)
        .order_by(event.c.id.desc())
        .limit(100)
    )
    if before:
        wanted = wanted.where(event.c.id < before)
    with ask.site.store.reading() as connection:
        found = rows(connection.execute(wanted).all())
        number, digest = events.head(connection)
    return ask.page("events.html", events=found, number=number, digest=digest)


def history(ask: Ask) -> Response:
    """What was done to one note."""
    number = ask.number()
    with ask.site.store.reading() as connection:
        row = notes.by_id(connection, number)
        if row is None:
            raise DeniedError(404, "there is no such note")
        found = connection.execute(
            select(
                *(event.c[each] for each in ("id", "at", "kind", "before", "after", "undoes")),
                person.c.name,
            )
            .join(person, person.c.id == event.c.person, isouter=True)
            .where(event.c.note == number)
            .order_by(event.c.id.desc())
            .limit(500)
        ).all()
    return ask.page("history.html", note=row, events=rows(found))


def wordings(ask: Ask) -> Response:
    """The next phrase."""
    with ask.site.store.reading() as connection:
        row = phrases.following(connection)
        counts = phrases.progress(connection)
        last = phrases.last_decided(connection, ask.who.id)
    return ask.page("phrases.html", phrase=row, counts=counts, last=last)


def decide_wording(ask: Ask) -> Response:
    """A verdict; then the next one."""
    state = VERDICTS.get(ask.fields.get("verdict", ""))
    if state is None:
        raise DeniedError(400, "keep or discard it")
    if not phrases.decide(ask.site.store, ask.who.id, ask.number(), state):
        raise DeniedError(404, "there is no such phrase")
    return ask.go("/phrases")
