"""The commands that pages show, and what the pages say they print."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^(?P<indent> *)```(?P<kind>\w*)\n(?P<body>.*?)^ *```$", re.DOTALL | re.M)
_PROGRAMS = (
    *(".", "accelerate", "cat", "cd", "cp", "curl", "docker", "export", "git", "gunzip"),
    *("labelwright", "llama-server", "make", "mkdir", "mv", "pg_dump", "pip", "printf", "python"),
    *("pytest", "ray", "source", "tensorboard", "vllm"),
)
"""What a line begins with that is to be typed; `NAME=VALUE` before it is a part of it."""


@dataclass(frozen=True)
class Shown:
    """One command of a page.

    Attributes:
        place: page and line.
        line: what is typed, in one line.
        prints: the lines that the page shows as its output; of several commands in one block they
            stand with the last.
    """

    place: str
    line: str
    prints: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        """The words as a shell takes them."""
        return shlex.split(self.line, comments=True)

    @property
    def program(self) -> str:
        """What is called."""
        return next(word for word in self.words if not re.fullmatch(r"[A-Z_]+=.*", word))


def commands(page: Path) -> list[Shown]:
    """All commands of a page, in order; a block that follows commands is their output."""
    found: list[Shown] = []
    text = page.read_text(encoding="utf-8")
    end = 0
    for block in _BLOCK.finditer(text):
        body, near = block["body"], text[end : block.start()].strip() == ""
        row = text.count("\n", 0, block.start("body")) + 1
        end = block.end()
        if block["kind"] not in {"", "bash", "console"}:
            continue
        lines = [re.sub(f"^{block['indent']}", "", line) for line in body.splitlines()]
        typed = list(_typed(lines))
        if typed:
            found += (Shown(f"{page.name}:{row + at}", line) for at, line in typed)
        elif near and found:
            found[-1] = Shown(found[-1].place, found[-1].line, tuple(lines))
    return found


def _typed(lines: list[str]) -> list[tuple[int, str]]:
    """What is typed in a block, by its row; a document that follows a command belongs to it."""
    typed: list[tuple[int, str]] = []
    rows = iter(enumerate(lines))
    for at, line in rows:
        while line.endswith("\\"):
            line = line[:-1] + next(rows)[1].strip()
        line = line.removeprefix("$ ")
        if mark := re.search(r"<<\s*'?(\w+)'?", line):
            while not line.endswith(f"\n{mark[1]}"):
                line += f"\n{next(rows)[1]}"
        first = re.sub(r"^([A-Z_]+=\S* +)+", "", line).split(" ")[0]
        if first.rpartition("/")[2] in _PROGRAMS:
            typed.append((at, line))
    return typed
