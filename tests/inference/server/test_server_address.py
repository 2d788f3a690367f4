"""Which addresses of model servers are taken, and which would let report text leave the machine."""

from __future__ import annotations

import pytest

from inference.server.address import is_loopback, parse_address
from labelwright.errors import ConfigError


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("http://192.0.2.7:8000/v1", "192.0.2.7:8000 is not on this machine"),
        ("https://api.example.com/v1", "api.example.com is not on this machine"),
        ("http://127.0.0.1.example.com", "is not on this machine"),
        ("http://localhost.example.com", "is not on this machine"),
        ("http://[2001:db8::1]:80", r"\[2001:db8::1\]:80 is not on this machine"),
        ("http://0.0.0.0:8000", "0.0.0.0:8000 is not on this machine"),
        ("http://0x7f.1/", "is not on this machine"),
        ("ftp://127.0.0.1", "--server is not an address"),
        ("127.0.0.1:8000", "--server is not an address"),
        ("http://127.0.0.1:notaport", "--server is not an address"),
        ("http://[::1", "--server is not an address"),
        ("http://me:secret@127.0.0.1", "--server holds a name or password"),
        ("http://127.0.0.1/v1?key=secret", "--server holds more than an address"),
    ],
)
def test_addresses_that_are_refused(address: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse_address(address, allow_remote=False)
    assert "secret" not in caught.value.line()


def test_addresses_that_are_taken() -> None:
    local = {
        "http://127.0.0.1:8000": "http://127.0.0.1:8000/v1",
        "http://127.9.8.7/v1/": "http://127.9.8.7/v1",
        "http://[::1]:80/openai": "http://[::1]:80/openai",
        "HTTP://LOCALHOST:1/v1": "http://localhost:1/v1",
    }
    for given, url in local.items():
        address = parse_address(given, allow_remote=False)
        assert (address.url, address.local, address.warning) == (url, True, "")
    far = parse_address("http://ai.example.com:8000", allow_remote=True)
    assert not far.local
    assert far.warning == (
        "report text leaves this machine for ai.example.com:8000, UNENCRYPTED (http)"
    )
    assert parse_address("https://x.example", allow_remote=True).warning.endswith(", encrypted")


def test_a_localhost_that_is_elsewhere_is_remote(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_loopback("localhost")
    found = [(2, 1, 6, "", ("127.0.0.1", 0)), (2, 1, 6, "", ("192.0.2.1", 0))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)
    assert not is_loopback("localhost")
