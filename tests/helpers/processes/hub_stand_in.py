"""A small server that speaks the hub's protocol on this machine, for the real client.

It knows repositories, commits whose files are sent along, and reading; not the separate storage
for files of many gigabytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def sha1(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


class Hub(ThreadingHTTPServer):
    """The server: the files of each repository by path, and what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Nothing is printed."""

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _send(self, value: Any = b"", status: int = 200, **headers: str) -> None:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, said in headers.items():
            self.send_header(name.replace("_", "-"), said)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_POST(self) -> None:
        body, path = self._body(), self.path
        self.server.asked.append(f"POST {path}")
        if path == "/api/validate-yaml":
            self._send({"errors": [], "warnings": []})
        elif path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            self.server.repositories[name] = {}
            self._send({"url": f"{self.server.url}/{name}", "name": name})
        elif "/preupload/" in path:
            files = json.loads(body)["files"]
            kept = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files
            ]
            self._send({"files": kept})
        elif "/commit/" in path:
            name = path.removeprefix("/api/models/").split("/commit/")[0]
            self._commit(name, [json.loads(line) for line in body.splitlines()])
        else:
            self._send({"error": "unknown"}, 404)

    def _commit(self, name: str, lines: list[dict[str, Any]]) -> None:
        files = self.server.repositories[name]
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            else:
                assert line["key"] == "header"
        oid = self._revision(name)
        self._send({"commitUrl": f"{self.server.url}/{name}/commit/{oid}", "commitOid": oid})

    def _revision(self, name: str) -> str:
        files = self.server.repositories[name]
        return sha1("".join(f"{p} {sha1(d)}\n" for p, d in sorted(files.items())).encode())

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        path = self.path.split("?")[0]
        name = "/".join(path.removeprefix("/api/models/").lstrip("/").split("/")[:2])
        files = self.server.repositories.get(name)
        if files is None:
            self._send({"error": "not found"}, 404, X_Error_Code="RepoNotFound")
            return
        revision = self._revision(name)
        if path.startswith(f"/api/models/{name}/tree/"):
            rows = sorted(files.items())
            kind = {"type": "file"}
            self._send([{**kind, "path": p, "size": len(d), "oid": sha1(d)} for p, d in rows])
            return
        if path.startswith("/api/models/"):
            siblings = [{"rfilename": file} for file in sorted(files)]
            self._send({"id": name, "sha": revision, "siblings": siblings, "private": False})
            return
        data = files.get(path.split(f"/resolve/{revision}/")[-1])
        if data is None:
            self._send({"error": "not found"}, 404, X_Error_Code="EntryNotFound")
            return
        self._send(data, ETag=f'"{sha1(data)}"', X_Repo_Commit=revision)


@contextmanager
def hub() -> Iterator[Hub]:
    """A hub on a free port of this machine."""
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
