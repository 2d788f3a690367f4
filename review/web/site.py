"""What every request goes through: its host, its person, its role, its form's token, its size.

A handler is a plain function of an :class:`Ask`; it runs in a thread, with the body read and all
of this checked before. What it may answer to whom stands in the table of routes alone.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from threading import BoundedSemaphore, Lock
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from labelwright.errors import LabelwrightError, OutputError
from review.kinds.base import Form
from review.kinds.forms import form_of
from review.leftovers import UPLOADS
from review.store import events, people
from review.store.events import Happening
from review.store.people import Person, Session
from review.store.steps import ConflictError
from review.store.store import Store
from review.store.texts import Pages
from review.store.work import RefusedError
from review.web.options import ServeOptions
from review.web.uploads import Upload, UploadError, receive

LARGEST = 1 << 20
"""Bytes of a form or step."""
SLOWEST = 30.0
"""Seconds within which a body has to arrive."""
SEARCHES = 4
"""Searches at the same time; further ones are turned away, so that saving is never kept waiting."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # without one browsers send forms with the origin "null"
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
WAITING = 16
"""Logins that may wait for a place to check their password; further ones are turned away."""

log = logging.getLogger(__name__)
Handler = Callable[["Ask"], Response]
Interval = Callable[..., Any]


class DeniedError(Exception):
    """A request that is refused, with its status and what to say."""

    def __init__(self, status: int, said: str, *, wait: int = 0) -> None:
        super().__init__(said)
        self.status, self.said, self.wait = status, said, wait


@dataclass(frozen=True, slots=True)
class Route:
    """One address: who may ask for it and what answers.

    Attributes:
        roles: those that may; empty for everybody, also without a session.
        upload: whether its form bears files; they are only taken in from those who may send them.
    """

    path: str
    method: str
    answer: Handler
    roles: tuple[str, ...]
    upload: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """An agreement that was measured.

    Attributes:
        stand: the last event then.
        rests_until: on the clock that only goes forward, when it may be measured anew.
    """

    stand: tuple[int, str]
    found: Any
    at: str
    rests_until: float


