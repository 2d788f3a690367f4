"""Steps from older tables to those of today, in order; a copy is made before the first of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, inspect, select

from labelwright.errors import InputError
from review.store.tables import VERSION, comment, meta, metadata

Step = Callable[[Connection], None]


def _comments(connection: Connection) -> None:
    """Comments on notes, and how far in the queue everybody is."""
    comment.create(connection)
    connection.exec_driver_sql("ALTER TABLE person ADD passed INTEGER DEFAULT 0 NOT NULL")


STEPS: Mapping[int, Step] = {1: _comments}
"""``{version: what brings its tables to the next version}``."""

_SQLITE_GUARDS = (
    "CREATE TRIGGER event_no_update BEFORE UPDATE ON event "
    "BEGIN SELECT RAISE(ABORT, 'events are never changed'); END",
    "CREATE TRIGGER event_no_delete BEFORE DELETE ON event "
    "BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END",
)
_POSTGRES_GUARDS = (
    "CREATE FUNCTION event_guard() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'events are never changed or deleted'; END $$",
    "CREATE TRIGGER event_guard BEFORE UPDATE OR DELETE ON event "
    "FOR EACH ROW EXECUTE FUNCTION event_guard()",
    "CREATE TRIGGER event_guard_all BEFORE TRUNCATE ON event "
    "FOR EACH STATEMENT EXECUTE FUNCTION event_guard()",
)


def create(connection: Connection) -> None:
    """Make the tables of today in an empty database."""
    metadata.create_all(connection)
    guards = _SQLITE_GUARDS if connection.dialect.name == "sqlite" else _POSTGRES_GUARDS
    for statement in guards:
        connection.exec_driver_sql(statement)
    connection.execute(meta.insert().values(key="version", value=str(VERSION)))


def version(connection: Connection) -> int:
    """The version of the tables; 0 where there are none."""
    if not inspect(connection).has_table(meta.name):
        return 0
    found = connection.scalar(select(meta.c.value).where(meta.c.key == "version"))
    return 0 if found is None else int(found)


def pending(connection: Connection, where: str) -> tuple[int, ...]:
    """The versions whose steps are still to be taken.

    Raises:
        InputError: a newer labelwright made the tables, or there are none.
    """
    found = version(connection)
    if found == 0:
        raise InputError("no review project", remedy="run labelwright review init", source=where)
    if found > VERSION:
        raise InputError(
            f"a newer labelwright made the tables (version {found}; this one knows {VERSION})",
            remedy="install that labelwright",
            source=where,
        )
    return tuple(range(found, VERSION))


def migrate(connection: Connection, versions: tuple[int, ...]) -> None:
    """Take the steps, all within the connection's transaction."""
    for number in versions:
        STEPS[number](connection)
        connection.execute(
            meta.update().where(meta.c.key == "version").values(value=str(number + 1))
        )
