"""Workers on a real Ray of this machine: equal results, killed workers, killed runs, privacy."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray_script
from close_tools import close

from labelwright.cli import main
from labelwright.runtime.threads import WAITING

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="needs Ray: pip install -e '.[ray]'"
    ),
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks at /proc"),
]
ROWS, SHARD_ROWS = 60, 4
MARK = "LABELWRIGHT_TEST_RUN"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Short reports, no two the same; some are empty."""
    path = tmp_path_factory.mktemp("input") / "reports.csv"
    with open(path, "w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["id", "text"])
        for row in range(ROWS):
            words = ("Small effusion.", "No edema.", "Possible pneumonia.", "Clear lungs.")
            text = " ".join(words[: row % 4 + 1]) + f" Series {row}."
            writer.writerow([f"r{row}", "" if row % 17 == 3 else text])
    return path


def command(table: Path, model: Path | str, out: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "labelwright.cli", "label", str(table), "--out", str(out)),
        *("--model", str(model), "--shard-rows", str(SHARD_ROWS), *more),
    ]


def slowly(table: Path, model: Path | str, out: Path, *more: str) -> list[str]:
    """The same with two workers that take half a second per shard, or plain with ``none``."""
    return [sys.executable, ray_script.__file__, "slowly", *map(str, (table, out, model)), *more]


def content(out: Path) -> dict[str, Any]:
    """The result files; of the predictions all but the seconds."""
    files: dict[str, Any] = {
        name: (out / name).read_bytes() for name in ("labels.csv", "rejects.jsonl")
    }
    rows = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    files["predictions"] = [{**row, "seconds": 0} for row in rows]
    return files


def parts(out: Path) -> int:
    return sum(1 for _ in (out / "parts").glob("[0-9]*.jsonl"))


def processes(mark: str, name: str = "") -> list[int]:
    """Running processes that inherited ``mark``, with ``name`` in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={os.getpid()}-{mark}".encode() not in environ(int(folder.name)):
                continue
            if name.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
    return found


def environ(process: int) -> bytes:
    """The environment that a process was started with."""
    return Path(f"/proc/{process}/environ").read_bytes()


def until(true: Callable[[], object], seconds: float = 900.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to this"
        time.sleep(0.02)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A short TMPDIR, since Ray's sockets have a longest path."""
    folder = Path(tempfile.mkdtemp(prefix="lw", dir="/tmp"))
    yield folder
    subprocess.run(["rm", "-rf", str(folder)], check=True)


def environment(mark: str, place: Path) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if name not in WAITING},
        MARK: f"{os.getpid()}-{mark}",
        "TMPDIR": str(place),
        "OMP_NUM_THREADS": "1",
    }


