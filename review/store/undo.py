"""Which step undo and redo turn back, and the items that count again then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from review.store.people import Person
from review.store.tables import event, item

_MOST_BACK = 5000
"""Events that undo looks back over."""


def undoable(connection: Connection, who: Person, *, redo: bool) -> Any:
    """The event that undo or redo turns back, or ``None``; on whatever note it was."""
    rows = connection.execute(
        select(event)
        .where(event.c.person == who.id, event.c.assignment.is_not(None), event.c.step.is_not(None))
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


def revive(connection: Connection, numbers: Sequence[int], *, live: bool) -> None:
    """Make items count again, or no longer."""
    if numbers:
        connection.execute(update(item).where(item.c.id.in_(numbers)).values(live=live))
