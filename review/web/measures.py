"""How far people agree, and how good labelers are on the random share."""

from __future__ import annotations

from time import monotonic
from typing import Any

from sqlalchemy import Connection, select
from starlette.responses import Response

from review.agreement import agreement, random_share
from review.store import events
from review.store.people import FINAL
from review.store.store import now
from review.store.tables import rounds
from review.web.site import Ask, DeniedError, Measured, Site, rows

_REST = 10
"""Times as long as the measuring took it is not done anew, so that nobody who works is slowed."""


def _measured(site: Site, connection: Connection) -> tuple[Any, str]:
    """The agreement as it is now or was a moment ago, and when that was.

    Raises:
        DeniedError: somebody else has it measured at this moment, for the first time.
    """
    stand, last = events.head(connection), site.measured
    if last is not None and (last.stand == stand or monotonic() < last.rests_until):
        return last.found, last.at
    if not site.measuring.acquire(blocking=False):
        if last is None:
            raise DeniedError(503, "the agreement is being measured; look again soon", wait=10)
        return last.found, last.at
    try:
        begun = monotonic()
        found = agreement(connection, site.form, site.interval)
        took = monotonic() - begun
        made = Measured(stand, found, now()[:19], monotonic() + _REST * took)
        site.measured = made
    finally:
        site.measuring.release()
    return made.found, made.at


def show(ask: Ask) -> Response:
    """Agreement of annotators, and scores of labelers over the rounds."""
    site = ask.site
    with site.store.reading() as connection:
        found, at = _measured(site, connection)
        done, whole = random_share(connection)
        told = rows(connection.execute(select(rounds).order_by(rounds.c.number)).all())
    people: dict[tuple[str, str], list[Any]] = {}
    labelers: dict[str, list[Any]] = {}
    for row in found.rows:
        if row.other == FINAL:
            labelers.setdefault(row.one, []).append(row)
        else:
            people.setdefault((row.one, row.other), []).append(row)
    return ask.page(
        "agreement.html",
        people=people,
        labelers=labelers,
        apart=found.apart[:200],
        at=at,
        done=done,
        whole=whole,
        rounds=told,
    )
