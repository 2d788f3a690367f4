"""How soon an evidence page of many reports is there: opened, searched, put in order, in Chromium.

Reports of words in random order with three labels each, all on one page; seconds of the clock from
the navigation to the first report on the screen, from a search to its answer, and from an order
that looks at every label. Needs ``playwright`` and a ``chromium``.

    python benchmarks/serving/evidence_page.py --reports 228000
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from eval.page.evidence_page import EvidenceData, html

NAMES = tuple(f"Observation {number}" for number in range(14))
WORDS = ("lungs", "clear", "no", "effusion", "or", "heart", "size", "normal", "small", "left")
NEEDLE = "needle"


def rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Reports of 60 words as the page holds them; the last one alone has a certain word."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        text = " ".join(rng.choices(WORDS, k=60)) + (f" {NEEDLE}" if number == count - 1 else "")
        labels = [
            [place, rng.choice("pun"), round(rng.random(), 3), [[5 * place, 5 * place + 20]]]
            for place in sorted(rng.sample(range(14), 3))
        ]
        found.append({"id": f"r{number}", "t": text, "l": labels})
    return found


def until(tab: Any, question: str) -> None:
    """Wait until the page says yes; its own rules let nobody else's script wait in it."""
    while not tab.evaluate(question):
        time.sleep(0.01)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--reports", type=int, nargs="+", default=[5_000, 228_000])
    parser.add_argument("--page", type=Path, help="a page that is there already")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        for count in options.reports:
            file = options.page or Path(folder) / "page.html"
            if options.page is None:
                page = html(EvidenceData(NAMES, "m", rows=rows(count), labels=3 * count), title="T")
                file.write_text(page, encoding="utf-8")
            opened = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            tab = opened.new_page()
            tab.set_default_timeout(120_000)
            began = time.perf_counter()
            tab.goto(file.resolve().as_uri(), wait_until="commit")
            tab.wait_for_selector("article")
            first = time.perf_counter() - began
            tab.wait_for_load_state("load")
            whole = time.perf_counter() - began
            began = time.perf_counter()
            tab.fill("#search", NEEDLE)
            until(tab, "() => document.querySelector('#count').textContent.startsWith('1 of')")
            searched = time.perf_counter() - began
            began = time.perf_counter()
            tab.fill("#search", "")
            tab.select_option("#order", "unsure")
            until(tab, "() => document.querySelector('article .sure')?.textContent <= '0.01'")
            ordered = time.perf_counter() - began
            print(
                f"{count:,} reports, {file.stat().st_size / 1e6:.0f} MB: "
                f"first report {first:.2f} s, all loaded {whole:.2f} s, "
                f"a search {searched:.2f} s, an order {ordered:.2f} s"
            )
            opened.close()


if __name__ == "__main__":
    main()
