"""An adapter is put on the very revision of the base that it was trained on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from inference.load import _base
from labelwright.errors import CheckpointError
from sft import load
from sft.train import main

NAME = "someone/some-base"
COMMITS = {"main": "a" * 40, "v2": "b" * 40}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache as its client lays it out, with two revisions of one model."""
    import huggingface_hub.constants as constants

    root = tmp_path / "cache"
    model = root / "models--someone--some-base"
    (model / "refs").mkdir(parents=True)
    for revision, commit in COMMITS.items():
        (model / "refs" / revision).write_text(commit)
        (model / "snapshots" / commit).mkdir(parents=True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(root))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return model / "snapshots"


def _adapter(folder: Path, revision: str | None) -> Path:
    folder.mkdir()
    config = {"base_model_name_or_path": NAME, "revision": revision}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    (folder / "adapter_model.safetensors").touch()
    return folder


@pytest.mark.parametrize(("revision", "found"), [(None, "main"), ("main", "main"), ("v2", "v2")])
def test_base_of_the_revision(
    revision: str | None, found: str, cache: Path, tmp_path: Path
) -> None:
    assert _base(_adapter(tmp_path / "adapter", revision)) == cache / COMMITS[found]


@pytest.mark.usefixtures("cache")
def test_no_other_revision_takes_its_place(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nor a hub model within reach"):
        _base(_adapter(tmp_path / "adapter", "v3"))


@pytest.mark.filterwarnings("ignore:Unable to fetch remote file:UserWarning")
@pytest.mark.filterwarnings("ignore:Could not find a config file:UserWarning")
def test_training_notes_the_revision(
    cache: Path,
    records_folder: Path,
    tiny_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load, "hub_reachable", lambda: False)
    shutil.copytree(tiny_checkpoint, cache / COMMITS["v2"], dirs_exist_ok=True)
    start = ["--model_name_or_path", NAME, "--model_revision", "v2", "--use_peft"]
    steps = ["--max_steps=1", "--disable_tqdm=true", "--output_dir", str(tmp_path / "out")]
    assert main(["--data", str(records_folder), *start, *steps]) == 0
    assert _base(tmp_path / "out") == cache / COMMITS["v2"]
