"""What somebody tries who means harm: tries at once, headers of others, odd bytes, lost roles."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from argon2 import PasswordHasher
from review_browsing import HOST, JSON, Browser, Clock
from review_tools import PASSWORD, Worker, filled, prediction, project, quick_passwords, take_in
from starlette.testclient import TestClient

from labelwright.errors import ConfigError
from labelwright.io.jsonl import write_jsonl
from review.store import people, runs, work
from review.store.people import add_person
from review.store.store import Store
from review.store.tables import attempt
from review.store.work import RefusedError
from review.web import connections, site, view
from review.web.app import make_app
from review.web.connections import protocol
from review.web.options import ServeOptions


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    made = filled(tmp_path / "p", double=1.0)
    quick_passwords(monkeypatch)
    for name, role in (("anna", "annotator"), ("ada", "admin"), ("rea", "reader")):
        add_person(made, name, role, PASSWORD)
    yield made
    made.close()


def test_guesses_at_once_are_no_more_than_one_after_the_other(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight arrive before the first is answered: five are looked at, as many as are free."""
    looked, go = threading.Semaphore(0), threading.Event()

    def slow(_hashed: str | None, _password: str) -> bool:
        looked.release()
        return not go.wait(600)

    monkeypatch.setattr(people, "verify", slow)
    app = make_app(store, ServeOptions())
    app.state.site.passwords._max_workers = 8
    codes: list[int] = []

    def guess() -> None:
        browser = Browser(store)
        browser.client = TestClient(app, HOST, follow_redirects=False, client=("127.0.0.1", 5))
        codes.append(browser.login("anna", "a wrong guess").status_code)
        if len(codes) == 3:
            go.set()  # those that are turned away do not wait for the others

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(codes) == [403] * 5 + [429] * 3
    assert sum(looked.acquire(blocking=False) for _ in range(9)) == 5


def test_unknown_names_are_hashed_for_and_old_failures_swept_away(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, hashed = Clock(), []

    class Hasher(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override] # noqa: A002
            hashed.append(str(hash)[:9])
            return super().verify(hash, password)

    quick = Hasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(people, "_hasher", lambda: quick)
    people.set_disabled(store, "rea", True)
    add_person(store, "by-proxy", "annotator", None)
    browser = Browser(store, clock)
    for name in ("anna", "nobody-at-all", "rea", "by-proxy"):
        assert browser.login(name, "a wrong guess").status_code == 403
    assert hashed == ["$argon2id"] * 4
    clock.at += people.FORGOTTEN + 1
    browser.login("anna", "a wrong guess")
    with store.reading() as connection:
        assert len(connection.execute(attempt.select()).all()) == 2


@pytest.mark.parametrize(
    "name", ["ANNA", "final", "Final", "anna ", "\u0430nna", "anna\u200b", "../anna", ""]
)
def test_nobody_is_called_as_somebody_else_or_as_what_counts_in_the_end(
    store: Store, name: str
) -> None:
    with pytest.raises(ConfigError, match="choose another name"):
        add_person(store, name, "annotator", PASSWORD)
    add_person(store, "a", "annotator", PASSWORD)  # which holds this letter


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.7", "10.0.0.7", True),
        ("10.0.0.7", "10.0.0.8", False),
    ],
)
def test_an_address_counts_with_all_that_one_machine_can_take(
    one: str, other: str, same: bool
) -> None:
    keys = [people.attempt_keys("anna", each)[1] for each in (one, other)]
    assert (keys[0] == keys[1]) == same


