"""What labelers said: ``predictions.jsonl`` of any task kind taken in as proposals."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from labelwright.errors import InputError
from labelwright.io.jsonl import read_jsonl
from labelwright.io.manifest import sha256_file
from labelwright.records import Prediction, Reject
from review.kinds.base import Form, Item
from review.kinds.forms import form_of
from review.store import events, notes
from review.store.events import Happening
from review.store.store import Store, now
from review.store.tables import assignment, run, said

BATCH = 1000


@dataclass
class Taken:
    """Counts of an import of predictions."""

    run: int = 0
    notes: int = 0
    proposals: int = 0
    again: bool = False
    rejects: list[Reject] = field(default_factory=list)


def add_run(
    store: Store,
    path: Path,
    *,
    name: str = "",
    number: int | None = None,
    seen: Callable[[int], None] = lambda _: None,
) -> Taken:
    """Take a file of predictions in, all of it or nothing; the same file once only.

    One whose import was killed begins anew when it is repeated.

    Rows that are no prediction of this label set, or of an unknown note, are rejects.

    Args:
        number: the round of training that the labeler comes from.
        seen: told how many rows were read.

    Raises:
        InputError: the file cannot be read, or no row can be used.
    """
    taken = Taken()
    file = path / "predictions.jsonl" if path.is_dir() else path
    if not file.is_file():
        raise InputError("no such file", remedy="give a folder of labelwright label", source=file)
    digest = sha256_file(file)
    with store.writing() as connection:
        known = connection.execute(select(run).where(run.c.sha256 == digest)).one_or_none()
        if known is not None and known.notes:
            taken.run, taken.again = known.id, True
            return taken
        if known is not None:
            _drop(connection, known.id)  # its import was broken off
        taken.run = (connection.scalar(select(func.max(run.c.id))) or 0) + 1
        connection.execute(
            run.insert().values(
                id=taken.run,
                name=name or path.name,
                model="",
                sha256=digest,
                label_set=store.label_set.fingerprint,
                notes=0,
                round=number,
                at=now(),
            )
        )
    try:
        _take(store, file, taken, digest, seen)
    except BaseException:
        with store.writing() as connection:
            _drop(connection, taken.run)
        raise
    return taken


def _take(store: Store, file: Path, taken: Taken, digest: str, seen: Callable[[int], None]) -> None:
    """Take the rows in, a thousand at a time, so that people who work meanwhile need not wait."""
    reader = _Reader(form_of(store.label_set), file, taken)
    rows = read_jsonl(file)
    while batch := list(islice(rows, BATCH)):
        with store.reading() as connection:
            made = list(reader.rows(connection, batch))
        if made:
            with store.writing() as connection:
                connection.execute(said.insert(), made)
        taken.notes += len(made)
        seen(len(batch))
    if not taken.notes:
        first = taken.rejects[0].reason if taken.rejects else "it is empty"
        raise InputError(
            f"no prediction in it can be used: {first}",
            remedy="import the notes first, and predictions of this label set",
            source=file,
        )
    with store.writing() as connection:
        values = {"notes": taken.notes, "model": ", ".join(sorted(reader.models))[:200]}
        connection.execute(run.update().where(run.c.id == taken.run).values(**values))
        after = {"run": taken.run, "notes": taken.notes, "sha256": digest}
        events.append(connection, Happening("predictions added", after=after))


def _drop(connection: Connection, number: int) -> None:
    """Take a run out that did not come in whole."""
    connection.execute(assignment.update().where(assignment.c.run == number).values(run=None))
    connection.execute(said.delete().where(said.c.run == number))
    connection.execute(run.delete().where(run.c.id == number))


class _Reader:
    """Turns rows of the file into rows of the table; keeps what cannot be used as rejects."""

    def __init__(self, form: Form, file: Path, taken: Taken) -> None:
        self._form, self._file, self._taken = form, str(file), taken
        self._done: set[int] = set()
        self.models: set[str] = set()

    def rows(
        self, connection: Connection, batch: Sequence[tuple[int, dict[str, Any]]]
    ) -> Iterator[dict[str, Any]]:
        known = notes.texts_of(connection, [str(row.get("id")) for _, row in batch])
        for number, row in batch:
            identifier = str(row.get("id"))
            made = self._row(row, known.get(identifier))
            if isinstance(made, str):
                self._taken.rejects.append(Reject(identifier, self._file, number, made))
            else:
                yield made

    def _row(self, row: dict[str, Any], place: tuple[int, str] | None) -> dict[str, Any] | str:
        if place is None:
            return "no note has this id"
        note, text = place
        if note in self._done:
            return "the note has a prediction already"
        try:
            prediction = Prediction.from_json(row, self._form.label_set)
            items = self._form.proposals(prediction)
        except (KeyError, ValueError, TypeError, AttributeError):
            return "this is not a prediction of the project's label set"
        if problem := self._form.faulty(items, len(text)) or self._form.fits(prediction, text):
            return problem
        self._done.add(note)
        self.models.add(prediction.model)
        self._taken.proposals += len(items)
        weakest, reason = self._form.unsure(prediction, items)
        return {
            "run": self._taken.run,
            "note": note,
            "proposals": json.dumps([item.to_json() for item in items], ensure_ascii=False),
            "weakest": weakest,
            "reason": reason,
        }


def proposals(connection: Connection, note: int) -> tuple[int | None, list[Item]]:
    """The newest run that said something of a note, and what it said."""
    row = connection.execute(
        select(said.c.run, said.c.proposals)
        .where(said.c.note == note)
        .order_by(said.c.run.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None, []
    return row.run, [Item.from_json(each) for each in json.loads(row.proposals)]


def proposals_of(connection: Connection, number: int, note: int) -> list[Item] | None:
    """What one run said of a note."""
    found = connection.scalar(
        select(said.c.proposals).where(said.c.run == number, said.c.note == note)
    )
    return None if found is None else [Item.from_json(each) for each in json.loads(found)]
