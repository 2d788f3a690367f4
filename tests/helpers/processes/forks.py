"""Commands that start as forks of one process, which has imported the heavy packages for them.

Such a command is a process of its own, but its imports take no time: they would take longer than
the training of a tiny model.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

SCRIPT = """
import gc, importlib, json, os, runpy, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
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
    sys.argv = [script, *words]
    runpy.run_path(script, run_name="__main__")
    sys.exit()
"""

COMMAND = "import sys; from labelwright.cli import main; sys.exit(main(sys.argv[1:]))"


class Forks:
    """The process that forks.

    Args:
        modules: what it imports before.
        prefix: words before Python's own.
    """

    def __init__(
        self, *modules: str, cwd: Path, env: Mapping[str, str], prefix: Sequence[str] = ()
    ) -> None:
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-c", SCRIPT, *modules],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def start(
        self,
        script: Path,
        words: Sequence[object],
        *,
        out: Path,
        err: Path,
        env: Mapping[str, str] | None = None,
    ) -> int:
        """Start a Python file with these words and variables; the process's number."""
        for path in (out, err):
            path.write_text("")
        shown = [str(out), str(err)]
        return self._order([str(script), [*map(str, words)], shown, dict(env or {})])

    def wait(self, process: int) -> int:
        """The exit code of a process, negative for a signal."""
        return self._order(process)

    def close(self) -> None:
        """End it."""
        self._process.communicate()

    def _order(self, order: object) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process that forks has ended"
        return line
