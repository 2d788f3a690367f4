"""Terminals, locales and names of files that are not what a developer has."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = (sys.executable, "-m", "labelwright.cli")
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NOT_UTF_8 = os.fsdecode(b"r\xff.csv")
REPORTS = "id,text\nr1,The heart is enlarged.\nr2,No pneumothorax.\nr3,\n"


def answer(*command: str, cwd: Path, env: dict[str, str] | None = None) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        [*PROGRAM, *command],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def shell(line: str, cwd: Path) -> tuple[int, str]:
    """Exit code and standard error of the command that stands for ``LW`` in a line of sh."""
    text = line.replace("LW", " ".join(PROGRAM))
    done = subprocess.run(["sh", "-c", text], cwd=cwd, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize("command", ["train", "train-encoder", "label", "eval"])
def test_help_in_a_terminal_that_knows_ascii_only(tmp_path: Path, command: str) -> None:
    code, out, err = answer(command, "--help", cwd=tmp_path, env=ASCII | {"COLUMNS": "20"})
    assert (code, err) == (0, b"")
    assert out.startswith(b"usage: labelwright")


@pytest.mark.parametrize(
    ("name", "env"),
    [("bericht größe 漢.csv", ASCII), (NOT_UTF_8, {})],
    ids=["unicode in ascii", "bytes in utf-8"],
)
def test_names_of_files_in_any_locale(tmp_path: Path, name: str, env: dict[str, str]) -> None:
    (tmp_path / name).write_text(REPORTS)
    label = ("label", name, "--model", "rules", "--out", "out ö")
    code, out, err = answer(*label, cwd=tmp_path, env=env)
    assert (code, err) == (0, b"")
    assert "-> out ö/labels.csv\n".encode() in out
    assert answer(*label, cwd=tmp_path, env=env)[1].startswith(b"already finished: 3 rows")
    rejects = (tmp_path / "out ö" / "rejects.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["row"] for line in rejects] == [3]
    made = ("--label-set", "chexpert-14", "--labels", "rules", "--split", "none", "--out", "data")
    assert answer("build", name, *made, cwd=tmp_path, env=env)[0] == 0
    code, _, err = answer("label", f"no{name}", "--model", "rules", "--out", "o", cwd=tmp_path)
    assert code == 2
    assert b"no such file or folder; check the path" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_standard_output_that_is_full(tmp_path: Path) -> None:
    code, err = shell("LW label-set list > /dev/full", tmp_path)
    assert code == 2
    assert err.startswith("labelwright: No space left on device; check")
    assert err.count("\n") == 1


def test_streams_that_are_closed(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(REPORTS)
    line = "LW label r.csv --model rules --out out >&- 2>&- <&-"
    assert shell(line, tmp_path) == (0, "")
    assert (tmp_path / "out" / "manifest.json").exists()
    assert len((tmp_path / "out" / "predictions.jsonl").read_text().splitlines()) == 2


def test_a_reader_that_leaves_is_no_success(tmp_path: Path) -> None:
    preview = "LW build --synthetic 500 --label-set chexpert-14 --preview 500"
    line = f"{{ {preview}; echo $? > code; }} | head -1"
    assert shell(line, tmp_path) == (0, "")
    assert (tmp_path / "code").read_text() == "141\n"


def test_an_interrupted_build_does_not_promise_to_resume(tmp_path: Path) -> None:
    out = tmp_path / "data"
    command = ["build", "--synthetic", "50000", "--label-set", "chexpert-14", "--out", str(out)]
    with subprocess.Popen([*PROGRAM, *command], stderr=subprocess.PIPE, text=True) as process:
        while not out.exists():
            assert process.poll() is None
            time.sleep(0.001)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert err == "labelwright: interrupted; run the same command again\n"
    assert not out.exists()