def test_only_what_the_proxy_itself_says_counts(store: Store) -> None:
    """A proxy that adds a line of its own, below the one that the browser sent."""
    options = ServeOptions(behind_proxy=("10.0.0.1",), login_header="X-Remote-User")
    app = make_app(store, options)
    client = TestClient(app, "https://127.0.0.1", follow_redirects=False, client=("10.0.0.1", 5))
    page = client.get("/login")
    fields = {"name": "x", "password": "a wrong guess", "login": page.cookies["labelwright-login"]}
    lines = [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "8.8.8.8, 192.0.2.77")]
    assert client.post("/login", data=fields, headers=lines).status_code == 403
    with store.reading() as connection:
        keys = connection.execute(attempt.select()).scalars().all()
    assert "address:192.0.2.77" in keys
    both = [("x-remote-user", "ada"), ("x-remote-user", "rea")]
    assert client.get("/", headers=both).status_code == 400
    assert client.get("/", headers=both[1:]).status_code == 200
    with store.reading() as connection:
        logins = connection.exec_driver_sql("SELECT person FROM event WHERE kind = 'login'")
        assert logins.scalars().all() == [people.find_person(connection, "rea").id]  # type: ignore[union-attr]


def test_no_answer_sends_to_another_host(store: Store) -> None:
    browser = Browser(store)
    browser.login("ada")
    for path in ("/notes/", "/login/", "//evil.example/", "/note/1/", "/login?next=//evil.example"):
        answer = browser.get(path, host="127.0.0.1")
        assert "evil" not in answer.headers.get("location", ""), path
        assert answer.headers["cache-control"] == "no-store", path
        evil = browser.get(path, host="evil.example")
        assert (evil.status_code in (400, 404), "location" in evil.headers) == (True, False), path


@pytest.mark.parametrize(
    "path",
    ["/notes?after=%C2%B2", "/events?before=%C2%B2", "/notes?q=%00", "/notes?regex=%00",
     "/notes?after=999999999999999", "/note/%C2%B2", "/notes?state=%00", "/events?before=-1"],
)  # fmt: skip
def test_odd_numbers_and_signs_in_addresses_are_no_faults(store: Store, path: str) -> None:
    browser = Browser(store)
    browser.login("ada")
    assert browser.get(path).status_code in (200, 400, 404)


@pytest.mark.parametrize(
    "given",
    [
        {"step": "half-\ud800-sign"},
        {"step": "nul-\0-within-it"},
        {"op": "add", "name": "\udfff"},
        {"op": "add", "name": "Disease", "words": [[0, 10**30]]},
        {"op": "add", "name": "Disease", "words": [[None, True]]},
        {"op": "add", "name": ["Disease"], "said": {}, "words": [[0, 0]]},
        {"op": "change", "item": 1, "value": {"raw": "\ud800"}},
        {"op": "same", "item": 1.5},
        {"op": "done", "keep": [{}, [], None, 1e400]},
        {"op": "skip", "why": {"a": 1}},
        {"op": "side", "by": None},
        {"op": "__class__"},
        {"version": -(10**40), "op": "keep", "item": 1},
    ],
)
def test_steps_with_odd_values_are_refused_and_change_nothing(
    store: Store, given: dict[str, Any]
) -> None:
    browser = Browser(store)
    browser.login("anna")
    path = "/note/1"
    browser.post(f"{path}/take")
    step = {"step": "0123456789", "version": 0, "op": "keep"} | given
    sent = JSON | {"x-form": browser.token, "content-type": "application/json"}
    answer = browser.client.post(f"{path}/steps", content=json.dumps(step), headers=sent)
    assert answer.status_code in (400, 409, 422)
    assert browser.get(f"{path}/state", **JSON).json()["version"] == 0


