"""The parser of the command line: mistakes are answered in one line; numbers that flags take."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable, Sequence
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Like argparse's own, without its screenful of usage before an error, and no shortened flags.

    Its subparsers are of this class too.
    """

    def __init__(self, **options: object) -> None:
        super().__init__(**(options | {"allow_abbrev": False}))  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where to read on; exit with code 2."""
        self.exit(2, f"labelwright: {message}; see {self.prog} --help\n")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """Refuse a value that is none of the choices, and say which one may have been meant."""
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        command = isinstance(action, argparse._SubParsersAction)
        remedy = meant(str(value), known) or f"choose from: {', '.join(known)}"
        if command:
            self.exit(2, f"labelwright: unknown command {str(value)!r}; {remedy}\n")
        raise argparse.ArgumentError(action, f"invalid choice {str(value)!r}; {remedy}")

    def refuse_rest(self, rest: Sequence[str]) -> NoReturn:
        """Say which of the words left over was not understood, and what may have been meant."""
        flags = [word.partition("=")[0] for word in rest if word.startswith("-")]
        if not flags:
            self.error(f"unexpected {' '.join(rest)}; files stand together, before or after flags")
        remedy = meant(flags[0], self._option_string_actions) or f"see {self.prog} --help"
        self.exit(2, f"labelwright: unknown flag {flags[0]}; {remedy}\n")


def meant(word: str, known: Iterable[str]) -> str:
    """``did you mean NAME?``, or nothing where no known name is near.

    >>> meant("lable", ["label", "train"])
    'did you mean label?'
    """
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.7)
    return f"did you mean {near[0]}?" if near else ""


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number of at least 1")
    return int(text)


def share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("must be a number from 0 to 1")
    return value


def seed(text: str) -> int:
    """A whole number that every random generator takes."""
    if not text.isascii() or not text.isdigit() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError("must be a whole number from 0 to 4294967295")
    return int(text)
