"""The batch runner, with a labeler that needs no model: files, counts, resume, refusals."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from batch_tools import CANARY, FILES, HEAD, Stub, content, jsonl, label, timeless
from tqdm import std

from inference.runs.batch import run
from inference.runs.shards import Repeats
from labelwright.errors import ConfigError, InputError, LabelwrightError, OutputError
from labelwright.io.lock import locked
from labelwright.labelers.base import key_of
from labelwright.records import Prediction, Reject, Report, Section
from labelwright.runtime.progress import tell


def test_every_row_is_labeled_or_rejected_in_order(tmp_path: Path) -> None:
    summary = label(tmp_path, id_column="study_id")
    assert (summary.rows, summary.labeled, summary.rejected, summary.undetermined) == (9, 5, 4, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    with open(tmp_path / "labels.csv", newline="") as handle:
        table = list(csv.reader(handle))
    assert table[0] == ["study_id", *HEAD.names]
    assert [row[0] for row in table[1:]] == ["r0", "r4", "r6", "r7", "r8"]
    assert table[1] == ["r0", "", "", "1.0", "", ""]
    assert table[2] == ["r4", "", "", "", "", "0.0"]
    predictions = jsonl(tmp_path / "predictions.jsonl")
    assert [row["id"] for row in predictions] == ["r0", "r1", "r4", "r5", "r6", "r7", "r8"]
    assert predictions[1]["labels"]["Mass Effect"] is None
    assert predictions[1]["raw"] == "x"
    undetermined = "not every observation is determined (missing, cut off)"
    assert jsonl(tmp_path / "rejects.jsonl") == [
        {"id": "r1", "source": "in.csv", "row": 2, "reason": undetermined},
        {"id": "r2", "source": "in.csv", "row": 3, "reason": "the report is empty"},
        {"id": "r3", "source": "in.csv", "row": 4, "reason": "too long: 9 > 8 tokens"},
        {"id": "r5", "source": "in.csv", "row": 6, "reason": undetermined},
    ]


def test_manifest(tmp_path: Path) -> None:
    label(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["counts"] == {"rows": 9, "labeled": 5, "rejected": 4, "undetermined": 2}
    assert manifest["problems"] == {"cut off": 2, "missing": 2}
    assert manifest["label_set_sha256"] == HEAD.fingerprint
    assert manifest["inputs"] == [{"path": "in.csv", "bytes": 1, "sha256": "aa"}]
    assert manifest["options"] == {"sections": "full", "id_column": "id"}
    assert manifest["labeler"]["runtime"] == {"batch_size": 1}


def test_files_are_private_and_hold_no_text(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    label(tmp_path)
    for name in content(tmp_path):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    for name in ("labels.csv", "rejects.jsonl", "manifest.json"):
        assert CANARY not in (tmp_path / name).read_text()
    assert CANARY not in "".join(capfd.readouterr())


def test_the_bar_moves_within_a_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One shard of nine rows: the bar shows what the labeler says, and all of it at the end."""
    moves: list[int] = []

    class Seen(std.tqdm):  # type: ignore[type-arg]
        def update(self, n: float | None = 1) -> bool | None:
            moves.append(int(n or 0))
            return super().update(n)

    class Telling(Stub):
        def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
            for done in (1, 3, 2, 6):
                tell(done, 6)  # as work that begins anew would say it
            return super().label_reports(reports)

    monkeypatch.setattr(std, "tqdm", Seen)
    label(tmp_path / "out", labeler=Telling(), shard_rows=100)
    assert moves == [1, 3, 5, 0]
    tell(1, 2)  # nobody listens any more
    assert len(moves) == 4


def test_equal_texts_of_a_shard_are_labeled_once(tmp_path: Path) -> None:
    stub = Stub()
    label(tmp_path, labeler=stub, shard_rows=100)
    assert stub.calls == [["r0", "r1", "r3", "r4", "r6", "r8"]]
    by_id = {row["id"]: row for row in jsonl(tmp_path / "predictions.jsonl")}
    assert by_id["r7"]["labels"] == by_id["r4"]["labels"]
    assert (by_id["r4"]["seconds"], by_id["r7"]["seconds"]) == (0.5, 0.0)
    rejects = {row["id"]: row["row"] for row in jsonl(tmp_path / "rejects.jsonl")}
    assert rejects["r5"] == 6


