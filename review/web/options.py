"""How the server is reached, and what follows from it for addresses, cookies and headers."""

from __future__ import annotations

import argparse
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from labelwright.errors import ConfigError
from labelwright.options import Options, flag

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError("must be a port, from 1 to 65535")
    return int(text)


@dataclass(frozen=True, kw_only=True)
class ServeOptions(Options):
    """Where the server listens and whom it believes."""

    host: str = flag("to listen on (default: 127.0.0.1)", default="127.0.0.1", metavar="ADDRESS")
    port: int = flag("default: 8765", default=8765, type=_port, metavar="N")
    name: tuple[str, ...] = flag(
        "a host name under which it is reached, besides localhost; repeatable",
        default=(),
        action="append",
        metavar="HOST",
    )
    tls_cert: Path | None = flag("certificate (PEM), for HTTPS", type=Path, metavar="FILE")
    tls_key: Path | None = flag("its key", type=Path, metavar="FILE")
    behind_proxy: tuple[str, ...] = flag(
        "address of the proxy that does HTTPS; only its headers are believed",
        default=(),
        action="append",
        metavar="ADDRESS",
    )
    login_header: str = flag(
        "header in which that proxy names the person it let in (default: passwords)",
        default="",
        metavar="NAME",
    )

    def check(self) -> None:
        """Refuse what would send passwords or notes in the clear.

        Raises:
            ConfigError: an address beyond this machine without TLS, or half of what is needed.
        """
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ConfigError("TLS needs a certificate and its key", remedy="give both")
        if self.host not in LOOPBACK and not self.secure:
            raise ConfigError(
                f"{self.host} is reached from other machines, and nothing encrypts",
                remedy="give --tls-cert and --tls-key, or --behind-proxy with the proxy's address",
            )
        if self.login_header and not self.behind_proxy:
            raise ConfigError(
                "--login-header is for a proxy that logs people in",
                remedy="give --behind-proxy with its address",
            )
        for address in self.behind_proxy:
            try:
                ipaddress.ip_address(address)
            except ValueError:
                raise ConfigError(
                    f"{address} is no IP address",
                    remedy="give the proxy's address, such as 127.0.0.1",
                ) from None
        for path in (self.tls_cert, self.tls_key):
            if path is not None and not path.is_file():
                raise ConfigError(
                    "no such file", remedy="check --tls-cert and --tls-key", source=path
                )

    @property
    def secure(self) -> bool:
        """Whether browsers reach it by HTTPS."""
        return self.tls_cert is not None or bool(self.behind_proxy)

    @property
    def cookie(self) -> str:
        """The name of the session's cookie."""
        return "__Host-labelwright" if self.secure else "labelwright"

    @property
    def hosts(self) -> frozenset[str]:
        """The host names under which requests are answered, against DNS rebinding."""
        own = LOOPBACK if self.host in (*LOOPBACK, "0.0.0.0", "::") else (*LOOPBACK, self.host)  # noqa: S104
        return frozenset(name.casefold() for name in (*own, *self.name))
