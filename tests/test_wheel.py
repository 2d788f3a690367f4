"""The built wheel holds all that a command needs, and works in an environment of its own."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from test_layout import PACKAGES, ROOT, tracked

CODE = ("*.py", "*.yaml", "*.j2", "*.js", "*.css", "*.jinja", "*.html", "*.safetensors", "*.json")
VERSION = "1.2.3"
PRETEND = {"SETUPTOOLS_SCM_PRETEND_VERSION_FOR_LABELWRIGHT": VERSION}


def run(*words: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=os.environ | (env or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1500:]
    return done.stdout.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    flags = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", out]
    copy = tmp_path_factory.mktemp("source") / "labelwright"
    for path in tracked():  # building would leave files in the checkout
        if path.is_file() and path.relative_to(ROOT).parts[0] not in {"tests", "benchmarks"}:
            place = copy / path.relative_to(ROOT)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
    run(sys.executable, "-m", "pip", "wheel", *flags, copy, cwd=copy, env=PRETEND)
    (found,) = out.glob("labelwright-*.whl")
    return found


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment that has the wheel; it borrows the other libraries."""
    place = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(place, with_pip=False, symlinks=True)
    flags = ["--no-deps", "--no-index", "--quiet"]
    python = place / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", *flags, wheel, cwd=place)
    (site,) = place.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return python.parent


def test_nothing_that_the_packages_hold_is_left_out(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    own = {str(path.relative_to(ROOT)) for path in tracked(*CODE)}
    wanted = {name for name in own if name.split("/")[0] in PACKAGES}
    assert wanted - names == set()
    tops = {name.split("/")[0] for name in names}
    assert tops == {*PACKAGES, f"labelwright-{VERSION}.dist-info"}


def test_the_packages_of_the_wheel_are_documented() -> None:
    """Their names are generic, so a user must know which they are."""
    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    (line,) = (line for line in text.splitlines() if line.startswith("The wheel holds"))
    assert set(re.findall(r"`(\w+)`", line)) == set(PACKAGES)


AFTERWARDS = """
import labelwright, sft
from labelwright.cli import main
assert main(["evidence", "r.csv", "--pred", "out", "--out", "evidence.html"]) == 0
few = ["--resamples", "100", "--permutations", "100"]
assert main(["eval", "--gold", "gold.csv", "--pred", "a=out", *few, "--out", "page"]) == 0
assert main(["label-set", "show", "disease-1"]) == 0
print(sft.__file__, labelwright.__file__, sep="\\n")
"""


def test_the_installed_command_labels_and_compares(clean: Path, tmp_path: Path) -> None:
    """Away from the repository: the label sets, models, rules and templates are the wheel's."""
    own = {"PYTHONPATH": "", "HF_HUB_OFFLINE": "1"}
    (tmp_path / "r.csv").write_text(
        "id,text\na,Small left effusion.\nb,No effusion.\n", encoding="utf-8"
    )
    (tmp_path / "gold.csv").write_text("id,Pleural Effusion\na,1.0\nb,0.0\n", encoding="utf-8")
    run(clean / "labelwright", "label", "r.csv", "--out", "out", cwd=tmp_path, env=own)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["versions"]["labelwright"] == VERSION
    with open(tmp_path / "out" / "labels.csv", newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["Pleural Effusion"] for row in rows] == ["1.0", "0.0"]
    said = run(clean / "python", "-c", AFTERWARDS, cwd=tmp_path, env=own)
    assert all(Path(name).is_relative_to(clean.parent) for name in said.splitlines()[-2:])
    for page in ("evidence.html", "page/index.html"):
        assert VERSION in (tmp_path / page).read_text(encoding="utf-8")
    assert run(clean / "labelwright", "--version", cwd=tmp_path, env=own) == VERSION


def test_the_dockerfile_follows_the_rules_of_hadolint() -> None:
    program = Path(sys.executable).parent / "hadolint"
    if not program.exists():
        pytest.skip("hadolint is not installed")
    assert run(program, "--failure-threshold", "style", ROOT / "Dockerfile", cwd=ROOT) == ""


def git(folder: Path, *words: str) -> str:
    names = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "tag.gpgSign=false")
    return run("git", *names, *words, cwd=folder)


def version_of(folder: Path) -> str:
    return run(sys.executable, "-m", "setuptools_scm", cwd=folder)


def test_the_version_comes_from_the_tag(tmp_path: Path) -> None:
    """Without a tag, and without git, it is the development of the next release."""
    pytest.importorskip("setuptools_scm")
    source = tmp_path / "source"
    source.mkdir()
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (source / "pyproject.toml").write_text(settings, encoding="utf-8")
    next_release = re.search(r'^fallback_version = "(\d+\.\d+\.\d+)\.dev0"', settings, re.M)
    assert next_release
    assert version_of(source) == f"{next_release[1]}.dev0"
    git(source, "init", "--quiet")
    for n in range(3):
        git(source, "add", ".")
        git(source, "commit", "--quiet", "--allow-empty", "--message", f"{n}")
    at = git(source, "rev-parse", "--short=9", "HEAD")
    assert version_of(source).startswith(f"{next_release[1]}.dev3+g{at[:7]}")
    git(source, "tag", "v0.2.0")
    assert version_of(source) == "0.2.0"
    git(source, "commit", "--quiet", "--allow-empty", "--message", "on")
    assert re.fullmatch(r"0\.2\.1\.dev1\+g[0-9a-f]+", version_of(source))
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{source}", "shallow")
    shallow = version_of(tmp_path / "shallow")
    assert re.fullmatch(rf"{re.escape(next_release[1])}\.dev1\+g[0-9a-f]+", shallow)


def test_a_release_is_cited_and_described_under_its_number() -> None:
    """A tag's commit names its version in CITATION.cff and above its part of CHANGELOG.md."""
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d[^]]*)\]", changes, re.MULTILINE)
    cited = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    (version,) = re.findall(r"^version: (\d+\.\d+\.\d+)$", cited, re.MULTILINE)
    assert released == [] or released[0] == version
    tags = subprocess.run(
        ["git", "tag", "--points-at", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    assert [tag for tag in tags if tag.startswith("v") and tag != f"v{version}"] == []
