"""Records for other trainers, and read by datasets as they are."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from labelwright.cli import main


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("form", ["trl", "openai", "alpaca", "sharegpt"])
def test_the_same_turns_in_every_form(
    form: str, records_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """24 training and 6 validation records; each form by its documentation, in full."""
    out = tmp_path / form
    assert main(["export", form, str(records_folder), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"24 train, 6 validation -> {out}\n"
    first = rows(records_folder / "train.jsonl")[0]
    system, user = (turn["content"] for turn in first["prompt"])
    answer = first["completion"][0]["content"]
    assert (
        rows(out / "train.jsonl")[0]
        == {
            "trl": {key: first[key] for key in ("prompt", "completion")},
            "openai": {
                "messages": [
                    {"role": "system", "content": system},
                    {"role": "user", "content": user},
                    {"role": "assistant", "content": answer},
                ]
            },
            "alpaca": {"instruction": system, "input": user, "output": answer},
            "sharegpt": {
                "conversations": [
                    {"from": "system", "value": system},
                    {"from": "human", "value": user},
                    {"from": "gpt", "value": answer},
                ]
            },
        }[form]
    )
    assert stat.S_IMODE((out / "train.jsonl").stat().st_mode) == 0o600
    assert main(["export", form, str(records_folder), "--out", str(out)]) == 2
    assert "not empty" in capsys.readouterr().err


def test_datasets_reads_records(records_folder: Path, tmp_path: Path) -> None:
    import datasets

    files = {split: str(records_folder / f"{split}.jsonl") for split in ("train", "validation")}
    found = datasets.load_dataset("json", data_files=files, cache_dir=str(tmp_path))
    assert {name: len(part) for name, part in found.items()} == {"train": 24, "validation": 6}
    assert found["train"][0]["prompt"] == rows(records_folder / "train.jsonl")[0]["prompt"]


def test_flags_of_models_are_not_for_records(
    records_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", "alpaca", str(records_folder), "--out", str(tmp_path / "o"), "--rank", "2"]
    assert main(words) == 2
    assert "--rank does not apply to the form alpaca" in capsys.readouterr().err
