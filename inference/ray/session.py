"""The Ray that workers run in: one of our own, private and gone after the run, or a cluster.

A Ray of our own listens on this machine's ports, where any user could give it work; it answers
only to a token made for this run. Its sockets, logs and spilled objects stand in a folder that
nobody else may open, removed at the end. Usage statistics, dashboard and the forwarding of the
workers' output are off.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from labelwright.errors import ConfigError, MissingExtraError

PREFIX = "lw-ray-"
STORE_BYTES = 2**28
"""Shared memory for rows on their way (two shards per worker); Ray spills what is beyond."""
LONGEST_PLACE = 16
"""A socket's path may have 107 bytes; Ray's own part and ours take some 90."""


@contextmanager
def session(address: str | None, *, workers: int) -> Iterator[Any]:
    """Connect to the cluster at ``address``, or start a Ray of our own if there is none.

    Args:
        address: ``auto`` (the cluster that this machine belongs to) or ``host:port``.
        workers: processes to come; a Ray of our own gives a CPU to each, real or not.

    Yields:
        The package ``ray``, connected.

    Raises:
        MissingExtraError: Ray is not installed.
        ConfigError: no cluster answers, or it does not let us in.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_DEDUP_LOGS_SKIP_REGEX"] = "."  # what it would print of dead workers; we say it
    if address is not None and address.startswith("ray://"):
        raise ConfigError(
            "Ray's client protocol (ray://) is not supported",
            remedy="run the command on a machine of the cluster with --ray-address auto",
        )
    if address is None:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray as untyped
    except ImportError:
        raise MissingExtraError("ray", "labeling with --ray-actors", "ray") from None
    ray: Any = untyped
    with ExitStack() as stack:
        stack.callback(ray.shutdown)
        if address is not None:
            _join(ray, address)
        else:
            place = stack.enter_context(_place())
            stack.callback(ray.shutdown)  # before its folder is removed
            _init(
                ray,
                address="local",  # else RAY_ADDRESS would send the reports elsewhere
                num_cpus=max(workers, os.cpu_count() or 1),
                include_dashboard=False,
                object_store_memory=STORE_BYTES,
                _temp_dir=str(place),
            )
        yield ray


def _join(ray: Any, address: str) -> None:
    try:
        _init(ray, address=address)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise ConfigError(
            f"no Ray cluster lets us in at {address} ({type(error).__name__})",
            remedy="run the command on a machine of the cluster with --ray-address auto, with "
            "the Ray version and the token (RAY_AUTH_MODE, RAY_AUTH_TOKEN) of the cluster",
        ) from error


def _init(ray: Any, **settings: Any) -> None:
    """Start quietly; Ray's own handler of SIGTERM would end the run without a word."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(log_to_driver=False, configure_logging=False, **settings)
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _place() -> Iterator[Path]:
    """A private folder for Ray's files; those of killed runs are removed first."""
    base = Path(tempfile.gettempdir())
    if len(os.fsencode(base)) > LONGEST_PLACE:
        base = Path("/tmp")  # noqa: S108 - the folder made in it is private
    for left in base.glob(f"{PREFIX}*"):
        pid = left.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdecimal() and left.stat().st_uid == os.getuid() and not _alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    place = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=base))
    try:
        yield place / "r"  # Ray opens the folder it is given to everybody, so it gets an inner one
    finally:
        for _ in range(20):  # Ray's processes end a moment after they are told to
            shutil.rmtree(place, ignore_errors=True)
            if not place.exists():
                break
            time.sleep(0.1)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
