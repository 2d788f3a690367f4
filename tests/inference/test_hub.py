"""A model folder goes to the hub and comes back, by the commands that the page shows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from huggingface_hub import ModelCard
from processes.hub_stand_in import hub

from labelwright.io.manifest import sha256_model
from labelwright.shipped import named_model

NAME = "anna/chest"
REPORTS = "id,text\na,Small left effusion. No pneumothorax.\nb,Heart size is normal.\n"
PUSH = ("hf", "upload", NAME, "model", ".", "--private", "--exclude", "checkpoint-*/**")


def test_a_pushed_model_labels_by_its_name(tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(named_model("labelwright-chest"), model)
    (model / "checkpoint-7").mkdir()
    (model / "checkpoint-7" / "optimizer.pt").write_bytes(b"state")
    (tmp_path / "r.csv").write_text(REPORTS, encoding="utf-8")
    env = {"HF_HUB_CACHE": str(tmp_path / "cache"), "HF_TOKEN": "hf_t", "HF_HUB_OFFLINE": "0"}

    def run(program: str, *words: str, **more: str) -> None:
        done = subprocess.run(
            [str(Path(sys.executable).parent / program), *words],
            cwd=tmp_path,
            env=os.environ | env | more,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-1500:]

    with hub() as server:
        run(*PUSH, HF_ENDPOINT=server.url)
        sent = server.repositories[NAME]
        wanted = {"model.safetensors", "label_set.yaml", "labelwright.json", "README.md"}
        assert wanted <= set(sent)
        assert not any(name.startswith("checkpoint-") for name in sent)
        assert sent["model.safetensors"] == (model / "model.safetensors").read_bytes()
        run("labelwright", *label(NAME, "pulled"), HF_ENDPOINT=server.url)
    run("labelwright", *label(NAME, "cached"), HF_HUB_OFFLINE="1")
    run("labelwright", *label("model", "local"))
    for out in ("pulled", "cached"):
        theirs, mine = (tmp_path / folder / "labels.csv" for folder in (out, "local"))
        assert theirs.read_bytes() == mine.read_bytes()
    (snapshot,) = (tmp_path / "cache").glob("models--anna--chest/snapshots/*")
    assert sha256_model(snapshot) == sha256_model(model)
    assert ModelCard(sent["README.md"].decode()).data.license == "apache-2.0"


def label(model: str, out: str) -> tuple[str, ...]:
    return ("label", "r.csv", "--model", model, "--out", out)
