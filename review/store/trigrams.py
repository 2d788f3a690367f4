"""An index of all pieces of three characters of all notes, so that rare patterns are found at once.

It is made on demand (it takes as much room as the notes twice over) and from then on kept up to
date; in SQLite by FTS5, in PostgreSQL by pg_trgm. A search takes from its pattern the pieces of
text that every match must hold; only notes that hold them are read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, TextClause, and_, inspect, text
from sqlalchemy.exc import DBAPIError

from labelwright.errors import ConfigError
from review.store.store import Store
from review.store.tables import note

TABLE = "note_trigram"
_SHORTEST = 3
_SPECIAL = re.compile(r"[\\^$.|?*+()\[\]{}]")
_SAFE = re.compile(r"[\w \-]+\Z", re.ASCII)


def build(store: Store) -> None:
    """Make the index.

    Raises:
        ConfigError: PostgreSQL does not let its user have the extension that it is made of.
    """
    with store.writing() as connection:
        if exists(connection):
            return
        if store.sqlite:
            connection.exec_driver_sql(
                f"CREATE VIRTUAL TABLE {TABLE} USING fts5(text, content='note', "
                "content_rowid='id', tokenize='trigram', detail='none')"
            )
            connection.exec_driver_sql(f"INSERT INTO {TABLE}({TABLE}) VALUES('rebuild')")
            return
        try:
            connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        except DBAPIError:
            raise ConfigError(
                "the database has no extension pg_trgm, and its user may not add it",
                remedy="have an administrator of PostgreSQL run: CREATE EXTENSION pg_trgm",
            ) from None
        connection.exec_driver_sql(f"CREATE INDEX {TABLE} ON note USING gin (text gin_trgm_ops)")


def keep_up(connection: Connection, after: int) -> None:
    """Add the notes with numbers above ``after`` to an index that does not do so itself."""
    if connection.dialect.name == "sqlite" and exists(connection):
        connection.exec_driver_sql(
            f"INSERT INTO {TABLE}(rowid, text) SELECT id, text FROM note WHERE id > ?",  # noqa: S608
            (after,),
        )


def exists(connection: Connection) -> bool:
    """Whether there is one."""
    if connection.dialect.name == "sqlite":
        return inspect(connection).has_table(TABLE)
    return connection.exec_driver_sql(f"SELECT to_regclass('{TABLE}')").scalar() is not None


def needed(patterns: Sequence[str]) -> list[str]:
    """Pieces of text of at least three characters that every match of all patterns must hold.

    Only what is certain counts: an alternative anywhere, or a mark that may follow a character
    (``?``, ``*``, ``{0,}``), takes away what it touches.

    >>> needed(["left lung.*mass", "a|b", "nodules?"])
    ['left lung', 'mass', 'nodule']
    """
    found: list[str] = []
    for pattern in patterns:
        if (
            "|" in pattern
            or "(?" in pattern
            or "[" in pattern
            or "\\" in pattern.replace("\\ ", "")
        ):
            pattern = _without_classes(pattern)
        found += [each for each in _pieces(pattern) if len(each) >= _SHORTEST]
    return [each for each in found if _SAFE.match(each)]


def _without_classes(pattern: str) -> str:
    """The pattern with what cannot be taken at its word made a gap; nothing where it may branch."""
    if "|" in pattern or "(?" in pattern:
        return ""
    pattern = re.sub(r"\[[^\]]*\][*+?]?(\{[^}]*\})?", "\0", pattern)
    return re.sub(r"\\.[*+?]?(\{[^}]*\})?", "\0", pattern)


def _pieces(pattern: str) -> list[str]:
    pieces: list[str] = []
    # Groups may be repeated or left out: nothing inside them is certain.
    depth, plain = 0, []
    for sign in pattern:
        depth += sign == "("
        plain.append("\0" if depth else sign)
        depth -= sign == ")" and depth > 0
    rest = "".join(plain)
    rest = re.sub(r".(?:[*?]|\{[^}]*\})\??", "\0", rest, flags=re.DOTALL)
    for piece in re.split(r"[\0.+^$)\]}]+", rest):
        if not _SPECIAL.search(piece):
            pieces.append(piece)
    return pieces


def holding(connection: Connection, pieces: Sequence[str]) -> ColumnElement[bool] | TextClause:
    """The condition that a note holds all pieces, or at least their trigrams."""
    if connection.dialect.name != "sqlite":
        return and_(*(note.c.text.icontains(each, autoescape=True) for each in pieces))
    wanted = " AND ".join(
        f'"{each[at : at + 3]}"' for each in pieces for at in range(len(each) - 2)
    )
    found = f"note.id IN (SELECT rowid FROM {TABLE} WHERE {TABLE} MATCH :trigrams)"  # noqa: S608
    return text(found).bindparams(trigrams=wanted)
