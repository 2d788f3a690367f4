"""What is set for the whole process: idle threads sleep, products are quick, garbage waits."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import sys
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

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


def rare_collections() -> None:
    """Let Python look for garbage in circles a seventieth as often.

    By default it does so after every 700 objects that stay, which start and labeling make by the
    hundred thousand: without a circle among them, and at a tenth of their time.
    """
    gc.set_threshold(50_000, 20, 20)


CORE = "OPENBLAS_CORETYPE"
"""What OpenBLAS, NumPy's own library, takes the kind of processor from."""
NEEDED = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
"""What OpenBLAS's kernels for AVX-512 use, as Linux names it."""
PROCESSORS = Path("/proc/cpuinfo")


def quick_products(
    environment: MutableMapping[str, str] = os.environ, processors: Path = PROCESSORS
) -> None:
    """Let NumPy multiply with AVX-512 where OpenBLAS would leave it unused.

    It takes those kernels on Intel's processors alone; on others that have AVX-512 products are
    about twice as quick with them (``docs/performance.md``). OpenBLAS reads this when NumPy is
    loaded, so this must be called before. What the user has set stays.
    """
    if CORE in environment:
        return
    try:
        with processors.open(encoding="utf-8", errors="replace") as lines:
            # the first processor's lines; with hundreds of them the whole takes long
            known = "".join(takewhile(str.strip, lines))
    except OSError:  # no Linux
        return
    flags = re.search(r"^flags\s*:(.*)$", known, re.MULTILINE)
    intel = re.search(r"^vendor_id\s*:\s*GenuineIntel$", known, re.MULTILINE)
    if flags and intel is None and NEEDED.issubset(flags[1].split()):
        environment[CORE] = "SkylakeX"


ROOM = 16 << 20
"""Bytes of freed memory that a process keeps: more than a pack of a small model takes."""
_TRIM, _MAP = -1, -3
"""``M_TRIM_THRESHOLD`` and ``M_MMAP_THRESHOLD`` of glibc's ``malloc.h``."""


@cache
def kept_memory() -> None:
    """Let the C library keep the memory that arrays of a few megabytes come and go in.

    By default it gives much of it back to the system after each, which clears it page by page when
    it is asked for again: 45 pages, a tenth of the time, for each clause that the model that comes
    along reads. What the user has set stays; without glibc nothing happens.
    """
    if not sys.platform.startswith("linux") or any(name in os.environ for name in MALLOC):
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_TRIM, ROOM)
        set_option(_MAP, ROOM // 2)


MALLOC = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
PRODUCT_THREADS = "OPENBLAS_NUM_THREADS"


_door = threading.Lock()
_inside: list[Any] = []
"""What undoes the limit, once for each block that is open, in whatever thread."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Within the block NumPy multiplies with one thread, unless the user has set how many.

    The products of small models are over sooner than a second thread has woken up, and one that
    waits for the other spins: beside other work 3,059 reports took 60 CPU seconds with two threads
    and 12 with one. NumPy must have been imported. The limit is the process's: where blocks of
    several threads overlap, the first sets it and the last puts back what was there before.
    """
    if PRODUCT_THREADS in os.environ:
        yield
        return
    with _door:
        _inside.append(_inside[0] if _inside else _libraries().limit(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _door:
            limit = _inside.pop()
            if not _inside:
                limit.restore_original_limits()


@cache
def _libraries() -> ThreadpoolController:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
