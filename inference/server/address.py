"""Where a model server stands: on this machine, or elsewhere and only if that is allowed."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from labelwright.errors import ConfigError

EXAMPLE = "http://127.0.0.1:8000/v1"


@dataclass(frozen=True)
class Address:
    """The address of a server's OpenAI-compatible interface.

    Attributes:
        url: the base that ``/chat/completions`` is appended to, e.g. :data:`EXAMPLE`.
        host: host and port, for messages.
        local: the host is a loopback address: what is sent there stays on this machine.
        encrypted: the address begins with ``https``.
    """

    url: str
    host: str
    local: bool
    encrypted: bool

    @property
    def root(self) -> str:
        """The address without the interface's version, where a server's own pages are."""
        return self.url.removesuffix("/v1")

    @property
    def warning(self) -> str:
        """One line to show before report text leaves this machine; empty if it does not."""
        if self.local:
            return ""
        how = "encrypted" if self.encrypted else "UNENCRYPTED (http)"
        return f"report text leaves this machine for {self.host}, {how}"


def parse_address(text: str, *, allow_remote: bool) -> Address:
    """Check an address; ``/v1`` is added where it has no path.

    Args:
        allow_remote: whether report text may leave this machine.

    Raises:
        ConfigError: it is no address, holds a password, or is not on this machine.
    """
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not host:
        raise ConfigError("--server is not an address", remedy=f"give one such as {EXAMPLE}")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(
            "--server holds a name or password",
            remedy="remove it; a key is read from the environment (see docs/backends.md)",
        )
    if parts.query or parts.fragment:
        raise ConfigError(
            "--server holds more than an address", remedy=f"give one such as {EXAMPLE}"
        )
    shown = f"[{host}]" if ":" in host else host
    place = shown if port is None else f"{shown}:{port}"
    address = Address(
        url=f"{parts.scheme}://{place}{parts.path.rstrip('/') or '/v1'}",
        host=place,
        local=is_loopback(host),
        encrypted=parts.scheme == "https",
    )
    if not address.local and not allow_remote:
        raise ConfigError(
            f"--server {place} is not on this machine, and report text would leave it",
            remedy="use a server at 127.0.0.1, or give --allow-remote if that is permitted",
        )
    return address


def is_loopback(host: str) -> bool:
    """Whether a host is this machine for certain.

    A numeric loopback address, or ``localhost`` where the system resolves it to nothing else.
    Any other name counts as remote, since who resolves it may change.
    """
    if host.lower() == "localhost":
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except OSError:
            return False
        return bool(found) and all(_is_loopback_number(str(entry[4][0])) for entry in found)
    return _is_loopback_number(host)


def _is_loopback_number(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
