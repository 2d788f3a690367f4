"""Connections that send nothing, or a request a sign at a time, are closed: none fills the server.

uvicorn gives up a connection that is unused after an answer; this does the same for one on which no
whole request has arrived yet, and lets one address have a part of all places only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST, OF_ONE = 200, 100
"""Connections at a time: in all, and from one address. Proxies may have all."""
SECONDS = 10.0
"""Until the head of a request must have arrived whole."""


class Guarded(H11Protocol):
    """HTTP on one connection."""

    proxies: ClassVar[frozenset[str]] = frozenset()
    _end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, unless its address has too many already."""
        super().connection_made(transport)
        near = self.client[0] if self.client else ""
        others = sum(
            isinstance(each, Guarded) and each.client is not None and each.client[0] == near
            for each in self.connections
        )
        if others > OF_ONE and near not in self.proxies:
            transport.abort()
        else:
            self._wait()

    def data_received(self, data: bytes) -> None:
        """Take some of a request in."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._wait()
        else:
            self._arrived()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._arrived()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._end is None:
            self._end = self.loop.call_later(SECONDS, self.transport.abort)

    def _arrived(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None


def protocol(proxies: Sequence[str]) -> type[Guarded]:
    """The protocol for a server behind these proxies."""
    return type("Behind", (Guarded,), {"proxies": frozenset(proxies)})
