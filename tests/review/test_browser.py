"""The pages in a real browser: by keys alone, undone, in conflict, with signs of all kinds.

They need Chromium and are left out where there is none.
"""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from review_tools import PASSWORD, TEXTS, entity, prediction, project, quick_passwords, take_in

from labelwright.io.jsonl import write_jsonl
from labelwright.label_set import LabelSet
from review.store import order, people, runs, work
from review.store.gold import finals
from review.store.store import Store
from review.web.app import make_app
from review.web.options import ServeOptions

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\n"
    "</script></p><style>*{display:none}</style> {{ 7*7 }} &lt;b&gt; "
    "\x07\x1b[31m \u202e evil \u2028javascript:alert(1) gout ' \" ` \\ </textarea><!-- gout"
)
LONG = " ".join(f"word{n} of gout." for n in range(3000))
MORE = {"n5": HOSTILE, "n6": LONG}


class Served:
    """A project behind a server in a thread of the tests."""

    def __init__(self, store: Store) -> None:
        self.store = store
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.app = make_app(store, ServeOptions(port=port))
        config = uvicorn.Config(
            self.app, port=port, log_level="error", access_log=False, lifespan="off", ws="none"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listening]}, daemon=True
        )
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self.store.close()

    def number(self, ext: str) -> int:
        with self.store.reading() as connection:
            found = connection.exec_driver_sql(f"SELECT id FROM note WHERE ext = '{ext}'")
            return int(found.scalar_one())

    def final(self) -> dict[str, list[tuple[str, str | None, str]]]:
        """By note, what is finally said: label, certainty, words."""
        with self.store.reading() as connection:
            return {
                each.ext: [
                    (i.name, i.said, " … ".join(each.text[a:b] for a, b in i.spans))
                    for i in sorted(each.items, key=lambda i: i.spans)
                ]
                for each in finals(connection)
            }


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    quick_passwords(monkeypatch)
    store = project(tmp_path / "p")
    texts = TEXTS | MORE
    take_in(store, texts)
    rows = [
        prediction(
            "n1", [entity(texts["n1"], "breast cancer", prob=0.2), entity(texts["n1"], "scan")]
        ),
        prediction("n2", [entity(texts["n2"], "asthma", prob=0.4)]),
        prediction("n5", [entity(texts["n5"], "gout", prob=0.99)]),
    ]
    write_jsonl(tmp_path / "pred.jsonl", rows)
    runs.add_run(store, tmp_path / "pred.jsonl")
    order.arrange(store)
    people.add_person(store, "anna", "admin", PASSWORD)
    found = Served(store)
    yield found
    found.stop()


class Page:
    """A tab; every message of the console and every request to elsewhere fails the test."""

    def __init__(self, browser: Any, served: Served, **options: Any) -> None:
        self.served = served
        self.context = browser.new_context(base_url=served.url, **options)
        self.faults: list[str] = []
        self.tab = self.open()

    def open(self) -> Any:
        tab = self.context.new_page()
        tab.set_default_timeout(60_000)
        tab.on("console", lambda m: self._heard(m.text))
        tab.on("pageerror", lambda error: self.faults.append(str(error)))
        tab.on(
            "request",
            lambda r: r.url.startswith(self.served.url) or self.faults.append(f"foreign: {r.url}"),
        )
        return tab

    def _heard(self, text: str) -> None:
        """Refusals are part of the tests, and they may be quicker at a field than its autofocus."""
        expected = ("409", "422", "401", "403", "Autofocus processing was blocked")
        if not any(each in text for each in expected):
            self.faults.append(text)

    def login(self) -> None:
        self.tab.goto("/login")
        self.tab.focus("[name=name]")
        self.tab.keyboard.type("anna")
        self.tab.keyboard.press("Tab")
        self.tab.keyboard.type(PASSWORD)
        self.tab.keyboard.press("Enter")
        self.tab.wait_for_url(self.served.url + "/")

    def keys(self, *names: str, tab: Any = None) -> None:
        for name in names:
            (tab or self.tab).keyboard.press(name)

    def said(self, words: str, tab: Any = None) -> None:
        """Wait until the page says something."""
        (tab or self.tab).wait_for_function(
            "words => document.getElementById('say').textContent.includes(words)", arg=words
        )

    def take(self, ext: str) -> None:
        self.tab.goto(f"/note/{self.served.number(ext)}")
        if self.tab.query_selector("text=Annotate this note"):
            self.tab.wait_for_selector("main button:focus")
            self.keys("Enter")
        self.tab.wait_for_selector("#counts:not(:text-is('Proposals'))")

    def at(self, ext: str) -> None:
        """Wait until a note is shown."""
        self.tab.wait_for_url(f"**/note/{self.served.number(ext)}")
        self.tab.wait_for_selector("#counts:not(:text-is('Proposals'))")

    def seen(self) -> None:
        """Wait until all items have been on the screen; only those are kept by Enter."""
        self.tab.wait_for_function(
            "() => [...document.querySelectorAll('#items li')].every(each => each.dataset.seen)"
        )

    def close(self) -> None:
        self.context.close()
        assert self.faults == []