def test_equal_texts_of_a_run_are_labeled_once(tmp_path: Path) -> None:
    stub = Stub()
    label(tmp_path / "run", labeler=stub)
    assert stub.calls == [["r0", "r1"], ["r3"], ["r4"], ["r6"], ["r8"]]
    label(tmp_path / "one shard", shard_rows=100)
    assert content(tmp_path / "run") == content(tmp_path / "one shard")


def test_equal_texts_with_other_sections_are_two_texts() -> None:
    one = Report("a", "Edema. Clear.", "s", 1)
    two = replace(one, id="b", sections=(Section("findings", 0, 6),))
    stub = Stub()
    assert key_of(stub, one) != key_of(stub, two)
    assert key_of(stub, one) == key_of(stub, replace(one, id="c", row=9))


def test_what_is_remembered_is_bounded() -> None:
    repeats = Repeats(2)
    answers = {key: Stub().label(Report(key, "x", "s", 1)) for key in "abc"}
    repeats.put(b"a", answers["a"])
    repeats.put(b"b", answers["b"])
    assert repeats.get(b"a") is answers["a"]  # so b is the one asked for the longest time ago
    repeats.put(b"c", answers["c"])
    assert [repeats.get(key) for key in (b"a", b"b", b"c")] == [answers["a"], None, answers["c"]]


def test_shard_size_does_not_change_the_labels(tmp_path: Path) -> None:
    for size in (1, 3, 100):
        label(tmp_path / str(size), shard_rows=size)
    assert len({(tmp_path / size / "labels.csv").read_bytes() for size in ("1", "3", "100")}) == 1


class FailsOnce(Stub):
    """Breaks off at the third shard, as a machine might."""

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        if len(self.calls) == 2 and not self.broken:
            self.broken = True
            raise OSError
        self.broken = False
        return super().label_reports(reports)


def test_a_failed_run_is_resumed_without_doing_work_twice(tmp_path: Path) -> None:
    label(tmp_path / "whole")
    stub = FailsOnce()
    with pytest.raises(LabelwrightError, match=r"stub failed on rows 5 to 6 with OSError"):
        label(tmp_path / "resumed", labeler=stub)
    parts = tmp_path / "resumed" / "parts"
    assert len(list(parts.iterdir())) == 2
    (parts / ".00000002.jsonl.1.tmp").write_text('{"id": "torn')
    (tmp_path / "resumed" / ".labels.csv.1.tmp").write_text("torn")
    before = len(stub.calls)
    summary = label(tmp_path / "resumed", labeler=stub, shard_rows=5)
    assert summary.labeled_now == 5
    assert stub.calls[before:] == [["r4", "r5"], ["r6"], ["r8"]]  # r7 has the text of r4
    assert timeless(tmp_path / "resumed") == timeless(tmp_path / "whole")
    assert sorted(path.name for path in (tmp_path / "resumed").iterdir()) == FILES


def test_a_labelers_mishap_shows_no_text(tmp_path: Path) -> None:
    stub = Stub()
    stub.broken = True
    with pytest.raises(LabelwrightError) as caught:
        label(tmp_path, labeler=stub)
    assert "ValueError" in caught.value.line()
    assert CANARY not in caught.value.line()


class Forgetful(Stub):
    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        return super().label_reports(reports)[1:]


def test_a_labeler_that_loses_a_report_is_found_out(tmp_path: Path) -> None:
    with pytest.raises(LabelwrightError, match="did not answer every report of rows 1 to 2"):
        label(tmp_path, labeler=Forgetful())


def test_a_finished_folder_is_left_alone(tmp_path: Path) -> None:
    first = label(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    stub = Stub()
    second = label(tmp_path, labeler=stub)
    assert second.finished_before
    assert (second.rows, second.labeled) == (first.rows, first.labeled)
    assert not stub.calls
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_killed_between_manifest_and_tidying(tmp_path: Path) -> None:
    label(tmp_path)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "00000000.jsonl").write_text("")
    (tmp_path / "job.json").write_text("{}")
    assert label(tmp_path).finished_before
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES


