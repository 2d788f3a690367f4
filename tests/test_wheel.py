"""The built wheel holds all that a command needs, and works away from the repository."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from test_layout import PACKAGES, ROOT, tracked

from labelwright.version import __version__

CODE = ("*.py", "*.yaml", "*.j2", "*.js", "*.css", "*.jinja", "*.html", "*.safetensors", "*.json")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    flags = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", str(out)]
    copy = tmp_path_factory.mktemp("source") / "labelwright"
    for path in tracked():  # building would leave files in the checkout
        if path.is_file() and path.relative_to(ROOT).parts[0] not in {"tests", "benchmarks"}:
            place = copy / path.relative_to(ROOT)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *flags, str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1500:]
    (found,) = out.glob("labelwright-*.whl")
    return found


def test_nothing_that_the_packages_hold_is_left_out(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    own = {str(path.relative_to(ROOT)) for path in tracked(*CODE)}
    wanted = {name for name in own if name.split("/")[0] in PACKAGES}
    assert wanted - names == set()
    assert not {name for name in names if name.split("/")[0] in {"tests", "benchmarks", "docs"}}


def test_one_version_everywhere(wheel: Path) -> None:
    """It is written in ``labelwright/version.py``; a release tags the commit with it."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
    assert wheel.name.startswith(f"labelwright-{__version__}-")
    cited = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in cited
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d[^]]*)\]", changes, re.MULTILINE)
    assert released == [] or released[0] == __version__
    tags = subprocess.run(
        ["git", "tag", "--points-at", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    assert [tag for tag in tags if tag.startswith("v") and tag != f"v{__version__}"] == []


def test_the_installed_command_labels(wheel: Path, tmp_path: Path) -> None:
    """Its own files stand before the checkout's, whose libraries it borrows."""
    place = tmp_path / "site"
    flags = ["--no-deps", "--no-index", "--quiet", "--target", str(place)]
    subprocess.run([sys.executable, "-m", "pip", "install", *flags, str(wheel)], check=True)
    (tmp_path / "r.csv").write_text("id,text\na,Small left effusion.\n", encoding="utf-8")
    done = subprocess.run(
        [str(place / "bin" / "labelwright"), "label", "r.csv", "--model", "rules", "--out", "out"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "out" / "labels.csv", newline="", encoding="utf-8") as handle:
        (row,) = csv.DictReader(handle)
    assert row["Pleural Effusion"] == "1.0"
    shown = subprocess.run(
        [sys.executable, "-c", "import labelwright; print(labelwright.__file__)"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.startswith(str(place))
