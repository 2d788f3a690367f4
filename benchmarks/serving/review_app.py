"""How the review app keeps up: pages, steps, search, import, export, and a server that is killed.

    python benchmarks/serving/review_app.py [--notes 2000] [--people 10] [--rounds 3]
        [--pause 0.3] [--kills 3]

Notes of 1,000 characters with three proposals each are taken in; then the server runs as a process
of its own, and people, each a thread with a session, take notes, decide every proposal in a step
by itself, and finish, with a pause before each step. Times are those of whole requests within this
machine. With ``--kills`` the server is killed (SIGKILL) at random moments and started again; then
every step whose answer had arrived is looked for in the events.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict
from http.cookiejar import CookieJar
from pathlib import Path

from sqlalchemy import select

from labelwright.io.jsonl import write_jsonl
from labelwright.label_set import LabelSet
from labelwright.records import Report
from review.checking import problems
from review.exporting import export
from review.store import order, people, runs
from review.store.notes import add_notes
from review.store.store import Settings, create, open_store
from review.store.tables import event

WORDS = (
    *("pain", "lung", "no", "left", "the", "of", "effusion", "right", "small", "nodule", "is"),
    *("seen", "in", "upper", "lobe", "with", "and", "chronic", "cough", "liver", "mild", "stable"),
    *("large", "kg", "mg", "daily"),
)
PASSWORD = "four words make one"
Times = dict[str, list[float]]


def text(draw: random.Random, size: int) -> str:
    """A note of some 1,000 characters."""
    found: list[str] = []
    length = 0
    while length < size:
        word = draw.choice(WORDS) if draw.random() > 0.02 else f"{draw.randrange(200)} kg"
        found.append(word)
        length += len(word) + 1
    return " ".join(found)


def fill(folder: Path, count: int, persons: int) -> dict[str, float]:
    """A project with notes, predictions and people; returns the rates of taking in."""
    draw = random.Random(1)
    create(folder, LabelSet.load("disease-1"), Settings(double=0.1))
    store = open_store(folder)
    reports = [
        Report(f"n{n:06}", text(draw, 1000), "made", n, patient=f"p{n // 3}") for n in range(count)
    ]
    start = time.perf_counter()
    for _ in add_notes(store, reports):
        pass
    taken = time.perf_counter() - start
    path = folder.with_suffix(".jsonl")
    write_jsonl(path, (said(draw, report) for report in reports))
    start = time.perf_counter()
    runs.add_run(store, path)
    predicted = time.perf_counter() - start
    start = time.perf_counter()
    order.arrange(store)
    arranged = time.perf_counter() - start
    for number in range(persons):
        people.add_person(store, f"person-{number}", "annotator", PASSWORD)
    store.close()
    return {
        "notes in per second": count / taken,
        "predictions in per second": count / predicted,
        "seconds to order the queue": arranged,
    }


def said(draw: random.Random, report: Report) -> dict[str, object]:
    """Three proposals at words of the note."""
    spans = [match.span() for match in re.finditer(r"[a-z]{5,}", report.text)]
    chosen = sorted(draw.sample(spans, 3))
    entities = [
        {"type": "Disease", "spans": [[a, b]], "text": report.text[a:b], "prob": draw.random()}
        for a, b in chosen
    ]
    return {"id": report.id, "entities": entities, "model": "made", "raw": "", "labels": {}}


class Server:
    """The server as a process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "labelwright.cli", "review", "serve", str(self.folder)]
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port)], stdout=subprocess.DEVNULL
        )
        for _ in range(600):
            try:
                urllib.request.urlopen(self.url + "/healthz", timeout=1).read()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise SystemExit("the server did not start")

    def kill(self) -> None:
        """End it at once."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def memory(self) -> float:
        """MiB in use."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