def test_the_whole_loop_by_keys_alone_and_undo_over_notes(browser: Any, served: Served) -> None:
    """The least sure note first; its emoji counts as one for people and two for the browser."""
    page = Page(browser, served)
    page.login()
    page.tab.wait_for_selector("main button:focus")
    page.keys("Enter")
    page.at("n1")
    page.keys("x")
    page.said("deleted Disease")
    page.keys("a")
    page.said("kept Disease")
    page.keys("t", "Control+End")
    page.keys("ArrowLeft", "1")  # the last word is "!"
    page.said("marked Disease")
    page.keys("c", "s")
    page.said("proposed at 2 more places")
    page.seen()
    page.keys("i", "o", "x", "Enter")
    page.at("n2")
    page.seen()
    page.keys("Enter")
    page.tab.wait_for_url(lambda url: not url.endswith(f"/{served.number('n2')}"))
    final = served.final()
    assert final["n1"] == [
        ("Disease", "positive", "breast cancer"),
        ("Disease", "negative", "diabetes"),
        ("Disease", "negative", "diabetes"),
    ]
    assert final["n2"] == [("Disease", "positive", "asthma")]
    page.tab.wait_for_selector("#counts:not(:text-is('Proposals'))")
    page.keys("u")
    page.at("n2")
    page.keys("u")
    page.at("n1")
    page.keys("u")
    page.said("undo: delete")
    page.keys("Control+z")
    page.said("undo: same")
    page.keys("r")
    page.said("redo: undo")
    assert served.final() == {}
    page.close()


def test_marks_in_text_from_right_to_left_and_within_words(browser: Any, served: Served) -> None:
    """The arrow to the left goes forward in a Hebrew line; Alt moves a border by one sign."""
    page = Page(browser, served)
    page.login()
    page.take("n2")
    page.keys("x")
    page.said("deleted Disease")
    page.keys("t", "Control+Home", "ArrowLeft", "1")
    page.said("marked Disease")
    page.keys("t", "Control+Home", "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft")
    page.keys("Shift+ArrowLeft", "2")
    page.said("marked Drug")
    page.keys("Alt+[")
    page.said("border moved")
    page.keys("Enter")
    page.tab.wait_for_url(lambda url: not url.endswith(f"/{served.number('n2')}"))
    assert served.final()["n2"] == [
        ("Disease", "positive", "סוכרת"),
        ("Drug", "positive", "e\u0301tude o"),
    ]
    page.close()


def test_a_second_window_gets_the_conflict_and_keeps_its_step(browser: Any, served: Served) -> None:
    page = Page(browser, served)
    page.login()
    page.take("n1")
    other = page.open()
    other.goto(f"/note/{served.number('n1')}")
    other.wait_for_selector("#items li")
    page.keys("x")
    page.said("deleted")
    page.keys(".", "x", tab=other)
    other.wait_for_selector("#trouble:not([hidden])")
    assert "changed in another window" in other.inner_text("#trouble")
    other.click("text=Do it now")
    page.said("deleted", tab=other)
    states = [node.get_attribute("data-state") for node in other.query_selector_all("#items li")]
    assert states == ["deleted", "deleted"]
    page.close()


def test_a_session_that_ends_in_mid_work_loses_no_step(browser: Any, served: Served) -> None:
    page = Page(browser, served)
    page.login()
    page.take("n1")
    with served.store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM session")
    page.keys("x", "a")
    page.tab.wait_for_selector("#trouble:not([hidden])")
    assert "2 steps are kept here" in page.tab.inner_text("#trouble")
    first, page.tab = page.tab, page.open()
    page.login()
    first.bring_to_front()
    first.click("button:text-is('Try again')")
    page.said("kept Disease", tab=first)
    states = [node.get_attribute("data-state") for node in first.query_selector_all("#items li")]
    assert sorted(states) == ["deleted", "kept"]
    page.close()


