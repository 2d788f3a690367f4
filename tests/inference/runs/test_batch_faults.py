"""Faults of the machine: kills at any moment, a full disk, a read-only place, interruptions."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes.forks import COMMAND, Forks

from inference.runs.interrupt import WAITING

ROWS, SHARD_ROWS = 1200, 10
RESULTS = ("labels.csv", "predictions.jsonl", "rejects.jsonl")
PHRASES = (
    "Mild pulmonary edema.",
    "No pleural effusion.",
    "Possible pneumonia at the right base.",
    "Enlarged heart.",
    "Old fracture of a rib.",
    "No pneumothorax.",
)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports made of phrases written for this test; some are empty, some ids come twice."""
    path = tmp_path_factory.mktemp("input") / "reports.csv"
    chance = random.Random(7)
    lines = ["study_id,text"]
    for row in range(ROWS):
        identifier = row - 1 if row % 97 == 5 else row
        text = "" if row % 53 == 3 else " ".join([f"Film {row}.", *chance.sample(PHRASES, 3)])
        lines.append(f"{identifier},{text}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Starts the command after the rules have been read once."""
    modules = ("inference.runs.batch", "inference.runs.merge", "labelwright.cli")
    made = Forks(
        *modules,
        place=tmp_path_factory.mktemp("said"),
        cwd=Path(),
        env=os.environ,
        before="from labelwright.labelers.settings import LabelerSettings\n"
        "from labelwright.loading import load_labeler\n"
        "load_labeler(LabelerSettings(model='rules'))",
    )
    yield made
    made.close()


@pytest.fixture(scope="module")
def whole(
    table: Path, forks: Forks, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[object]]:
    """The result of a run that nobody disturbed."""
    out = tmp_path_factory.mktemp("whole")
    code, said, error = forks.run(*command(table, out))
    assert code == 0, error
    assert f"{ROWS:,} rows: " in said
    return content(out)


def command(table: Path, out: Path) -> list[str]:
    return [
        *("label", str(table)),
        *("--id-column", "study_id", "--text-columns", "text", "--model", "rules"),
        *("--out", str(out), "--shard-rows", str(SHARD_ROWS)),
    ]


def content(out: Path) -> dict[str, list[object]]:
    """The result files line by line; of the predictions all but the seconds."""
    files: dict[str, list[object]] = {}
    for name in RESULTS:
        lines = (out / name).read_text().splitlines()
        files[name] = (
            [*lines] if name != "predictions.jsonl" else [timeless(line) for line in lines]
        )
    return files


def timeless(line: str) -> dict[str, object]:
    row: dict[str, object] = json.loads(line)
    row.pop("seconds", None)
    return row


def parts(out: Path) -> int:
    return sum(1 for _ in (out / "parts").glob("[0-9]*.jsonl"))


KILLED_AFTER = """
import os, signal, sys, threading, time
from pathlib import Path
from labelwright.cli import main

shards, pause, flags = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
rename, done = Path.replace, 0

def die():
    time.sleep(pause)
    os.kill(os.getpid(), signal.SIGKILL)

def counting(self, target):
    global done
    rename(self, target)
    done += Path(target).parent.name == "parts"
    if done == shards:
        threading.Thread(target=die, daemon=True).start()

Path.replace = counting
sys.exit(main(flags))
"""
"""The command, which dies by kill -9 some shards and a pause later: from within, so that it
dies in time however busy the machine is."""


def killed_often(table: Path, out: Path, forks: Forks, chance: random.Random) -> bool:
    """Eight kill -9, each after some more shards and a pause; false if a run ended before."""
    for _ in range(8):
        when = [str(chance.randint(1, 5)), str(chance.uniform(0, 0.01))]
        code, _, _ = forks.run(*when, *command(table, out), script=KILLED_AFTER)
        if code != -signal.SIGKILL:
            assert code == 0
            return False
        if (out / "manifest.json").exists():  # killed after the result was whole
            return False
    return True


@pytest.mark.slow
def test_killed_at_random_moments(
    table: Path, whole: dict[str, list[object]], forks: Forks, tmp_path: Path
) -> None:
    """Killed again and again, then let finish."""
    chance = random.Random(11)
    outs = (tmp_path / f"out{attempt}" for attempt in range(20))
    out = next(out for out in outs if killed_often(table, out, forks, chance))
    assert 0 < parts(out) < ROWS / SHARD_ROWS
    code, said, error = forks.run(*command(table, out))
    assert code == 0, error
    assert "done by an earlier run" in said
    assert content(out) == whole
    assert sorted(path.name for path in out.iterdir()) == sorted([*RESULTS, "manifest.json"])


KILLED_AT_EACH_RENAME = """
import os, signal, sys
from pathlib import Path
from labelwright.cli import main

flags, out = sys.argv[1:-1], Path(sys.argv[-1])
rename = Path.replace

def child(place, after, folder):
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    calls = 0
    def dying(self, target):
        nonlocal calls
        calls += 1
        if calls == place and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(self, target)
        if calls == place:
            os.kill(os.getpid(), signal.SIGKILL)
    Path.replace = dying
    sys.stdout = open(os.devnull, "w")
    os._exit(main([*flags, "--out", str(folder)]))

assert main([*flags, "--out", str(out / "undisturbed")]) == 0
place = 0
while True:
    place += 1
    for after in (False, True):
        folder = out / f"{place}-{after}"
        status = child(place, after, folder)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            sys.exit(0)
        assert os.WTERMSIG(status) == signal.SIGKILL
        assert os.waitstatus_to_exitcode(child(0, False, folder)) == 0
"""


def test_killed_before_and_after_every_rename(table: Path, forks: Forks, tmp_path: Path) -> None:
    """One process per moment: job file, four parts, three results, manifest, and once
    more the manifest, with what tells the same command again.

    One more folder is of the process that found no more renames to die at, and one of the
    command undisturbed, after which the others start with everything read.
    """
    flags = [flag for flag in command(table, tmp_path) if flag != "--out"]
    flags.remove(str(tmp_path))
    flags[-1:] = ["50", "--limit", "200"]
    code, _, error = forks.run(*flags, tmp_path, script=KILLED_AT_EACH_RENAME)
    assert code == 0, error
    undisturbed = content(tmp_path / "undisturbed")
    assert len(list(tmp_path.iterdir())) == 2 * (1 + 4 + 3 + 2) + 1 + 1
    for folder in tmp_path.iterdir():
        assert content(folder) == undisturbed


LIMITED = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
{COMMAND}
"""


def test_a_full_disk_keeps_what_is_done(
    table: Path, whole: dict[str, list[object]], forks: Forks, tmp_path: Path
) -> None:
    """A limit on file size stands for the full disk: parts fit, the merged file does not."""
    out = tmp_path / "out"
    code, _, error = forks.run(*command(table, out), script=LIMITED)
    assert code == 2
    assert f"{out}: cannot write (File too large); free space" in error
    assert sorted(path.name for path in out.iterdir()) == ["job.json", "parts"]
    assert parts(out) == ROWS / SHARD_ROWS
    assert forks.run(*command(table, out))[0] == 0
    assert content(out) == whole


def test_a_really_full_disk(table: Path, forks: Forks, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can be mounted by root only")
    try:
        code, _, error = forks.run(*command(table, disk / "out"))
        assert code == 2
        assert "cannot write (No space left on device); free space" in error
        assert parts(disk / "out") > 0
        assert not list((disk / "out" / "parts").glob(".*"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc, where nobody may write")
def test_a_place_where_nobody_may_write(table: Path, forks: Forks) -> None:
    code, _, error = forks.run(*command(table, Path("/proc/labels")))
    assert code == 2
    assert "/proc/labels: cannot write (" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(
    number: signal.Signals,
    table: Path,
    whole: dict[str, list[object]],
    forks: Forks,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    process = forks.start(*command(table, out))
    until_parts(out, 2)
    process.send(number)
    assert process.wait() == 130
    last = "labelwright: interrupted; the same command resumes\n"
    assert process.err == (WAITING if number is signal.SIGINT else "") + last
    assert not list((out / "parts").glob(".*"))
    assert forks.run(*command(table, out))[0] == 0
    assert content(out) == whole


def until_parts(out: Path, number: int) -> None:
    deadline = time.monotonic() + 300
    while parts(out) < number:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_two_commands_into_one_folder(table: Path, forks: Forks, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = forks.start(*command(table, out))
    until_parts(out, 1)
    first.send(signal.SIGSTOP)
    code, _, error = forks.run(*command(table, out))
    first.send(signal.SIGCONT)
    assert code == 2
    assert "another run is writing into this folder; wait until it ends" in error
    assert first.wait() == 0
