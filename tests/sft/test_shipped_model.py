"""``make shipped-model`` works from the first step to the last, on a thousandth of its texts."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

import labelwright
from labelwright.cli import main
from labelwright.records import Certainty
from sft import grow

ROOT = Path(__file__).parents[2]


def steps(out: Path, part: int) -> list[list[str]]:
    """What make would run, as words; without what installs."""
    asked = ["make", "-n", "shipped-model", f"S={out}", f"PART={part}", "BIN=bin"]
    printed = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    lines = printed.replace("\\\n", " ").replace("OMP_NUM_THREADS=1 ", "").splitlines()
    kept = ("bin/labelwright ", "bin/python sft/", "cp ", "rm ")
    return [shlex.split(line) for line in lines if line.startswith(kept)]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_every_step_runs_and_the_model_labels_with_its_calibration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    for program, *words in steps(tmp_path, 1000):
        if program == "bin/labelwright":
            assert main(words) == 0, words
        elif program == "bin/python":
            assert grow.main(words[1:]) == 0
        elif program == "cp":
            shutil.copy(words[0], words[1])
        else:
            assert (program, words[0]) == ("rm", "-rf")
            shutil.rmtree(words[1], ignore_errors=True)
    model = tmp_path / "labelwright-chest"
    task = json.loads((model / "labelwright.json").read_text())
    assert (task["unit"], task["layouts"]) == ("clause", ["line", "branches"])
    fitted = json.loads((model / "calibration.json").read_text())["labelers"]["labelwright-chest"]
    assert fitted["temperature"]["per"] == "observation"
    layers = {
        name: json.loads((tmp_path / name / "config.json").read_text())["num_hidden_layers"]
        for name in ("start", "clauses", "labelwright-chest")
    }
    assert layers == {"start": 4, "clauses": 8, "labelwright-chest": 8}
    assert json.loads((model / "manifest.json").read_text())["base_model"] == "clauses"
    labeler = labelwright.load(str(model), calibration=str(model / "calibration.json"))
    (prediction,) = labeler.label(["No pneumothorax."])
    assert prediction.probs is not None
    assert sum(prediction.probs["Pneumothorax"].values()) == pytest.approx(1.0)
    assert prediction.labels["Pneumothorax"] in Certainty
