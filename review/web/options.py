"""How the server is reached, and what follows from it for addresses, cookies and headers."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from labelwright.errors import ConfigError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class ServeOptions:
    """Where the server listens and whom it believes.

    Attributes:
        host: the address to listen on.
        names: further host names under which it is reached.
        tls_certificate: with ``tls_key``, the server's own TLS.
        proxies: addresses of the proxy that does TLS; only its headers are believed.
        login_header: the header in which that proxy names the person; empty for none.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    names: tuple[str, ...] = ()
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    proxies: tuple[str, ...] = ()
    login_header: str = ""

    def check(self) -> None:
        """Refuse what would send passwords or notes in the clear.

        Raises:
            ConfigError: an address beyond this machine without TLS, or half of what is needed.
        """
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ConfigError("TLS needs a certificate and its key", remedy="give both")
        if self.host not in LOOPBACK and not self.secure:
            raise ConfigError(
                f"{self.host} is reached from other machines, and nothing encrypts",
                remedy="give --tls-cert and --tls-key, or --behind-proxy with the proxy's address",
            )
        if self.login_header and not self.proxies:
            raise ConfigError(
                "--login-header is for a proxy that logs people in",
                remedy="give --behind-proxy with its address",
            )
        for address in self.proxies:
            try:
                ipaddress.ip_address(address)
            except ValueError:
                raise ConfigError(
                    f"{address} is no IP address",
                    remedy="give the proxy's address, such as 127.0.0.1",
                ) from None
        for path in (self.tls_certificate, self.tls_key):
            if path is not None and not path.is_file():
                raise ConfigError(
                    "no such file", remedy="check --tls-cert and --tls-key", source=path
                )

    @property
    def secure(self) -> bool:
        """Whether browsers reach it by HTTPS."""
        return self.tls_certificate is not None or bool(self.proxies)

    @property
    def cookie(self) -> str:
        """The name of the session's cookie."""
        return "__Host-labelwright" if self.secure else "labelwright"

    @property
    def hosts(self) -> frozenset[str]:
        """The host names under which requests are answered, against DNS rebinding."""
        own = LOOPBACK if self.host in (*LOOPBACK, "0.0.0.0", "::") else (*LOOPBACK, self.host)  # noqa: S104
        return frozenset(name.casefold() for name in (*own, *self.names))