def test_faults_are_logged_by_kind_and_line_without_their_message(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A message may quote the note; nothing of it reaches the server's log, nor a traceback."""
    browser = Browser(store)
    browser.login("anna")
    path = browser.post("/next").headers["location"]

    def broken(*_: object) -> None:
        int("the words of a note")

    monkeypatch.setattr(view, "whole", broken)
    loud = TestClient(browser.app, HOST, client=("127.0.0.1", 5), cookies=browser.client.cookies)
    answer = loud.get(path)
    assert answer.status_code == 500
    assert answer.headers["cache-control"] == "no-store"
    assert "ValueError in" in caplog.text
    assert "words of a note" not in answer.text + caplog.text


def test_searches_are_bounded(store: Store) -> None:
    browser = Browser(store)
    browser.login("rea")
    places = browser.app.state.site.searches
    while places.acquire(blocking=False):
        pass
    assert browser.get("/notes?regex=a").status_code == 503
    assert browser.get("/notes").status_code == 200
    places.release()
    assert browser.get("/notes?regex=a").status_code == 200
    assert places.acquire(blocking=False)


def test_agreement_is_measured_by_one_at_a_time(store: Store) -> None:
    """Who looks meanwhile gets what was measured last, or is asked to come back."""
    browser = Browser(store)
    browser.login("ada")
    measuring = browser.app.state.site.measuring
    assert measuring.acquire(blocking=False)
    assert browser.get("/agreement").status_code == 503
    measuring.release()
    assert browser.get("/agreement").status_code == 200
    browser.post("/next")
    assert measuring.acquire(blocking=False)
    assert browser.get("/agreement").status_code == 200


def test_a_body_that_does_not_arrive_is_given_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "SLOWEST", 0.01)
    app = make_app(store, ServeOptions())
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"127.0.0.1")]
    scope = {"type": "http", "method": "POST", "path": "/login", "headers": headers}
    asyncio.run(app(scope | {"query_string": b"", "client": ("127.0.0.1", 5)}, receive, send))
    assert sent[0]["status"] == 408


def answered(connection: socket.socket, sent: bytes) -> bytes:
    """Send a request and read its answer to the end."""
    connection.sendall(sent)
    found = b""
    while b'"ok"' not in found and (more := connection.recv(4096)):
        found += more
    return found


def closed(connection: socket.socket) -> bool:
    """Whether the other side has closed, after a moment; it has nothing to say."""
    try:
        assert connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


