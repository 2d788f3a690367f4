"""``labelwright review serve``: the web server."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from labelwright.commands.review.project import ProjectOptions, opened
from labelwright.text.amounts import amount
from review.web.options import ServeOptions


@dataclass(frozen=True, kw_only=True)
class ServerOptions(ServeOptions, ProjectOptions):
    """Of ``serve``."""


def serve(options: ServerOptions) -> str:
    """Serve until interrupted."""
    import uvicorn

    from eval.stats.resampling import bootstrap_score
    from labelwright.io.lock import locked
    from review.leftovers import sweep
    from review.store import people
    from review.web.app import make_app
    from review.web.connections import MOST, SECONDS, protocol

    options.check()
    store = opened(options)
    with locked(options.project, remedy="only one server may serve a project"):
        if count := sweep(store):
            sys.stdout.write(
                f"the server ended while it took files in: {amount(count, 'file')} deleted; "
                "send them again\n"
            )
        with store.reading() as connection:
            nobody = not people.people(connection)
        if nobody:
            sys.stdout.write(
                "nobody can log in yet: "
                f"labelwright review user add {options.project} NAME --role admin\n"
            )
        app = make_app(store, options, interval=bootstrap_score)
        scheme = "https" if options.tls_cert else "http"
        known = options.name[0] if options.tls_cert and options.name else options.host
        sys.stdout.write(f"{scheme}://{known}:{options.port}/\n")
        sys.stdout.flush()
        uvicorn.run(
            app,
            host=options.host,
            port=options.port,
            ssl_certfile=options.tls_cert,
            ssl_keyfile=options.tls_key,
            http=protocol(options.behind_proxy),
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
    return ""
