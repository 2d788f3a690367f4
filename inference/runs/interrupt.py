"""Signals while labeling: the first Ctrl-C lets the rows at work finish, SIGTERM stops at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

WAITING = "labelwright: stopping when the rows at work are done; Ctrl-C again stops at once\n"


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the block as a second Ctrl-C does: the shard at work is dropped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def patient() -> Iterator[Callable[[], bool]]:
    """Hold the first Ctrl-C back, so that the block can end well; the second is at once.

    A program that handles SIGINT in its own way, or labels in another thread, keeps its way.

    Yields:
        a function that tells whether one waits; the block then raises ``KeyboardInterrupt``.
    """
    asked = False

    def wait(_signal: int, _frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        # not through sys.stderr: its buffer may be at work in the code that was interrupted
        os.write(2, ("\n" if sys.stderr.isatty() else "").encode() + WAITING.encode())

    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, wait)
    try:
        yield lambda: asked
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
