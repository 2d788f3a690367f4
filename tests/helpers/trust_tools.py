"""A place for one command: fresh folders, no network, and a record of what it tried.

A ``sitecustomize`` module adds an audit hook to the process and all its Python children. It
writes down every use of a socket but those of the machine's own files, refuses it, and
writes down every file that is opened for writing. Commands start as forks of one process that
has imported the heavy packages, whose import alone takes longer than a tiny training.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

HOOK = """
import os, sys
_log = os.open(os.environ["TRUST_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
_NET = {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
        "socket.gethostbyname", "socket.gethostbyaddr", "socket.bind", "urllib.Request"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
def _hook(event, args):
    if event in _NET:
        address = args[-1] if event in ("socket.connect", "socket.bind") else args
        if isinstance(address, (str, bytes)):
            return  # a socket of the machine's own file system
        os.write(_log, f"net {event} {address!r}\\n".encode())
        raise OSError("the network is cut")
    if event == "open" and isinstance(args[0], str):
        path, mode, flags = args
        if (isinstance(flags, int) and flags & _WRITING) or (mode and set(mode) & set("wax+")):
            os.write(_log, f"write {os.path.abspath(path)}\\n".encode())
sys.addaudithook(_hook)
"""

FORKS = """
import gc, json, os, runpy, sys
import sft.trainer, transformers.generation
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer
gc.freeze()
print("ready", flush=True)
for line in sys.stdin:
    script, words, out, err = json.loads(line)
    child = os.fork()
    if not child:
        for number, path in ((0, os.devnull), (1, out), (2, err)):
            os.dup2(os.open(path, os.O_RDONLY if number == 0 else os.O_RDWR), number)
        sys.argv = [script, *words]
        runpy.run_path(script, run_name="__main__")
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

COMMAND = "import sys; from labelwright.cli import main; sys.exit(main(sys.argv[1:]))"

CRASH = '''
"""Runs the command with one function that breaks off at its n-th call, quoting all it got."""
import importlib, os, sys
from labelwright.cli import main
module, name, nth, how, *words = sys.argv[1:]
place = importlib.import_module(module)
*path, last = name.split(".")
for part in path:
    place = getattr(place, part)
whole, calls = getattr(place, last), 0
def broken(*args, **kwargs):
    global calls
    calls += 1
    if calls >= int(nth):
        if how == "kill":
            os._exit(9)
        raise ValueError(f"cannot handle {args!r} {kwargs!r}")
    return whole(*args, **kwargs)
setattr(place, last, broken)
code = main(words)
assert calls, f"{module}.{name} was never called"
sys.exit(code)
'''


def can_unshare() -> bool:
    """Whether the system gives us a network of our own, in which there is nobody."""
    try:
        return not subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode
    except FileNotFoundError:
        return False


@dataclass(frozen=True)
class Ended:
    """What a command said, tried and opened."""

    code: int
    out: str
    err: str
    net: tuple[str, ...]
    written: tuple[Path, ...]


class Place:
    """Fresh HOME, TMPDIR and working folder; ``run`` and ``crash`` call the command there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cwd, self.home, self.temp = (root / name for name in ("cwd", "home", "tmp"))
        self._hook = root / "hook"
        for folder in (self.cwd, self.home, self.temp, self._hook):
            folder.mkdir(mode=0o700)
        (self._hook / "sitecustomize.py").write_text(HOOK)
        (self._hook / "crash.py").write_text(CRASH)
        (self._hook / "command.py").write_text(COMMAND)
        self._log = self._hook / "log.txt"
        self._cut = ["unshare", "-rn"] if can_unshare() else []
        self._forks: subprocess.Popen[str] | None = None

    def close(self) -> None:
        """End the process whose forks the commands are."""
        if self._forks is not None:
            self._forks.communicate()

    def imports(self) -> Ended:
        """The imports that all commands share."""
        self._log.write_text("")
        line = [*self._cut, sys.executable, "-c", FORKS]
        self._forks = subprocess.Popen(
            line,
            cwd=self.cwd,
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._forks.stdout is not None
        assert self._forks.stdout.readline() == "ready\n"
        return self._ended(0, "", "")

    def run(self, *words: object) -> Ended:
        """``labelwright`` with these words."""
        return self._fork("command.py", words)

    def crash(self, function: str, nth: int, how: str, *words: object) -> Ended:
        """The same, but ``function`` (``module:name``) fails or dies at its n-th call."""
        return self._fork("crash.py", [*function.split(":"), nth, how, *words])

    def _fork(self, script: str, words: Sequence[object]) -> Ended:
        if self._forks is None:
            self.imports()
        assert self._forks is not None
        assert self._forks.stdin is not None
        assert self._forks.stdout is not None
        self._log.write_text("")
        shown = [self._hook / "out.txt", self._hook / "err.txt"]
        for path in shown:
            path.write_text("")
        order = [str(self._hook / script), list(map(str, words)), *map(str, shown)]
        self._forks.stdin.write(json.dumps(order) + "\n")
        self._forks.stdin.flush()
        code = int(self._forks.stdout.readline())
        return self._ended(code, *(path.read_text() for path in shown))

    def python(self, *words: object) -> Ended:
        """Python with these words, in the sealed place."""
        self._log.write_text("")
        done = subprocess.run(
            [*self._cut, sys.executable, *map(str, words)],
            cwd=self.cwd,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        return self._ended(done.returncode, done.stdout, done.stderr)

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.home),
            "TMPDIR": str(self.temp),
            "PYTHONPATH": f"{self._hook}{os.pathsep}{ROOT}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "TRUST_LOG": str(self._log),
        }

    def _ended(self, code: int, out: str, err: str) -> Ended:
        seen = [line.partition(" ")[::2] for line in self._log.read_text().splitlines()]
        return Ended(
            code,
            out,
            err,
            tuple(what for kind, what in seen if kind == "net"),
            tuple(Path(what) for kind, what in seen if kind == "write"),
        )

    def holding(self, word: str) -> set[str]:
        """Files below HOME, TMPDIR and the working folder with ``word`` in any case in them."""
        needles = {word.lower().encode(), word.lower().encode("utf-16-le")}
        return {
            str(path.relative_to(self.root))
            for folder in (self.cwd, self.home, self.temp)
            for path in folder.rglob("*")
            if word.lower() in path.name.lower()
            or (path.is_file() and any(needle in path.read_bytes().lower() for needle in needles))
        }

    def strays(self, ended: Ended) -> list[Path]:
        """Files that were opened for writing outside of the place."""
        devices = {Path("/dev/null"), Path("/dev/tty")}
        return [
            path
            for path in dict.fromkeys(ended.written)
            if not path.is_relative_to(self.root) and path not in devices
        ]


def words(line: str) -> Sequence[str]:
    """The words of a command line without quotes."""
    return line.split()
