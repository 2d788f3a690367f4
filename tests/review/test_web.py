"""The server's doors: who gets in, who may do what, and what other sites cannot do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from review_browsing import HOST, JSON, Browser, Clock
from review_tools import PASSWORD, TEXTS, Worker, filled, quick_passwords, take_in
from starlette.testclient import TestClient

from labelwright.errors import ConfigError
from review.store import people
from review.store.people import ABSOLUTE, IDLE, ROLES, add_person
from review.store.store import Store
from review.web.app import ROUTES, make_app
from review.web.options import ServeOptions
from review.web.site import POLICY


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A project with a person of every role, all with one password; its hash is a quick one."""
    made = filled(tmp_path / "p", double=0.0)
    quick_passwords(monkeypatch)
    for role in ROLES:
        add_person(made, f"{role}-1", role, PASSWORD)
    add_person(made, "annotator-2", "annotator", PASSWORD)
    yield made
    made.close()


def test_only_the_right_password_lets_in_and_the_session_is_new(store: Store) -> None:
    browser = Browser(store)
    assert browser.get("/").headers["location"] == "/login"
    cookie = "labelwright"
    browser.client.cookies.set(cookie, "chosen-by-an-attacker", domain="127.0.0.1")
    wrong = browser.login("annotator-1", "not the password")
    nobody = browser.login("no-such-person", "not the password")
    assert (wrong.status_code, nobody.status_code) == (403, 403)
    assert wrong.text.split("<form")[0] == nobody.text.split("<form")[0]
    good = browser.login("annotator-1")
    assert good.status_code == 303
    header = good.headers["set-cookie"]
    assert "HttpOnly" in header
    assert "SameSite=strict" in header
    assert "chosen-by-an-attacker" not in header
    fixed = Browser(store)
    fixed.client.cookies.set(cookie, "chosen-by-an-attacker", domain="127.0.0.1")
    assert fixed.get("/").status_code == 303
    with store.reading() as connection:
        kept = connection.exec_driver_sql("SELECT token FROM session").scalars().all()
    assert all(token not in header for token in kept)
    assert browser.post("/logout").status_code == 303
    assert browser.get("/").status_code == 303


