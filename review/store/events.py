"""What was done, in a chain: every event's hash covers the hash of the one before.

An event that is changed or taken out breaks the chain; one cut off at its end does not, so the
last hash belongs on paper or with the backup.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from review.store.store import now
from review.store.tables import event

FIRST = "0" * 64
_MOST_BACK = 5000
"""Events that undo looks back over."""
_COVERED = (
    *("id", "at", "person", "note", "assignment", "kind", "before", "after", "step", "undoes"),
    "previous",
)


@dataclass(frozen=True, slots=True)
class Happening:
    """One event before it stands in the chain. No part of it may hold text of a note."""

    kind: str
    person: int | None = None
    note: int | None = None
    assignment: int | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    step: str | None = None
    undoes: int | None = None


def append(connection: Connection, happening: Happening) -> int:
    """Add an event within a writer's transaction; return its number."""
    return append_all(connection, [happening])


def append_all(connection: Connection, happenings: Iterable[Happening]) -> int:
    """Add events in their order; return the number of the last."""
    number, previous = head(connection)
    rows = []
    for happening in happenings:
        number += 1
        row = {
            "id": number,
            "at": now(),
            "person": happening.person,
            "note": happening.note,
            "assignment": happening.assignment,
            "kind": happening.kind,
            "before": json.dumps(happening.before or {}),
            "after": json.dumps(happening.after or {}),
            "step": happening.step,
            "undoes": happening.undoes,
            "previous": previous,
        }
        previous = digest(row)
        rows.append(row | {"hash": previous})
    if rows:
        connection.execute(event.insert(), rows)
    return number


def digest(row: Mapping[str, Any]) -> str:
    """The hash of an event."""
    covered = [row[name] for name in _COVERED]
    return hashlib.sha256(json.dumps(covered, ensure_ascii=True).encode()).hexdigest()


def broken(connection: Connection) -> Iterator[str]:
    """Where the chain does not hold."""
    previous, expected = FIRST, 1
    rows = connection.execution_options(yield_per=1000).execute(select(event).order_by(event.c.id))
    for row in rows.mappings():
        if row["id"] != expected:
            yield f"event {expected} is missing"
        if row["previous"] != previous:
            yield f"event {row['id']} does not follow on the one before"
        if digest(dict(row)) != row["hash"]:
            yield f"event {row['id']} was changed"
        previous, expected = row["hash"], row["id"] + 1


def head(connection: Connection) -> tuple[int, str]:
    """Number and hash of the last event."""
    last = connection.execute(
        select(event.c.id, event.c.hash).order_by(event.c.id.desc()).limit(1)
    ).one_or_none()
    return (0, FIRST) if last is None else (last.id, last.hash)


def undoable(connection: Connection, person: int, *, redo: bool) -> Any:
    """The event that undo or redo turns back, or ``None``; on whatever note it was."""
    rows = connection.execute(
        select(event)
        .where(event.c.person == person, event.c.assignment.is_not(None), event.c.step.is_not(None))
        .order_by(event.c.id.desc())
        .limit(_MOST_BACK)
    )
    gone: set[int] = set()
    for row in rows:
        if row.id in gone:
            continue
        if row.kind == "redo" or (row.kind == "undo" and not redo):
            gone.add(row.undoes)
        elif row.kind == "undo":
            return row
        else:
            return None if redo else row
    return None
