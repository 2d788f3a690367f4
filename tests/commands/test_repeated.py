"""The same labeling command again: answered from the manifest, unless anything has changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labelwright.cli import main
from labelwright.commands.labeling import command


class LoadedError(Exception):
    """A labeler is loaded, as the usual way does."""


def test_a_finished_folder_needs_no_labeler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reports, out = tmp_path / "r.csv", tmp_path / "out"
    reports.write_text("id,text\na,No effusion.\nb,\n", encoding="utf-8")
    words = ["label", str(reports), "--model", "rules", "--out", str(out)]
    assert main(words) == 0
    capsys.readouterr()
    usual = command.labeled_by
    assert main([*words, "--shard-rows", "5"]) == 0  # other words for the same: the usual way
    slow = capsys.readouterr().out
    assert main(words) == 0
    assert capsys.readouterr().out == slow

    def refuse(*_: Any, **__: Any) -> None:
        raise LoadedError

    monkeypatch.setattr(command, "labeled_by", refuse)

    def loads(*more: str) -> bool:
        try:
            done = main([*words, *more, "--debug"])
        except LoadedError:
            return True
        assert done == 0
        return False

    assert not loads()
    assert capsys.readouterr().out == slow
    assert slow.startswith("already finished: 2 rows: 1 labeled, 1 rejected")
    assert loads("--limit", "1")
    assert loads("--also", "omop")
    (out / "labels.csv").rename(tmp_path / "kept")
    assert loads()
    (tmp_path / "kept").rename(out / "labels.csv")
    assert not loads()
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    reports.write_text("id,text\na,No effusions\nb,\n", encoding="utf-8")  # of the same size
    assert loads()
    (out / "manifest.json").write_text(json.dumps(manifest | {"request": "other"}))
    assert loads()
    monkeypatch.setattr(command, "labeled_by", usual)
    assert main(words) == 2  # the input is another one
    assert "another job (differs in inputs)" in capsys.readouterr().err