def test_a_hostile_note_is_shown_as_text_and_nothing_else(browser: Any, served: Served) -> None:
    """And ten megabytes of it, a part at a time."""
    huge = HOSTILE.replace("gout", "asthma") * (10_000_000 // len(HOSTILE))
    take_in(served.store, {"n7": huge})
    page = Page(browser, served)
    page.login()
    page.take("n5")
    assert page.tab.is_hidden("text=Open again")
    shown = page.tab.inner_text("#text")
    assert "<script>document.title='owned'</script>" in shown
    assert "{{ 7*7 }}" in shown
    assert "\u2407" in shown
    assert page.tab.title().startswith("n5")
    assert page.tab.evaluate("document.querySelectorAll('#text *:not(p)').length") == 0
    page.keys("a")
    page.said("kept Disease")
    page.keys("s")
    page.said("proposed at 1 more place")
    page.take("n7")
    page.tab.focus("#text")
    page.keys("Control+End")
    page.said(": asthma")
    page.keys("1")
    page.said("marked Disease")
    assert page.tab.title().startswith("n7")
    assert page.tab.evaluate("document.querySelectorAll('#text *:not(p)').length") == 0
    with served.store.reading() as connection:
        on = work.desk(connection, served.number("n7"), 1)
        assert on is not None
        [placed] = work.items_of(connection, on.id)
    assert placed.item.spans == ((len(huge) - 6, len(huge)),)
    page.close()


def test_a_long_note_is_marked_on_a_phone_and_every_page_obeys_the_policy(
    browser: Any, served: Served
) -> None:
    page = Page(browser, served, viewport={"width": 360, "height": 740}, color_scheme="dark")
    page.login()
    page.take("n6")
    page.tab.focus("#text")
    page.keys("Control+End")
    page.said("part 2 of 2: .")
    page.keys("ArrowLeft", "1")
    page.said("marked Disease")
    page.keys("s")
    page.said("proposed at 500 more places; once more for the next")
    assert "501 items, 500 to decide in all" in page.tab.inner_text("#counts")
    page.keys("Control+Home")
    page.said("part 1 of 2: word0")
    page.keys("Shift+ArrowRight", "2")
    page.said("marked Drug")
    page.keys(">")
    page.said("part 2 of 2")
    assert page.tab.evaluate("document.querySelectorAll('#items li').length") == 1
    page.tab.goto(f"/note/{served.number('n6')}?part=2")
    shown = page.tab.text_content("#text")  # also of lines that are not drawn yet
    assert shown.strip().endswith("word2999 of gout.")
    page.tab.wait_for_selector("#counts:not(:text-is('Proposals'))")
    page.keys("Enter")
    page.said("1 of the note's 2 parts were not opened")
    for path in ("/", "/notes", "/people", "/events", "/adjudicate", "/agreement", "/login"):
        page.tab.goto(path)
    for path in ("/", "/notes", "/agreement", f"/note/{served.number('n6')}"):
        page.tab.goto(path)
        assert page.tab.evaluate("document.documentElement.scrollWidth") <= 360, path
    page.close()


def test_every_page_keeps_the_rules_of_axe(browser: Any, served: Served) -> None:
    """Contrast, names, roles, labels, landmarks and more: WCAG 2.2 A and AA; light, and dark on a
    phone; with dialogs open as well."""
    script = Path(pytest.importorskip("axe_playwright_python").__file__).with_name("axe.min.js")
    rules = {"runOnly": [f"wcag{each}" for each in ("2a", "2aa", "21a", "21aa", "22aa")]}
    number = served.number("n1")
    for options in (
        {"viewport": {"width": 1280, "height": 800}},
        {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"},
    ):
        page = Page(browser, served, **options)
        found: list[str] = []

        def look(where: str, page: Page = page, found: list[str] = found) -> None:
            page.tab.evaluate(script.read_text())
            told = page.tab.evaluate("rules => axe.run(rules)", rules)
            assert len(told["passes"]) > 8, where
            for each in told["violations"]:
                found.append(f"{where}: {each['id']} {each['nodes'][0]['html'][:200]}")

        page.tab.goto("/login")
        look("login")
        page.login()
        page.take("n1")
        page.keys("m")
        page.tab.keyboard.type("Is this one mention or two?")
        page.keys("Tab", "Enter")
        page.tab.wait_for_selector("#comments li")
        page.tab.wait_for_selector("#counts:not(:text-is('Proposals'))")
        page.keys("i", "a")
        page.said("kept Disease")
        look("note")
        for key in ("?", "k", "l"):
            page.keys(key)
            look(f"note, {key}")
            page.keys("Escape")
        paths = ["/", "/notes", "/imports", "/people"]
        more = ["/models", "/notes?regex=gout", "/events", "/phrases", "/adjudicate", "/agreement"]
        for path in paths + (
            [] if "color_scheme" in options else [*more, f"/note/{number}/history"]
        ):
            page.tab.goto(path)
            look(path)
            assert page.tab.evaluate("document.documentElement.scrollWidth") <= page.tab.evaluate(
                "innerWidth"
            ), path
        page.tab.goto(f"/note/{number}")
        page.keys("u")
        page.said("undo: keep")
        assert found == []
        page.close()


FIELDS = """
name: two-fields
version: "1"
task: fields
language: en
instruction: "Read {fields}."
fields:
  - {name: Age, type: number, unit: years, units: {months: 1/12}}
  - {name: Smoker, type: boolean}
"""


def test_values_are_taken_from_the_text_or_written_by_keys(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page shows what the words mean in the field's unit, not in the one they are in."""
    quick_passwords(monkeypatch)
    store = project(tmp_path / "p", LabelSet.from_text(FIELDS), blind_every=1)
    take_in(store, {"v1": "8 months old"})
    people.add_person(store, "anna", "admin", PASSWORD)
    served = Served(store)
    page = Page(browser, served)
    page.login()
    page.take("v1")
    page.keys("t", "Control+Home", "Shift+ArrowRight", "v")
    page.tab.wait_for_selector("text=8 months → 0.666667 years")
    page.keys("i", "v")
    page.tab.keyboard.type("30 months")
    page.keys("Enter")
    page.tab.wait_for_selector("text=30 months → 2.5 years")
    page.keys("l")
    page.tab.keyboard.type("smok")
    page.keys("Enter", "1")
    page.tab.wait_for_selector("#items li:nth-child(2)[data-state=added]")
    page.keys("Enter")
    page.tab.wait_for_url("**/?empty=1")
    assert [said for _, said, _ in served.final()["v1"]] == ["stated", "true"]
    page.close()
    served.stop()


def test_labels_of_a_blind_note_are_answered_or_ended_by_a_key(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a phone: Enter says what is missing, a digit answers and goes on, n ends the rest."""
    quick_passwords(monkeypatch)
    store = project(tmp_path / "p", LabelSet.load("head-ct-5"), blind_every=1)
    take_in(store, {"c1": "Bleeding is seen."})
    people.add_person(store, "anna", "admin", PASSWORD)
    served = Served(store)
    page = Page(browser, served, viewport={"width": 360, "height": 740})
    page.login()
    page.take("c1")
    assert page.tab.query_selector_all("#items [aria-pressed=true]") == []
    page.keys("Enter")
    page.said("5 labels without an answer")
    spot = page.tab.locator("#say").bounding_box()
    assert spot["y"] >= 0
    assert spot["y"] + spot["height"] <= 740
    page.keys("1", "3")
    page.tab.wait_for_selector("#items li:nth-child(2)[data-state=added]")
    assert page.tab.evaluate("document.getElementById('items').scrollWidth") <= 360
    page.keys("n", "Enter")
    page.tab.wait_for_url("**/?empty=1")
    first, second = store.label_set.names[:2]
    said = {name: option for name, option, _ in served.final()["c1"] if option != "blank"}
    assert said == {first: "positive", second: "uncertain"}
    page.close()
    served.stop()


def test_a_blind_note_is_left_empty_only_on_purpose(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_passwords(monkeypatch)
    store = project(tmp_path / "p", blind_every=1)
    take_in(store, {"n4": TEXTS["n4"]})
    people.add_person(store, "anna", "admin", PASSWORD)
    served = Served(store)
    page = Page(browser, served)
    page.login()
    page.take("n4")
    page.keys("Enter")
    page.said("Nothing is marked")
    assert served.final() == {}
    page.keys("Enter")
    page.tab.wait_for_url("**/?empty=1")
    assert served.final() == {"n4": []}
    page.close()
    served.stop()
