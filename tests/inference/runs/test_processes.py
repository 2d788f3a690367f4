"""Several processes of this machine label as one: equal results, failures told in one line."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from select import select

import pytest
from ray_script import CANARY, Fake, make, shards

from inference.runs import processes
from inference.runs.processes import THREADS, Processes, fitting_workers, idle_cores
from labelwright.cli import main
from labelwright.errors import LabelwrightError


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Reports, two of them empty and two the same."""
    path = tmp_path / "reports.csv"
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["id", "text"])
        for row in range(20):
            words = ("Small effusion.", "No edema.", "Possible pneumonia.", "Lungs clear.")
            writer.writerow([row, "" if row % 9 == 4 else " ".join(words[: row % 4 + 1])])
    return path


def test_two_processes_write_what_one_writes(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outs = [table.parent / "one", table.parent / "two"]
    for workers, out in zip("12", outs, strict=True):
        flags = ["--model", "rules", "--shard-rows", "3", "--workers", workers]
        assert main(["label", str(table), "--text-columns", "text", "--out", str(out), *flags]) == 0
    for name in ("labels.csv", "rejects.jsonl"):
        assert (outs[0] / name).read_bytes() == (outs[1] / name).read_bytes()
    manifest = json.loads((outs[1] / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["labeler"]["runtime"]["workers"] == 2
    assert manifest["counts"] == {"rows": 20, "labeled": 18, "rejected": 2, "undetermined": 0}
    assert not [name for name in THREADS if os.environ.get(name) == "1" and name != THREADS[0]]
    capsys.readouterr()
    # the number of processes is no part of the job: the same again is finished
    assert (
        main(["label", str(table), "--text-columns", "text", "--out", str(outs[1]), *flags[:4]])
        == 0
    )
    assert "already" in capsys.readouterr().out


def failed(tmp_path: Path, *words: str, kind: str = "") -> LabelwrightError:
    """What stops two processes over shards that begin with these words."""
    pool = Processes(Fake(tmp_path / "fuse"), partial(make, tmp_path / "fuse", kind), 2)
    with pytest.raises(LabelwrightError) as caught:
        list(pool.label_shards(iter(shards(*words))))
    assert CANARY not in str(caught.value)
    return caught.value


def test_a_process_that_dies_or_fails_ends_the_run_with_one_line(tmp_path: Path) -> None:
    assert "killed" in failed(tmp_path, "fine", "die").what
    assert "rows 3 to 4 with ValueError" in failed(tmp_path, "fine", "raise").what
    assert failed(tmp_path, "known").what.endswith("no such weights")
    assert "cannot load the labeler (KeyError)" in failed(tmp_path, "fine", kind="raises").what


def test_no_process_is_added_where_all_cores_are_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Idle and all ticks between two looks; without them, the load of the last minute."""
    monkeypatch.setattr(processes.os, "sched_getaffinity", lambda _: set(range(8)))
    statistics = tmp_path / "stat"
    for busy, idle, free in ((0, 80, 8), (40, 40, 4), (80, 0, 1), (0, 0, 3)):
        looks = iter(
            ["cpu  10 0 0 50 0 0 0 0 0 0\n", f"cpu  {10 + busy} 0 0 {50 + idle} 0 0 0 0 0 0\n"]
        )
        monkeypatch.setattr(processes.os, "getloadavg", lambda: (5.2, 0, 0))
        statistics.write_text(next(looks))
        monkeypatch.setattr(
            processes.time, "sleep", lambda _, looks=looks: statistics.write_text(next(looks))
        )
        assert idle_cores(statistics) == free
    assert idle_cores(tmp_path / "none") == 3


def test_few_reports_are_read_by_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of several gets 2,048 rows or more; below twice that nobody looks for idle cores."""
    asked = []

    def eight() -> int:
        asked.append(8)
        return 8

    monkeypatch.setattr(processes, "idle_cores", eight)
    assert [fitting_workers(rows) for rows in (0, 1, 2_000, 4_095)] == [1, 1, 1, 1]
    assert not asked
    assert [fitting_workers(rows) for rows in (4_096, 6_143, 6_144, 228_000)] == [2, 2, 3, 8]
    monkeypatch.setattr(processes, "idle_cores", lambda: 1)
    assert fitting_workers(228_000) == 1


@pytest.mark.parametrize("more", [["--workers", "0"], ["--workers", "2", "--ray-actors", "2"]])
def test_flags_that_mean_nothing_together_are_refused(table: Path, more: list[str]) -> None:
    try:
        code = main(["label", str(table), "--out", str(table.parent / "out"), *more])
    except SystemExit as stop:
        code = int(stop.code or 0)
    assert code == 2


POOL = """
import os, time
from inference.runs.processes import Processes

if __name__ == "__main__":
    with Processes(None, dict, 1)._pool() as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        time.sleep(900)
"""


def test_workers_end_with_a_run_that_is_killed(tmp_path: Path) -> None:
    """Else each would keep its model in memory and wait for ever."""
    (tmp_path / "pool.py").write_text(POOL)
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "pool.py")],
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
    ) as run:
        assert run.stdout is not None
        worker = int(run.stdout.readline())
        run.kill()
        try:  # the worker has the pipe's other end until it ends
            assert select([run.stdout], [], [], 30)[0]
            assert run.stdout.read() == b""
        except AssertionError:
            os.kill(worker, signal.SIGKILL)
            raise