def test_guessing_locks_account_and_address_without_looking_at_passwords(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, tried = Clock(), []
    monkeypatch.setattr(
        people, "verify", lambda hashed, password: tried.append(1) or password == PASSWORD
    )
    browser = Browser(store, clock)
    codes = [browser.login("annotator-1", "wrong guess").status_code for _ in range(8)]
    assert codes == [403] * 5 + [429] * 3
    assert len(tried) == 5
    locked = browser.login("annotator-1")
    assert (locked.status_code, len(tried)) == (429, 5)
    assert int(locked.headers["retry-after"]) == 31
    clock.at += 31
    assert browser.login("annotator-1").status_code == 303
    for number in range(20):
        browser.client.cookies.clear()
        browser.login(f"guess-{number}", "wrong guess")
    assert browser.login("annotator-2").status_code == 429
    elsewhere = TestClient(browser.app, HOST, follow_redirects=False, client=("127.0.0.9", 5))
    browser.client = elsewhere
    assert browser.login("annotator-2").status_code == 303
    with store.reading() as connection:
        rows = connection.exec_driver_sql(
            "SELECT kind, person, after FROM event WHERE kind LIKE '%locked'"
        ).all()
        whose = people.find_person(connection, "annotator-1")
    assert whose is not None
    assert [(row.kind, row.person) for row in rows] == [
        ("account locked", whose.id),
        ("address locked", None),
    ]
    assert json.loads(rows[1].after) == {"failed": 20, "seconds": 30, "address": "127.0.0.1"}


def test_what_an_admin_does_to_people_is_an_event_with_the_admin(store: Store) -> None:
    ada = Browser(store)
    ada.login("admin-1")
    ada.post("/people", {"name": "new", "role": "reader", "password": PASSWORD})
    for what, more in (("role", {"role": "annotator"}), ("password", {"password": PASSWORD + "!"})):
        ada.post("/people/change", {"name": "new", "what": what, **more})
    ada.post("/people/change", {"name": "new", "what": "disable"})
    with store.reading() as connection:
        rows = connection.exec_driver_sql(
            "SELECT kind, person.name FROM event JOIN person ON person.id = event.person"
        ).all()
    assert [row.kind for row in rows if row.name == "admin-1"] == [
        *("login", "person added", "role changed", "password changed", "disabled"),
    ]


def test_a_flood_of_logins_is_turned_away(store: Store) -> None:
    browser = Browser(store)
    places = browser.app.state.site.places
    while places.acquire(blocking=False):
        pass
    assert browser.login("annotator-1").status_code == 503


@pytest.mark.parametrize(("wait", "status"), [(IDLE - 5, 200), (IDLE + 5, 303)])
def test_an_unused_session_ends(store: Store, wait: float, status: int) -> None:
    clock = Clock()
    browser = Browser(store, clock)
    browser.login("annotator-1")
    clock.at += wait
    assert browser.get("/").status_code == status


def test_a_session_ends_however_much_it_is_used_and_with_role_and_password(store: Store) -> None:
    clock = Clock()
    browser = Browser(store, clock)
    browser.login("annotator-1")
    until = clock.at + ABSOLUTE
    while clock.at < until:
        assert browser.get("/").status_code == 200
        clock.at += IDLE - 60
    assert browser.get("/").status_code == 303
    for change in (
        lambda: people.set_role(store, "annotator-1", "reader"),
        lambda: people.set_password(store, "annotator-1", PASSWORD),
        lambda: people.set_disabled(store, "annotator-1", True),
    ):
        browser.login("annotator-1")
        assert browser.get("/").status_code == 200
        change()
        assert browser.get("/").status_code == 303
    assert browser.login("annotator-1").status_code == 403


def test_every_route_answers_its_roles_alone(store: Store) -> None:
    """Each address for each role: refused with 403 where the table does not name it."""
    browsers = {role: Browser(store) for role in ROLES}
    for role, browser in browsers.items():
        assert browser.login(f"{role}-1").status_code == 303
    stranger = Browser(store)
    for route in ROUTES:
        path = re.sub(r"\{\w+\}", "1", route.path)
        if path == "/logout":
            continue
        if route.roles:
            answer = stranger.client.request(route.method, path, headers=JSON)
            assert answer.status_code == 401, path
        for role, browser in browsers.items():
            sent = JSON | {"x-form": browser.token}
            status = browser.client.request(route.method, path, headers=sent).status_code
            if route.roles:
                assert (status == 403) == (role not in route.roles), (path, role, status)
            assert status != 500, (path, role)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "https://127.0.0.1:8765"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"x_form": ""},
        {"x_form": "guessed"},
    ],
)
def test_other_sites_cannot_post(store: Store, headers: dict[str, str]) -> None:
    browser = Browser(store)
    browser.login("admin-1")
    before = len(names(store))
    fields = {"name": "mallory", "role": "admin", "password": PASSWORD}
    assert browser.post("/people", data=fields, **headers).status_code == 403
    assert len(names(store)) == before
    good = browser.post("/people", data=fields, origin=HOST, sec_fetch_site="same-origin")
    assert (good.status_code, len(names(store))) == (303, before + 1)


def names(store: Store) -> list[str]:
    with store.reading() as connection:
        return [each.name for each in people.people(connection)]


def test_logging_in_from_another_site_is_refused(store: Store) -> None:
    browser = Browser(store)
    assert browser.login("annotator-1", origin="https://evil.example").status_code == 403
    fields = {"name": "annotator-1", "password": PASSWORD, "login": "not the cookie's"}
    assert browser.client.post("/login", data=fields).status_code == 403


def test_pages_carry_their_policy_and_only_own_hosts_are_served(store: Store) -> None:
    browser = Browser(store)
    browser.login("admin-1")
    take_in(store, {"evil": "<script>alert(1)</script>\u2028</script> \x07 {{ 7*7 }} &amp;"})
    number = browser.app.state.site.store
    with number.reading() as connection:
        evil = connection.exec_driver_sql("SELECT id FROM note WHERE ext = 'evil'").scalar_one()
    browser.post(f"/note/{evil}/take")
    for path in (
        "/",
        "/notes",
        "/people",
        "/events",
        f"/note/{evil}",
        "/login",
        "/nothing",
        "/x/y",
    ):
        answer = browser.get(path)
        assert answer.headers["content-security-policy"] == POLICY, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers
        assert not re.search(r"\son\w+=|style=|<script(?! type=| src=)|javascript:", answer.text)
        assert not re.search(r"(src|href)=\"(https?:)?//", answer.text)
    page = browser.get(f"/note/{evil}").text
    assert "alert(1)</script>" not in page
    assert "{{ 7*7 }}" in page
    assert "\u2407" in page
    assert page.count("<script") == 2
    assert browser.get("/", host="evil.example").status_code == 400
    assert browser.get("/", host="evil.example:8765").status_code == 400


