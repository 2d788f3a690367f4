"""``labelwright review serve``: the web server."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where it listens and whom it believes."""
    add = parser.add_argument
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="to listen on (default: 127.0.0.1)")
    add("--port", type=_port, default=8765, metavar="N", help="default: 8765")
    add(
        "--name",
        action="append",
        default=[],
        metavar="HOST",
        help="a host name under which it is reached, besides localhost; repeatable",
    )
    add("--tls-cert", type=Path, metavar="FILE", help="certificate (PEM), for HTTPS")
    add("--tls-key", type=Path, metavar="FILE", help="its key")
    add(
        "--behind-proxy",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="address of the proxy that does HTTPS; only its headers are believed",
    )
    add(
        "--login-header",
        default="",
        metavar="NAME",
        help="header in which that proxy names the person it let in (default: passwords)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted."""
    import uvicorn

    from eval.stats.resampling import bootstrap_score
    from labelwright.io.lock import locked
    from review.store import people
    from review.store.store import open_store
    from review.web.app import make_app
    from review.web.connections import MOST, SECONDS, protocol
    from review.web.options import ServeOptions

    options = ServeOptions(
        host=arguments.host,
        port=arguments.port,
        names=tuple(arguments.name),
        tls_certificate=arguments.tls_cert,
        tls_key=arguments.tls_key,
        proxies=tuple(arguments.behind_proxy),
        login_header=arguments.login_header,
    )
    options.check()
    store = open_store(arguments.project)
    with locked(arguments.project, remedy="only one server may serve a project"):
        with store.reading() as connection:
            nobody = not people.people(connection)
        if nobody:
            sys.stdout.write(
                "nobody can log in yet: "
                f"labelwright review user add {arguments.project} NAME --role admin\n"
            )
        app = make_app(store, options, interval=bootstrap_score)
        scheme = "https" if options.tls_certificate else "http"
        sys.stdout.write(f"{scheme}://{options.host}:{options.port}/\n")
        sys.stdout.flush()
        uvicorn.run(
            app,
            host=options.host,
            port=options.port,
            ssl_certfile=options.tls_certificate,
            ssl_keyfile=options.tls_key,
            http=protocol(options.proxies),
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            limit_concurrency=MOST,
            timeout_keep_alive=round(SECONDS),
            h11_max_incomplete_event_size=64 << 10,
        )
    store.close()
    return 0


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError("must be a port, from 1 to 65535")
    return int(text)
