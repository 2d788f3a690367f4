"""Trainings in processes of their own: killed and resumed, two at once, and what they leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import write_records

from labelwright.label_set import LabelSet
from sft.train import main

ROOT = Path(__file__).parents[2]
CANARY = "Zyxwellian"
FAST = [
    "--num_train_epochs=3",
    "--learning_rate=3e-3",
    "--logging_steps=1",
    "--save_steps=3",
    "--train_sampling_strategy=group_by_length",
    "--seed=5",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, chexpert: LabelSet) -> Path:
    """Records with a word that must not turn up anywhere else."""
    folder = write_records(tmp_path_factory.mktemp("records"), chexpert, train=32)
    path = folder / "train.jsonl"
    text = path.read_text(encoding="utf-8").replace("Series", f"Mr. {CANARY}, series")
    path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def flags(data: Path, tiny_checkpoint: Path) -> list[str]:
    return ["--data", str(data), "--model_name_or_path", str(tiny_checkpoint), *FAST]


@pytest.fixture(scope="module")
def reference(flags: list[str], tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """Losses of one process, uninterrupted: batch 4, accumulation 2."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    batch = ["--per_device_train_batch_size=4", "--gradient_accumulation_steps=2"]
    assert main([*flags, *batch, "--output_dir", str(out)]) == 0
    return losses(out)


def losses(folder: Path) -> list[float]:
    history: list[dict[str, Any]] = json.loads((folder / "manifest.json").read_text())["history"]
    return [row["loss"] for row in history if "loss" in row]


def environment(home: Path) -> dict[str, str]:
    places = {name: str(home) for name in ("HOME", "HF_HOME", "XDG_CACHE_HOME", "TMPDIR")}
    quick = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    return {**os.environ, **places, **quick, "PYTHONUNBUFFERED": "1"}


KILLED = """
import os, signal, sys
from transformers.trainer_callback import DefaultFlowCallback
from sft.train import main

step_end = DefaultFlowCallback.on_step_end

def dying(self, args, state, control, **kwargs):
    if state.global_step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return step_end(self, args, state, control, **kwargs)

DefaultFlowCallback.on_step_end = dying
main(sys.argv[1:])
"""
"""The training, killed in the middle of its fifth step: two steps after its first checkpoint."""


@pytest.mark.slow
def test_killed_and_resumed_is_the_same_run_and_leaves_no_text(
    flags: list[str], reference: list[float], tmp_path: Path
) -> None:
    out, home = tmp_path / "out", tmp_path / "home"
    home.mkdir()
    batch = ["--per_device_train_batch_size=4", "--gradient_accumulation_steps=2"]
    mine = [*flags, *batch, "--output_dir", str(out)]
    log = tmp_path / "log.txt"
    with log.open("wb") as stream:
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, *mine],
            cwd=tmp_path,
            env=environment(home),
            stdout=stream,
            stderr=stream,
            check=False,
        )
    assert killed.returncode == -signal.SIGKILL, log.read_text()[-2000:]
    assert (out / "checkpoint-3" / "trainer_state.json").is_file()
    assert not (out / "manifest.json").exists()
    (out / "checkpoint-99").mkdir()
    (out / "checkpoint-99" / "trainer_state.json").write_text("{")
    assert main(mine) == 0
    facts = json.loads((out / "manifest.json").read_text())
    assert facts["resumed_from"] == "checkpoint-3"
    assert losses(out) == pytest.approx(reference, rel=1e-4)
    assert CANARY not in log.read_text(errors="replace")
    for path in (p for place in (out, home) for p in place.rglob("*") if p.is_file()):
        assert CANARY.encode() not in path.read_bytes(), path


@pytest.mark.slow
def test_two_processes_equal_one_at_the_same_batch(
    flags: list[str], reference: list[float], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--main_process_port=0"]
    config = ["--config_file", str(ROOT / "sft" / "accelerate_configs" / "cpu-2.yaml")]
    script = [str(ROOT / "sft" / "train.py"), "--per_device_train_batch_size=4"]
    done = subprocess.run(
        [*launcher, *config, *script, *flags, "--output_dir", str(out)],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("labelwright: ")  # and no banner of the launcher behind it
    assert ": trained in " in last
    assert json.loads((out / "manifest.json").read_text())["processes"] == 2
    assert losses(out) == pytest.approx(reference, rel=1e-4)
