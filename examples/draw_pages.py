"""Draw the pictures of pages that the documentation shows, from what ``make demo`` writes.

    make demo && python examples/draw_pages.py [--demo out/demo] [--out docs/images]

Looks at the evidence page and the comparison page with Chromium (``pip install playwright`` and a
Chromium that is installed).
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

PAGES = {
    "evidence.png": ("evidence.html", 1240, 820),
    "report.png": ("report/index.html", 1240, 980),
}
"""Page, width and height by the name of its picture."""


def main() -> int:
    """Look at the pages."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--demo", type=Path, default=Path("out/demo"))
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("Chromium is not installed", file=sys.stderr)
        return 2
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=flags)
        for name, (page, width, height) in PAGES.items():
            opened = browser.new_page(viewport={"width": width, "height": height})
            opened.goto((arguments.demo / page).resolve().as_uri())
            opened.screenshot(path=arguments.out / name)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
