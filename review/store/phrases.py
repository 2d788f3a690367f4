"""Silver phrases: what a labeler marked, each wording once, kept or discarded by a person.

Labels that a program gave are right or wrong by their wording more often than by their place: one
verdict on "no evidence of" settles a thousand mentions. The verdicts decide which of a labeler's
mentions are written as silver data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, update

from labelwright.errors import ConfigError
from review.kinds.base import Form, Item
from review.store import events
from review.store.events import Happening
from review.store.store import Store
from review.store.tables import note, phrase, queue, said

OPEN, KEPT, DISCARDED = "open", "kept", "discarded"
_AROUND = 70
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Silver:
    """A note with what a labeler marked in it, after the verdicts; ``None`` where one is open."""

    ext: str
    text: str
    patient: str | None
    items: tuple[Item, ...] | None


def wording(text: str, item: Item) -> str:
    """The words of an item as a phrase: one case, single spaces."""
    covered = " ".join(text[start:end] for start, end in item.spans)
    return " ".join(covered.casefold().split())[:_LONGEST]


def gather(store: Store, form: Form) -> tuple[int, int]:
    """Collect the wordings of the newest predictions; verdicts given before stay.

    Those of the random share are left out: a phrase shows what was proposed.

    Returns:
        How many wordings there are, and how many of them are new.

    Raises:
        ConfigError: the project's labels are no marks in the text.
    """
    if form.mode != "marks":
        raise ConfigError(
            "phrases are for label sets whose labels are marks in the text",
            remedy="review the notes instead",
        )
    counts: dict[tuple[str, str], int] = {}
    context: dict[tuple[str, str], str] = {}
    with store.reading() as connection:
        hidden = _random_share(connection)
        for row, items in _newest(connection):
            for item in () if row.ext in hidden else items:
                key = (item.name, wording(row.text, item))
                counts[key] = counts.get(key, 0) + 1
                if key not in context:
                    start, end = item.spans[0][0], item.spans[-1][1]
                    around = row.text[max(0, start - _AROUND) : end + _AROUND]
                    context[key] = " ".join(around.split())
    with store.writing() as connection:
        known = {(row.label, row.text): row.id for row in connection.execute(select(phrase))}
        for key, found in counts.items():
            if key in known:
                connection.execute(
                    update(phrase).where(phrase.c.id == known[key]).values(found=found)
                )
        fresh = [
            {
                "label": key[0],
                "text": key[1],
                "context": context[key],
                "found": found,
                "state": OPEN,
            }
            for key, found in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
            if key not in known
        ]
        if fresh:
            connection.execute(phrase.insert(), fresh)
        events.append(connection, Happening("phrases gathered", after={"new": len(fresh)}))
    return len(counts), len(fresh)


def _random_share(connection: Connection) -> frozenset[str]:
    """The ids of notes whose proposals stay hidden."""
    rows = connection.scalars(
        select(note.c.ext).join(queue, queue.c.note == note.c.id).where(queue.c.blind)
    )
    return frozenset(rows)


def _newest(connection: Connection) -> Iterator[tuple[Any, list[Item]]]:
    """Notes with what the newest run that read them said."""
    last = select(said.c.note, func.max(said.c.run).label("run")).group_by(said.c.note).subquery()
    rows = connection.execution_options(yield_per=500).execute(
        select(note.c.ext, note.c.text, note.c.patient, said.c.proposals)
        .join(last, last.c.note == note.c.id)
        .join(said, (said.c.note == last.c.note) & (said.c.run == last.c.run))
        .order_by(note.c.ext)
    )
    for row in rows:
        yield row, [Item.from_json(each) for each in json.loads(row.proposals)]


def following(connection: Connection) -> Any:
    """The open phrase that settles most mentions, or ``None``."""
    return connection.execute(
        select(phrase)
        .where(phrase.c.state == OPEN)
        .order_by(phrase.c.found.desc(), phrase.c.id)
        .limit(1)
    ).one_or_none()


def progress(connection: Connection) -> dict[str, int]:
    """Phrases by state."""
    rows = connection.execute(select(phrase.c.state, func.count()).group_by(phrase.c.state))
    return dict(rows.tuples().all())


def decide(store: Store, person: int, number: int, state: str) -> bool:
    """Keep or discard a phrase, or open it again; false where there is none."""
    with store.writing() as connection:
        row = connection.execute(select(phrase).where(phrase.c.id == number)).one_or_none()
        if row is None:
            return False
        connection.execute(
            update(phrase).where(phrase.c.id == number).values(state=state, person=person)
        )
        before, after = {"phrase": number, "state": row.state}, {"state": state}
        events.append(connection, Happening("phrase", person, before=before, after=after))
    return True


def last_decided(connection: Connection, person: int) -> int | None:
    """The phrase that somebody decided last and that is still decided."""
    from review.store.tables import event

    rows = connection.scalars(
        select(event.c.before)
        .where(event.c.person == person, event.c.kind == "phrase")
        .order_by(event.c.id.desc())
        .limit(200)
    )
    for before in rows:
        number = json.loads(before)["phrase"]
        state = connection.scalar(select(phrase.c.state).where(phrase.c.id == number))
        if state in (KEPT, DISCARDED):
            return int(number)
    return None


def silver(connection: Connection) -> Iterator[Silver]:
    """All notes outside the random share that a labeler read, after the verdicts."""
    states = {(row.label, row.text): row.state for row in connection.execute(select(phrase))}
    blind = _random_share(connection)
    for row, items in _newest(connection):
        if row.ext in blind:
            continue
        verdicts = [states.get((each.name, wording(row.text, each)), OPEN) for each in items]
        kept = tuple(i for i, verdict in zip(items, verdicts, strict=True) if verdict == KEPT)
        yield Silver(row.ext, row.text, row.patient, None if OPEN in verdicts else kept)
