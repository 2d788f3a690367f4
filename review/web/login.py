"""Logging in and out."""

from __future__ import annotations

import secrets
from concurrent.futures import TimeoutError as Late

from starlette.responses import Response

from review.store import events, people
from review.store.events import Happening
from review.web.site import Ask, DeniedError, address_of, keep_cookie

COOKIE = "labelwright-login"
"""Holds what the login form must carry, before there is a session."""


def show(ask: Ask) -> Response:
    """The login form."""
    if ask.session is not None:
        return ask.go("/")
    return _form(ask, "")


def _form(ask: Ask, said: str, status: int = 200, wait: int = 0) -> Response:
    token = ask.request.cookies.get(COOKIE) or secrets.token_urlsafe(32)
    answer = ask.page("login.html", said=said, login=token, status=status)
    answer.set_cookie(
        COOKIE,
        token,
        secure=ask.site.options.secure,
        httponly=True,
        samesite="strict",
        path="/login",
    )
    if wait:
        answer.headers["retry-after"] = str(wait)
    return answer


def enter(ask: Ask) -> Response:
    """Check a password; a new session begins, whatever the browser had before."""
    site, at = ask.site, ask.site.clock()
    name, password = ask.fields.get("name", "")[:64], ask.fields.get("password", "")
    kept = ask.request.cookies.get(COOKIE, "")
    if not kept or not people.same(kept, ask.fields.get("login", "")):
        return _form(ask, "The form was too old. Please try again.", 403)
    keys = people.attempt_keys(name, address_of(site, ask.request))
    with site.tries.held(site.store, keys, at) as wait:
        if wait > 0:
            return _form(
                ask, "Too many failed logins. Please wait, then try again.", 429, int(wait) + 1
            )
        return _checked(ask, name, password, keys, at)


def _checked(ask: Ask, name: str, password: str, keys: tuple[str, ...], at: float) -> Response:
    """A session where the password is right, else one more failure counted."""
    site = ask.site
    with site.store.reading() as connection:
        who, hashed = people.stored_password(connection, name)
    good = _verified(ask, hashed, password)
    with site.store.writing() as connection:
        if not good or who is None:
            people.failed(connection, keys, at, who)
            return _form(ask, "Name or password is wrong.", 403)
        people.forget(connection, keys[0])
        if ask.session is not None:
            people.end(connection, ask.session.token)
        token = people.begin(connection, who, at)
        events.append(connection, Happening("login", who.id))
    answer = ask.go("/")
    keep_cookie(site, answer, token)
    return answer


def _verified(ask: Ask, hashed: str | None, password: str) -> bool:
    """Check in one of two places, so that a flood of logins cannot take the memory.

    Raises:
        DeniedError: too many wait.
    """
    if not ask.site.places.acquire(blocking=False):
        raise DeniedError(503, "Too many people log in at this moment. Please try again.", wait=5)
    try:
        return ask.site.passwords.submit(people.verify, hashed, password).result(timeout=30)
    except Late:
        raise DeniedError(503, "The server is busy. Please try again.", wait=10) from None
    finally:
        ask.site.places.release()


def leave(ask: Ask) -> Response:
    """End the session."""
    if ask.session is not None:
        with ask.site.store.writing() as connection:
            people.end(connection, ask.session.token)
            events.append(connection, Happening("logout", ask.session.person.id))
    answer = ask.go("/login")
    options = ask.site.options
    answer.delete_cookie(
        options.cookie, path="/", secure=options.secure, httponly=True, samesite="strict"
    )
    return answer
