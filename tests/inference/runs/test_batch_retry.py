"""Rejects tried again: what changes, what stays, and kills in between."""

from __future__ import annotations

import csv
import json
import os
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from batch_tools import FILES, HEAD, Stub, content, jsonl, rows
from batch_tools import label as label_texts

from inference.exports.export import export
from inference.runs.batch import Summary
from inference.runs.job import EXPORTS
from inference.runs.retry import Retried, retry
from labelwright.errors import ConfigError, InputError, LabelwrightError, OutputError
from labelwright.io.manifest import sha256_file
from labelwright.records import Prediction, Reject, Report

TEXTS = ["shift a", "open b", "", "long c", "chat d", "open f", "shift e", "chat d", "z"]


def label(out: Path, texts: Sequence[str] = TEXTS) -> Summary:
    return label_texts(out, texts)


class Better(Stub):
    """Another model: it can do long reports, and what was left open but for one."""

    name = "better"

    def __init__(self) -> None:
        super().__init__()
        self.details = {"kind": "stub", "model": "better", "runtime": {"batch_size": 9}}

    def label(self, report: Report) -> Prediction | Reject:
        text = report.text if report.id == "r5" else "chat"
        return super().label(Report(report.id, text, report.source, report.row))


class Dies(Better):
    """Breaks off at the second shard."""

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        if self.calls:
            raise OSError
        return super().label_reports(reports)


def again(out: Path, texts: Sequence[str] = TEXTS, **changes: Any) -> Retried:
    settings: dict[str, Any] = {
        "labeler": Better(),
        "inputs": [{"path": "in.csv", "bytes": 1, "sha256": "aa"}],
        "options": {"sections": "full"},
        "shard_rows": 1,
    } | changes
    labeler = settings.pop("labeler")
    return retry(labeler, lambda: rows(texts), out, **settings)


