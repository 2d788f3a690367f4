"""Draw every page that labelwright makes: wide and as on a phone, light and dark.

    python examples/draw_pages.py [--out docs/images/pages]

It labels and compares the example files in a temporary folder, fills a review project with the
example notes and serves it to this machine alone, and looks at each page with Chromium (``pip
install playwright pillow`` and a Chromium that is installed). What labelers said of the notes is
made up: the notes' own annotations, some left out, with drawn probabilities.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image
from playwright.sync_api import sync_playwright

from labelwright.cli import main as labelwright
from labelwright.io.jsonl import read_jsonl, write_jsonl
from labelwright.label_set import LabelSet
from labelwright.readers import ReadOptions
from review.importing import Given, import_all
from review.kinds.forms import form_of
from review.store import people, work
from review.store.steps import Step, apply
from review.store.store import Settings, Store, create, open_store
from review.store.texts import Pages
from review.web.app import make_app
from review.web.options import ServeOptions

EXAMPLES = Path(__file__).parent
PASSWORD = "four words make one"  # noqa: S105
LOOKS: dict[str, dict[str, Any]] = {
    "": {"viewport": {"width": 1240, "height": 820}},
    "-narrow": {"viewport": {"width": 390, "height": 844}},
    "-dark": {"viewport": {"width": 1240, "height": 820}, "color_scheme": "dark"},
    "-narrow-dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
}
"""How a page is looked at, by the end of the picture's name."""
REVIEW = {
    "review-home": "/",
    "review-notes": "/notes?q=pneumonia",
    "review-history": "/note/1/history",
    "review-adjudicate": "/adjudicate",
    "review-agreement": "/agreement",
    "review-phrases": "/phrases",
    "review-imports": "/imports",
    "review-models": "/models",
    "review-people": "/people",
    "review-events": "/events",
}
"""Pages of the review app that an address is enough for."""
GRID = """\
name: Class weights and thresholds on the example notes
build: {label-set: disease-1, split: "0.6,0.2,0.2"}
train: {config: scratch-cpu, num_train_epochs: 3}
axes:
  weights: {none: {}, plain: {train: {class-weights: plain}}}
  threshold: {tuned: {}, 0.3: {label: {threshold: 0.3}}}
"""
COLOURS = 96


def main() -> int:
    """Make the pages and look at them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/images/pages"))
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("Chromium is not installed", file=sys.stderr)
        return 2
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as name,
        sync_playwright() as play,
        served(Path(name) / "project") as url,
    ):
        files = pages(Path(name))
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for end, look in LOOKS.items():
            page = browser.new_context(**look).new_page()
            for shown, file in files.items():
                page.goto(file.resolve().as_uri())
                keep(page, arguments.out / f"{shown}{end}.png")
            review(page, url, arguments.out, end)
        browser.close()
    return 0


def keep(page: Any, path: Path) -> None:
    """Take the picture, in few colours."""
    page.wait_for_timeout(250)
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    shot.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path, path.stat().st_size)


def pages(folder: Path) -> dict[str, Path]:
    """Make the pages that are files; by their pictures' names."""
    reports, gold = str(EXAMPLES / "reports.csv"), str(EXAMPLES / "labels.csv")
    few = ("--resamples", "1000", "--permutations", "1000")

    def run(*words: str) -> None:
        if code := labelwright(list(words)):
            raise SystemExit(code)

    for name, more in (("two-readers", ()), ("small-model", ("--model", "labelwright-chest"))):
        run("label", reports, *more, "--out", str(folder / name))
    two = [f"--pred={name}={folder / name}" for name in ("two-readers", "small-model")]
    run("evidence", reports, "--pred", str(folder / "two-readers"), "--out", f"{folder}/e.html")
    run("eval", "--gold", gold, "--patients", reports, *two, *few, "--out", f"{folder}/labels")
    notes = str(EXAMPLES / "notes.jsonl")
    said = []
    for name, seed in (("large", 3), ("small", 5)):
        proposals(folder / f"{name}.jsonl", seed=seed, kept=0.9 if name == "large" else 0.7)
        said.append(f"--pred={name}={folder / name}.jsonl")
    entities = ("--label-set", "disease-1", "--gold", notes)
    run("eval", *entities, *said, *few, "--out", f"{folder}/entities")
    letters = ("--label-set", "discharge-summary-28")
    run("build", *letters, "--synthetic", "150", "--split", "0.8,0,0.2", "--out", f"{folder}/made")
    made = f"{folder}/made/test.reports.jsonl"
    run("label", made, *letters, "--model", "rules", "--out", f"{folder}/read")
    values = ("--gold", f"{folder}/made/test.fields.jsonl", "--pred", f"rules={folder}/read")
    run("eval", *letters, *values, *few, "--out", f"{folder}/fields")
    judged = ("--judge", f"{folder}/made", "--out", f"{folder}/judged")
    run("label", made, *letters, "--model", "rules", *judged)
    both = (f"--pred=rules={folder}/read", f"--pred=judged={folder}/judged")
    run("eval", *letters, *both, *few, "--out", f"{folder}/agreement")
    (folder / "grid.yaml").write_text(GRID, encoding="utf-8")
    run("grid", f"{folder}/grid.yaml", notes, "--seeds", "1,2", "--out", f"{folder}/grid")
    return {
        "evidence": folder / "e.html",
        "comparison": folder / "labels" / "index.html",
        "comparison-entities": folder / "entities" / "index.html",
        "comparison-fields": folder / "fields" / "index.html",
        "agreement-fields": folder / "agreement" / "index.html",
        "grid": folder / "grid" / "grid.html",
    }


