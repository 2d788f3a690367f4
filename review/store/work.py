"""Who works on which note: taking the next one, what is on the desk, and letting go of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, select, update

from review.kinds.base import Form, Item
from review.store import events, runs
from review.store.events import Happening
from review.store.people import DECIDERS, Person, find_person
from review.store.store import Store, now
from review.store.tables import assignment, item, person, queue

ANNOTATE, ADJUDICATE = "annotate", "adjudicate"
OPEN, DONE, SKIPPED = "open", "done", "skipped"
BLANK = "blank"
"""State of an item that nobody said anything of, neither labeler nor person."""


@dataclass(frozen=True, slots=True)
class Desk:
    """One person's work on one note."""

    id: int
    note: int
    person: int
    role: str
    state: str
    blind: bool
    version: int
    run: int | None


@dataclass(frozen=True, slots=True)
class Placed:
    """An item with its number and what was decided of it."""

    id: int
    state: str
    item: Item
    first: int | None

    @property
    def root(self) -> int:
        """The number of the item that this one goes back to; stays the same over all changes."""
        return self.id if self.first is None else self.first


class RefusedError(Exception):
    """Something that cannot be done, with the reason for the user."""


def take_next(store: Store, form: Form, who: Person) -> int | None:
    """The note that somebody goes on with: their open one, else the next in the queue."""
    with store.reading() as connection:
        found = _resumed(connection, who)
    if found is not None:
        return found
    with store.writing() as connection:
        return next_in(connection, form, who)


def next_in(connection: Connection, form: Form, who: Person) -> int | None:
    """The same within a writer's transaction."""
    found = _resumed(connection, who)
    if found is None:
        mine = exists().where(assignment.c.note == queue.c.note, assignment.c.person == who.id)
        passed = select(person.c.passed).where(person.c.id == who.id).scalar_subquery()
        place = connection.execute(
            select(queue.c.note, queue.c.rank)
            .where(queue.c.free > 0, queue.c.rank > passed, ~mine)
            .order_by(queue.c.rank)
            .limit(1)
        ).one_or_none()
        if place is not None:
            found = place.note
            take(connection, form, who, found)
            _pass(connection, place.rank, person.c.id == who.id)
    return found


def _pass(connection: Connection, rank: int, whom: ColumnElement[bool]) -> None:
    """Note how far in the queue somebody has been given all that is free."""
    connection.execute(update(person).where(whom).values(passed=rank))


def _resumed(connection: Connection, who: Person) -> int | None:
    found: int | None = connection.scalar(
        select(assignment.c.note)
        .where(
            assignment.c.person == who.id,
            assignment.c.role == ANNOTATE,
            assignment.c.state == OPEN,
        )
        .order_by(assignment.c.id)
        .limit(1)
    )
    return found


def take(connection: Connection, form: Form, who: Person, note: int) -> int:
    """Begin to annotate a note.

    Raises:
        RefusedError: all its places are taken.
    """
    place = connection.execute(select(queue).where(queue.c.note == note)).one_or_none()
    if place is None or place.free < 1:
        raise RefusedError("others work on this note already")
    run, found = runs.proposals(connection, note)
    begun = [] if place.blind else found
    made = _open(connection, who, note, ANNOTATE, blind=place.blind, run=run)
    state = "open" if place.state == "new" else place.state
    connection.execute(
        update(queue).where(queue.c.note == note).values(free=queue.c.free - 1, state=state)
    )
    rows = [(each, "open") for each in begun] or [(each, BLANK) for each in form.blank()]
    add_items(connection, made, rows)
    after = {"assignment": made, "run": run, "blind": place.blind}
    events.append(connection, Happening("taken", who.id, note, made, after=after))
    return made


