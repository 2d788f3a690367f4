"""``labelwright completion``: a script that completes commands and flags in a shell.

The script is made from the parsers and holds all it needs, so that Tab starts no Python.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

SHELLS = ("bash", "zsh", "fish")
ZSH = "#compdef labelwright\nautoload -U +X bashcompinit && bashcompinit\n"
_WRITTEN = re.compile(r"(?<![\w-])--[a-z][\w-]*")


@dataclass
class Words:
    """What may follow a command: flags with the values that they choose from, and first words.

    Attributes:
        flags: ``None`` for a flag that takes any value or none.
        verbs: words that stand right behind the command.
        help: of the command.
    """

    flags: dict[str, tuple[str, ...] | None] = field(default_factory=dict)
    verbs: tuple[str, ...] = ()
    help: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that is to complete")


def run(arguments: argparse.Namespace) -> int:
    """Write the script of ``arguments.top``, the whole command line, to the output."""
    sys.stdout.write(script(arguments.shell, words_of(arguments.top)))
    return 0


def words_of(top: argparse.ArgumentParser) -> dict[str, Words]:
    """The words of every command, by its name."""
    found: dict[str, Words] = {}
    for action in top._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        helps = {choice.dest: str(choice.help or "") for choice in action._choices_actions}
        for name, sub in action.choices.items():
            found[name] = _words(sub, helps.get(name, ""))
    return found


def _words(parser: argparse.ArgumentParser, said: str) -> Words:
    words = Words(help=said)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            words.verbs = tuple(action.choices)
            for sub in action.choices.values():
                words.flags |= _words(sub, "").flags
            continue
        chosen = None if action.choices is None else tuple(map(str, action.choices))
        if not action.option_strings and chosen:
            words.verbs = chosen
        for flag in action.option_strings:
            if flag.startswith("--"):
                words.flags[flag] = chosen
    for flag in _WRITTEN.findall(parser.epilog or ""):  # flags that the command passes on
        words.flags.setdefault(flag, None)
    return words


def script(shell: str, commands: Mapping[str, Words]) -> str:
    """The script for one shell."""
    makers: dict[str, Callable[[Mapping[str, Words]], str]] = {
        "bash": _bash,
        "zsh": lambda c: (
            f"#compdef labelwright\nautoload -U +X bashcompinit && bashcompinit\n{_bash(c)}"
        ),
        "fish": _fish,
    }
    return makers[shell](commands)


def _bash(commands: Mapping[str, Words]) -> str:
    plain = [name for name in commands if " " not in name]
    lines = [
        "# labelwright completion bash > ~/.local/share/bash-completion/completions/labelwright",
        "_labelwright() {",
        '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"',
        '  local command="${COMP_WORDS[1]}" second="${COMP_WORDS[2]}" flags="" verbs="" values=""',
        '  if [ "$COMP_CWORD" -eq 1 ]; then',
        f'    COMPREPLY=($(compgen -W "{" ".join(plain)} --help --version" -- "$word"))',
        "    return",
        "  fi",
        '  case "$command $second" in',
        *(
            line
            for name, words in commands.items()
            if " " in name
            for line in _bash_case(f'"{name}")', words)
        ),
        '  *) case "$command" in',
        *(
            line
            for name, words in commands.items()
            if " " not in name
            for line in _bash_case(f"{name})", words)
        ),
        "  esac ;;",
        "  esac",
        '  if [ -n "$values" ]; then COMPREPLY=($(compgen -W "$values" -- "$word"))',
        '  elif [ "${word#-}" != "$word" ]; then COMPREPLY=($(compgen -W "$flags" -- "$word"))',
        '  elif [ "$COMP_CWORD" -eq 2 ] && [ -n "$verbs" ]; then',
        '    COMPREPLY=($(compgen -W "$verbs" -- "$word"))',
        '  else COMPREPLY=($(compgen -f -- "$word")); fi',
        "}",
        "complete -o filenames -F _labelwright labelwright",
    ]
    return "\n".join(lines) + "\n"


def _bash_case(pattern: str, words: Words) -> list[str]:
    chosen = {flag: values for flag, values in words.flags.items() if values}
    lines = [f"  {pattern}", f'    flags="{" ".join(words.flags)}" verbs="{" ".join(words.verbs)}"']
    if chosen:
        lines.append('    case "$before" in')
        lines += [f'    {flag}) values="{" ".join(values)}" ;;' for flag, values in chosen.items()]
        lines.append("    esac")
    return [*lines, "    ;;"]


def _fish(commands: Mapping[str, Words]) -> str:
    lines = [
        "# labelwright completion fish > ~/.config/fish/completions/labelwright.fish",
        "complete -c labelwright -n __fish_use_subcommand -l help",
        "complete -c labelwright -n __fish_use_subcommand -l version",
    ]
    for name, words in commands.items():
        first, _, second = name.partition(" ")
        when = f"__fish_seen_subcommand_from {first}"
        if second:
            when += f"; and __fish_seen_subcommand_from {second}"
        else:
            said = words.help.replace("'", "")
            lines.append(
                f"complete -c labelwright -f -n __fish_use_subcommand -a {first} -d '{said}'"
            )
        if words.verbs:
            lines.append(f"complete -c labelwright -n '{when}' -a '{' '.join(words.verbs)}'")
        for flag, values in words.flags.items():
            more = f" -x -a '{' '.join(values)}'" if values else ""
            lines.append(f"complete -c labelwright -n '{when}' -l {flag[2:]}{more}")
    return "\n".join(lines) + "\n"
