"""README and pages: short enough, complete, and every link leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from defusedxml import ElementTree

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *ROOT.glob("[CS]*.md")]
LINK = re.compile(r"\]\(([^)\s]+)\)")


def plain(page: Path) -> str:
    """The page without what stands in code."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)
    return re.sub(r"`[^`\n]*`", "`", text)


def anchors(page: Path) -> set[str]:
    """The headings as GitHub and mkdocs name them."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    named = set(re.findall(r'<a id="([^"]+)"', text))
    words = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", head).lower() for head in heads)
    return named | {re.sub(r"[^\w\- ]", "", head).strip().replace(" ", "-") for head in words}


def test_every_link_leads_somewhere() -> None:
    broken = []
    for page in PAGES:
        for link in LINK.findall(plain(page)):
            if re.match(r"https?:|mailto:", link):
                continue
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            if not target.exists():
                broken.append(f"{page.name}: {link}")
            elif anchor and target.suffix == ".md" and anchor not in anchors(target):
                broken.append(f"{page.name}: {link} (no such heading)")
    assert broken == []


def test_the_index_has_every_page_and_the_readme_is_short() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert pages - set(re.findall(r"\]\(([\w-]+\.md)\)", index)) == set()
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150


def test_pictures_are_small_and_fetch_nothing() -> None:
    """Each is shown by a page."""
    pictures = [p for p in (ROOT / "docs" / "images").rglob("*") if p.is_file()]
    assert {p.name: p.stat().st_size for p in pictures if p.stat().st_size > 200_000} == {}
    shown = {name for page in PAGES for name in re.findall(r"images/[\w/.-]+", page.read_text())}
    assert {p.name for p in pictures} <= {name.rpartition("/")[2] for name in shown}
    for path in (p for p in pictures if p.suffix == ".svg"):
        drawn = path.read_text(encoding="utf-8")
        names = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(drawn).iter()}
        assert names.isdisjoint({"script", "image", "use", "foreignObject", "a"})
        assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)|url\((?!#)", drawn) == []
    (moving,) = (p for p in pictures if p.name == "first-minute.svg")
    root = ElementTree.fromstring(moving.read_text(encoding="utf-8"))
    typed = [e.text or "" for e in root.iter() if e.get("class") == "typed"]
    assert [line.split()[1:3] for line in typed] == [
        ["labelwright", "label"],
        ["cut", "-d,"],
        ["labelwright", "evidence"],
        ["labelwright", "eval"],
    ]


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    """Its pages of reference are made of the parsers and docstrings of this version."""
    pytest.importorskip("mkdocs", reason="mkdocs-material is not installed (extra docs)")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    flags = (tmp_path / "reference-flags.html").read_text(encoding="utf-8")
    for flag in ("--second-reader", "--near-duplicates", "--help-all", "eval ablation"):
        assert flag in flags
    for page in (tmp_path / "reference-flags.html", tmp_path / "404.html"):  # for screen readers
        assert 'role="dialog" aria-label="Search"' in page.read_text(encoding="utf-8")
    assert "<th></th>" not in flags
    assert 'src="site.js"' in flags
    assert "Labeler.label(" in (tmp_path / "reference-python.html").read_text(encoding="utf-8")
    loaded = r'<(?:script|img|link)[^>]*(?:src|href)="https?://(?!example)'
    for page in tmp_path.glob("*.html"):
        fetched = re.findall(loaded, page.read_text(encoding="utf-8"))
        assert fetched == [], page.name
