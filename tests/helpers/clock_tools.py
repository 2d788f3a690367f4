"""How CPU time grows with the size of the input: no clock that other work on the machine moves."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Size = TypeVar("Size")

SHORTEST = 0.01
"""Seconds; what takes less counts as this long."""


def cpu_seconds(run: Callable[[], object]) -> float:
    """CPU seconds of one call, the better of two."""
    best = float("inf")
    for _ in range(2):
        began = time.process_time()
        run()
        best = min(best, time.process_time() - began)
    return best


def growth(run: Callable[[Size], object], small: Size, large: Size) -> float:
    """How many times the CPU time of ``small`` the call takes for ``large``.

    For four times the input, 4 is linear and 16 is quadratic time; tests draw the line at 9.
    """
    return cpu_seconds(lambda: run(large)) / max(cpu_seconds(lambda: run(small)), SHORTEST)
