"""Model folders and label sets that do not fit, as they reach a user's folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from labelwright.checkpoint import LABEL_SET_FILE, load_task
from labelwright.cli import main
from labelwright.errors import CheckpointError, LabelSetError
from labelwright.label_set import LabelSet


def test_a_label_set_that_is_no_text(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "model")
    (folder / LABEL_SET_FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(CheckpointError, match="damaged; restore it from the training output"):
        load_task(folder)


@pytest.mark.parametrize("version", ["1.0", "[1]", "2026-11-21", "{a: 1}", "true"])
def test_versions_that_are_no_text(version: str) -> None:
    text = LabelSet.load("head-ct-5").text.replace('version: "1.0"', f"version: {version}")
    with pytest.raises(LabelSetError, match="version must be text; write"):
        LabelSet.from_text(text)


def test_an_id_column_with_the_name_of_an_observation(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "reports.csv"
    path.write_text("Edema,text\nr1,Clear lungs.\n")
    command = ["label", str(path), "--id-column", "Edema", "--model", "rules"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 2
    assert "has the name of an observation" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


def test_no_flag_is_advised_that_does_not_exist(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(LabelSet.load("head-ct-5").text.replace("name: head-ct-5", "name: mine", 1))
    command = ["build", "--synthetic", "9", "--label-set", str(path), "--out", str(tmp_path / "o")]
    assert main(command) == 2
    assert (
        "use a label set that has one: chexpert-14, head-ct-5; or write" in capfd.readouterr().err
    )