def test_an_annotator_cannot_reach_the_work_of_others(store: Store) -> None:
    owner, other = Browser(store), Browser(store)
    owner.login("annotator-1")
    other.login("annotator-2")
    number = int(owner.post("/next").headers["location"].rpartition("/")[2])
    step = {"step": "0123456789", "version": 0, "op": "skip", "why": "not readable"}
    assert other.get(f"/note/{number}/state", **JSON).status_code == 404
    assert other.post(f"/note/{number}/steps", json=step, **JSON).status_code == 422
    assert other.post(f"/note/{number}/take", **JSON).status_code == 422
    page = other.get(f"/note/{number}").text
    assert 'id="items"' not in page
    assert "<script" not in page
    for role in ("adjudicate", "admin", 7, None):
        answer = other.post(f"/note/{number}/steps", json=step | {"role": role}, **JSON)
        assert answer.status_code in (400, 403, 422)
    assert owner.get(f"/note/{number}/state", **JSON).json()["version"] == 0
    assert owner.post(f"/note/{number}/steps", json=step, **JSON).json()["go"] != f"/note/{number}"


def test_two_windows_on_one_note_get_a_conflict_and_lose_nothing(store: Store) -> None:
    browser = Browser(store)
    browser.login("annotator-1")
    number = 1
    browser.post(f"/note/{number}/take")
    items = browser.get(f"/note/{number}/state", **JSON).json()["items"]
    first = {"step": "window-one", "version": 0, "op": "delete", "item": items[0]["id"]}
    second = first | {"step": "window-two", "op": "keep"}
    assert browser.post(f"/note/{number}/steps", json=first, **JSON).status_code == 200
    late = browser.post(f"/note/{number}/steps", json=second, **JSON)
    assert late.status_code == 409
    now = browser.get(f"/note/{number}/state", **JSON).json()
    assert next(each["state"] for each in now["items"]) == "deleted"
    again = browser.post(f"/note/{number}/steps", json=second | {"version": 1}, **JSON)
    assert again.json()["items"][0]["state"] == "kept"


@pytest.mark.parametrize(
    "body",
    ["", "[]", "null", "{", '{"step": 1}', '{"step": "short", "version": 0}', "[" * 10_000,
     '{"step": "0123456789", "version": "0", "op": "keep"}',
     '{"step": "0123456789", "version": 0, "op": {"a": 1}}'],
)  # fmt: skip
def test_bodies_that_are_no_steps_are_refused(store: Store, body: str) -> None:
    browser = Browser(store)
    browser.login("annotator-1")
    path = browser.post("/next").headers["location"]
    sent = JSON | {"x-form": browser.token, "content-type": "application/json"}
    answer = browser.client.post(f"{path}/steps", content=body, headers=sent)
    assert answer.status_code in (400, 422)
    assert set(answer.json()) == {"error"}


def test_large_bodies_and_strange_paths_are_refused(store: Store) -> None:
    browser = Browser(store)
    browser.login("admin-1")
    assert browser.post("/people", data={"name": "a" * (1 << 20)}).status_code == 413
    for path in ("/note/0", "/note/99999999999999999", "/note/-1", "/note/1e3", "/note/٣",
                 "/static/../site.py", "/static/%2e%2e/app.py", "/note/1/steps"):  # fmt: skip
        assert browser.get(path).status_code in (404, 405), path


@pytest.mark.parametrize(
    ("regex", "found"),
    [("canc\\w+ of", ["n1"]), ("(a+)+$", []), ("^Nothing|gout", ["n3", "n4"]), ("סוכרת", ["n2"])],
)
def test_regular_expressions_find_notes(store: Store, regex: str, found: list[str]) -> None:
    browser = Browser(store)
    browser.login("reader-1")
    page = browser.client.get("/notes", params={"regex": regex}).text
    assert re.findall(r'/note/\d+">(\w+)</a>', page) == found


def test_a_pattern_that_looks_back_is_refused_with_the_reason(store: Store) -> None:
    browser = Browser(store)
    browser.login("reader-1")
    answer = browser.client.get("/notes", params={"regex": r"(?<=a)b"}, headers=JSON)
    assert answer.status_code == 400
    assert "the pattern cannot be used" in answer.json()["error"]


