"""The parser of the command line: mistakes are answered in one line; numbers that flags take."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from labelwright.options import Options

MISSING = "the following arguments are required: "
"""How argparse begins what it says of flags that are not there."""
HELP_ALL = "--help-all"


class Parser(argparse.ArgumentParser):
    """Like argparse's own, without its screenful of usage before an error, and no shortened flags.

    Its subparsers are of this class too.
    """

    usual: Sequence[str] = ()
    """The flags that ``--help`` shows; all where there are none."""

    def __init__(self, **options: object) -> None:
        super().__init__(**(options | {"allow_abbrev": False}))  # type: ignore[arg-type]
        self._words: Sequence[str] = ()

    def show_usual(self, usual: Sequence[str] = ()) -> None:
        """Let ``--help`` show these flags and places alone; ``--help-all`` shows all.

        Where ``--help`` shows all, so does ``--help-all``, unless the command has one of its own.
        """
        self.usual = usual
        if HELP_ALL not in self._option_string_actions:
            said = "show every flag of this command" if usual else argparse.SUPPRESS
            self.add_argument(HELP_ALL, action=_HelpAll, nargs=0, help=said)

    def format_usage(self) -> str:
        """Without the flags that the help leaves out."""
        with self._unusual_hidden():
            return super().format_usage()

    def format_help(self) -> str:
        """The help; the usual flags, and how many there are besides."""
        with self._unusual_hidden() as hidden:
            text = super().format_help()
        more = f"\n{hidden} more flags: {self.prog} {HELP_ALL}\n" if hidden else ""
        return text + more

    @contextmanager
    def _unusual_hidden(self) -> Iterator[int]:
        shown = {*self.usual, "--help", HELP_ALL}
        unusual = [
            action
            for action in self._actions
            if self.usual and not shown & {*action.option_strings, action.dest}
        ]
        before = [action.help for action in unusual]
        empty = [g for g in self._action_groups if {*g._group_actions} <= {*unusual}]
        texts = [group.description for group in empty]
        for action in unusual:
            action.help = argparse.SUPPRESS
        for group in empty:
            group.description = None
        try:
            yield len(unusual)
        finally:
            for action, text in zip(unusual, before, strict=True):
                action.help = text
            for group, said in zip(empty, texts, strict=True):
                group.description = said

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse does; the words are kept for :meth:`error`."""
        self._words = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where to read on; exit with code 2.

        A flag that is said to be missing may be there, mistyped: then this is what is wrong.
        """
        if message.startswith(MISSING):
            required = message.removeprefix(MISSING).split(", ")
            for word in self._words:
                flag = word.partition("=")[0]
                if flag.startswith("-") and flag not in self._option_string_actions:
                    known = [name for name in required if name.startswith("-")]
                    if remedy := meant(flag, known):
                        self.exit(2, f"labelwright: unknown flag {flag}; {remedy}\n")
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


class _HelpAll(argparse.Action):
    """Shows every flag and stops."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        if isinstance(parser, Parser):
            parser.usual = ()
        parser.print_help()
        parser.exit()


@dataclass(frozen=True)
class Verb:
    """What one verb of a command takes and does; what it returns is said at the end."""

    help: str
    options: type[Options]
    do: Callable[[Any], str]


def add_verbs(
    parser: argparse.ArgumentParser, verbs: Mapping[str, Verb]
) -> Mapping[str, argparse.ArgumentParser]:
    """Let the command have these verbs; their parsers by name."""
    made = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, verb in verbs.items():
        verb.options.add_flags(made.add_parser(name, help=verb.help))
    return made.choices


def verbs_of(parser: argparse.ArgumentParser) -> Iterator[Parser]:
    """The parsers of a command's verbs and of theirs, if it has any."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                yield verb
                yield from verbs_of(verb)


def meant(word: str, known: Iterable[str]) -> str:
    """``did you mean NAME?``, or nothing where no known name is near.

    >>> meant("lable", ["label", "train"])
    'did you mean label?'
    """
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.7)
    return f"did you mean {near[0]}?" if near else ""
