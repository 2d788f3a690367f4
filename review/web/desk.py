"""The page of a note: proposals and text side by side, and the steps that its script sends."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

from markupsafe import Markup
from starlette.responses import Response

from review.kinds.base import Form
from review.store import comments, notes, work
from review.store.people import DECIDERS
from review.store.steps import Step, apply
from review.store.work import ADJUDICATE, ANNOTATE, Desk
from review.text.lines import Page
from review.web import view
from review.web.site import Ask, DeniedError, rows

_NAME = re.compile(r"[\w-]{8,64}\Z", re.ASCII)
"""Of a step."""
_SOME = 100
"""Items that a step touched; of more the page gets all there are."""


def take(ask: Ask) -> Response:
    """On to the next note of the queue."""
    found = work.take_next(ask.site.store, ask.site.form, ask.who)
    return ask.go("/?empty=1" if found is None else f"/note/{found}")


def take_this(ask: Ask) -> Response:
    """Begin to annotate one note."""
    number = ask.number()
    with ask.site.store.writing() as connection:
        if work.desk(connection, number, ask.who.id) is None:
            work.take(connection, ask.site.form, ask.who, number)
    return ask.go(f"/note/{number}")


def take_disputed(ask: Ask) -> Response:
    """Begin to adjudicate one note."""
    number = ask.number()
    with ask.site.store.writing() as connection:
        work.take_disputed(connection, ask.site.form, ask.who, number)
    return ask.go(f"/adjudicate/{number}")


def show(ask: Ask) -> Response:
    """A note with the person's own work on it, or its text alone."""
    return _show(ask, ANNOTATE)


def show_disputed(ask: Ask) -> Response:
    """A note with what its annotators said, to decide."""
    return _show(ask, ADJUDICATE)


def _show(ask: Ask, role: str) -> Response:
    number, site = ask.number(), ask.site
    with site.store.reading() as connection:
        row = notes.by_id(connection, number)
        if row is None:
            raise DeniedError(404, "there is no such note")
        on = work.desk(connection, number, ask.who.id, role)
        if on is None and role == ADJUDICATE:
            raise DeniedError(404, "you do not adjudicate this note")
        page = site.pages.of(connection, number)
        part = min(max(ask.place("part"), 1), len(page.parts) - 1) - 1
        placed = [] if on is None else work.items_of(connection, on.id)
        place = work.place(connection, number)
        said = comments.on_note(connection, ask.who, number)
    data = None if on is None else view.whole(site.form, page, on, placed, part)
    return ask.page(
        "note.html",
        note=row,
        lines=[line.shown for line in page.lines(part)],
        first=page.parts[part],
        part=part + 1,
        parts=len(page.parts) - 1,
        sections=page.sections(part),
        data=data,
        script=None if data is None else _embedded(data),
        labels=view.labels(site.form),
        mode=site.form.mode,
        place=place,
        role=role,
        comments=rows(said),
        may_comment=ask.who.role != "reader",
        sides=sorted({name for each in placed for name in each.item.by}),
    )


def comment(ask: Ask) -> Response:
    """Say something about the note."""
    number = ask.number()
    with ask.site.store.reading() as connection:
        if notes.by_id(connection, number) is None:
            raise DeniedError(404, "there is no such note")
    comments.add(ask.site.store, ask.who, number, ask.fields.get("text", ""))
    return _back(ask, number)


def take_back(ask: Ask) -> Response:
    """Take an own comment back."""
    return _back(ask, comments.take_back(ask.site.store, ask.who, ask.number()))


def _back(ask: Ask, note: int) -> Response:
    """To the page that the form was on."""
    adjudicates = ask.fields.get("role") == ADJUDICATE and ask.who.role in DECIDERS
    return ask.go(f"/{ADJUDICATE if adjudicates else 'note'}/{note}#comments")


def part(ask: Ask) -> Response:
    """Another part of a long note."""
    number, site = ask.number(), ask.site
    with site.store.reading() as connection:
        if notes.by_id(connection, number) is None:
            raise DeniedError(404, "there is no such note")
        page = site.pages.of(connection, number)
    wanted = ask.place("part")
    if not 1 <= wanted < len(page.parts):
        raise DeniedError(404, "the note has no such part")
    lines = [line.shown for line in page.lines(wanted - 1)]
    return ask.answer(view.part(page, wanted - 1) | {"lines": lines})


def _embedded(data: dict[str, Any]) -> Markup:
    """JSON that no text can leave: ``<`` and the line separators are written as escapes."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for sign, escape in (("<", "\\u003c"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029")):
        text = text.replace(sign, escape)
    return Markup(text)  # noqa: S704


def state(ask: Ask) -> Response:
    """The note's items as they are now, for a page that fell behind."""
    role = ask.query("role") or ANNOTATE
    if role == ADJUDICATE and ask.who.role not in DECIDERS:
        raise DeniedError(403, "your role does not allow this")
    with ask.site.store.reading() as connection:
        on = work.desk(connection, ask.number(), ask.who.id, role)
        if on is None:
            raise DeniedError(404, "this note is not yours to work on")
        token = "" if ask.session is None else ask.session.form
        return ask.answer(_state(ask, connection, on) | {"form": token})


def _state(
    ask: Ask, connection: Any, on: Desk, roots: Collection[int] | None = None
) -> dict[str, Any]:
    """All items of a desk, or those that a step touched."""
    page: Page = ask.site.pages.of(connection, on.note)
    form: Form = ask.site.form
    found = view.state(form, page, on, work.items_of(connection, on.id, roots))
    return found if roots is None else found | {"only": True}


def step(ask: Ask) -> Response:
    """Do one step; answers with the items as they are then, or where to go on."""
    given, site, number = ask.json, ask.site, ask.number()
    role = given.get("role", ANNOTATE)
    name, version = given.get("step"), given.get("version")
    if (
        role not in (ANNOTATE, ADJUDICATE)
        or not isinstance(name, str)
        or not _NAME.match(name)
        or not isinstance(version, int)
    ):
        raise DeniedError(400, "the step is not understood")
    if role == ADJUDICATE and ask.who.role not in DECIDERS:
        raise DeniedError(403, "your role does not allow this")
    made = Step(name, version, str(given.get("op")), given)
    done = apply(site.store, site.form, site.pages, ask.who, (number, role), made)
    answer: dict[str, Any] = {"said": done.said, "made": done.made}
    with site.store.reading() as connection:
        on = work.desk(connection, number, ask.who.id, role)
        if done.note != number:
            page = "adjudicate" if done.role == ADJUDICATE else "note"
            answer["go"] = f"/{page}/{done.note}"
        elif on is not None:
            next_to = on.version == version + 1 and len(done.touched or ()) < _SOME
            answer |= _state(ask, connection, on, done.touched if next_to else None)
            if on.state != work.OPEN:
                answer["go"] = _onward(done.next, role)
    return ask.answer(answer)


def _onward(following: int | None, role: str) -> str:
    if role == ADJUDICATE:
        return "/adjudicate"
    return "/?empty=1" if following is None else f"/note/{following}"