def test_a_proxy_may_log_people_in_and_nobody_else(store: Store) -> None:
    add_person(store, "by-proxy", "annotator", None)
    options = {"behind_proxy": ("10.0.0.1",), "login_header": "X-Remote-User"}
    app = make_app(store, ServeOptions(**options))

    def client(address: str) -> TestClient:
        return TestClient(app, "https://127.0.0.1", follow_redirects=False, client=(address, 5))

    inside, outside = client("10.0.0.1"), client("10.0.0.2")
    good = inside.get("/", headers={"X-Remote-User": "by-proxy"})
    assert good.status_code == 200
    assert good.headers["set-cookie"].startswith("__Host-labelwright=")
    assert "Secure" in good.headers["set-cookie"]
    assert "max-age" in good.headers["strict-transport-security"]
    assert outside.get("/", headers={"X-Remote-User": "by-proxy"}).status_code == 303
    assert inside.get("/", headers={"X-Remote-User": "no-one"}).status_code == 303
    other = inside.get("/", headers={"X-Remote-User": "reader-1"})
    assert "reader-1" in other.text
    off = TestClient(make_app(store, ServeOptions()), HOST, follow_redirects=False)
    assert off.get("/", headers={"X-Remote-User": "by-proxy"}).status_code == 303


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"host": "0.0.0.0"}, "nothing encrypts"),
        ({"tls_key": Path("x")}, "a certificate and its key"),
        ({"login_header": "X-User"}, "for a proxy"),
        ({"behind_proxy": ("proxy.example",)}, "no IP address"),
    ],
)
def test_unsafe_ways_to_serve_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ServeOptions(**options).check()


def test_failures_say_nothing_of_the_note(
    store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from review.web import view

    browser = Browser(store)
    browser.login("annotator-1")
    path = browser.post("/next").headers["location"]

    def broken(*_: object) -> None:
        raise RuntimeError(TEXTS["n1"])

    monkeypatch.setattr(view, "whole", broken)
    answer = browser.get(path)
    assert answer.status_code == 500
    assert "cancer" not in answer.text
    assert "cancer" not in caplog.text


def test_somebody_who_only_reads_gets_no_work(store: Store) -> None:
    browser = Browser(store)
    browser.login("reader-1")
    assert browser.post("/next").status_code == 403
    page = browser.get("/note/1").text
    assert "breast cancer" in page
    assert "<script" not in page
    assert Worker(store, "anna").next() is not None


def test_an_admin_pastes_a_note(store: Store) -> None:
    browser = Browser(store)
    browser.login("admin-1")
    given = {"id": "pasted", "text": "Gout.\r\nNo pain. 🫁", "patient": "p9"}
    answer = browser.post("/notes/add", data=given)
    assert answer.status_code == 303
    with store.reading() as connection:
        found = connection.exec_driver_sql("SELECT text, patient FROM note WHERE ext = 'pasted'")
        assert found.one() == ("Gout.\nNo pain. 🫁", "p9")
    assert "Annotate this note" in browser.get(answer.headers["location"]).text
    assert browser.post("/notes/add", data=given | {"text": "other"}).status_code == 422
    assert browser.post("/notes/add", data=given | {"id": " "}).status_code == 422


def test_comments_are_read_by_those_who_may_and_taken_back_by_their_author(store: Store) -> None:
    """Of two who annotate a note each reads the other's comment when it is final, not before."""
    people_ = {each: Browser(store) for each in ("annotator-1", "adjudicator-1", "reader-1")}
    for name, browser in people_.items():
        browser.login(name)
    anna, judge, reader = people_.values()
    with store.writing() as connection:
        connection.exec_driver_sql("UPDATE queue SET wanted = 2, free = 2")
    note = anna.post("/next").headers["location"]
    judge.post(note + "/take")
    said = {"text": " See <b>the liver</b>. "}
    assert anna.post(note + "/comments", said).headers["location"] == note + "#comments"
    assert "See &lt;b&gt;the liver&lt;/b&gt;." in anna.get(note).text
    assert "the liver" not in judge.get(note).text
    assert "the liver" in reader.get(note).text
    assert reader.post(note + "/comments", {"text": "x"}).status_code == 403
    for text in (" ", "x" * 2001):
        assert anna.post(note + "/comments", {"text": text}).status_code == 422
    listed = judge.get("/notes?state=commented").text
    assert listed.count('<a href="/note/') == 1
    with store.writing() as connection:
        connection.exec_driver_sql(f"UPDATE queue SET state = 'final' WHERE note = {note[6:]}")
    assert "the liver" in judge.get(note).text
    assert judge.post("/comments/1/back").status_code == 422
    assert anna.post("/comments/1/back").status_code == 303
    assert "the liver" not in anna.get(note).text
    with store.reading() as connection:
        rows = connection.exec_driver_sql("SELECT kind, before, after FROM event").all()
        assert connection.exec_driver_sql("SELECT text FROM comment").scalars().all() == [None]
    assert {"commented", "comment taken back"} <= {row.kind for row in rows}
    assert "liver" not in str(rows)
