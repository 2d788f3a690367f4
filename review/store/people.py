"""People, their passwords and sessions, and what stops guessing.

Passwords are argon2id. A session is a random number in the browser and its SHA-256 here. Failed
logins lock account and address for a growing time; while locked no password is even looked at.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Connection, delete, func, select

from labelwright.errors import ConfigError
from review.store import events
from review.store.events import Happening
from review.store.store import Store, now
from review.store.tables import attempt, person, session

ROLES = ("admin", "adjudicator", "annotator", "reader")
DECIDERS = ("admin", "adjudicator")
"""Roles that may adjudicate."""
IDLE, ABSOLUTE = 30 * 60.0, 12 * 3600.0
"""Seconds after which a session ends: unused, and in any case."""
SHORTEST, LONGEST = 12, 256
"""Characters of a password."""
FREE_TRIES = {"account": 5, "address": 20}
"""Failed logins before the first lock."""
FIRST_LOCK, LONGEST_LOCK, FORGOTTEN = 30.0, 900.0, 24 * 3600.0
"""Seconds: of the first lock (each further one is twice as long), at most, and until failures no
longer count."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z")
FINAL = "final"
"""What counts in the end, where it stands beside people's names."""
_COMMON = ("password", "passwort", "contraseña", "motdepasse", "123456789012", "qwertyuiop")

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may log in."""

    id: int
    name: str
    role: str
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """A person who is logged in; ``form`` is the token that the session's forms carry."""

    person: Person
    form: str
    token: str


def add_person(
    store: Store, name: str, role: str, password: str | None, by: int | None = None
) -> Person:
    """Add somebody.

    Args:
        password: ``None`` for people whom only a proxy lets in.
        by: the admin who does it in the browser; here and below.

    Raises:
        ConfigError: name, role or password cannot be used, or the name is taken.
    """
    check_name(name)
    if role not in ROLES:
        raise ConfigError(f"unknown role {role!r}", remedy=f"choose from: {', '.join(ROLES)}")
    hashed = None if password is None else hash_password(name, password)
    with store.writing() as connection:
        alike = select(person.c.name).where(func.lower(person.c.name) == name.lower())
        if (taken := connection.scalar(alike)) is not None:
            raise ConfigError(f"{taken} exists already", remedy="choose another name")
        made = connection.execute(
            person.insert()
            .values(name=name, role=role, password=hashed, disabled=False, created=now())
            .returning(person.c.id)
        ).scalar_one()
        after = {"person": made, "role": role}
        events.append(connection, Happening("person added", by, after=after))
    return Person(made, name, role)


def set_password(store: Store, name: str, password: str, by: int | None = None) -> None:
    """Give somebody another password; all sessions of theirs end.

    Raises:
        ConfigError: there is nobody of this name, or the password cannot be used.
    """
    hashed = hash_password(name, password)
    _change(store, name, "password changed", by, password=hashed)


def set_role(store: Store, name: str, role: str, by: int | None = None) -> None:
    """Give somebody another role; all sessions of theirs end.

    Raises:
        ConfigError: no such person or role.
    """
    if role not in ROLES:
        raise ConfigError(f"unknown role {role!r}", remedy=f"choose from: {', '.join(ROLES)}")
    _change(store, name, "role changed", by, role=role)


def set_disabled(store: Store, name: str, disabled: bool, by: int | None = None) -> None:
    """Shut somebody out, or let them in again; all sessions of theirs end.

    Raises:
        ConfigError: there is nobody of this name.
    """
    _change(store, name, "disabled" if disabled else "enabled", by, disabled=disabled)


def _change(store: Store, name: str, kind: str, by: int | None, **values: object) -> None:
    with store.writing() as connection:
        found = find_person(connection, name)
        if found is None:
            raise ConfigError(f"there is no {name}", remedy="see labelwright review user list")
        connection.execute(person.update().where(person.c.id == found.id).values(**values))
        connection.execute(delete(session).where(session.c.person == found.id))
        after = {"role": values["role"]} if "role" in values else {}
        events.append(connection, Happening(kind, by, after={"person": found.id} | after))


def find_person(connection: Connection, name: str) -> Person | None:
    """Somebody by name."""
    row = connection.execute(select(person).where(person.c.name == name)).one_or_none()
    return None if row is None else Person(row.id, row.name, row.role, row.disabled)


def people(connection: Connection) -> list[Person]:
    """Everybody, by name."""
    rows = connection.execute(select(person).order_by(person.c.name))
    return [Person(row.id, row.name, row.role, row.disabled) for row in rows]


def check_name(name: str) -> None:
    """Refuse a name that files, pages or headers could stumble over.

    Raises:
        ConfigError: it holds something else than letters, digits and ``._@-``.
    """
    if not _NAME.match(name) or name.lower() == FINAL:
        raise ConfigError(
            f"a name has 1 to 64 letters, digits and ._@-, and is not {FINAL}",
            remedy="choose another name",
        )


# Passwords


def hash_password(name: str, password: str) -> str:
    """The argon2id hash of a new password.

    Raises:
        ConfigError: it is short, long, or easily guessed.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise ConfigError(
            f"a password has {SHORTEST} to {LONGEST} characters",
            remedy="take a longer one, such as four words",
        )
    low = password.casefold()
    known = [*_COMMON, name.casefold()] if len(name) > 2 else _COMMON
    if any(word in low for word in known) or len(set(password)) < 5:
        raise ConfigError(
            "the password holds the name or is easily guessed", remedy="take another one"
        )
    return str(_hasher().hash(password))


def verify(hashed: str | None, password: str) -> bool:
    """Whether a password is right; takes as long where there is no such account."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        good = bool(_hasher().verify(hashed or nobody(), password[: LONGEST + 1]))
    except (VerificationError, InvalidHashError):
        return False
    return good and hashed is not None


