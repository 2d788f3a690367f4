"""Commands that start as forks of one process, which has imported the heavy packages for them.

Such a command is a process of its own, but its imports take no time: they would take longer than
the training of a tiny model.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = """
import gc, importlib, json, os, sys
for name in sys.argv[2:]:
    importlib.import_module(name)
exec(sys.argv[1])
gc.freeze()
print(flush=True)
for line in sys.stdin:
    order = json.loads(line)
    if isinstance(order, int):
        print(os.waitstatus_to_exitcode(os.waitpid(order, 0)[1]), flush=True)
        continue
    script, words, shown, more = order
    child = os.fork()
    if child:
        print(child, flush=True)
        continue
    for number, path in enumerate((os.devnull, *shown)):
        os.dup2(os.open(path, os.O_RDWR | os.O_APPEND), number)
    os.environ.update(more)
    sys.argv = ["command", *words]
    exec(compile(script, "command", "exec"), {"__name__": "__main__"})
    sys.exit()
"""

COMMAND = "import sys; from labelwright.cli import main; sys.exit(main(sys.argv[1:]))"


@dataclass(frozen=True)
class Fork:
    """A command at work or ended."""

    parent: Forks
    process: int
    shown: tuple[Path, Path]

    @property
    def out(self) -> str:
        """What it has written to standard output."""
        return self.shown[0].read_text()

    @property
    def err(self) -> str:
        """What it has written to standard error."""
        return self.shown[1].read_text()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process, number)

    def wait(self) -> int:
        """Its exit code, once it has ended; negative for a signal."""
        return self.parent.order(self.process)


class Forks:
    """The process that forks.

    Args:
        modules: what it imports before.
        place: a folder for what the commands say.
        before: Python that it runs before, as what every command would do again.
        prefix: words before Python's own.
    """

    def __init__(
        self,
        *modules: str,
        place: Path,
        cwd: Path,
        env: Mapping[str, str],
        before: str = "",
        prefix: Sequence[str] = (),
    ) -> None:
        self._place, self._started = place, 0
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-c", SCRIPT, before, *modules],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def start(
        self, *words: object, script: str = COMMAND, env: Mapping[str, str] | None = None
    ) -> Fork:
        """Start ``labelwright``, or another script, with these words and variables."""
        self._started += 1
        shown = (self._place / f"{self._started}.out", self._place / f"{self._started}.err")
        for path in shown:
            path.touch()
        said = [script, [*map(str, words)], [*map(str, shown)], dict(env or {})]
        return Fork(self, self.order(said), shown)

    def run(self, *words: object, script: str = COMMAND) -> tuple[int, str, str]:
        """The same to its end: exit code, output, errors."""
        started = self.start(*words, script=script)
        return started.wait(), started.out, started.err

    def close(self) -> None:
        """End it."""
        self._process.communicate()

    def order(self, order: object) -> int:
        """What it answers to an order."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process that forks has ended"
        return line
