"""A small HTTP server that behaves as a test says, in place of a model server with faults."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from processes.ports import free_port

from labelwright.label_set import LabelSet
from labelwright.records import Certainty
from labelwright.tasks.certainty.answer import render

LABELS = LabelSet.load("chexpert-14")
LINE = render(LABELS, {"Edema": Certainty.POSITIVE, "Fracture": Certainty.NEGATIVE})
MODELS = [{"id": "chest", "object": "model", "owned_by": "nobody"}]
HANG = "hang"
RESET = "reset"

Reply = tuple[int, Mapping[str, str], bytes] | str
Behaviour = Callable[[int, dict[str, Any]], Reply]


def says(content: str | None, **more: Any) -> Reply:
    """A chat completion."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"content": content}} | more
    return 200, {}, json.dumps({"choices": [choice]}).encode()


def fails(status: int, message: str = "", **headers: str) -> Reply:
    """An error in OpenAI's form."""
    return status, headers, json.dumps({"error": {"message": message}}).encode()


def report_in(body: Mapping[str, Any]) -> str:
    """The report that a request asks about."""
    return str(body["messages"][-1]["content"])


class Server(ThreadingHTTPServer):
    """Answers chat requests as ``behave`` says; ``seen`` and ``headers`` keep what came."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behave: Behaviour = lambda number, body: says(LINE)
        self.models: Reply = (200, {}, json.dumps({"data": MODELS}).encode())
        self.seen: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.paths: list[str] = []
        self.stop = threading.Event()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def next_reply(self, body: dict[str, Any]) -> Reply:
        with self._lock:
            self.seen.append(body)
            number = len(self.seen) - 1
        return self.behave(number, body)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.server.headers.append(dict(self.headers))
        self._send(self.server.models if self.path == "/v1/models" else fails(404))

    def do_POST(self) -> None:
        self.server.paths.append(self.path)
        self.server.headers.append(dict(self.headers))
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self._send(self.server.next_reply(body))

    def _send(self, reply: Reply) -> None:
        if isinstance(reply, str):
            if reply == HANG:
                self.server.stop.wait(20)
            self.close_connection = True
            return
        status, headers, body = reply
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def transformers_serve(model: Path) -> Iterator[str]:
    """``transformers serve`` with a model, as a process of its own, for the length of a block."""
    port = free_port()
    program = Path(sys.executable).with_name("transformers")
    words = ["serve", str(model), "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    log = model.parent / "server.log"
    with open(log, "w") as handle:
        process = subprocess.Popen(
            [str(program), *words], stdout=handle, stderr=handle, env=environment
        )
    try:
        until = time.monotonic() + 900
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(120)


@contextmanager
def serving() -> Iterator[Server]:
    """A server for the length of a block."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop.set()
        server.shutdown()
        server.server_close()
        thread.join()
