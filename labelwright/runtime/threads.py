"""How idle threads of a command wait: asleep, instead of spinning."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""What OpenMP (GNU's, which torch brings, and LLVM's) takes its way of waiting from."""


def wait_asleep(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let idle OpenMP threads sleep, unless the user has set how they wait.

    By default they spin for a while after every operation. Where other programs need the cores too,
    that takes several times the CPU time of the work itself. OpenMP reads the environment when it
    is loaded, so this must be called before torch is imported; processes that a command starts
    inherit it.
    """
    if not any(name in environment for name in WAITING):
        environment["OMP_WAIT_POLICY"] = "PASSIVE"
        environment["GOMP_SPINCOUNT"] = "0"
