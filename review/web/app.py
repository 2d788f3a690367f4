"""The table of routes, and the application made of it.

The stylesheet of the labels: a colour each, as background in the text and as a mark in lists.

The colours are checked: marked text keeps a contrast of 4.5 to its ground, lines one of 3, in the
light page and in the dark one. Labels differ in their line as well, never in colour alone.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Path

from review.kinds.base import Form
from review.store.people import DECIDERS, ROLES
from review.store.store import Store
from review.web import desk, imports, login, measures, pages, search, versions
from review.web.options import ServeOptions
from review.web.site import HEADERS, Ask, DeniedError, Route, Site, denied_page, endpoint, guarded
from review.web.view import HUES

LIGHT = (
    *("#1f6fb2", "#b3541e", "#23795f", "#8d4aa8", "#7a6a10", "#b5305a"),
    *("#2a7d8c", "#5b5fc7", "#4f7a28", "#a0522d", "#6a6f7a", "#99337f"),
)
DARK = (
    *("#7db8ee", "#f0a36b", "#6fd0ae", "#d0a3ea", "#d8c766", "#f28fae"),
    *("#76cfdd", "#a9acf5", "#a5d078", "#e0a380", "#b6bcc8", "#e79bd6"),
)
LINES = ("solid", "dashed", "dotted", "double", "wavy")


def stylesheet(form: Form) -> str:
    """The rules for the hues that the label set needs."""
    count = min(HUES, len(form.label_set.labels))
    parts = [_rules(LIGHT, count)]
    parts.append("@media (prefers-color-scheme: dark) {\n" + _rules(DARK, count) + "}\n")
    return "".join(parts)


def _rules(colours: tuple[str, ...], count: int) -> str:
    found = []
    for hue in range(count):
        colour, line = colours[hue], LINES[(hue // 3) % len(LINES)]
        found.append(
            f"::highlight(hue-{hue}) {{ background-color: {colour}2e; "
            f"text-decoration: underline {line} {colour} 2px; }}\n"
            f"#items li.hue-{hue}, .label.hue-{hue} {{ border-inline-start-color: {colour}; }}\n"
            f"mark.hue-{hue} {{ background-color: {colour}2e; "
            f"text-decoration: underline {line} {colour} 2px; }}\n"
        )
    return "".join(found)


ADMIN = ("admin",)
WORK = ("admin", "adjudicator", "annotator")

STATIC = {
    "site.css": "text/css",
    "note.css": "text/css",
    "note.js": "text/javascript",
    "keys.js": "text/javascript",
    "marks.js": "text/javascript",
    "steps.js": "text/javascript",
    "list.js": "text/javascript",
    "dom.js": "text/javascript",
    "phrases.js": "text/javascript",
    "imports.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


def _healthy(ask: Ask) -> Response:
    with ask.site.store.reading() as connection:
        connection.exec_driver_sql("SELECT 1")
    return ask.answer({"status": "ok"})


ROUTES = (
    Route("/healthz", "GET", _healthy, ()),
    Route("/login", "GET", login.show, ()),
    Route("/login", "POST", login.enter, ()),
    Route("/logout", "POST", login.leave, ROLES),
    Route("/", "GET", pages.home, ROLES),
    Route("/next", "POST", desk.take, WORK),
    Route("/note/{id}", "GET", desk.show, ROLES),
    Route("/note/{id}/part", "GET", desk.part, ROLES),
    Route("/note/{id}/take", "POST", desk.take_this, WORK),
    Route("/note/{id}/state", "GET", desk.state, WORK),
    Route("/note/{id}/steps", "POST", desk.step, WORK),
    Route("/note/{id}/comments", "POST", desk.comment, WORK),
    Route("/comments/{id}/back", "POST", desk.take_back, WORK),
    Route("/note/{id}/history", "GET", pages.history, DECIDERS),
    Route("/notes", "GET", search.show, ROLES),
    Route("/notes/add", "POST", pages.add_note, ADMIN),
    Route("/adjudicate", "GET", pages.disputed, DECIDERS),
    Route("/adjudicate/{id}", "GET", desk.show_disputed, DECIDERS),
    Route("/adjudicate/{id}/take", "POST", desk.take_disputed, DECIDERS),
    Route("/agreement", "GET", measures.show, DECIDERS),
    Route("/phrases", "GET", pages.wordings, WORK),
    Route("/phrases/{id}", "POST", pages.decide_wording, WORK),
    Route("/imports", "GET", imports.show, ADMIN),
    Route("/imports", "POST", imports.begin, ADMIN, upload=True),
    Route("/models", "GET", versions.show, ADMIN),
    Route("/models", "POST", versions.add, ADMIN, upload=True),
    Route("/models/choose", "POST", versions.choose, ADMIN),
    Route("/models/get", "GET", versions.fetch, ADMIN),
    Route("/people", "GET", pages.everyone, ADMIN),
    Route("/people", "POST", pages.add_person, ADMIN),
    Route("/people/change", "POST", pages.change_person, ADMIN),
    Route("/events", "GET", pages.happenings, ADMIN),
)


def make_app(store: Store, options: ServeOptions, **more: Any) -> Starlette:
    """The application that serves a project.

    Args:
        more: what :class:`~review.web.site.Site` takes besides.
    """
    site = Site(store, options, **more)
    found = [Path(r.path, endpoint(site, r), methods=[r.method]) for r in ROUTES]
    for name, kind in STATIC.items():
        body = files("review.web").joinpath("static", name).read_bytes()
        found.append(Path(f"/static/{name}", _fixed(body, kind)))
    colours = stylesheet(site.form).encode()
    found.append(Path("/static/labels.css", _fixed(colours, "text/css")))

    async def not_found(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        said = "there is no such page" if status == 404 else "this cannot be done here"
        return guarded(site, denied_page(site, request, DeniedError(status, said)))

    app = Starlette(routes=found, exception_handlers={HTTPException: not_found})
    app.router.redirect_slashes = False  # it would send to whatever host the request names
    app.state.site = site
    return app


def _fixed(body: bytes, kind: str) -> Callable[[Request], Response]:
    def answer(_request: Request) -> Response:
        headers = HEADERS | {"cache-control": "no-cache"}
        return Response(body, media_type=kind, headers=headers)

    return answer
