"""The order of work: least sure first, every fifth note at random and blind, near-copies last.

Which notes are blind is drawn once for each patient, independent of what any labeler said: they are
a random sample of the notes, so what annotators make of them says how good a labeler is, also at
what it missed. They are never trained on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, func, insert, select

from review.store.store import Settings, Store
from review.store.tables import assignment, note, person, queue, said

RANDOM = "drawn at random, without proposals"
NEAR = "near-copy of another note"
UNKNOWN = "no labeler has read it"
NO_RUN = 0.5


@dataclass(frozen=True, slots=True)
class Waiting:
    """A note that nobody has begun."""

    note: int
    ext: str
    patient: str | None
    near: str
    weakest: float
    reason: str


def arrange(store: Store) -> int:
    """Order all notes that nobody has begun; return their number."""
    with store.writing() as connection:
        begun = select(assignment.c.note)
        connection.execute(queue.delete().where(queue.c.note.not_in(begun)))
        connection.execute(person.update().values(passed=0))
        waiting = _waiting(connection)
        last = connection.scalar(select(func.max(queue.c.rank))) or 0
        rows = _rows(ordered(waiting, store.settings), store.settings, last + 1)
        while part := list(islice(rows, 5000)):
            connection.execute(insert(queue), part)
    return len(waiting)


def ordered(waiting: Iterable[Waiting], settings: Settings) -> Iterator[tuple[Waiting, bool, str]]:
    """The notes in order, each with whether it is blind and why it comes where it does."""
    blind: list[Waiting] = []
    open_ones: list[Waiting] = []
    for each in waiting:
        drawn = _draw(settings.seed, "blind", each.patient or each.ext)
        (blind if drawn < 1 / settings.blind_every else open_ones).append(each)
    blind.sort(key=lambda each: _draw(settings.seed, "order", each.ext))
    open_ones.sort(key=lambda each: (-each.weakest, _draw(settings.seed, "order", each.ext)))
    seen: set[str] = set()
    first: list[Waiting] = []
    copies: list[Waiting] = []
    for each in open_ones:
        (copies if each.near in seen else first).append(each)
        seen.add(each.near)
    chance = iter(blind)
    for place, each in enumerate(first, 1):
        yield each, False, each.reason
        if place % (settings.blind_every - 1 or 1) == 0:
            for drawn_note in islice(chance, 1):
                yield drawn_note, True, RANDOM
    for drawn_note in chance:
        yield drawn_note, True, RANDOM
    for each in copies:
        yield each, False, NEAR


def _rows(
    found: Iterable[tuple[Waiting, bool, str]], settings: Settings, start: int
) -> Iterator[dict[str, Any]]:
    for rank, (each, blind, reason) in enumerate(found, start):
        wanted = 2 if _draw(settings.seed, "double", each.ext) < settings.double else 1
        yield {
            "note": each.note,
            "rank": rank,
            "reason": reason,
            "blind": blind,
            "wanted": wanted,
            "free": wanted,
            "state": "new",
        }


def _waiting(connection: Connection) -> list[Waiting]:
    newest = select(said.c.note, func.max(said.c.run).label("run")).group_by(said.c.note).subquery()
    rows = connection.execute(
        select(note.c.id, note.c.ext, note.c.patient, note.c.near, said.c.weakest, said.c.reason)
        .join(newest, newest.c.note == note.c.id, isouter=True)
        .join(
            said,
            (said.c.note == newest.c.note) & (said.c.run == newest.c.run),
            isouter=True,
        )
        .where(note.c.id.not_in(select(queue.c.note)))
    )
    return [
        Waiting(
            row.id,
            row.ext,
            row.patient,
            row.near,
            NO_RUN if row.weakest is None else row.weakest,
            row.reason or UNKNOWN,
        )
        for row in rows
    ]


def _draw(seed: int, what: str, key: str) -> float:
    """A number from 0 to 1 that depends on the key alone."""
    digest = hashlib.sha256(f"{seed}\0{what}\0{key}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
