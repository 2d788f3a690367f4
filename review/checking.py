"""Whether a project is whole, and copies of it that can be put back."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from labelwright.errors import ConfigError, OutputError
from labelwright.io.jsonl import PRIVATE, write_json, writing
from labelwright.io.manifest import sha256_file
from labelwright.text.amounts import amount
from review.kinds.base import Item
from review.kinds.forms import form_of
from review.store import events
from review.store.store import DATABASE, FILE, Store, copy_sqlite, now
from review.store.tables import assignment, event, item, note, queue


def problems(store: Store) -> Iterator[str]:
    """What is not as it should be, a line each; never with text."""
    form = form_of(store.label_set)
    with store.reading() as connection:
        if store.sqlite:
            for row in connection.exec_driver_sql("PRAGMA integrity_check").all():
                if row[0] != "ok":
                    yield f"database: {row[0]}"
            for row in connection.exec_driver_sql("PRAGMA foreign_key_check").all():
                yield f"database: a row of {row[0]} refers to nothing in {row[2]}"
        yield from events.broken(connection)
        lengths: dict[int, int] = {}
        streamed = connection.execution_options(yield_per=500)
        for row in streamed.execute(select(note.c.id, note.c.text, note.c.sha256)):
            lengths[row.id] = len(row.text)
            if hashlib.sha256(row.text.encode()).hexdigest() != row.sha256:
                yield f"note {row.id}: its text was changed"
        placed = select(item.c.id, item.c.body, assignment.c.note).join(
            assignment, assignment.c.id == item.c.assignment
        )
        for row in streamed.execute(placed.where(item.c.live)):
            try:
                form.check(Item.from_json(json.loads(row.body)), lengths[row.note])
            except (ValueError, KeyError) as error:
                yield f"item {row.id} of note {row.note}: {error}"
        yield from _versions(connection)
        for row in connection.execute(select(queue.c.note).where(queue.c.free < 0).limit(20)):
            yield f"note {row.note}: more annotators than places"


def _versions(connection: Any) -> Iterator[str]:
    """Whether each desk has as many steps as its version says."""
    steps = (
        select(event.c.assignment, func.count().label("steps"))
        .where(event.c.step.is_not(None))
        .group_by(event.c.assignment)
        .subquery()
    )
    rows = connection.execute(
        select(assignment.c.id, assignment.c.note, assignment.c.version, steps.c.steps)
        .join(steps, steps.c.assignment == assignment.c.id, isouter=True)
        .where(assignment.c.version != func.coalesce(steps.c.steps, 0))
    )
    for row in rows:
        steps_made = amount(row.version, "step")
        yield f"note {row.note}: {steps_made} by its version, {row.steps or 0} in the events"


def backup(store: Store, out: Path) -> dict[str, Any]:
    """A consistent copy while the server runs: the database, the project's file, the models.

    Returns:
        The manifest that stands beside the copy.

    Raises:
        OutputError: the folder is not empty or cannot be written.
        ConfigError: PostgreSQL's own program is missing.
    """
    with writing(out):
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(out.iterdir()):
            raise OutputError("the folder is not empty", remedy="choose another --out", source=out)
        if store.sqlite:
            copy_sqlite(store.folder / DATABASE, out / DATABASE)
        else:
            _dump_postgres(store, out / "review.dump")
        shutil.copyfile(store.folder / FILE, out / FILE)
        (out / FILE).chmod(PRIVATE)
        models = store.folder / "models"
        if models.is_dir():
            shutil.copytree(models, out / "models")
    with store.reading() as connection:
        number, digest = events.head(connection)
    files = sorted(path for path in out.rglob("*") if path.is_file())
    facts = {
        "command": "review backup",
        "label_set": store.label_set.name,
        "last_event": {"number": number, "hash": digest},
        "at": now(),
        "files": {path.relative_to(out).as_posix(): sha256_file(path) for path in files},
    }
    write_json(out / "backup.json", facts, mode=PRIVATE)
    return facts


def _dump_postgres(store: Store, target: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise ConfigError("pg_dump is not installed", remedy="install PostgreSQL's client programs")
    url = store.url.replace("postgresql+psycopg", "postgresql")
    os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_EXCL, PRIVATE))
    done = subprocess.run(
        [program, "--format=custom", f"--file={target}", url], capture_output=True, check=False
    )
    if done.returncode:
        raise OutputError(
            f"pg_dump failed with exit code {done.returncode}",
            remedy="run it by hand to see why",
            source=target,
        )