def take_disputed(connection: Connection, form: Form, who: Person, note: int) -> int:
    """Begin to adjudicate a note: what all annotators say is kept, the rest is to be decided.

    Raises:
        RefusedError: it is not annotated by two people, or somebody adjudicates it.
    """
    mine = desk(connection, note, who.id, ADJUDICATE)
    if mine is not None:
        return mine.id
    if adjudicator(connection, note) is not None:
        raise RefusedError("somebody else adjudicates this note")
    sides = finished(connection, note)
    if len(sides) < 2:
        raise RefusedError("two people have to annotate this note first")
    if any(who.id == each.person for each, _ in sides):
        raise RefusedError("you annotated this note; somebody else has to adjudicate it")
    merged: dict[Any, list[Any]] = {}
    for each, name in sides:
        for placed in items_of(connection, each.id):
            if placed.state != "deleted":
                merged.setdefault(placed.item.key, [placed.item, []])[1].append(name)
    made = _open(connection, who, note, ADJUDICATE, blind=False, run=None)
    rows = []
    order = {name: at for at, name in enumerate(form.label_set.names)}
    for found, names in sorted(
        merged.values(), key=lambda pair: (pair[0].spans, order.get(pair[0].name, 0))
    ):
        said = Item(found.name, found.said, found.spans, found.value, by=tuple(names))
        rows.append((said, "kept" if len(names) == len(sides) else "open"))
    if form.mode == "choices":
        rows.sort(key=lambda pair: order.get(pair[0].name, 0))
    add_items(connection, made, rows)
    after = {"assignment": made, "sides": [each.id for each, _ in sides]}
    events.append(connection, Happening("taken", who.id, note, made, after=after))
    return made


def adjudicator(connection: Connection, note: int) -> int | None:
    """Who adjudicates a note or did; who skipped it or was shut out does not count."""
    found: int | None = connection.scalar(
        select(assignment.c.person)
        .where(
            assignment.c.note == note,
            assignment.c.role == ADJUDICATE,
            assignment.c.state != SKIPPED,
        )
        .limit(1)
    )
    return found


def finished(connection: Connection, note: int) -> list[tuple[Desk, str]]:
    """The finished annotations of a note, with the names of their people."""
    rows = connection.execute(
        select(assignment, person.c.name)
        .join(person, person.c.id == assignment.c.person)
        .where(
            assignment.c.note == note,
            assignment.c.role == ANNOTATE,
            assignment.c.state == DONE,
        )
        .order_by(person.c.name)
    )
    return [(_desk(row), row.name) for row in rows]


def _open(
    connection: Connection, who: Person, note: int, role: str, *, blind: bool, run: int | None
) -> int:
    made: int = connection.execute(
        assignment.insert()
        .values(
            note=note,
            person=who.id,
            role=role,
            state=OPEN,
            blind=blind,
            run=run,
            version=0,
            opened=now(),
        )
        .returning(assignment.c.id)
    ).scalar_one()
    return made


def add_items(connection: Connection, desk_id: int, rows: Sequence[tuple[Item, str]]) -> None:
    """New items of a desk, with their states."""
    add_all_items(connection, [(desk_id, *row) for row in rows])


def add_all_items(connection: Connection, rows: Iterable[tuple[int, Item, str]]) -> None:
    """New items of many desks: number of the desk, item, state."""
    values = [
        {
            "assignment": desk_id,
            "live": True,
            "state": state,
            "body": json.dumps(each.to_json(), ensure_ascii=False),
        }
        for desk_id, each, state in rows
    ]
    if values:
        connection.execute(item.insert(), values)


def release(store: Store, who: Person, roles: Sequence[str] = (ANNOTATE, ADJUDICATE)) -> int:
    """Give somebody's open notes back to the queue; returns their number.

    Args:
        roles: in which the notes were worked on.
    """
    with store.writing() as connection:
        rows = connection.execute(
            select(assignment.c.id, assignment.c.note).where(
                assignment.c.person == who.id,
                assignment.c.state == OPEN,
                assignment.c.role.in_(roles),
            )
        ).all()
        for row in rows:
            connection.execute(
                update(assignment)
                .where(assignment.c.id == row.id)
                .values(state=SKIPPED, why="released", closed=now())
            )
            settle_queue(connection, row.note)
            events.append(connection, Happening("released", who.id, row.note, row.id))
    return len(rows)


def release_unfit(store: Store, name: str) -> int:
    """Give back the open notes on which somebody may not go on; returns their number.

    That is all of a person who is shut out or only reads, and adjudications of an annotator.
    """
    with store.reading() as connection:
        who = find_person(connection, name)
    if who is None or (who.role in DECIDERS and not who.disabled):
        return 0
    lost = (ANNOTATE, ADJUDICATE) if who.disabled or who.role == "reader" else (ADJUDICATE,)
    return release(store, who, lost)


def desk(connection: Connection, note: int, who: int, role: str = ANNOTATE) -> Desk | None:
    """Somebody's work on a note, if there is any."""
    row = connection.execute(
        select(assignment).where(
            assignment.c.note == note, assignment.c.person == who, assignment.c.role == role
        )
    ).one_or_none()
    return None if row is None else _desk(row)


