"""Notes: what comes in, each once, and lists of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, func, select

from labelwright.records import Reject, Report
from review.store import events, trigrams
from review.store.events import Happening
from review.store.store import Store, now
from review.store.tables import comment, note, queue

BATCH = 1000
"""Notes of one transaction."""
LONGEST = 20_000_000
"""Characters of a note."""
COMMENTED = "commented"
"""Stands in lists for a state: that somebody said something about the note."""
_LETTERS = re.compile(r"[^\W\d_]+")
_PLAIN = bytes(code if chr(code).isalpha() and code < 128 else 32 for code in range(256))


@dataclass
class Imported:
    """Counts of an import."""

    added: int = 0
    known: int = 0
    rejected: int = 0


def add_notes(
    store: Store, items: Iterable[Report | Reject], person: int | None = None
) -> Iterator[Reject | Imported]:
    """Take notes in, a thousand at a time; a run that was broken off goes on when repeated.

    Yields:
        What could not be taken in, and at the end the counts.
    """
    counts = Imported()
    stream = iter(items)
    while batch := list(islice(stream, BATCH)):
        reports = []
        for given in batch:
            reject = given if isinstance(given, Reject) else _refused(given)
            if reject is not None:
                counts.rejected += 1
                yield reject
            elif isinstance(given, Report):
                reports.append(given)
        for reject in _add(store, reports, counts, person):
            counts.rejected += 1
            yield reject
    yield counts


def _refused(report: Report) -> Reject | None:
    """Why a report cannot be a note, if it cannot."""
    reason = ""
    if not report.text.strip():
        reason = "empty"
    elif len(report.text) > LONGEST:
        reason = f"longer than {LONGEST} characters"
    elif "\0" in report.text or "\0" in report.id:
        reason = "holds a NUL character, which no database keeps"
    else:
        try:
            (report.text + report.id + (report.patient or "")).encode()
        except UnicodeEncodeError:
            reason = "holds half a character (a lone surrogate)"
    return Reject(report.id, report.source, report.row, reason) if reason else None


def _add(
    store: Store, reports: Sequence[Report], counts: Imported, person: int | None
) -> Iterator[Reject]:
    digests = [hashlib.sha256(report.text.encode()).hexdigest() for report in reports]
    with store.writing() as connection:
        ids = [report.id for report in reports]
        rows = connection.execute(select(note.c.ext, note.c.sha256).where(note.c.ext.in_(ids)))
        have: dict[str, str] = dict(rows.tuples().all())
        fresh: list[dict[str, Any]] = []
        refused = []
        at = now()
        for report, digest in zip(reports, digests, strict=True):
            if (known := have.get(report.id)) is not None:
                counts.known += known == digest
                if known != digest:
                    reason = "a note of this id with another text is there already"
                    refused.append(Reject(report.id, report.source, report.row, reason))
                continue
            have[report.id] = digest
            fresh.append(_row(report, digest, at))
        if fresh:
            last = connection.scalar(select(func.max(note.c.id))) or 0
            connection.execute(note.insert(), fresh)
            trigrams.keep_up(connection, last)
            counts.added += len(fresh)
            after = {"notes": len(fresh)}
            events.append(connection, Happening("notes added", person=person, after=after))
    yield from refused


def _row(report: Report, digest: str, at: str) -> dict[str, Any]:
    return {
        "ext": report.id,
        "text": report.text,
        "sha256": digest,
        "patient": report.patient,
        "source": report.source,
        "row": report.row,
        "near": hashlib.sha256(_alike(report.text)).hexdigest()[:32],
        "meta": json.dumps(dict(report.meta), ensure_ascii=False),
        "added": at,
    }


def _alike(text: str) -> bytes:
    """What near-copies have in common: their letters, parted by single spaces."""
    low = text.casefold()
    if low.isascii():
        found = b" ".join(low.encode().translate(_PLAIN).split())
    else:
        found = " ".join(_LETTERS.findall(low)).encode()
    return found or text.encode()


def by_id(connection: Connection, identifier: int) -> Any:
    """One note, without its text."""
    wanted = select(note.c.id, note.c.ext, note.c.patient)
    return connection.execute(wanted.where(note.c.id == identifier)).one_or_none()


def text_of(connection: Connection, identifier: int) -> str | None:
    """The text of a note."""
    found: str | None = connection.scalar(select(note.c.text).where(note.c.id == identifier))
    return found


def texts_of(connection: Connection, exts: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Numbers and texts of notes, by the ids of their reports."""
    rows = connection.execute(
        select(note.c.ext, note.c.id, note.c.text).where(note.c.ext.in_(exts))
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def page_of(
    connection: Connection, *, after: int = 0, state: str = "", limit: int = 50
) -> Sequence[Any]:
    """Notes behind a number, in order; as quick at the end as at the start."""
    number = queue.c.note if state else note.c.id  # whose index leads there
    wanted = (
        select(note.c.id, note.c.ext, note.c.patient, queue.c.state, queue.c.reason)
        .select_from(note.join(queue, queue.c.note == note.c.id, isouter=not state))
        .where(number > after)
        .order_by(number)
        .limit(limit)
    )
    if state:
        wanted = wanted.where(in_state(state))
    return connection.execute(wanted).all()


def in_state(state: str) -> ColumnElement[bool]:
    """The condition that a note of the queue is in a state, or commented."""
    if state != COMMENTED:
        return queue.c.state == state
    return exists().where(comment.c.note == queue.c.note, comment.c.text.is_not(None))