class Site:
    """The project that is served, and what its pages share."""

    def __init__(
        self, store: Store, options: ServeOptions, *, interval: Interval | None = None
    ) -> None:
        self.store, self.options = store, options
        self.form: Form = form_of(store.label_set)
        self.pages = Pages()
        self.interval = interval
        self.measured: Measured | None = None
        self.passwords = ThreadPoolExecutor(2, thread_name_prefix="password")
        self.passwords.submit(people.nobody)  # the first unknown name takes no longer
        self.places = BoundedSemaphore(WAITING)
        self.searches = BoundedSemaphore(SEARCHES)
        self.measuring = Lock()
        self.uploading = asyncio.Lock()
        self.importing = Lock()
        self.tries = people.Tries()
        self.clock = people.clock
        self.templates = Environment(
            loader=PackageLoader("review.web"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        for name in self.templates.list_templates():
            self.templates.get_template(name)  # the first to ask does not wait for it


@dataclass
class Ask:
    """A request that may be answered."""

    site: Site
    request: Request
    body: bytes = b""
    fields: Mapping[str, str] = field(default_factory=dict)
    session: Session | None = None
    upload: Upload | None = None

    @property
    def who(self) -> Person:
        """The person; the table of routes sees to it that there is one."""
        if self.session is None:
            raise DeniedError(401, "please log in")
        return self.session.person

    @cached_property
    def json(self) -> Mapping[str, Any]:
        """The body as a JSON object."""
        try:
            value = json.loads(self.body)
            json.dumps(value, ensure_ascii=False).encode()  # no half of a character
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise DeniedError(400, "the request is not understood")
        return value

    def number(self, name: str = "id") -> int:
        """A number of the address."""
        given = str(self.request.path_params[name])
        if not given.isascii() or not given.isdigit() or len(given) > 12:
            raise DeniedError(404, "there is no such page")
        return int(given)

    def query(self, name: str, longest: int = 200) -> str:
        """A value of the query, cut to a length."""
        given = self.request.query_params.get(name, "")[:longest]
        if "\0" in given:
            raise DeniedError(400, "the request is not understood")
        return given

    def place(self, name: str) -> int:
        """A number of the query to go on behind; 0 where there is none."""
        given = self.query(name)[:12]
        return int(given) if given.isascii() and given.isdigit() else 0

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """A page."""
        made = self.site.templates.get_template(template).render(
            project=self.site.store.label_set.name,
            who=None if self.session is None else self.session.person,
            token="" if self.session is None else self.session.form,
            marks=self.site.form.mode == "marks",
            **values,
        )
        return HTMLResponse(made, status_code=status)

    @staticmethod
    def answer(value: Mapping[str, Any], status: int = 200) -> Response:
        """A JSON answer."""
        return JSONResponse(value, status_code=status)

    @staticmethod
    def go(path: str) -> Response:
        """On to another page, after a form."""
        return RedirectResponse(path, status_code=303)


def endpoint(site: Site, route: Route) -> Callable[[Request], Any]:
    """What the server calls for a route."""

    async def handle(request: Request) -> Response:
        try:
            _check_host(site, request)
            if route.upload:
                answer = await _taken_in(site, route, request)
            else:
                body = b"" if request.method == "GET" else await _body(request)
                sent = _Sent(body, await _fields(request, body))
                answer = await run_in_threadpool(_answered, site, route, request, sent)
        except DeniedError as denied:
            answer = denied_page(site, request, denied)
        except Exception as error:  # noqa: BLE001 - its message may hold text
            log.error("%s %s failed: %s", route.method, route.path, where(error))
            fault = DeniedError(500, "the server could not do this; try again")
            answer = denied_page(site, request, fault)
        return guarded(site, answer)

    return handle


def guarded(site: Site, answer: Response) -> Response:
    """An answer with the headers that all bear."""
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    if site.options.secure:
        answer.headers.setdefault("strict-transport-security", "max-age=31536000")
    return answer


def where(error: BaseException) -> str:
    """What kind of fault it was and in which line, without its message, which may hold text."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    code = None if last is None else last.tb_frame.f_code
    place = "" if last is None or code is None else f" in {code.co_filename}:{last.tb_lineno}"
    return type(error).__name__ + place


@dataclass(frozen=True, slots=True)
class _Sent:
    """What came with a request."""

    body: bytes = b""
    fields: Mapping[str, str] = field(default_factory=dict)
    upload: Upload | None = None


async def _taken_in(site: Site, route: Route, request: Request) -> Response:
    """Answer a form with files: nothing of it is read before it is clear that its sender may."""
    await run_in_threadpool(_admitted, site, route, request)
    _check_origin(site, request)
    if site.uploading.locked():
        raise DeniedError(503, "somebody else sends files at this moment; try again", wait=10)
    async with site.uploading:
        folder = site.store.folder / UPLOADS / secrets.token_hex(8)
        try:
            upload = await receive(request, folder)
            sent = _Sent(fields=upload.fields, upload=upload)
            return await run_in_threadpool(_answered, site, route, request, sent)
        except UploadError as refused:
            raise DeniedError(refused.status, refused.said) from None
        except OSError:
            raise DeniedError(507, "the files cannot be kept: no room, or no permission") from None
        finally:
            await run_in_threadpool(shutil.rmtree, folder, ignore_errors=True)


def _admitted(site: Site, route: Route, request: Request) -> tuple[Session | None, str]:
    """The session of a request that may ask for this, and the token of a new one."""
    session, fresh = _session(site, request)
    if route.roles:
        if session is None:
            raise DeniedError(401, "please log in")
        if session.person.role not in route.roles:
            raise DeniedError(403, "your role does not allow this")
    return session, fresh


def _answered(site: Site, route: Route, request: Request, sent: _Sent) -> Response:
    session, fresh = _admitted(site, route, request)
    if request.method != "GET":
        _check_origin(site, request)
        _check_form(request, session, sent.fields, needed=bool(route.roles))
    ask = Ask(site, request, sent.body, sent.fields, session, sent.upload)
    try:
        answer = route.answer(ask)
    except ConflictError:
        raise DeniedError(409, "this note was changed in another window") from None
    except RefusedError as refused:
        raise DeniedError(422, str(refused)) from None
    except OutputError as error:
        raise DeniedError(503, f"{error.what}; try again", wait=5) from None
    except LabelwrightError as error:
        raise DeniedError(422, error.what + (f"; {error.remedy}" if error.remedy else "")) from None
    if fresh:
        keep_cookie(site, answer, fresh)
    return answer


def keep_cookie(site: Site, answer: Response, token: str) -> None:
    """Give the browser its session."""
    answer.set_cookie(
        site.options.cookie,
        token,
        secure=site.options.secure,
        httponly=True,
        samesite="strict",
        path="/",
    )


def address_of(site: Site, request: Request) -> str:
    """Where a request comes from: what the proxy says, if it comes from the proxy."""
    near = request.client.host if request.client else ""
    if near in site.options.behind_proxy:
        lines = request.headers.getlist("x-forwarded-for") or [""]
        far = lines[-1].rpartition(",")[2].strip()  # what the proxy added, not what it was sent
        try:
            return str(ipaddress.ip_address(far))
        except ValueError:
            return near
    return near


def _session(site: Site, request: Request) -> tuple[Session | None, str]:
    """The session of a request, and the token of one that a proxy's login began."""
    at = site.clock()
    token = request.cookies.get(site.options.cookie, "")
    session = people.resume(site.store, token, at) if token else None
    near = request.client.host if request.client else ""
    header = site.options.login_header
    if not header or near not in site.options.behind_proxy:
        return session, ""
    names = request.headers.getlist(header)
    if len(names) > 1:
        raise DeniedError(400, "the proxy names several people")
    name = names[0] if names else ""
    if session is not None and session.person.name == name:
        return session, ""
    if not name:
        return None, ""
    with site.store.writing() as connection:
        found = people.find_person(connection, name)
        if found is None or found.disabled:
            return None, ""
        token = people.begin(connection, found, at)
        events.append(connection, Happening("login", found.id))
    return people.resume(site.store, token, at), token


def _check_host(site: Site, request: Request) -> None:
    """Answer only to the server's own names.

    Raises:
        DeniedError: the request asks for another host.
    """
    host = request.headers.get("host", "")
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name.casefold() not in site.options.hosts:
        raise DeniedError(400, "this host name is not served here")


def _check_origin(site: Site, request: Request) -> None:
    """Let only the site's own pages send forms.

    Raises:
        DeniedError: the request comes from another site.
    """
    origin, fetched = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    scheme = "https" if site.options.secure else "http"
    if origin is not None and origin != f"{scheme}://{request.headers.get('host', '')}":
        raise DeniedError(403, "the request comes from another site")
    if fetched is not None and fetched not in ("same-origin", "none"):
        raise DeniedError(403, "the request comes from another site")


def _check_form(
    request: Request, session: Session | None, fields: Mapping[str, str], *, needed: bool
) -> None:
    """Let only forms with the session's token through.

    Raises:
        DeniedError: it is another, or there is none.
    """
    if needed and session is not None:
        given = request.headers.get("x-form") or fields.get("form") or ""
        if not people.same(given, session.form):
            raise DeniedError(403, "the form is too old; load the page again")


async def _body(request: Request) -> bytes:
    """The body, up to :data:`LARGEST`.

    Raises:
        DeniedError: it is longer, or takes too long to arrive.
    """
    found = bytearray()
    try:
        async with asyncio.timeout(SLOWEST):
            async for part in request.stream():
                found += part
                if len(found) > LARGEST:
                    raise DeniedError(413, "the request is too large")
    except TimeoutError:
        raise DeniedError(408, "the request took too long to arrive") from None
    return bytes(found)


async def _fields(request: Request, body: bytes) -> Mapping[str, str]:
    """The fields of a form; each once."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/x-www-form-urlencoded" or not body:
        return {}
    from urllib.parse import parse_qsl

    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=500
        )
    except ValueError:
        raise DeniedError(400, "the form is not understood") from None
    if any("\0" in value for _, value in pairs):
        raise DeniedError(400, "the form is not understood")
    return dict(pairs)


def denied_page(site: Site, request: Request, denied: DeniedError) -> Response:
    """A refusal, as JSON for scripts and as a page for people."""
    wants_json = "application/json" in request.headers.get("accept", "")
    if denied.status == 401 and not wants_json and request.method == "GET":
        return RedirectResponse("/login", status_code=303)
    extra = {"retry-after": str(denied.wait)} if denied.wait else None
    if wants_json:
        return JSONResponse({"error": denied.said}, status_code=denied.status, headers=extra)
    page = site.templates.get_template("error.html").render(
        project=site.store.label_set.name, who=None, token="", marks=False, said=denied.said
    )
    return HTMLResponse(page, status_code=denied.status, headers=extra)


def rows(found: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows of a table for a template."""
    return [dict(row._mapping) for row in found]