def proposals(path: Path, *, seed: int, kept: float) -> None:
    """What a labeler may have said of the example notes."""
    draw = random.Random(seed)

    def row(given: dict[str, Any]) -> dict[str, Any]:
        found = [each for each in given["entities"] if draw.random() < kept]
        rated = [each | {"prob": round(draw.betavariate(5, 1), 3)} for each in found]
        return {"id": given["id"], "entities": rated, "model": "example", "raw": "", "labels": {}}

    rows = [json.loads(json.dumps(given)) for _, given in read_jsonl(EXAMPLES / "notes.jsonl")]
    write_jsonl(path, map(row, rows))


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A review project with some work done, behind an address of this machine."""
    predictions = folder.parent / "proposals.jsonl"
    proposals(predictions, seed=3, kept=0.85)
    create(folder, LabelSet.load("disease-1"), Settings(blind_every=1000, double=0.5))
    store = open_store(folder)
    import_all(store, Given([EXAMPLES / "notes.jsonl"], ReadOptions()), predictions=[predictions])
    people.add_person(store, "lead", "admin", PASSWORD)
    anna, bert = (
        people.add_person(store, name, "annotator", PASSWORD) for name in ("anna", "bert")
    )
    annotate(store, anna, notes=14, drop=0)
    annotate(store, bert, notes=14, drop=3)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = make_app(store, ServeOptions(port=port))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
        store.close()


def annotate(store: Store, who: people.Person, *, notes: int, drop: int) -> None:
    """Finish the next notes; every ``drop``-th one loses its first proposal (0: none)."""
    form, texts = form_of(store.label_set), Pages()
    for number in range(1, notes + 1):
        note = work.take_next(store, form, who)
        if note is None:
            return
        with store.reading() as connection:
            desk = work.desk(connection, note, who.id, work.ANNOTATE)
            assert desk is not None  # noqa: S101
            items = [each.root for each in work.items_of(connection, desk.id)]
        version = desk.version
        if drop and number % drop == 0 and items:
            made = Step(f"drop-{who.id}-{number}", version, "delete", {"item": items.pop(0)})
            apply(store, form, texts, who, (note, work.ANNOTATE), made)
            version += 1
        made = Step(f"done-{who.id}-{number}", version, "done", {"keep": items})
        apply(store, form, texts, who, (note, work.ANNOTATE), made)


def review(page: Any, url: str, out: Path, end: str) -> None:
    """Log in, look at each page, and decide two proposals of a note."""
    page.goto(url + "/login")
    keep(page, out / f"review-login{end}.png")
    page.fill("[name=name]", "lead")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(url + "/")
    for shown, address in REVIEW.items():
        page.goto(url + address)
        keep(page, out / f"{shown}{end}.png")
    page.goto(url + "/")
    page.click("text=/^(Next note|Go on)/")
    page.wait_for_selector("#items li")
    for key in ("a", "t", "Control+Home", "ArrowRight", "ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    keep(page, out / f"review-note{end}.png")


if __name__ == "__main__":
    sys.exit(main())
