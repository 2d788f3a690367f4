"""Inputs that are no files: standard input, and tables of databases. They are brought into one.

All passes over an input, its digest and its watch need a file that stays the same; so what a pipe
or a query gives is written once, row by row, into the program's private folder. Results name the
input as the user did, a password in a URL masked.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from labelwright.errors import ConfigError, InputError, LabelwrightError, MissingExtraError
from labelwright.readers.options import ReadOptions
from labelwright.readers.private import new_folder

STANDARD_INPUT = "-"
STANDARD_FILE = "standard-input.csv"
"""Name of the file that holds what came; it may be JSON."""
_URL = re.compile(r"[a-z][a-z0-9_]*(?:\+[a-z0-9_]+)?://")
_PACKED = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF")
_BLOCK = 1 << 20
_ROWS = 1000
_WRITES = re.compile(
    r"^\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(?:select|with|values|table)\b", re.I | re.S
)


@dataclass(slots=True)
class _Input:
    """An input that was named; ``here`` once it is in its file."""

    name: str
    here: bool = False


_named: dict[Path, _Input] = {}


def path_of(text: str) -> Path:
    """The path of an input that the command line names; one that is no file gets a private one."""
    if text == STANDARD_INPUT:
        for path, known in _named.items():
            if known.name == text and not known.here:
                return path
        path = new_folder() / STANDARD_FILE
    elif _URL.match(text):
        path = new_folder() / "table.jsonl"
    else:
        return Path(text)
    _named[path] = _Input(text)
    return path


def is_table(path: Path) -> bool:
    """Whether an input is a table of a database."""
    return path in _named and _named[path].name != STANDARD_INPUT


def shown(path: Path) -> str:
    """The input as results name it."""
    known = _named.get(path)
    return str(path) if known is None else _masked(known.name)


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Errors name the input, not the place where it was brought to."""
    try:
        yield
    except LabelwrightError as error:
        if path in _named and error.source == str(path):
            name = shown(path)
            error.source = "the standard input" if name == STANDARD_INPUT else name
            error.args = (error.line(),)
        raise


def bring(path: Path, options: ReadOptions) -> None:
    """Fill the file of an input that is none.

    Raises:
        InputError: nothing comes, or the database refuses.
        ConfigError: it is not said which table.
        MissingExtraError: the extra ``sql`` is not installed.
    """
    known = _named.get(path)
    if known is None or known.here:
        return
    with _private(path) as out:
        if known.name == STANDARD_INPUT:
            _copy(sys.stdin.buffer, out, path)
        else:
            _query(known.name, options, out)
    known.here = True


def holds_objects(path: Path) -> bool:
    """Whether what came on the standard input is JSON.

    Raises:
        InputError: it is no text, and nobody said what else.
    """
    known = _named.get(path)
    if known is None or known.name != STANDARD_INPUT:
        return False
    with open(path, "rb") as brought:
        start = brought.read(64)
    if start.startswith(_PACKED):
        raise InputError(
            "no text, but a workbook, document or archive",
            remedy="say which with --input-format, or give the file by its name",
            source=path,
        )
    return start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"["))


@contextmanager
def _private(path: Path) -> Iterator[BinaryIO]:
    path.touch(mode=0o600)
    with open(path, "wb") as out:
        yield out


def _copy(source: BinaryIO, out: BinaryIO, path: Path) -> None:
    size = 0
    while block := source.read(_BLOCK):
        size += len(block)
        out.write(block)
    if not size:
        raise InputError(
            "nothing comes",
            remedy="pipe reports into it, such as: cat reports.csv | labelwright label - …",
            source=path,
        )


def _masked(url: str) -> str:
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", url)


def _query(url: str, options: ReadOptions, out: BinaryIO) -> None:
    if (options.table is None) == (options.query is None):
        raise ConfigError(
            "a database needs either a table or a query",
            remedy="give --table NAME, or --query 'SELECT id, text FROM …'",
        )
    if options.query is not None and not _WRITES.match(options.query):
        raise ConfigError("--query may only read", remedy="begin it with SELECT or WITH")
    try:
        import sqlalchemy
    except ImportError:
        raise MissingExtraError("sqlalchemy", "reading databases", "sql") from None
    shown_url = _masked(url)
    try:
        engine = sqlalchemy.create_engine(url)
    except sqlalchemy.exc.NoSuchModuleError:
        raise InputError(
            "no such kind of database", remedy="see SQLAlchemy's dialects", source=shown_url
        ) from None
    except ModuleNotFoundError as error:
        raise InputError(
            f"the database's driver {error.name} is not installed",
            remedy=f"pip install {error.name}",
            source=shown_url,
        ) from None
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise InputError(
            "no URL that SQLAlchemy reads", remedy="such as sqlite:///reports.db", source=shown_url
        ) from None
    try:
        with _reading(engine) as connection:
            _rows(connection, options, out, shown_url)
    except sqlalchemy.exc.SQLAlchemyError as error:
        kind = type(getattr(error, "orig", None) or error).__name__
        raise InputError(
            f"the database refuses ({kind})",
            remedy="try table or query with its own client",
            source=shown_url,
        ) from None
    finally:
        engine.dispose()


@contextmanager
def _reading(engine: Any) -> Iterator[Any]:
    """A connection that writes nothing: read-only where the database can, rolled back always."""
    import sqlalchemy

    if engine.dialect.name == "sqlite":
        database = engine.url.database
        if database and database != ":memory:" and not Path(database).is_file():
            raise InputError("no such file", remedy="check the URL", source=str(engine.url))
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(sqlalchemy.text("PRAGMA query_only = ON"))
        elif engine.dialect.name in ("postgresql", "mysql", "mariadb"):
            connection.execute(sqlalchemy.text("SET TRANSACTION READ ONLY"))
        try:
            yield connection
        finally:
            connection.rollback()


def _rows(connection: Any, options: ReadOptions, out: BinaryIO, name: str) -> None:
    """Write the rows as JSON lines, few at a time."""
    import sqlalchemy

    if options.table is not None:
        schema, _, table = options.table.rpartition(".")
        known = sqlalchemy.inspect(connection)
        tables = [*known.get_table_names(schema or None), *known.get_view_names(schema or None)]
        if table not in tables:
            raise InputError(
                f"no table {options.table}",
                remedy=f"tables found: {', '.join(sorted(tables)[:30]) or 'none'}",
                source=name,
            )
        statement: Any = sqlalchemy.select(sqlalchemy.text("*")).select_from(
            sqlalchemy.table(table, schema=schema or None)
        )
    else:
        statement = sqlalchemy.text(str(options.query))
    stream = connection.execution_options(stream_results=True, max_row_buffer=_ROWS)
    result = stream.execute(statement)
    columns = list(result.keys())
    count = 0
    for row in result:
        count += 1
        cells = {key: _plain(value) for key, value in zip(columns, row, strict=True)}
        out.write(json.dumps(cells, ensure_ascii=False).encode() + b"\n")
    if not count:
        raise InputError("the table has no rows", remedy="check table or query", source=name)


def _plain(value: Any) -> Any:
    """A value of a database as JSON."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 1e15 else value
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).decode("utf-8", errors="replace")
    return str(value) if not isinstance(value, timedelta) else value.total_seconds()