def test_only_rejected_reports_are_tried(tmp_path: Path) -> None:
    label(tmp_path)
    before = {line["id"]: line for line in jsonl(tmp_path / "predictions.jsonl")}
    better = Better()
    done = again(tmp_path, labeler=better)
    assert better.calls == [["r1"], ["r3"], ["r5"]]
    assert (done.tried, done.labeled_now) == (3, 2)
    assert (done.rows, done.labeled, done.rejected) == (9, 7, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    after = jsonl(tmp_path / "predictions.jsonl")
    assert [row["id"] for row in after] == [f"r{i}" for i in (0, 1, 3, 4, 5, 6, 7, 8)]
    for row in after:
        if row["id"] in ("r1", "r3", "r5"):
            assert row["model"] == "better"
        else:
            assert row == before[row["id"]]
    with open(tmp_path / "labels.csv", newline="") as handle:
        table = list(csv.DictReader(handle))
    assert [row["id"] for row in table] == [f"r{i}" for i in (0, 1, 3, 4, 6, 7, 8)]
    assert table[1]["Hydrocephalus"] == "0.0"
    assert [(row["id"], row["reason"]) for row in jsonl(tmp_path / "rejects.jsonl")] == [
        ("r2", "the report is empty"),
        ("r5", "not every observation is determined (missing, cut off)"),
    ]


def test_the_manifest_tells_of_it(tmp_path: Path) -> None:
    label(tmp_path)
    first = json.loads((tmp_path / "manifest.json").read_text())
    again(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["counts"] == {"rows": 9, "labeled": 7, "rejected": 2, "undetermined": 1}
    assert manifest["problems"] == {"cut off": 1, "missing": 1}
    assert manifest["labeler"] == first["labeler"]
    [note] = manifest["retries"]
    assert (note["rows"], note["labeled"]) == (3, 2)
    assert note["labeler"]["model"] == "better"
    assert manifest["outputs"] == {name: sha256_file(tmp_path / name) for name in content(tmp_path)}
    assert label(tmp_path).finished_before
    again(tmp_path)
    assert len(json.loads((tmp_path / "manifest.json").read_text())["retries"]) == 2


def test_nothing_to_try(tmp_path: Path) -> None:
    label(tmp_path, ["a", "", "b"])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    better = Better()
    done = again(tmp_path, ["a", "", "b"], labeler=better)
    assert (done.tried, done.labeled, done.rejected) == (0, 2, 1)
    assert not better.calls
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_retry_that_failed_leaves_the_old_result_and_is_resumed(tmp_path: Path) -> None:
    label(tmp_path / "a")
    label(tmp_path / "b")
    before = content(tmp_path / "a")
    with pytest.raises(LabelwrightError):
        again(tmp_path / "a", labeler=Dies())
    assert content(tmp_path / "a") == before
    assert label(tmp_path / "a").finished_before
    better = Better()
    assert again(tmp_path / "a", labeler=better).labeled_now == 2
    assert better.calls == [["r3"], ["r5"]]
    again(tmp_path / "b")
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_an_unfinished_retry_with_another_model_is_not_mixed(tmp_path: Path) -> None:
    label(tmp_path)
    with pytest.raises(LabelwrightError):
        again(tmp_path, labeler=Dies())
    other = Better()
    other.details = {"kind": "other"}
    with pytest.raises(OutputError, match=r"retry: .*another job \(differs in labeler\.kind"):
        again(tmp_path, labeler=other)


def test_an_unfinished_retry_of_an_older_result_gives_way(tmp_path: Path) -> None:
    label(tmp_path)
    with pytest.raises(LabelwrightError):
        again(tmp_path, labeler=Dies())
    kept = (tmp_path / "retry").rename(tmp_path / "kept")
    again(tmp_path)
    kept.rename(tmp_path / "retry")
    better = Better()
    assert again(tmp_path, labeler=better).tried == 1
    assert better.calls == [["r5"]]
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES


def test_a_full_disk_leaves_the_old_result(tmp_path: Path) -> None:
    """A limit on file size stands for the full disk: the parts fit, the new result does not."""
    label(tmp_path)
    before = content(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"retry/predictions.jsonl: cannot write"):
            again(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert content(tmp_path) == before
    better = Better()
    assert again(tmp_path, labeler=better).labeled_now == 2
    assert not better.calls


class KilledError(Exception):
    pass


@pytest.mark.parametrize("place", range(1, 5))
@pytest.mark.parametrize("after", [False, True])
def test_killed_while_the_new_result_moves_up(
    tmp_path: Path, place: int, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four files move; the process ends before or after each of the moves."""
    label(tmp_path / "a")
    label(tmp_path / "b")
    again(tmp_path / "b")
    export(tmp_path / "a", list(EXPORTS), label_set=HEAD, reports=lambda: rows(TEXTS))
    calls = 0
    move = os.rename

    def dying(self: Path, target: Path) -> None:
        nonlocal calls
        if self.parent.name == "retry" and target.parent.name == "a":
            calls += 1
            if calls == place and not after:
                raise KilledError
        move(self, target)
        if calls == place and self.parent.name == "retry" and target.parent.name == "a":
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dying)
        with pytest.raises(KilledError):
            again(tmp_path / "a")
    assert label(tmp_path / "a").finished_before
    assert content(tmp_path / "a") == content(tmp_path / "b")
    if (tmp_path / "a" / "retry").exists():  # after the last move; the next retry tidies up
        assert (place, after) == (4, True)
    made = export(tmp_path / "a", [], label_set=HEAD, reports=lambda: rows(TEXTS))
    assert {path.name for path in made} == set(EXPORTS.values())
    assert again(tmp_path / "a").tried == 1


REFUSED = [
    ({"inputs": [{"path": "in.csv", "bytes": 1, "sha256": "bb"}]}, "inputs"),
    ({"options": {"sections": "impression"}}, r"options\.sections"),
    ({"id_column": "study"}, r"options\.id_column"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED)
def test_what_may_not_change(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    label(tmp_path)
    with pytest.raises(OutputError, match=rf"differs in {words}\)"):
        again(tmp_path, **changes)


def test_no_finished_result(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no finished result"):
        again(tmp_path)
    with pytest.raises(ConfigError, match="no finished result"):
        again(tmp_path / "nowhere")


def test_rows_that_do_not_fit(tmp_path: Path) -> None:
    label(tmp_path)
    with pytest.raises(InputError, match="do not hold the rows"):
        again(tmp_path, TEXTS[:5])


def test_a_result_that_was_changed(tmp_path: Path) -> None:
    label(tmp_path)
    path = tmp_path / "predictions.jsonl"
    path.write_text(path.read_text().replace('"raw": "x"', '"raw": "y"'))
    with pytest.raises(OutputError, match=r"predictions\.jsonl is not what .* wrote"):
        again(tmp_path)
