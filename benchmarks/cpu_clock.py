"""CPU time of a call, by which benchmarks measure: other work on the machine counts little."""

from __future__ import annotations

import time
from collections.abc import Callable


def seconds(run: Callable[[], object]) -> float:
    """CPU seconds of one call, the better of two."""
    best = float("inf")
    for _ in range(2):
        started = time.process_time()
        run()
        best = min(best, time.process_time() - started)
    return best