def test_connections_that_send_nothing_are_closed_and_one_address_cannot_have_all(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing at all, half a head, and half a second one; whole requests are answered meanwhile."""
    monkeypatch.setattr(connections, "SECONDS", 0.8)
    monkeypatch.setattr(connections, "OF_ONE", 4)
    app = make_app(store, ServeOptions())
    config = uvicorn.Config(
        app, port=0, http=protocol(()), log_level="critical", lifespan="off", ws="none"
    )
    config.timeout_keep_alive = 6
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.01)
    address = server.servers[0].sockets[0].getsockname()
    whole = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    opened = []
    for sent in (b"", whole[:20], whole + whole[:20], whole):
        opened.append(socket.create_connection(address, timeout=120))
        if whole in sent:
            answered(opened[-1], sent)
        else:
            opened[-1].sendall(sent)
    with socket.create_connection(address, timeout=120) as more, contextlib.suppress(OSError):
        assert more.recv(1) == b""
    for each in opened[:3]:
        each.settimeout(0.2)
        until = time.monotonic() + 120
        while not closed(each):
            assert time.monotonic() < until
            assert b"200 OK" in answered(opened[3], whole)  # else it would be closed as unused
        assert b"200 OK" in answered(opened[3], whole)
        each.close()
    opened[3].close()
    server.should_exit = True
    thread.join()


def disputed(store: Store) -> tuple[Worker, Worker]:
    """A note that two annotated differently, and an adjudicator who has begun it."""
    one, two = Worker(store, "one"), Worker(store, "two")
    for each in (one, two):
        each.take("n3")
    two.do("delete", item=two.item("gout"))
    one.finish()
    two.finish()
    judge = Worker(store, "judge", "adjudicator")
    judge.decide("n3")
    return judge, one


def test_a_role_that_was_taken_away_is_gone_from_steps_states_and_undo(store: Store) -> None:
    judge, _ = disputed(store)
    judge.do("keep", item=judge.item("gout"))
    judge.finish()
    people.set_password(store, "judge", PASSWORD)
    people.set_role(store, "judge", "annotator")
    browser = Browser(store)
    browser.login("judge")
    path = f"/note/{judge.note}"
    assert browser.get(f"{path}/state?role=adjudicate", **JSON).status_code == 403
    own = browser.post("/next").headers["location"]
    step = {"step": "0123456789", "version": 0, "op": "undo"}
    assert browser.post(f"{own}/steps", json=step, **JSON).status_code == 422
    assert judge.desk().state == work.DONE


def test_a_dispute_goes_to_another_when_its_adjudicator_is_shut_out(store: Store) -> None:
    judge, one = disputed(store)
    second = Worker(store, "second", "adjudicator")
    with pytest.raises(RefusedError, match="somebody else adjudicates"):
        second.decide("n3")
    people.set_disabled(store, "judge", True)
    work.release(store, judge.who)
    second.decide("n3")
    for each in (judge, one):
        with pytest.raises(RefusedError, match="is being adjudicated"):
            each.do("reopen")
    second.do("side", by="one")
    second.finish()
    with store.reading() as connection:
        assert work.place(connection, second.note).state == "final"


def test_work_goes_back_with_the_role_that_it_needs(store: Store) -> None:
    judge, _ = disputed(store)
    judge.role = work.ANNOTATE
    judge.take("n1")
    browser = Browser(store)
    browser.login("ada")
    change = {"name": "judge", "what": "role", "role": "annotator"}
    assert browser.post("/people/change", data=change).status_code == 303
    with store.reading() as connection:
        assert work.adjudicator(connection, 3) is None
    assert judge.desk().state == work.OPEN
    browser.post("/people/change", data=change | {"role": "reader"})
    assert judge.desk().state == work.SKIPPED


def test_two_who_finish_a_note_for_one_are_adjudicated_if_they_differ(tmp_path: Path) -> None:
    """The one skipped it, the other finished it, and the one took the skipping back."""
    store = filled(tmp_path / "p", double=0.0)
    one, two = Worker(store, "one"), Worker(store, "two")
    one.take("n3")
    one.do("skip", why="not readable")
    two.take("n3")
    two.finish()
    one.do("undo")
    one.do("delete", item=one.item("gout"))
    one.finish()
    with store.reading() as connection:
        assert work.place(connection, one.note).state == "done"
    one.do("undo")
    one.do("undo")
    one.finish()
    with store.reading() as connection:
        assert work.place(connection, one.note).state == "final"


def test_a_blind_note_of_labels_is_not_done_before_every_label_is_answered(tmp_path: Path) -> None:
    """Enter alone would say "nothing" of all; and that a proposal was kept stays a statement."""
    from labelwright.label_set import LabelSet

    store = project(tmp_path / "p", LabelSet.load("head-ct-5"), blind_every=1)
    names = store.label_set.names
    take_in(store, {"c1": "Bleeding is seen."})
    labels = dict.fromkeys(names, "positive")
    write_jsonl(tmp_path / "pred.jsonl", [prediction("c1", []) | {"labels": labels}])
    runs.add_run(store, tmp_path / "pred.jsonl")
    anna = Worker(store)
    anna.take("c1")
    assert {(e.item.said, e.state) for e in anna.placed()} == {("blank", "blank")}
    with pytest.raises(RefusedError, match="5 labels without an answer"):
        anna.finish()
    anna.do("change", item=anna.placed()[0].root, said="uncertain")
    anna.do("change", item=anna.placed()[1].root, said="blank")
    anna.do("keep", item=anna.placed()[2].root)
    with pytest.raises(RefusedError, match="2 labels without an answer"):
        anna.finish()
    anna.do("rest")
    with pytest.raises(RefusedError, match="every label is answered"):
        anna.do("rest")
    anna.do("undo")
    assert [e.state for e in anna.placed()].count(work.BLANK) == 2
    anna.do("redo")
    anna.finish()
    assert {e.state for e in anna.placed()} == {"added"}
    assert sorted(str(e.item.said) for e in anna.placed()) == ["blank"] * 4 + ["uncertain"]
