"""``labelwright review user``: who may log in, and as what."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from labelwright.commands.review.project import (
    ActionOptions,
    ProjectOptions,
    action_flag,
    opened,
)
from labelwright.errors import ConfigError
from labelwright.options import flag, switch

ROLES = ("admin", "adjudicator", "annotator", "reader")


@dataclass(frozen=True, kw_only=True)
class PersonOptions(ProjectOptions, ActionOptions):
    """Of ``user``."""

    action: str = action_flag("add", "list", "password", "role", "disable", "enable")
    name: str | None = flag("the person's name", place=True, nargs="?")
    role: str | None = flag("what they may do", choices=ROLES, only=("add", "role"))
    password_stdin: bool = switch("read the password from standard input", only=("add", "password"))
    no_password: bool = switch("only a proxy lets this person in", only=("add",))


def change(options: PersonOptions) -> str:
    """Add somebody or change what they may; or list all."""
    from review.store import people, work

    action, name = options.action, options.name
    options.refuse_others(action, f"review user {action}")
    if action == "list":
        with opened(options).reading() as connection:
            return "\n".join(
                f"{each.name}\t{each.role}{chr(9) + 'off' * each.disabled}"
                for each in people.people(connection)
            )
    if not name:
        raise ConfigError("no name is given", remedy=f"labelwright review user {action} DIR NAME")
    if action in ("add", "role") and options.role is None:
        raise ConfigError("no role is given", remedy=f"give --role, one of: {', '.join(ROLES)}")
    store, role = opened(options), str(options.role)
    if action == "add":
        people.add_person(store, name, role, None if options.no_password else _password(options))
    elif action == "password":
        people.set_password(store, name, _password(options))
    elif action == "role":
        people.set_role(store, name, role)
    else:
        people.set_disabled(store, name, action == "disable")
    if action in ("role", "disable", "enable"):
        work.release_unfit(store, name)
    return f"{name}: {action} done"


def _password(options: PersonOptions) -> str:
    if options.password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise ConfigError(
            "a password cannot be asked for without a terminal", remedy="give --password-stdin"
        )
    from getpass import getpass

    first = getpass("Password, 12 characters or more: ")
    if getpass("Again: ") != first:
        raise ConfigError("the two differ", remedy="try again")
    return first
