"""The pages in Chromium at the width of a phone; skipped where there is no browser to drive."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_tools import compared, page

from eval.page import evidence_page
from eval.page.evidence_page import EvidenceData, collect, html
from labelwright.io.jsonl import write_jsonl
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction, Report

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
OVER_THE_EDGE = """[...document.querySelectorAll("body *")].filter((node) => {
  const box = node.getBoundingClientRect();
  if (!box.width || box.right <= innerWidth + 1 || box.right < 0) return false;
  for (let up = node.parentElement; up; up = up.parentElement)
    if (["auto", "scroll", "hidden"].includes(getComputedStyle(up).overflowX)) return false;
  return true;
}).map((node) => node.tagName + "." + node.className)"""
"""Everything that ends right of the window and in no box that scrolls by itself."""


@pytest.fixture(scope="module")
def phone() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if BROWSER is None:
        pytest.skip("there is no chromium here")
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        context = browser.new_context(
            viewport={"width": 360, "height": 800}, has_touch=True, is_mobile=True
        )
        yield context.new_page()
        browser.close()


def test_evidence_is_found_by_numbers_tap_and_keyboard(phone: Any, tmp_path: Path) -> None:
    text = "Heart large. Clear lungs."
    said = Prediction(
        id="a",
        model="m",
        task="certainty",
        value={"Cardiomegaly": Certainty.POSITIVE, "No Finding": Certainty.POSITIVE},
        evidence={"Cardiomegaly": [[0, 12]], "No Finding": [[13, 25]]},
    )
    write_jsonl(tmp_path / "p.jsonl", [said.to_json()])
    label_set = LabelSet.load("chexpert-14")
    found = collect(tmp_path / "p.jsonl", [Report("a", text, "f", 1)], label_set=label_set)
    (tmp_path / "page.html").write_text(html(found, title="T"), encoding="utf-8")
    phone.goto((tmp_path / "page.html").as_uri())
    assert phone.evaluate(OVER_THE_EDGE) == []
    assert [m.get_attribute("data-at") for m in phone.query_selector_all("mark")] == ["1", "2"]
    assert [c.inner_text() for c in phone.query_selector_all(".chip .at")] == ["1", "2"]
    colours = "(s) => getComputedStyle(document.querySelector(s)).borderBottomColor"
    disease, nothing = (phone.evaluate(colours, f"mark.{letter}") for letter in "ph")
    assert disease != nothing
    assert phone.locator(".text").inner_text() == text  # numbers are not part of what is copied
    phone.tap("mark.h")
    assert phone.locator(".chip.on").inner_text().startswith("No Finding")
    assert phone.get_attribute("mark.h", "aria-pressed") == "true"
    phone.keyboard.press("Escape")
    assert phone.locator(".on").count() == 0
    phone.focus("button.chip.p")
    phone.keyboard.press("Enter")
    assert phone.locator("mark.on").inner_text() == "Heart large."


def test_the_comparison_page_fits_a_phone(phone: Any, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(page(compared({"ours": 0.02, "rules": 0.4})).html, encoding="utf-8")
    phone.goto(path.as_uri())
    assert phone.evaluate(OVER_THE_EDGE) == []
    assert phone.evaluate("document.documentElement.scrollWidth") == 360
    shown = phone.locator("#verdict svg:visible")
    assert shown.count() == 1
    numbers = shown.locator("text.num")
    assert numbers.count() == 6
    right = [numbers.nth(n).bounding_box() for n in range(6)]
    assert all(box and box["x"] + box["width"] <= 360 for box in right)
    wide = phone.evaluate(
        "[...document.querySelectorAll('.scroll')].filter((b) => b.scrollWidth > b.clientWidth)"
        ".every((b) => getComputedStyle(b).overflowX === 'auto' && b.tabIndex === 0)"
    )
    assert wide


def test_pages_keep_the_rules_of_axe_and_fetch_nothing(phone: Any, tmp_path: Path) -> None:
    """Contrast, names, roles, landmarks and more: WCAG 2.2 A and AA; light, and dark on a phone."""
    axe = pytest.importorskip("axe_playwright_python").__file__
    rules = {"runOnly": [f"wcag{each}" for each in ("2a", "2aa", "21a", "21aa", "22aa")]}
    rows = [{"id": "r", "t": "Clear. Small.", "l": [[n, "punb"[n % 4], 0.9, []] for n in range(5)]}]
    evidence = html(EvidenceData(LabelSet.load("head-ct-5").names, "m", rows=rows), title="T")
    comparison = page(compared({"ours": 0.02, "rules": 0.4})).html
    found, asked = [], []
    for options in (
        {"viewport": {"width": 1280, "height": 800}},
        {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"},
    ):
        tab = phone.context.browser.new_context(**options).new_page()
        tab.on("request", lambda request: asked.append(request.url))
        for name, made in (("evidence", evidence), ("comparison", comparison)):
            (tmp_path / f"{name}.html").write_text(made, encoding="utf-8")
            tab.goto((tmp_path / f"{name}.html").as_uri())
            tab.evaluate(Path(axe).with_name("axe.min.js").read_text(encoding="utf-8"))
            told = tab.evaluate("rules => axe.run(rules)", rules)
            assert len(told["passes"]) > 8
            for each in told["violations"]:
                found.append(f"{name}: {each['id']} {each['nodes'][0]['html'][:200]}")
        tab.context.close()
    assert found == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_evidence_of_many_reports_is_read_in_blocks_and_searched_whole(
    phone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_page, "BLOCK", 20)
    rows = [{"id": f"r{n}", "t": f"Word{n}. & <b>", "l": [[0, "p", n / 50, []]]} for n in range(45)]
    rows[30]["l"] = [[0, "n", 0.001, []]]
    (tmp_path / "page.html").write_text(
        html(EvidenceData(("Edema",), "m", rows=rows), title="T"), encoding="utf-8"
    )
    phone.goto((tmp_path / "page.html").as_uri())

    def shown() -> list[str]:
        return phone.locator("h2").all_inner_texts()

    assert shown() == [f"r{n}" for n in range(20)]
    assert phone.locator("#count").inner_text() == "45 of 45 reports"
    phone.click("#after")
    phone.click("#after")
    phone.locator("h2", has_text="r44").wait_for()
    assert shown() == [f"r{n}" for n in range(40, 45)]
    assert phone.locator(".text").last.inner_text() == "Word44. & <b>"
    phone.fill("#search", "word4")
    phone.locator("#count", has_text="6 of 45").wait_for()
    assert shown() == ["r4", *(f"r{n}" for n in range(40, 45))]
    phone.fill("#search", "")
    phone.locator("#count", has_text="45 of 45").wait_for()
    phone.select_option("#order", "unsure")
    phone.locator("h2", has_text="r30").wait_for()
    assert shown()[:3] == ["r0", "r30", "r1"]
    phone.select_option("#certainty", "n")
    phone.locator("#count", has_text="1 of 45").wait_for()
    assert shown() == ["r30"]


def test_a_page_is_not_turned_while_rows_that_fit_are_looked_for(
    phone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the rows of before would stand under what was asked for."""
    monkeypatch.setattr(evidence_page, "BLOCK", 20)
    rows = [{"id": f"r{n}", "t": "T", "l": [[0, "pn"[n == 30], 0.5, []]]} for n in range(45)]
    (tmp_path / "page.html").write_text(
        html(EvidenceData(("Edema",), "m", rows=rows), title="T"), encoding="utf-8"
    )
    phone.goto((tmp_path / "page.html").as_uri())
    phone.evaluate(
        """() => {
          let now = 0;
          performance.now = () => (now += 100);  // the page rests after every block
          document.getElementById("certainty").value = "n";
          document.getElementById("certainty").dispatchEvent(new Event("change"));
          document.getElementById("after").click();
        }"""
    )
    phone.locator("#count", has_text="1 of 45").wait_for()
    assert phone.locator("h2").all_inner_texts() == ["r30"]
