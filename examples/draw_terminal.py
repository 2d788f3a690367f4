"""Draw the first minute at a terminal as an animated picture, by typing its commands.

    python examples/draw_terminal.py [--out docs/images/first-minute.svg]

The commands run in a pseudo-terminal of their own, in a temporary folder with the example reports.
What they print is shown as it is, without rates and times, which differ between machines; when
it appears is fixed. The same outputs thus draw the same picture.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from dataclasses import dataclass
from html import escape
from pathlib import Path

EXAMPLES = Path(__file__).parent
COMMANDS = (
    "labelwright label reports.csv --out out/labels",
    "cut -d, -f1,3,11,15 out/labels/labels.csv | head -8",
    "labelwright evidence reports.csv --pred out/labels --out out/evidence.html",
    "labelwright eval --gold labels.csv --patients reports.csv --pred a=out/labels --out out/page",
)
COLUMNS = 100
CHARACTER, LINE, EDGE = 7.83, 19, 16
"""Width of a character and height of a line, in pixels at 13 px; the space around the text."""
TYPED, WAIT, SHOWN, BAR, REST = 0.028, 0.5, 0.12, 1.2, 5.0
"""Seconds: per typed character, before an answer, per line, of a bar, at the end."""


@dataclass(frozen=True)
class Drawn:
    """A line of the picture.

    Attributes:
        text: what it says; ``states`` what stood there before, of a progress bar.
        at: second at which it begins to appear.
        typed: whether it is typed letter by letter.
    """

    text: str
    at: float
    typed: bool = False
    states: tuple[str, ...] = ()


def printed(command: str, folder: Path) -> str:
    """What a terminal of :data:`COLUMNS` gets to see of a command."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, COLUMNS, 0, 0))
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    process = subprocess.Popen(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    said = b""
    while True:
        try:
            block = os.read(ours, 1 << 16)
        except OSError:  # Linux: the other side is closed
            break
        if not block:
            break
        said += block
    os.close(ours)
    if process.wait():
        raise SystemExit(f"{command}: exit code {process.returncode}\n{said.decode()}")
    return said.decode()


def lines(command: str, said: str, at: float) -> list[Drawn]:
    """A command and its answer, from a second on."""
    found = [Drawn(f"$ {command}", at, typed=True)]
    at += TYPED * len(command) + WAIT
    for line in said.replace("\r\n", "\n").removesuffix("\n").split("\n"):
        states = [timeless(state) for state in line.split("\r") if state.strip()]
        if len(states) > 1:  # of a bar the first and the last state are the same everywhere
            found.append(Drawn(states[-1], at, states=tuple(states[:1])))
            at += BAR
            continue
        text = timeless(line)
        for start in range(0, len(text), COLUMNS):
            found.append(Drawn(text[start : start + COLUMNS], at))
        at += SHOWN
    return found


def timeless(line: str) -> str:
    """A line without rates and times."""
    line = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line)
    line = re.sub(r"(\d+/\d+) \[.*\]?$", r"\1", line)
    return re.sub(r"; [\d.,]+ rows/s", "", line).rstrip("\n")


def picture(drawn: list[Drawn], total: float) -> str:
    """The animated picture; who wants no motion, and who prints, sees its last state."""
    width = round(2 * EDGE + COLUMNS * CHARACTER)
    height = 2 * EDGE + LINE * len(drawn) + 6
    css = [
        "text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', "
        "monospace; fill: #d5dae0; white-space: pre; }",
        ".typed { fill: #ffffff; font-weight: 600; }",
        ".state { visibility: hidden; }",
    ]
    body, motion = [], []
    for row, line in enumerate(drawn):
        y = EDGE + LINE * (row + 1)

        def text(said: str, name: str, css: str, y: float = y) -> str:
            length = f' textLength="{len(said) * CHARACTER:.0f}"' if said else ""
            return (
                f'<text id="{name}" class="{css}" x="{EDGE}" y="{y}"{length}>{escape(said)}</text>'
            )

        name, start = f"l{row}", line.at / total
        body.append(text(line.text, name, "typed" if line.typed else "said"))
        if line.typed:
            steps = len(line.text)
            end = (line.at + TYPED * steps) / total
            motion.append(
                f"@keyframes {name} {{ 0%, {start:.2%} {{ clip-path: inset(0 100% 0 0); "
                f"animation-timing-function: steps({steps}); }} {end:.2%}, 100% "
                "{ clip-path: inset(0); } }"
            )
        else:
            begin = (line.at + BAR * len(line.states)) / total
            motion.append(appearing(name, begin, 1.0))
        for number, state in enumerate(line.states):
            label = f"{name}s{number}"
            body.append(text(state, label, "state"))
            first = (line.at + BAR * number) / total
            motion.append(appearing(label, first, first + BAR / total))
            motion.append(f"#{label} {{ animation: {label} {total:.1f}s linear infinite; }}")
        motion.append(f"#{name} {{ animation: {name} {total:.1f}s linear infinite; }}")
    moving = "\n".join(motion)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img">\n'
        f"<title>Four commands at a terminal: reports are labeled, shown with their evidence and "
        "compared with labels made by people</title>\n"
        f"<style>\n{chr(10).join(css)}\n@media screen and (prefers-reduced-motion: no-preference) "
        f"{{\n{moving}\n}}\n</style>\n"
        f'<rect width="{width}" height="{height}" rx="8" fill="#1d232b"/>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def appearing(name: str, start: float, end: float) -> str:
    """Hidden before ``start`` and after ``end``, shares of the whole."""
    after = "" if end >= 1 else f" {end:.2%}, 100% {{ visibility: hidden; }}"
    last = "100%" if end >= 1 else f"{end - 0.0001:.2%}"
    return (
        f"@keyframes {name} {{ 0%, {max(start - 0.0001, 0):.2%} {{ visibility: hidden; }} "
        f"{start:.2%}, {last} {{ visibility: visible; }}{after} }}"
    )


def main() -> int:
    """Type the commands and draw them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/images/first-minute.svg"))
    arguments = parser.parse_args()
    drawn: list[Drawn] = []
    at = 0.3
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("reports.csv", "labels.csv"):
            shutil.copy(EXAMPLES / file, folder)
        for command in COMMANDS:
            drawn += lines(command, printed(command, folder), at)
            at = drawn[-1].at + BAR * len(drawn[-1].states) + 1.2
    arguments.out.write_text(picture(drawn, at + REST), encoding="utf-8")
    print(arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
