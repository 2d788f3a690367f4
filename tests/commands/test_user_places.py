"""Places to write to: full, taken, left by a killed run, or holding the input itself."""

from __future__ import annotations

import csv
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes.forks import COMMAND, Fork, Forks

from labelwright.cli import main

CANARY = "canary-90c4"


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    path = tmp_path / "reports.csv"
    with open(path, "w", newline="") as handle:
        rows = ((f"r{n}", f"The heart is enlarged, {CANARY}. Series {n}.") for n in range(400))
        csv.writer(handle).writerows([("id", "text"), *rows])
    return path


def build(reports: Path, out: Path) -> list[str]:
    flags = ["--label-set", "chexpert-14", "--labels", "rules", "--out", str(out)]
    return ["build", str(reports), *flags]


LIMITED = f"""
import resource
most = int(sys.argv.pop(1)) * 512
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
{COMMAND}
"""


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Starts commands after the rules and the packages of builds have been read once."""
    made = Forks(
        *("labelwright.cli", "data_builders.build", "sklearn.model_selection", "eval.comparing"),
        place=tmp_path_factory.mktemp("said"),
        cwd=Path(),
        env=os.environ,
        before="from labelwright.labelers.settings import LabelerSettings\n"
        "from labelwright.loading import load_labeler\n"
        "load_labeler(LabelerSettings(model='rules'))",
    )
    yield made
    made.close()


def limited(forks: Forks, blocks: int, command: list[str]) -> tuple[int, str]:
    """Run with files limited to some blocks of 512 bytes: to the program a disk that is full."""
    code, _, error = forks.run(blocks, *command, script=f"import sys\n{LIMITED}")
    return code, error


@pytest.mark.parametrize("blocks", [20, 150, 400])
def test_a_build_on_a_full_disk(reports: Path, forks: Forks, tmp_path: Path, blocks: int) -> None:
    out = tmp_path / "data"
    code, error = limited(forks, blocks, build(reports, out))
    assert code == 2
    assert error.startswith(f"labelwright: {out}")
    assert "cannot write (File too large); free space or choose" in error
    assert error.count("\n") == 1
    assert CANARY not in error
    assert not out.exists()
    assert main(build(reports, out)) == 0


def test_a_failed_rebuild_keeps_the_earlier_one_until_it_writes(
    reports: Path, forks: Forks, tmp_path: Path
) -> None:
    out = tmp_path / "data"
    assert main(build(reports, out)) == 0
    (out / "notes.txt").write_text("mine")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert limited(forks, 20, [*build(reports, out), "--overwrite"])[0] == 2
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert limited(forks, 600, [*build(reports, out), "--overwrite"])[0] == 2
    assert [path.name for path in out.iterdir()] == ["notes.txt"]
    assert main(build(reports, out)) == 0


def test_a_comparison_on_a_full_disk(
    reports: Path, forks: Forks, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["label", str(reports), "--model", "rules", "--out", str(tmp_path / "run")]) == 0
    gold = tmp_path / "run" / "labels.csv"
    page = tmp_path / "page"
    small = ["--resamples", "100", "--permutations", "100", "--out", str(page)]
    command = ["eval", "--gold", str(gold), "--pred", f"rules={tmp_path / 'run'}", *small]
    code, error = limited(forks, 20, command)
    assert code == 2
    assert "cannot write (File too large); free space or choose" in error
    assert not page.exists()
    assert main(command) == 0
    assert limited(forks, 20, command)[0] == 2
    assert not page.exists() or not list(page.iterdir())
    assert main(command) == 0
    capfd.readouterr()


def started(forks: Forks, command: list[str], out: Path) -> Fork:
    """The command at work: its folder is there."""
    process = forks.start(*command)
    deadline = time.monotonic() + 300
    while not list(out.glob(".rejects.jsonl.*.tmp")):
        assert time.monotonic() < deadline, process.err
        time.sleep(0.001)
    return process


def test_two_builds_into_one_folder(forks: Forks, tmp_path: Path) -> None:
    out = tmp_path / "data"
    command = ["build", "--synthetic", "3000", "--label-set", "head-ct-5", "--out", str(out)]
    first = started(forks, command, out)
    first.send(signal.SIGSTOP)
    code, _, error = forks.run(*command, "--overwrite")
    first.send(signal.SIGCONT)
    assert first.wait() == 0
    assert code == 2
    assert "another run is writing into this folder; wait until it ends" in error
    assert not list(out.glob(".*"))


def test_a_killed_build_is_no_hindrance(forks: Forks, tmp_path: Path) -> None:
    out = tmp_path / "data"
    command = ["build", "--synthetic", "300", "--label-set", "head-ct-5", "--out", str(out)]
    process = started(forks, [*command[:2], "50000", *command[3:]], out)
    process.send(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert list(out.glob(".rejects.jsonl.*.tmp"))
    assert main(command) == 0
    assert not list(out.glob(".*"))


def test_the_input_is_not_replaced_by_the_output(
    reports: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "data"
    assert main(build(reports, out)) == 0
    texts = (out / "train.reports.jsonl").read_text()
    assert main([*build(out / "train.reports.jsonl", out), "--overwrite"]) == 2
    assert "is read and stands in --out, whose files are replaced" in capfd.readouterr().err
    assert (out / "train.reports.jsonl").read_text() == texts


def test_an_output_inside_the_folder_that_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.txt").write_text("No effusion.")
    told = f"labelwright: --out {notes / 'out'} lies in {notes}, whose files are read; "
    labeling = ["label", str(notes), "--model", "rules", "--out", str(notes / "out")]
    for words in (labeling, build(notes, notes / "out")):
        assert main(words) == 2
        assert capsys.readouterr().err == told + "choose a folder beside it\n"
    assert [path.name for path in notes.iterdir()] == ["a.txt"]


def test_a_file_in_the_place_of_the_folder(
    reports: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for out in (reports, reports / "inside"):
        assert main(build(reports, out)) == 2
        said = "cannot write (a file is where a folder should be); choose another folder"
        assert said in capfd.readouterr().err