class Person:
    """Somebody with a browser, in a thread."""

    def __init__(self, server: Server, name: str, times: Times, pause: float = 0.0) -> None:
        self.pause = pause
        self.server, self.name, self.times = server, name, times
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.token = ""
        self.confirmed: list[str] = []
        self.tries = 0

    def ask(self, what: str, path: str, fields: object = None) -> str:
        """A request, timed; repeated while the server is away."""
        while True:
            headers = {"x-form": self.token}
            body = None
            if isinstance(fields, dict) and path.endswith("/steps"):
                body = json.dumps(fields).encode()
                headers |= {"content-type": "application/json", "accept": "application/json"}
            elif isinstance(fields, dict):
                body = urllib.parse.urlencode(fields).encode()
            request = urllib.request.Request(self.server.url + path, body, headers)
            start = time.perf_counter()
            try:
                with self.opener.open(request, timeout=60) as answer:
                    found = answer.read().decode()
                    self.at = answer.geturl()
            except urllib.error.HTTPError as error:
                raise SystemExit(f"{path}: {error.code} {error.read()[:300]!r}") from None
            except (OSError, urllib.error.URLError):
                self.tries += 1
                time.sleep(0.1)
                continue
            self.times[what].append(time.perf_counter() - start)
            return found

    def login(self) -> None:
        """Log in."""
        page = self.ask("login page", "/login")
        token = re.search(r'name="login" value="([^"]+)"', page)
        fields = {"name": self.name, "password": PASSWORD, "login": token[1]}  # type: ignore[index]
        page = self.ask("login", "/login", fields)
        self.token = re.search(r'name="form" value="([^"]+)"', page)[1]  # type: ignore[index]

    def work(self, rounds: int) -> None:
        """Decide on the proposals of some notes."""
        page = self.ask("next note and its page", "/next", {})
        for _ in range(rounds):
            found = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
            if found is None:
                return
            data = json.loads(found[1])
            path, version = f"/note/{data['note']}", data["version"]
            roots = [each["id"] for each in data["items"] if each["state"] == "open"]
            for number, root in enumerate(roots):
                op = "delete" if number % 3 == 2 else "keep"
                answer = self.step(path, {"op": op, "item": root, "version": version})
                version = answer["version"]
            answer = self.step(path, {"op": "done", "keep": roots, "version": version})
            if "go" not in answer or not answer["go"].startswith("/note/"):
                return
            page = self.ask("note page", answer["go"])

    def step(self, path: str, given: dict[str, object]) -> dict[str, object]:
        """One step, noted once it is answered."""
        time.sleep(self.pause)
        name = os.urandom(12).hex()
        answer = json.loads(self.ask("step", path + "/steps", given | {"step": name}))
        self.confirmed.append(name)
        found: dict[str, object] = answer
        return found


def crowd(server: Server, count: int, rounds: int, pause: float) -> tuple[list[Person], Times]:
    """People who work at the same time."""
    times: Times = defaultdict(list)
    persons = [Person(server, f"person-{n}", times, pause) for n in range(count)]
    for person in persons:
        person.login()
    threads = [threading.Thread(target=each.work, args=(rounds,)) for each in persons]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return persons, times


def lists(person: Person, count: int) -> None:
    """Lists at several depths, and searches."""
    for _ in range(5):
        for share in (0.0, 0.5, 0.99):
            person.ask("list of notes", f"/notes?after={int(count * share)}")
        person.ask("list of a state", f"/notes?state=new&after={count // 2}")
    for pattern in (r"\d{3} kg", "zebra", "(a+)+$", r"nodule \w+ is"):
        person.ask("regular expression", f"/notes?regex={urllib.parse.quote(pattern)}")


def show(times: Times) -> None:
    """Print the times."""
    for what, found in times.items():
        found = sorted(found)
        half, most = found[len(found) // 2], found[min(len(found) - 1, int(len(found) * 0.95))]
        print(
            f"{what:26} {len(found):6}  median {half * 1000:7.1f} ms   p95 {most * 1000:7.1f} ms"
            f"   largest {found[-1] * 1000:7.1f} ms"
        )


def killed(folder: Path, server: Server, persons: int, kills: int, rounds: int) -> None:
    """Kill the server while people work; look for every step that was confirmed."""
    times: Times = defaultdict(list)
    crowd_ = [Person(server, f"person-{n}", times) for n in range(persons)]
    for person in crowd_:
        person.login()
    threads = [threading.Thread(target=each.work, args=(rounds,)) for each in crowd_]
    for thread in threads:
        thread.start()
    draw = random.Random(7)
    done = 0
    while any(thread.is_alive() for thread in threads) and done < kills:
        time.sleep(draw.uniform(0.5, 2.5))
        server.kill()
        done += 1
        server.start()
    for thread in threads:
        thread.join()
    store = open_store(folder)
    with store.reading() as connection:
        kept = set(connection.scalars(select(event.c.step).where(event.c.step.is_not(None))))
    confirmed = [step for person in crowd_ for step in person.confirmed]
    lost = [step for step in confirmed if step not in kept]
    wrong = list(problems(store))
    tries = sum(person.tries for person in crowd_)
    print(
        f"{done} kills, {tries} requests repeated, {len(confirmed)} steps confirmed, "
        f"{len(lost)} lost, {len(wrong)} problems found by check"
    )
    store.close()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--notes", type=int, default=2000)
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3, help="notes of each person")
    parser.add_argument("--pause", type=float, default=0.3, help="seconds before each step")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--kill-rounds", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "project"
        for what, value in fill(folder, arguments.notes, arguments.people).items():
            print(f"{what:32} {value:10.1f}", flush=True)
        server = Server(folder)
        server.start()
        persons, times = crowd(server, arguments.people, arguments.rounds, arguments.pause)
        lists(persons[0], arguments.notes)
        show(times)
        print(f"server: {server.memory():.0f} MiB at most", flush=True)
        if arguments.kills:
            killed(folder, server, arguments.people, arguments.kills, arguments.kill_rounds)
        server.kill()
        store = open_store(folder)
        start = time.perf_counter()
        done = export(store, Path(temporary) / "out")
        seconds = time.perf_counter() - start
        print(f"export: {sum(done.notes.values())} notes in {seconds:.2f} s")
        store.close()


if __name__ == "__main__":
    main()
