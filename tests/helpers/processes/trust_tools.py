"""A place for one command: fresh folders, no network, and a record of what it tried.

A ``sitecustomize`` module adds an audit hook to the process and all its Python children. It
writes down every use of a socket but those of the machine's own files, refuses it, and
writes down every file that is opened for writing. Commands start as forks of one process that
has imported the heavy packages, whose import alone takes longer than a tiny training.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from processes.forks import COMMAND, Forks

ROOT = Path(__file__).parents[3]

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

MODULES = (
    "sft.trainer",
    "transformers.trainer",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
)

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
        self._log = self._hook / "log.txt"
        self._cut = ["unshare", "-rn"] if can_unshare() else []
        self._forks: Forks | None = None

    def close(self) -> None:
        """End the process whose forks the commands are."""
        if self._forks is not None:
            self._forks.close()

    def imports(self) -> Ended:
        """The imports that all commands share."""
        self._log.write_text("")
        self._forks = Forks(
            *MODULES,
            place=self._hook,
            cwd=self.cwd,
            env=self._environment(),
            prefix=self._cut,
        )
        return self._ended(0, "", "")

    def run(self, *words: object) -> Ended:
        """``labelwright`` with these words."""
        return self._fork(COMMAND, words)

    def crash(self, function: str, nth: int, how: str, *words: object) -> Ended:
        """The same, but ``function`` (``module:name``) fails or dies at its n-th call."""
        return self._fork(CRASH, [*function.split(":"), nth, how, *words])

    def _fork(self, script: str, words: Sequence[object]) -> Ended:
        if self._forks is None:
            self.imports()
        assert self._forks is not None
        self._log.write_text("")
        return self._ended(*self._forks.run(*words, script=script))

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
