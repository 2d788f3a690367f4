"""How the review app keeps up: pages, steps, search, import, export, and a server that is killed.

    python benchmarks/serving/review_app.py [--notes 2000] [--people 10] [--rounds 3]
        [--pause 0.3] [--kill-steps 200]

Notes of 1,000 characters with three proposals each are taken in; then the server runs as a process
of its own, and people, each a thread with a session and a connection that stays open, take notes,
decide every proposal in a step by itself, and finish, with a pause before each step. Times are
those of whole requests within this machine; each figure stands beside its aim. With
``--kill-steps`` the server is killed (SIGKILL) at random moments and started again until so many
steps are confirmed; then every step whose answer had arrived is looked for in the events. At last
all other notes are taken in as finished, and a process of its own exports them.
"""

from __future__ import annotations

import argparse
import http.client
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
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import select

from labelwright.io.jsonl import write_jsonl
from labelwright.label_set import LabelSet
from labelwright.records import Entity, Report
from review.checking import problems
from review.kinds.forms import form_of
from review.store import order, people, runs
from review.store.annotated import add_finished
from review.store.notes import add_notes
from review.store.store import Settings, create, open_store
from review.store.tables import event

WORDS = (
    *("pain", "lung", "no", "left", "the", "of", "effusion", "right", "small", "nodule", "is"),
    *("seen", "in", "upper", "lobe", "with", "and", "chronic", "cough", "liver", "mild", "stable"),
    *("large", "kg", "mg", "daily"),
)
PASSWORD = "four words make one"
AIMS = {
    "next note": ("median", 20.0),
    "note page": ("p95", 50.0),
    "step": ("p95", 100.0),
    "list of notes": ("p95", 50.0),
    "list of a state": ("p95", 50.0),
    "regular expression": ("largest", 1100.0),
}
"""Milliseconds that a request may take: of the median, the 95th percentile or the slowest."""
RATES = {"notes in per second": 5000.0}
MEMORY, EXPORT = 300.0, 60.0
"""MiB of the server and of an export, and seconds of an export."""
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
    draw = random.Random(2)
    create(folder, LabelSet.load("disease-1"), Settings(double=0.1))
    store = open_store(folder)
    reports = list(notes(count))
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


def notes(count: int) -> Iterator[Report]:
    """The notes that are taken in; the same each time."""
    draw = random.Random(1)
    for n in range(count):
        yield Report(f"n{n:06}", text(draw, 1000), "made", n, patient=f"p{n // 3}")


def marked(draw: random.Random, report: Report) -> list[Entity]:
    """Three words of a note."""
    spans = [match.span() for match in re.finditer(r"[a-z]{5,}", report.text)]
    return [Entity.of(report.text, "Disease", span) for span in sorted(draw.sample(spans, 3))]