OTHER_JOBS = [
    ({"inputs": [{"path": "in.csv", "bytes": 1, "sha256": "bb"}]}, "inputs"),
    ({"options": {"sections": "impression"}}, "options.sections"),
    ({"id_column": "study"}, "options.id_column"),
]


@pytest.mark.parametrize(("changes", "words"), OTHER_JOBS)
@pytest.mark.parametrize("stopped", [True, False])
def test_jobs_are_not_mixed(
    tmp_path: Path, changes: dict[str, Any], words: str, stopped: bool
) -> None:
    if stopped:
        with pytest.raises(LabelwrightError):
            label(tmp_path, labeler=FailsOnce())
    else:
        label(tmp_path)
    with pytest.raises(OutputError, match=rf"another job \(differs in {words}\); choose another"):
        label(tmp_path, **changes)


def test_another_labeler_is_another_job_but_not_another_batch_size(tmp_path: Path) -> None:
    with pytest.raises(LabelwrightError):
        label(tmp_path, labeler=FailsOnce())
    other = Stub()
    other.details = {"kind": "stub", "model": "b", "runtime": {"batch_size": 1}}
    with pytest.raises(OutputError, match=r"differs in labeler\.model"):
        label(tmp_path, labeler=other)
    smaller = Stub()
    smaller.details = {"kind": "stub", "runtime": {"batch_size": 4}}
    assert label(tmp_path, labeler=smaller).rows == 9


@pytest.mark.parametrize("name", ["labels.csv", "predictions.jsonl", "rejects.jsonl", "parts"])
def test_files_of_unknown_origin_are_not_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("precious")
    with pytest.raises(OutputError, match=f"holds {name} of another origin"):
        label(tmp_path)
    assert (tmp_path / name).read_text() == "precious"


@pytest.mark.parametrize("name", ["manifest.json", "job.json"])
@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"labeler": 3, "inputs": 4}'])
def test_damaged_or_foreign_state(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(OutputError, match="choose another --out"):
        label(tmp_path)


@pytest.mark.parametrize("harm", ["", '{"id": "r0"', None])
def test_a_damaged_part_is_named(tmp_path: Path, harm: str | None) -> None:
    with pytest.raises(LabelwrightError):
        label(tmp_path, labeler=FailsOnce())
    part = tmp_path / "parts" / "00000000.jsonl"
    part.write_text(part.read_text() * 2 if harm is None else harm)
    with pytest.raises(OutputError, match=r"00000000.jsonl: .*delete this one file"):
        label(tmp_path)
    part.unlink()
    assert label(tmp_path).labeled == 5


def test_a_lost_result_file_is_named(tmp_path: Path) -> None:
    label(tmp_path)
    (tmp_path / "labels.csv").unlink()
    with pytest.raises(OutputError, match=r"lacks labels\.csv"):
        label(tmp_path)


def test_two_runs_into_one_folder(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(OutputError, match="another run is writing"):
        label(tmp_path)
    assert label(tmp_path).rows == 9


def test_what_cannot_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no rows"):
        label(tmp_path, [])
    with pytest.raises(ConfigError, match="at least one row"):
        label(tmp_path, shard_rows=0)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        label(tmp_path / "file")


def test_input_that_changes_while_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gave 9 rows where 10 were counted"):
        label(tmp_path, total=10)


def test_only_rejects(tmp_path: Path) -> None:
    summary = label(tmp_path, ["", ""])
    assert (summary.labeled, summary.rejected) == (0, 2)
    assert (tmp_path / "labels.csv").read_text() == "id," + ",".join(HEAD.names) + "\n"


def test_hostile_ids(tmp_path: Path) -> None:
    ids = ["=1+1", "a,b", 'q"', "two\nlines", "\u2028", "é"]
    reports = [Report(id=i, text=f"t{i}", source="s", row=n) for n, i in enumerate(ids, 1)]
    run(Stub(), reports, tmp_path, inputs=[], options={})
    assert [row["id"] for row in jsonl(tmp_path / "predictions.jsonl")] == ids
    with open(tmp_path / "labels.csv", newline="") as handle:
        assert [row[0] for row in csv.reader(handle)][1:] == ["'=1+1", *ids[1:]]
