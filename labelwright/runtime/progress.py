"""Progress: bars, and how far a labeler is with the reports that it was given, for who shows it.

A labeler says it after every batch; nobody needs to listen. It is the share of the work of one
call, which never goes down where the labeler reads its reports twice.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from typing import Any

_hearer: ContextVar[Callable[[float], None] | None] = ContextVar("hearer", default=None)


def tell(done: int, of: int) -> None:
    """Say that ``done`` of ``of`` parts of the work at hand are done."""
    teller()(done, of)


def teller() -> Callable[[int, int], None]:
    """:func:`tell` for another thread, which has no part in the context of this one."""
    hear = _hearer.get()

    def told(done: int, of: int) -> None:
        if hear is not None and of > 0:
            hear(min(done / of, 1.0))

    return told


@contextmanager
def heard(hear: Callable[[float], None]) -> Iterator[None]:
    """Let ``hear`` know the share of the work that is done, from 0 to 1, in this context."""
    furthest = 0.0

    def rising(share: float) -> None:
        nonlocal furthest
        if share > furthest:
            furthest = share
            hear(share)

    token = _hearer.set(rising)
    try:
        yield
    finally:
        _hearer.reset(token)


def progress_bar(*rows: Any, **options: Any) -> Any:
    """tqdm's bar on a terminal and in a notebook; none where the messages go to a file.

    A notebook's messages go to no terminal, though somebody reads them. Its bar is a widget where
    ``ipywidgets`` is installed, else a line.
    """
    from tqdm import std

    kind: Any = std.tqdm
    notebook = "ipykernel" in sys.modules
    if notebook and find_spec("ipywidgets") is not None:
        from tqdm import notebook as widgets

        kind = widgets.tqdm_notebook
    return kind(*rows, **options, disable=False if notebook else None)