@lru_cache(maxsize=1)
def _hasher():  # type: ignore[no-untyped-def]
    from argon2 import PasswordHasher

    return PasswordHasher()


@lru_cache(maxsize=1)
def nobody() -> str:
    """What :func:`verify` compares with where there is no account."""
    return str(_hasher().hash(secrets.token_hex()))


# Logging in


def stored_password(connection: Connection, name: str) -> tuple[Person | None, str | None]:
    """Somebody with their hash; a disabled person has none."""
    row = connection.execute(select(person).where(person.c.name == name)).one_or_none()
    if row is None or row.disabled:
        return None, None
    return Person(row.id, row.name, row.role), row.password


def locked_for(connection: Connection, keys: tuple[str, ...], at: float) -> float:
    """Seconds until the last of these locks opens; 0 where none is locked."""
    until = connection.scalars(select(attempt.c.until).where(attempt.c.key.in_(keys))).all()
    return max([0.0, *(float(each) - at for each in until)])


class Tries:
    """Passwords that are looked at right now, by account and address.

    One that is not answered yet counts as failed, so many at once are no more guesses than one
    after the other.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now: Counter[str] = Counter()

    @contextmanager
    def held(self, store: Store, keys: tuple[str, ...], at: float) -> Iterator[float]:
        """Take a place for one try; gives the seconds to wait where there is none, else 0."""
        with self._lock:
            with store.reading() as connection:
                wait = locked_for(connection, keys, at)
                counts = failures(connection, keys, at)
            full = [
                key
                for key in keys
                if self._now[key]
                and counts.get(key, 0) + self._now[key] >= FREE_TRIES[key.partition(":")[0]]
            ]
            if wait <= 0 and full:
                wait = 1.0
            if wait <= 0:
                self._now.update(keys)
        try:
            yield wait
        finally:
            if wait <= 0:
                with self._lock:
                    self._now.subtract(keys)
                    self._now += Counter()  # forgets zeros


def failures(connection: Connection, keys: tuple[str, ...], at: float) -> dict[str, int]:
    """Failed logins that still count."""
    rows = connection.execute(select(attempt).where(attempt.c.key.in_(keys)))
    return {row.key: row.failed for row in rows if at - row.last <= FORGOTTEN}


def failed(
    connection: Connection, keys: tuple[str, ...], at: float, who: Person | None = None
) -> None:
    """Count a failed login, and lock what has had too many; old failures are swept away.

    A lock is an event. Of an account that there is none of it says no name: people also write
    their passwords there.
    """
    connection.execute(delete(attempt).where(attempt.c.last < at - FORGOTTEN))
    for key in keys:
        row = connection.execute(select(attempt).where(attempt.c.key == key)).one_or_none()
        count = 1 if row is None else row.failed + 1
        over = count - FREE_TRIES[key.partition(":")[0]]
        until = at + min(FIRST_LOCK * 2.0**over, LONGEST_LOCK) if over >= 0 else 0.0
        values = {"failed": count, "last": at, "until": until}
        if row is None:
            connection.execute(attempt.insert().values(key=key, **values))
        else:
            connection.execute(attempt.update().where(attempt.c.key == key).values(**values))
        if until:
            kind, _, whom = key.partition(":")
            after: dict[str, object] = {"failed": count, "seconds": round(until - at)}
            after |= {"address": whom} if kind == "address" else {}
            person_ = who.id if who is not None and kind == "account" else None
            events.append(connection, Happening(f"{kind} locked", person_, after=after))


def forget(connection: Connection, key: str) -> None:
    """Forget the failed logins of an account that somebody got into."""
    connection.execute(delete(attempt).where(attempt.c.key == key))


def attempt_keys(name: str, address: str) -> tuple[str, str]:
    """What is counted for a login: the account, known or not, and the address.

    Of IPv6 it is the network of 64 bits, since one machine has all addresses of it.
    """
    account = hashlib.sha256(name.encode()).hexdigest()
    return (f"account:{account}", f"address:{_network(address)[:64]}")


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((found, 64), strict=False))


# Sessions


def begin(connection: Connection, who: Person, at: float) -> str:
    """A new session; returns what the browser keeps. Ended ones are swept away."""
    token = secrets.token_urlsafe(32)
    connection.execute(
        delete(session).where((session.c.seen < at - IDLE) | (session.c.created < at - ABSOLUTE))
    )
    connection.execute(
        session.insert().values(
            token=_digest(token),
            person=who.id,
            form=secrets.token_urlsafe(32),
            created=at,
            seen=at,
        )
    )
    return token


def resume(store: Store, token: str, at: float) -> Session | None:
    """The session of a token, if it has not ended; its use is noted once a minute."""
    with store.reading() as connection:
        row = connection.execute(
            select(session, person.c.name, person.c.role, person.c.disabled)
            .join(person, person.c.id == session.c.person)
            .where(session.c.token == _digest(token))
        ).one_or_none()
    if row is None or row.disabled or at - row.seen > IDLE or at - row.created > ABSOLUTE:
        return None
    if at - row.seen > 60:
        with store.writing() as connection:
            connection.execute(session.update().where(session.c.token == row.token).values(seen=at))
    return Session(Person(row.person, row.name, row.role), row.form, row.token)


def end(connection: Connection, token_digest: str) -> None:
    """End a session."""
    connection.execute(delete(session).where(session.c.token == token_digest))


def same(one: str, other: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


clock: Clock = time.time
