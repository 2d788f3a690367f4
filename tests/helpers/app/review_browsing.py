"""Browsers of people in a review project, in the process of the test."""

from __future__ import annotations

import re
from typing import Any

from review_tools import PASSWORD
from starlette.testclient import TestClient

from review.store.store import Store
from review.web.app import make_app
from review.web.options import ServeOptions

HOST = "http://127.0.0.1:8765"
JSON = {"accept": "application/json"}


class Clock:
    """The time of day, set by the test."""

    def __init__(self) -> None:
        self.at = 1_000_000.0

    def __call__(self) -> float:
        return self.at


class Browser:
    """A person's browser; posts carry the form's token unless told otherwise."""

    def __init__(self, store: Store, clock: Clock | None = None, **options: Any) -> None:
        self.app = make_app(store, ServeOptions(**options))
        if clock is not None:
            self.app.state.site.clock = clock
        address = options.pop("address", "127.0.0.1")
        self.client = TestClient(
            self.app,
            HOST,
            follow_redirects=False,
            client=(address, 5),
            raise_server_exceptions=False,
        )
        self.token = ""

    def login(self, name: str, password: str = PASSWORD, **headers: str) -> Any:
        page = self.client.get("/login").text
        found = re.search(r'name="login" value="([^"]+)"', page)
        fields = {"name": name, "password": password, "login": found[1] if found else ""}
        answer = self.client.post("/login", data=fields, headers=headers)
        if answer.status_code == 303:
            page = self.client.get("/").text
            self.token = re.search(r'name="form" value="([^"]+)"', page)[1]  # type: ignore[index]
        return answer

    def post(self, path: str, data: Any = None, json: Any = None, **headers: str) -> Any:
        sent = {"x-form": self.token, **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.client.post(path, data=data, json=json, headers=sent)

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers=headers)