def said(draw: random.Random, report: Report) -> dict[str, object]:
    """Three proposals at words of the note."""
    entities = [
        {"type": each.type, "spans": each.spans, "text": each.text, "prob": draw.random()}
        for each in marked(draw, report)
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
        return memory_of(self.process.pid)


def memory_of(process: int) -> float:
    """MiB that a process had at most; 0 when it has ended."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+)", status)
    return 0.0 if found is None else int(found[1]) / 1024


class Person:
    """Somebody with a browser, in a thread."""

    def __init__(self, server: Server, name: str, times: Times, pause: float = 0.0) -> None:
        self.pause = pause
        self.server, self.name, self.times = server, name, times
        self.cookies: dict[str, str] = {}
        self.line: http.client.HTTPConnection | None = None
        self.token = ""
        self.confirmed: list[str] = []
        self.tries = 0

    def ask(self, what: str, path: str, fields: object = None) -> tuple[str, str]:
        """A request, timed; repeated while the server is away.

        Returns:
            The page, and where it sends the browser.
        """
        headers = {"x-form": self.token, "origin": self.server.url, "host": self.server.url[7:]}
        headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = None
        if isinstance(fields, dict) and path.endswith("/steps"):
            body = json.dumps(fields).encode()
            headers |= {"content-type": "application/json", "accept": "application/json"}
        elif isinstance(fields, dict):
            body = urllib.parse.urlencode(fields).encode()
            headers["content-type"] = "application/x-www-form-urlencoded"
        while True:
            if self.line is None:
                self.line = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
            start = time.perf_counter()
            try:
                self.line.request("GET" if body is None else "POST", path, body, headers)
                answer = self.line.getresponse()
                found = answer.read().decode()
            except (OSError, http.client.HTTPException):
                self.line = None
                self.tries += 1
                time.sleep(0.1)
                continue
            if answer.status >= 400:
                raise SystemExit(f"{path}: {answer.status} {found[:300]}")
            self.times[what].append(time.perf_counter() - start)
            for given in answer.headers.get_all("set-cookie") or ():
                name, _, value = given.partition(";")[0].partition("=")
                self.cookies[name] = value
            return found, answer.headers.get("location") or ""

    def login(self) -> None:
        """Log in."""
        page, _ = self.ask("login page", "/login")
        token = re.search(r'name="login" value="([^"]+)"', page)
        fields = {"name": self.name, "password": PASSWORD, "login": token[1]}  # type: ignore[index]
        self.ask("login", "/login", fields)
        page, _ = self.ask("home", "/")
        self.token = re.search(r'name="form" value="([^"]+)"', page)[1]  # type: ignore[index]

    def work(self, rounds: int, more: Callable[[], bool] = lambda: True) -> None:
        """Decide on the proposals of some notes."""
        for _ in range(rounds):
            if not more():
                return
            _, path = self.ask("next note", "/next", {})
            if not path.startswith("/note/"):
                return
            page, _ = self.ask("note page", path)
            data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
            version = data["version"]
            roots = [each["id"] for each in data["items"] if each["state"] == "open"]
            for number, root in enumerate(roots):
                op = "delete" if number % 3 == 2 else "keep"
                answer = self.step(path, {"op": op, "item": root, "version": version})
                version = answer["version"]
            self.step(path, {"op": "done", "keep": roots, "version": version})

    def step(self, path: str, given: dict[str, object]) -> dict[str, object]:
        """One step, noted once it is answered."""
        if self.pause:
            time.sleep(random.uniform(0.5, 1.5) * self.pause)
        name = os.urandom(12).hex()
        answer, _ = self.ask("step", path + "/steps", given | {"step": name})
        self.confirmed.append(name)
        found: dict[str, object] = json.loads(answer)
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


def verdict(good: bool, aim: str) -> str:
    """Whether a figure is as it should be."""
    return f"aim {aim}: {'met' if good else 'MISSED'}"


def show(times: Times) -> None:
    """Print the times."""
    for what, found in times.items():
        found = sorted(1000 * each for each in found)
        half, most = found[len(found) // 2], found[min(len(found) - 1, int(len(found) * 0.95))]
        figures = {"median": half, "p95": most, "largest": found[-1]}
        line = f"{what:20} {len(found):6}  " + "  ".join(
            f"{name} {value:7.1f} ms" for name, value in figures.items()
        )
        if what in AIMS:
            name, aim = AIMS[what]
            line += f"   {verdict(figures[name] < aim, f'{name} < {aim:.0f} ms')}"
        print(line)


def killed(folder: Path, server: Server, persons: int, steps: int) -> None:
    """Kill the server while people work; look for every step that was confirmed."""
    times: Times = defaultdict(list)
    crowd_ = [Person(server, f"person-{n}", times) for n in range(persons)]
    for person in crowd_:
        person.login()

    def more() -> bool:
        return sum(len(person.confirmed) for person in crowd_) < steps

    threads = [threading.Thread(target=each.work, args=(steps, more)) for each in crowd_]
    for thread in threads:
        thread.start()
    draw = random.Random(7)
    done = 0
    while any(thread.is_alive() for thread in threads):
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
        f"{len(lost)} lost, {len(wrong)} problems found by check   "
        + verdict(not lost and not wrong, "none lost, none found"),
        flush=True,
    )
    store.close()


def exported(folder: Path, count: int) -> None:
    """Finish the notes that nobody has begun, and export all that is final."""
    store = open_store(folder)
    who = people.add_person(store, "all-others", "annotator", None)
    draw = random.Random(3)
    values = ((report, marked(draw, report)) for report in notes(count))
    start = time.perf_counter()
    finished, _ = add_finished(store, form_of(store.label_set), who, values)
    print(f"{'finished notes in per second':27} {finished / (time.perf_counter() - start):9.1f}")
    store.close()
    command = [sys.executable, "-m", "labelwright.cli", "review", "export", str(folder)]
    start = time.perf_counter()
    process = subprocess.Popen([*command, "--out", str(folder.with_name("out"))])
    memory = 0.0
    while process.poll() is None:
        memory = max(memory, memory_of(process.pid))
        time.sleep(0.02)
    seconds = time.perf_counter() - start
    print(
        f"export: exit code {process.returncode}, {seconds:.1f} s, {memory:.0f} MiB at most   "
        + verdict(seconds < EXPORT and memory < MEMORY, f"< {EXPORT:.0f} s, < {MEMORY:.0f} MiB")
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--notes", type=int, default=2000)
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3, help="notes of each person")
    parser.add_argument("--pause", type=float, default=0.3, help="seconds before each step")
    parser.add_argument("--kill-steps", type=int, default=200, help="0 for no kills")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "project"
        for what, value in fill(folder, arguments.notes, arguments.people).items():
            aim = RATES.get(what)
            said_ = "" if aim is None else verdict(value >= aim, f">= {aim:.0f}")
            print(f"{what:27} {value:10.1f}   {said_}".rstrip(), flush=True)
        server = Server(folder)
        server.start()
        persons, times = crowd(server, arguments.people, arguments.rounds, arguments.pause)
        lists(persons[0], arguments.notes)
        show(times)
        memory = server.memory()
        print(
            f"server: {memory:.0f} MiB at most   {verdict(memory < MEMORY, f'< {MEMORY:.0f} MiB')}"
        )
        sys.stdout.flush()
        if arguments.kill_steps:
            killed(folder, server, arguments.people, arguments.kill_steps)
        server.kill()
        exported(folder, arguments.notes)


if __name__ == "__main__":
    main()