def worked_on(connection: Connection, who: Person, notes: Collection[int]) -> set[int]:
    """Of these notes those that somebody annotates or has annotated."""
    mine = (assignment.c.person == who.id) & (assignment.c.role == ANNOTATE)
    found = select(assignment.c.note).where(mine, assignment.c.note.in_(notes))
    return set(connection.scalars(found))


def desk_by_id(connection: Connection, identifier: int) -> Desk:
    """A desk by its number."""
    return _desk(connection.execute(select(assignment).where(assignment.c.id == identifier)).one())


def _desk(row: Any) -> Desk:
    return Desk(row.id, row.note, row.person, row.role, row.state, row.blind, row.version, row.run)


def items_of(
    connection: Connection, desk_id: int, roots: Collection[int] | None = None
) -> list[Placed]:
    """The items that count, as they came; of some roots alone where they are given."""
    wanted = select(item).where(item.c.assignment == desk_id, item.c.live).order_by(item.c.id)
    if roots is not None:
        wanted = wanted.where(func.coalesce(item.c.first, item.c.id).in_(roots))
    rows = connection.execute(wanted)
    return [
        Placed(row.id, row.state, Item.from_json(json.loads(row.body)), row.first) for row in rows
    ]


def said_on(connection: Connection, desks: Sequence[int]) -> dict[int, tuple[Item, ...]]:
    """What is said on many desks, by their numbers: items that count and are not deleted."""
    found: dict[int, list[Item]] = {desk_id: [] for desk_id in desks}
    for start in range(0, len(desks), 500):
        rows = connection.execute(
            select(item.c.assignment, item.c.body)
            .where(item.c.assignment.in_(desks[start : start + 500]))
            .where(item.c.live, item.c.state != "deleted")
            .order_by(item.c.id)
        )
        for number, body in rows.tuples():
            found[number].append(Item.from_json(json.loads(body)))
    return {number: tuple(each) for number, each in found.items()}


def settle_queue(connection: Connection, *notes: int) -> None:
    """Bring the notes' lines in the queue up to what their desks say."""
    states: dict[int, list[tuple[str, str]]] = {note: [] for note in notes}
    desks = select(assignment.c.note, assignment.c.role, assignment.c.state)
    for row in connection.execute(desks.where(assignment.c.note.in_(notes))):
        states[row.note].append((row.role, row.state))
    changed = []
    for place in places(connection, notes).values():
        state, free = _settled(connection, place, states[place.note])
        if (state, free) != (place.state, place.free):
            changed.append({"which": place.note, "state": state, "free": free})
        if free > place.free:
            _pass(connection, place.rank - 1, person.c.passed >= place.rank)
    if changed:
        which = queue.c.note == bindparam("which")
        connection.execute(update(queue).where(which), changed)


def _settled(
    connection: Connection, place: Any, desks: Sequence[tuple[str, str]]
) -> tuple[str, int]:
    """State of a line in the queue and its free places, by the roles and states of the desks."""
    states = [state for role, state in desks if role == ANNOTATE]
    done, skipped = states.count(DONE), states.count(SKIPPED)
    if (ADJUDICATE, DONE) in desks or (done == place.wanted == 1):
        state = "final"
    elif done >= place.wanted:
        state = "final" if _agreed(connection, place.note) else "done"
    elif OPEN in states or done:
        state = "open"
    else:
        state = "skipped" if skipped else "new"
    return state, max(0, place.wanted - states.count(OPEN) - done)


def _agreed(connection: Connection, note: int) -> bool:
    """Whether all annotators say the same, so that there is nothing to adjudicate."""
    desks = [one.id for one, _ in finished(connection, note)]
    said = [{each.key for each in some} for some in said_on(connection, desks).values()]
    return all(each == said[0] for each in said)


def place(connection: Connection, note: int) -> Any:
    """The note's line in the queue, or ``None``."""
    return places(connection, [note]).get(note)


def places(connection: Connection, notes: Collection[int]) -> dict[int, Any]:
    """The lines of notes in the queue, by their numbers."""
    rows = connection.execute(select(queue).where(queue.c.note.in_(notes)))
    return {row.note: row for row in rows}


def progress(connection: Connection) -> dict[str, int]:
    """Notes by state."""
    rows = connection.execute(select(queue.c.state, func.count()).group_by(queue.c.state))
    return dict(rows.tuples().all())
