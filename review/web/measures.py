"""How far people agree, and how good labelers are on the random share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from starlette.responses import Response

from review.agreement import FINAL, agreement, random_share
from review.store import events
from review.store.tables import rounds, run
from review.web.site import Ask, rows


def show(ask: Ask) -> Response:
    """Agreement of annotators, and scores of labelers over the rounds."""
    site = ask.site
    with site.measuring, site.store.reading() as connection:
        stand = events.head(connection)
        if site.measured is None or site.measured[0] != stand:
            site.measured = (stand, agreement(connection, site.form, site.interval))
        found = site.measured[1]
        done, whole = random_share(connection)
        runs = connection.execute(select(run).order_by(run.c.id)).all()
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
        done=done,
        whole=whole,
        runs=rows(runs),
        rounds=told,
    )
