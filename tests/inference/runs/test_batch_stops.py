"""Short memory and signals: what the runner does when it cannot go on as it began."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from batch_tools import CANARY, Stub, jsonl, label

from inference.runs.interrupt import patient, terminable
from inference.runs.shards import ALONE, HALVED
from labelwright.errors import LabelwrightError
from labelwright.records import Prediction, Reject, Report


class Crowded(Stub):
    """Has memory for two reports at a time, and for none that says "huge"."""

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        if len(reports) > 2 or any(report.text.startswith("huge") for report in reports):
            raise MemoryError(reports[0].text)
        return super().label_reports(reports)


def test_a_block_too_large_for_the_memory_is_halved(tmp_path: Path) -> None:
    stub = Crowded()
    texts = ["a", "b", "c", "huge d", "e", "e"]
    summary = label(tmp_path, texts, labeler=stub, shard_rows=6)
    assert stub.calls == [["r0", "r1"], ["r2"], ["r4"]]
    assert (summary.labeled, summary.rejected) == (5, 1)
    assert [row["reason"] for row in jsonl(tmp_path / "rejects.jsonl")] == [ALONE]
    notes = {row["id"]: row["notes"] for row in jsonl(tmp_path / "predictions.jsonl")}
    assert notes == {name: [HALVED] for name in ("r0", "r1", "r2", "r4", "r5")}
    assert json.loads((tmp_path / "manifest.json").read_text())["notes"] == {"out of memory": 5}


def test_memory_that_does_not_do_at_all_is_an_error(tmp_path: Path) -> None:
    texts = [f"huge {CANARY}", "huge b"]
    with pytest.raises(LabelwrightError, match=r"rows 1 to 2 with lack of memory; .*batch-size"):
        label(tmp_path, texts, labeler=Crowded())
    assert not list((tmp_path / "parts").iterdir())


def test_torch_lacking_memory_on_a_cpu(tmp_path: Path) -> None:
    """The allocator's own error, for a tensor of 2**50 numbers."""
    torch = pytest.importorskip("torch")

    class Hungry(Stub):
        def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
            if len(reports) > 1:
                torch.empty(2**50)
            return super().label_reports(reports)

    assert label(tmp_path, ["a", "b"], labeler=Hungry()).labeled == 2


class Terminated(Stub):
    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        if len(self.calls) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().label_reports(reports)


def test_sigterm_drops_the_shard_at_work_only(tmp_path: Path) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), terminable():
        label(tmp_path, labeler=Terminated())
    assert signal.getsignal(signal.SIGTERM) is handler
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job.json", "parts"]
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["00000000.jsonl"]
    assert label(tmp_path).labeled_now == 7


class Interrupted(Stub):
    """Ctrl-C comes in the second shard, as often as ``times`` says."""

    times = 1

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        if len(self.calls) == 1:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)
        return super().label_reports(reports)


@pytest.mark.parametrize(("times", "kept"), [(1, 2), (2, 1)])
def test_the_first_ctrl_c_finishes_the_shard_the_second_does_not(
    tmp_path: Path, times: int, kept: int, capfd: pytest.CaptureFixture[str]
) -> None:
    stub = Interrupted()
    stub.times = times
    with pytest.raises(KeyboardInterrupt):
        label(tmp_path, labeler=stub)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert len(list((tmp_path / "parts").iterdir())) == kept
    assert "stopping when the rows at work are done" in capfd.readouterr().err
    assert label(tmp_path).labeled_now == 9 - 2 * kept


def test_a_program_with_its_own_ctrl_c_keeps_it() -> None:
    seen: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    try:
        with patient() as stopping:
            os.kill(os.getpid(), signal.SIGINT)
            assert not stopping()
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert seen == [signal.SIGINT]


def test_signals_are_left_alone_outside_the_main_thread() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: terminable().__enter__()).result() is None
        assert not pool.submit(lambda: patient().__enter__()).result()()
