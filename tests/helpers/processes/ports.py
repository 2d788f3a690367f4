"""Ports for servers that are started by name, and so cannot be given a socket that is open."""

from __future__ import annotations

import random
import socket

FIRST, LAST = 20_000, 22_700
"""Below those that systems give to connections, so that none takes a port before its server does;
the port ten thousand above, which some servers take too, is no such either."""


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    while True:
        port = random.SystemRandom().randint(FIRST, LAST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
