"""Lists of notes, and search: by id, by words, by state, by regular expression.

Patterns run in RE2, whose time grows with the text alone; a search ends after a second with what it
found, and says from where to go on.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select
from starlette.responses import Response

from review.store import notes, trigrams
from review.store.tables import note, queue
from review.web.pages import STATES
from review.web.site import Ask, DeniedError, rows

FOUND, SECONDS = 50, 0.9
_PART = 500
_AROUND = 60


@dataclass(frozen=True, slots=True)
class Hit:
    """A note that was found: the match with what stands around it."""

    id: int
    ext: str
    state: str
    before: str
    match: str
    after: str


def show(ask: Ask) -> Response:
    """The list, or what a search found."""
    words, pattern, state = ask.query("q"), ask.query("regex"), ask.query("state")
    start = ask.place("after")
    if state and state not in (*STATES, notes.COMMENTED):
        raise DeniedError(400, "there is no such state")
    hits: list[Hit] = []
    listed: Sequence[dict[str, Any]] = []
    cut, onward = False, 0
    with ask.site.store.reading() as connection:
        exact = _exact(connection, words) if words and not start else None
        if words or pattern:
            compiled = _compiled(pattern, words)
            pieces = trigrams.needed([pattern, *words.split()])
            if not ask.site.searches.acquire(blocking=False):
                raise DeniedError(503, "too many people search at this moment; try again", wait=2)
            try:
                hits, onward, cut = _scan(connection, compiled, state, start, pieces)
            finally:
                ask.site.searches.release()
        else:
            listed = rows(notes.page_of(connection, after=start, state=state))
            onward = listed[-1]["id"] if len(listed) == FOUND else 0
    return ask.page(
        "notes.html",
        q=words,
        regex=pattern,
        state=state,
        states=(*STATES, notes.COMMENTED),
        exact=exact,
        hits=hits,
        listed=listed,
        cut=cut,
        onward=onward,
        searched=bool(words or pattern),
    )


def _exact(connection: Connection, words: str) -> Any:
    return connection.execute(
        select(note.c.id, note.c.ext).where(note.c.ext == words)
    ).one_or_none()


def _compiled(pattern: str, words: str) -> list[Any]:
    """What all has to be found in a note.

    Raises:
        DeniedError: RE2 does not know the pattern, such as one that looks back.
    """
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = 16 << 20
    options.case_sensitive = False
    wanted = [pattern] if pattern else []
    wanted += [re2.escape(word) for word in words.split()]
    try:
        return [re2.compile(each, options) for each in wanted]
    except re2.error as error:
        reason = error.args[0] if error.args else b""
        said = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise DeniedError(400, f"the pattern cannot be used: {said[:100]}") from None


def _scan(
    connection: Connection,
    compiled: Sequence[Any],
    state: str,
    start: int,
    pieces: Sequence[str],
) -> tuple[list[Hit], int, bool]:
    """The first notes behind ``start`` in which all patterns are found.

    Returns:
        The hits; the number of the note to go on behind, 0 at the end; whether time ran out.
    """
    until = time.monotonic() + SECONDS
    found: list[Hit] = []
    wanted = (
        select(note.c.id, note.c.ext, note.c.text, queue.c.state)
        .join(queue, queue.c.note == note.c.id, isouter=not state)
        .where(note.c.id > start)
        .order_by(note.c.id)
    )
    if state:
        wanted = wanted.where(notes.in_state(state))
    if pieces and trigrams.exists(connection):
        wanted = wanted.where(trigrams.holding(connection, pieces))
    streamed = connection.execution_options(yield_per=_PART).execute(wanted)
    for row in streamed:
        matches = [each.search(row.text) for each in compiled]
        if all(matches):
            found.append(_hit(row, matches[0].span()))
            if len(found) == FOUND:
                return found, row.id, False
        if time.monotonic() > until:
            return found, row.id, True
    return found, 0, False


def _hit(row: Any, span: tuple[int, int]) -> Hit:
    start, end = span
    return Hit(
        row.id,
        row.ext,
        row.state or "",
        row.text[max(0, start - _AROUND) : start],
        row.text[start : min(end, start + 2 * _AROUND)],
        row.text[end : end + _AROUND],
    )
