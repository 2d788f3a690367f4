"""Draw the picture of the review app that the documentation shows, from the example notes.

    python examples/draw_review.py [--out docs/images/review.png]

It makes a project in a temporary folder, serves it to this machine alone, and looks at a note with
Chromium (``pip install playwright`` and a Chromium that is installed). The proposals are the notes'
own annotations, some left out or moved, with made-up probabilities.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

import uvicorn
from playwright.sync_api import sync_playwright

from labelwright.io.jsonl import read_jsonl, write_jsonl
from labelwright.label_set import LabelSet
from labelwright.readers import ReadOptions
from review.importing import Given, import_all
from review.store import people
from review.store.store import Settings, create, open_store
from review.web.app import make_app
from review.web.options import ServeOptions

NOTES = Path(__file__).parent / "notes.jsonl"
PASSWORD = "four words make one"  # noqa: S105


def main() -> int:
    """Make the project, serve it, look at it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/images/review.png"))
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("Chromium is not installed", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        predictions = folder / "predictions.jsonl"
        draw = random.Random(3)
        write_jsonl(predictions, (proposed(draw, row) for _, row in read_jsonl(NOTES)))
        create(folder / "project", LabelSet.load("disease-1"), Settings(blind_every=1000))
        store = open_store(folder / "project")
        import_all(store, Given([NOTES], ReadOptions()), predictions=[predictions])
        people.add_person(store, "anna", "annotator", PASSWORD)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        app = make_app(store, ServeOptions(port=port))
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        look(chromium, f"http://127.0.0.1:{port}", arguments.out)
        server.should_exit = True
        thread.join()
        store.close()
    print(arguments.out)
    return 0


def proposed(draw: random.Random, row: dict[str, object]) -> dict[str, object]:
    """What a labeler may have said of a note."""
    given = json.loads(json.dumps(row["entities"]))
    kept = [each for each in given if draw.random() < 0.85]
    for each in kept:
        each["prob"] = round(draw.betavariate(5, 1), 3)
    return {"id": row["id"], "entities": kept, "model": "example", "raw": "", "labels": {}}


def look(chromium: str, url: str, out: Path) -> None:
    """Log in, take a note, decide two proposals, mark words, and take the picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 460})
        page.goto(url + "/login")
        page.fill("[name=name]", "anna")
        page.fill("[name=password]", PASSWORD)
        page.keyboard.press("Enter")
        page.click("text=Next note")
        page.wait_for_selector("#items li")
        for key in ("a", "t", "Control+Home", "ArrowRight", "ArrowRight", "Shift+ArrowRight"):
            page.keyboard.press(key)
        page.wait_for_timeout(400)
        page.screenshot(path=str(out))
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