def test_a_killed_worker_changes_nothing(
    table: Path, tiny_checkpoint: Path, tmp_path: Path, place: Path
) -> None:
    """Two workers with a model; one gets kill -9 in mid-run."""
    assert main(command(table, tiny_checkpoint, tmp_path / "plain")[3:]) == 0
    out = tmp_path / "ray"
    with subprocess.Popen(
        slowly(table, tiny_checkpoint, out),
        env=environment("worker", place),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        until(lambda: len(processes("worker", "ray::Worker")) == 2 or process.poll() is not None)
        until(lambda: parts(out) >= 2 or process.poll() is not None)
        workers = processes("worker", "ray::Worker")
        asleep = [b"OMP_WAIT_POLICY=PASSIVE" in environ(worker) for worker in workers]
        os.kill(workers[0], signal.SIGKILL)
        assert parts(out) < ROWS / SHARD_ROWS - 3
        printed, error = process.communicate(timeout=900)
    assert process.returncode == 0, error
    assert printed.startswith(f"{ROWS} rows: ")
    assert asleep == [True, True]
    assert content(out) == close(content(tmp_path / "plain"))
    manifests = [json.loads((f / "manifest.json").read_text()) for f in (out, tmp_path / "plain")]
    assert manifests[0]["job"] == manifests[1]["job"]
    assert manifests[0]["labeler"]["runtime"]["ray"]["actors"] == 2
    assert list(place.iterdir()) == []
    until(lambda: not processes("worker"))


def test_a_killed_run_is_resumed_without_ray(
    table: Path, tmp_path: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What kill -9 leaves of Ray's files is removed by the next run on Ray, stopped by SIGTERM."""
    out, whole = tmp_path / "out", tmp_path / "whole"
    assert main(command(table, "rules", whole)[3:]) == 0
    for life, (number, code) in enumerate([(signal.SIGKILL, -9), (signal.SIGTERM, 130)]):
        mark, before = f"life{life}", parts(out)
        with subprocess.Popen(
            slowly(table, "rules", out),
            env=environment(mark, place),
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            until(lambda before=before, p=process: parts(out) >= before + 2 or p.poll())
            left = [path.name for path in place.iterdir()]
            process.send_signal(number)
            _, error = process.communicate(timeout=900)
        assert process.returncode == code, error
        assert len(left) == 1
        assert f"-{process.pid}-" in left[0]
        # Two of Ray's own helpers, which never see a report, outlive a kill -9 by a minute.
        rest = "" if number == signal.SIGTERM else "ray::Worker"
        until(lambda mark=mark, rest=rest: not processes(mark, rest))
    assert error == "labelwright: interrupted; the same command resumes\n"
    assert list(place.iterdir()) == []
    assert 4 <= parts(out) < ROWS / SHARD_ROWS
    capsys.readouterr()
    assert main(command(table, "rules", out)[3:]) == 0
    assert "done by an earlier run" in capsys.readouterr().out
    assert content(out) == content(whole)


def test_failures_of_workers(place: Path) -> None:
    """Asserts inside ``ray_script.py failures``: one Ray serves all of them."""
    done = subprocess.run(
        [sys.executable, ray_script.__file__, "failures"],
        env=environment("failures", place),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == list(ray_script.FAILURES)
    assert ray_script.CANARY not in done.stderr
    assert list(place.iterdir()) == []


REFUSED = [
    (["--ray-address", "auto"], "--ray-address is for --ray-actors"),
    (["--gpus-per-actor", "1"], "--gpus-per-actor is for --ray-actors"),
    (["--gpus-per-actor", "1.5", "--ray-actors", "1"], "must be a part of 1, or a whole number"),
    (["--ray-actors", "0"], "must be a whole number of at least 1"),
    (["--ray-actors", "2", "--device", "cuda:1"], "picks one GPU for all workers"),
    (["--ray-actors", "2", "--ray-address", "ray://h:1"], "ray:// is not supported"),
]


@pytest.fixture
def own_environment() -> Iterator[None]:
    """What a command sets for Ray in this process is taken back."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.usefixtures("own_environment")
@pytest.mark.parametrize(("flags", "words"), REFUSED)
def test_what_cannot_work(
    flags: list[str],
    words: str,
    table: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = command(table, "m", tmp_path / "out", *flags)[3:]
    try:
        code = main(line)
    except SystemExit as stop:  # what the parser itself refuses
        code = stop.code
    assert code == 2
    error = capsys.readouterr().err
    assert words in error.replace("(ray://)", "ray://")
    assert error.count("\n") == 1, error


def test_no_cluster_to_join(table: Path, tmp_path: Path, place: Path) -> None:
    flags = ["--ray-actors", "2", "--ray-address", "auto"]
    done = subprocess.run(
        command(table, "m", tmp_path / "out", *flags),
        env=environment("refused", place),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "no Ray cluster lets us in at auto" in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


@pytest.mark.usefixtures("own_environment")
def test_without_ray(
    table: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(command(table, "rules", tmp_path, "--ray-actors", "2")[3:]) == 2
    assert "pip install -e '.[ray]'" in capsys.readouterr().err
