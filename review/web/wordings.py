"""The page of phrases: one wording at a time, kept or discarded with a key."""

from __future__ import annotations

from starlette.responses import Response

from review.store import phrases
from review.web.site import Ask, DeniedError

VERDICTS = {"keep": phrases.KEPT, "discard": phrases.DISCARDED, "open": phrases.OPEN}


def show(ask: Ask) -> Response:
    """The next phrase."""
    with ask.site.store.reading() as connection:
        row = phrases.following(connection)
        counts = phrases.progress(connection)
        last = phrases.last_decided(connection, ask.who.id)
    return ask.page("phrases.html", phrase=row, counts=counts, last=last)


def decide(ask: Ask) -> Response:
    """A verdict; then the next one."""
    state = VERDICTS.get(ask.fields.get("verdict", ""))
    if state is None:
        raise DeniedError(400, "keep or discard it")
    if not phrases.decide(ask.site.store, ask.who.id, ask.number(), state):
        raise DeniedError(404, "there is no such phrase")
    return ask.go("/phrases")
