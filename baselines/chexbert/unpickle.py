"""Reads the weights out of a ``.pth`` file; run as a program of its own, never imported.

    python -I -B unpickle.py FILE.pth OUT.safetensors

A pickle can ask for anything while it is read. Here torch's weights-only reader takes it apart,
which builds tensors and plain containers and refuses all else; the process has no network, may
start no other program, may write no file but its result, and has a limit of memory and time.
The exit code says what happened; nothing that the file says is printed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import sys
from pathlib import Path
from typing import Any

REFUSED, NO_WEIGHTS, DAMAGED = 3, 4, 5
SECONDS = 600
SPARE_BYTES = 8 << 30
NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000
"""Flags of Linux's ``unshare``: a network namespace of its own has no network in it."""
FORBIDDEN = (
    "socket.",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "pty.",
    "ctypes.dlopen",
    "urllib.",
    "ftplib.",
    "smtplib.",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.chmod",
    "os.chown",
    "os.link",
    "os.symlink",
    "shutil.",
)
"""Python's audit events that end the process."""


def main(source: Path, target: Path) -> int:
    """Write the state dictionary in ``source`` to ``target``; return the exit code."""
    _leave_network()  # the kernel allows it only before torch has started its threads
    import torch
    from safetensors.torch import save_file

    _limit(source.stat().st_size)
    _watch(target)
    try:
        found: Any = torch.load(source, map_location="cpu", weights_only=True)
    except MemoryError:
        return DAMAGED
    except Exception as error:  # noqa: BLE001 (the kind decides, the message is not shown)
        return REFUSED if type(error).__name__ == "UnpicklingError" else DAMAGED
    if isinstance(found, dict) and isinstance(found.get("model_state_dict"), dict):
        found = found["model_state_dict"]
    if not isinstance(found, dict) or not found:
        return NO_WEIGHTS
    weights = {}
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            return NO_WEIGHTS
        weights[name.removeprefix("module.")] = value.detach().clone().contiguous()
    save_file(weights, target)
    return 0


def _limit(size: int) -> None:
    for what, most in (
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_FSIZE, 2 * size + (1 << 20)),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, 6 * size + SPARE_BYTES),
    ):
        _, hard = resource.getrlimit(what)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))


def _leave_network() -> None:
    """Move into a namespace without network where the kernel has and allows that."""
    with contextlib.suppress(OSError, AttributeError):
        kernel = ctypes.CDLL(None)
        if kernel.unshare(NEW_NETWORK) != 0:
            kernel.unshare(NEW_USER | NEW_NETWORK)


def _watch(target: Path) -> None:
    """From here on, opening a socket, starting a program or writing another file is the end."""
    allowed = {str(target), str(target.resolve())}

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and _writes(arguments) and str(arguments[0]) not in allowed
        if writes or event.startswith(FORBIDDEN):
            os._exit(REFUSED)

    sys.addaudithook(watch)


def _writes(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    by_mode = isinstance(mode, str) and any(letter in mode for letter in "wax+")
    return by_mode or bool(
        isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
