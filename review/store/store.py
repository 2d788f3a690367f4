"""The database of a review project: opening it, reading, and the one way to write.

SQLite runs in WAL mode with every commit on disk; one lock in the process lets one thread write at
a time, so none waits in vain for another. PostgreSQL serialises writers by an advisory lock, since
every write ends in the chain of events.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event, select

from labelwright.errors import ConfigError, InputError, MissingExtraError, OutputError
from labelwright.io.jsonl import PRIVATE, write_json, writing
from labelwright.label_set import LabelSet
from review.store import migrations
from review.store.tables import VERSION, meta, note

FILE, DATABASE = "review.json", "review.db"
_POSTGRES = "postgresql+psycopg://"
_WRITERS = 5_743_081
"""Key of the advisory lock in PostgreSQL."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a project is set to.

    Attributes:
        blind_every: of this many notes one is drawn at random and shown without proposals.
        double: share of the notes that two people annotate.
        seed: of all draws.
    """

    blind_every: int = 5
    double: float = 0.0
    seed: int = 0


class Store:
    """An open project."""

    def __init__(self, folder: Path, url: str, models: str) -> None:
        self.folder, self.url, self.models = folder, url, models
        self.engine = _engine(folder, url)
        self.sqlite = self.engine.dialect.name == "sqlite"
        self._lock = threading.Lock()
        with self.reading() as connection:
            rows = dict(connection.execute(select(meta.c.key, meta.c.value)).tuples().all())
        self.label_set = LabelSet.from_text(rows["label_set"], folder / "label set")
        self.settings = Settings(**json.loads(rows["settings"]))
        self.sections = str(rows.get("sections", "full"))
        """What of their reports the notes hold: what labelers read of them."""

    def keep_to(self, read: Sequence[str]) -> str:
        """Which sections of reports the notes hold; the first import says it.

        Args:
            read: sections that labelers read whose predictions come in.

        Raises:
            ConfigError: they read others than the notes hold.
        """
        with self.writing() as connection:
            empty = connection.execute(select(note.c.id).limit(1)).first() is None
            if empty and read and read[0] != self.sections:
                connection.execute(meta.delete().where(meta.c.key == "sections"))
                connection.execute(meta.insert().values(key="sections", value=read[0]))
                self.sections = read[0]
        others = sorted(set(read) - {self.sections})
        if others:
            raise ConfigError(
                f"the project's notes hold the sections {self.sections!r} of their reports, and "
                f"these predictions are of {others[0]!r}: their places are others",
                remedy=f"label with --sections {self.sections}, or begin a project with these",
            )
        return self.sections

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the database throughout."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection whose changes are on disk together when the block ends, or not at all.

        Raises:
            OutputError: disk full, or another process keeps the database.
        """
        with self._lock, refusing(self.folder), writer(self.engine) as connection:
            yield connection

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


@contextmanager
def writer(engine: Engine) -> Iterator[Connection]:
    """A transaction that holds the database's one place for writers from its start."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        if engine.dialect.name != "sqlite":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITERS)))
        yield connection


@contextmanager
def refusing(folder: Path) -> Iterator[None]:
    """Turn faults of the database into one line.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        yield
    except sa.exc.OperationalError as error:
        raise OutputError(
            f"the database cannot be used ({type(error.orig).__name__}: "
            f"{str(error.orig).splitlines()[0] if str(error.orig) else 'no reason given'})",
            remedy="free space, or wait until the other process ends",
            source=folder,
        ) from None


def create(
    folder: Path, label_set: LabelSet, settings: Settings, *, database: str = "", models: str = ""
) -> None:
    """Make a new project: its folder for the owner alone, its file, its tables.

    Args:
        database: ``postgresql://…`` without a password; empty for SQLite in the folder.
        models: where models go: ``s3://bucket/prefix``; empty for a folder beside.

    Raises:
        OutputError: the folder holds something, or cannot be written.
        ConfigError: the database's address cannot be used.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(folder.iterdir()):
            raise OutputError("the folder is not empty", remedy="choose another", source=folder)
        folder.chmod(0o700)
    url = _checked(database)
    engine = _engine(folder, url)
    with refusing(folder):
        if not url:
            os.close(os.open(folder / DATABASE, os.O_CREAT | os.O_WRONLY, PRIVATE))
        with writer(engine) as connection:
            if migrations.version(connection):
                raise OutputError(
                    "the database holds a project already", remedy="name another", source=folder
                )
            migrations.create(connection)
            rows = {"label_set": label_set.text, "settings": json.dumps(asdict(settings))}
            connection.execute(meta.insert(), [{"key": k, "value": v} for k, v in rows.items()])
    engine.dispose()
    facts = {"version": VERSION, "database": url or DATABASE, "models": models or "models"}
    write_json(folder / FILE, facts, mode=PRIVATE)


def open_store(folder: Path) -> Store:
    """Open a project, with its tables brought up to date.

    Raises:
        InputError: there is none, or a newer labelwright made it.
    """
    facts = _facts(folder)
    url = "" if facts["database"] == DATABASE else _checked(str(facts["database"]))
    if not url and not (folder / DATABASE).is_file():
        raise InputError("the database is missing", remedy="restore a backup", source=folder)
    engine = _engine(folder, url)
    try:
        with refusing(folder):
            with engine.connect() as connection:
                steps = migrations.pending(connection, str(folder))
            if steps:
                if not url:
                    copy = folder / f"before-version-{steps[-1] + 1}.db"
                    copy_sqlite(folder / DATABASE, copy)
                    log.info("the database was copied to %s before its tables change", copy)
                with writer(engine) as connection:
                    migrations.migrate(connection, migrations.pending(connection, str(folder)))
            return Store(folder, url, str(facts["models"]))
    finally:
        engine.dispose()


def now() -> str:
    """The time of day, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _facts(folder: Path) -> Mapping[str, Any]:
    path = folder / FILE
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(value, dict) or not {"database", "models"} <= value.keys():
            raise ValueError
    except (OSError, ValueError):
        raise InputError(
            "no review project", remedy="run labelwright review init", source=folder
        ) from None
    return value


def _checked(database: str) -> str:
    """The address of a PostgreSQL database for SQLAlchemy; empty for SQLite.

    Raises:
        ConfigError: another kind of database, or a password in it.
    """
    if not database:
        return ""
    scheme, _, rest = database.partition("://")
    if scheme not in {"postgresql", "postgresql+psycopg"} or not rest:
        raise ConfigError(
            "the database is no PostgreSQL address",
            remedy="give postgresql://user@host/name, or nothing for SQLite",
        )
    if sa.make_url(_POSTGRES + rest).password:
        raise ConfigError(
            "the database's address holds a password",
            remedy="keep it in ~/.pgpass or PGPASSWORD, and remove it here",
        )
    return _POSTGRES + rest


def _engine(folder: Path, url: str) -> Engine:
    if url:
        try:
            return sa.create_engine(url, pool_size=12, pool_pre_ping=True, hide_parameters=True)
        except ModuleNotFoundError:
            raise MissingExtraError("psycopg", "PostgreSQL", "review-postgres") from None
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(folder / DATABASE)),
        pool_size=12,
        hide_parameters=True,  # they hold text
        connect_args={"check_same_thread": False, "timeout": 30},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin as _begin says
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "trusted_schema = OFF",
        "cache_size = -8000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def copy_sqlite(source: Path, target: Path) -> None:
    """A consistent copy of an SQLite database, for its owner alone, while others write to it."""
    with writing(target):
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, PRIVATE))
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new)
            new.execute("PRAGMA journal_mode = DELETE")
