"""Runs, retries, dry runs and exports as the command does them; inputs that change meanwhile."""

from __future__ import annotations

import csv
import gzip
import json
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from batch_tools import CANARY, HEAD, Stub, jsonl, label
from hypothesis import given
from hypothesis import strategies as st
from label_tables import write_labels
from tqdm import tqdm

from inference.runs import batch, watch
from inference.runs.dry_run import dry_run, duration, size, spread
from inference.runs.watch import BLOCK, Watch
from labelwright import cli, loading
from labelwright.errors import InputError, LabelwrightError
from labelwright.io.delimited import escape, unescape_id
from labelwright.io.manifest import inputs
from labelwright.loading import LoadedLabeler
from labelwright.records import Certainty, Prediction, Reject, Report
from labelwright.tasks.certainty.table import read_labels

TEXTS = ["shift a", "open b", "", "long c", f"chat {CANARY}"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    with open(path, "w", newline="") as handle:
        csv.writer(handle).writerows([("id", "text"), *((f"r{i}", t) for i, t in enumerate(TEXTS))])
    return path


class Better(Stub):
    """Another model, which can do long reports."""

    def label(self, report: Report) -> Prediction | Reject:
        text = report.text.replace("long", "chat")
        return super().label(Report(report.id, text, report.source, report.row))


@pytest.fixture
def command(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Any:
    """Calls ``labelwright label`` with a stub; returns code, output and error output."""

    def call(*flags: str, labeler: Stub | None = None) -> tuple[int, str, str]:
        made = LoadedLabeler(labeler or Stub(), "full", 2)
        monkeypatch.setattr(loading, "load_labeler", lambda _: made)
        words = ["label", str(table), "--model", "stub", "--out", str(tmp_path / "out"), *flags]
        try:
            code = cli.main(words)
        except SystemExit as left:
            code = int(left.code or 0)
        said = capfd.readouterr()
        return code, said.out, said.err

    return call


def test_a_run_its_exports_and_a_retry(command: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, said, _ = command("--also", "omop, parquet")
    assert code == 0
    assert said.startswith(f"5 rows: 2 labeled, 3 rejected (why: {out}/rejects.jsonl); ")
    assert said.endswith(
        f" rows/s -> {out}/labels.csv, {out}/note_nlp.csv, {out}/predictions.parquet\n"
    )
    code, said, _ = command("--also", "fhir")
    assert said.startswith("already finished: 5 rows")
    assert said.endswith(f"labels.csv, {out}/observations.ndjson\n")
    code, said, _ = command("--retry-rejects", labeler=Better())
    assert code == 0
    assert said.startswith("2 rejected reports tried again, 1 labeled; 5 rows: 3 labeled, 2 rej")
    assert said.count(f"{out}/") == 5  # rejects, labels and all three exports, made again
    with open(out / "note_nlp.csv", newline="") as handle:
        assert [row["note_id"] for row in csv.DictReader(handle)] == ["r0", "r3", "r4"]
    code, said, _ = command()
    assert said.startswith("already finished: 5 rows: 3 labeled, 2 rejected")
    (tmp_path / "out" / "rejects.jsonl").unlink()
    code, _, err = command("--retry-rejects")
    assert (code, "lacks rejects.jsonl" in err) == (2, True)


def test_a_dry_run_writes_nothing_and_shows_no_text(command: Any, tmp_path: Path) -> None:
    code, said, err = command("--dry-run")
    assert code == 0
    assert said.startswith("dry run: 5 of 5 rows: 2 labeled, 3 rejected; ")
    assert said.endswith("; nothing was written\n")
    assert " -> all rows: about " in said
    assert CANARY not in said + err
    assert not (tmp_path / "out").exists()
    stub = Stub()
    assert command("--dry-run", "2", labeler=stub)[1].startswith("dry run: 2 of 5 rows")
    assert stub.calls == [["r1", "r3"]]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--also", "xml"], "unknown 'xml'; choose from: parquet, omop, fhir"),
        (["--also-text"], "--also-text is for --also omop"),
        (["--also-text", "--also", "fhir"], "--also-text is for --also omop"),
        (["--dry-run", "--retry-rejects"], "exclude each other"),
        (["--dry-run", "0"], "at least 1"),
        (["--retry-rejects"], "no finished result whose rejects could be tried again"),
    ],
)
def test_flags_that_cannot_work(command: Any, flags: list[str], words: str) -> None:
    code, said, err = command(*flags)
    assert (code, said) == (2, "")
    assert words in err
    assert err.count("\n") == 1


def test_input_that_changes_while_it_is_labeled(
    table: Path, command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same number of rows and bytes: only the look at the file tells."""
    monkeypatch.setattr(watch, "BLOCK", 8)

    class Changes(Stub):
        def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
            if not self.calls:
                text = table.read_text()
                table.write_text(text.replace("row 19 ", "row 91 "))
            return super().label_reports(reports)

    table.write_text("id,text\n" + "".join(f"{i},row {i} \n" for i in range(24)))
    before = table.read_bytes()
    code, _, err = command(labeler=Changes())
    assert code == 2
    assert f"{table}: the input changed while it was read; restore it and run" in err
    kept = sorted(path.name for path in (tmp_path / "out" / "parts").iterdir())
    assert len(kept) == 4  # the rows that were read before the change
    table.write_bytes(before)
    code, said, _ = command()
    assert (code, "8 done by an earlier run" in said) == (0, True)


def test_a_file_that_is_only_touched_has_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("x")
    look = Watch([path])
    rows = [Report(str(row), "x", "in.csv", row) for row in range(BLOCK + 1)]
    stream = look.stream(rows, inputs([path]))
    next(stream)
    os.utime(path, ns=(1, 1))
    assert len(list(stream)) == BLOCK
    stream = look.stream(rows, inputs([path]))
    next(stream)
    path.unlink()
    with pytest.raises(InputError, match="changed while it was read"):
        list(stream)


def test_a_folder_that_changes_is_noticed_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "s1.txt").write_text("x")
    look = Watch([tmp_path])
    digests = [{"path": str(tmp_path), "sha256": "a"}]
    rows = [Report("1", "x", "s1.txt", 1)]
    assert list(look.stream(rows, digests)) == rows
    (tmp_path / "deep" / "s1.txt").write_text("y")
    with pytest.raises(InputError, match="changed while it was read"):
        list(look.stream(rows, digests))


def test_dry_rows_are_spread_over_the_input() -> None:
    rows = [Report(str(row), "x", "s", row) for row in range(100)]
    assert [item.id for item in spread(rows, total=100, rows=4)] == ["12", "37", "62", "87"]
    assert [item.id for item in spread(rows[:3], total=3, rows=20)] == ["0", "1", "2"]


@given(total=st.integers(1, 300), rows=st.integers(1, 400))
def test_as_many_dry_rows_as_asked_for(total: int, rows: int) -> None:
    items = [Report(str(row), "x", "s", row) for row in range(total)]
    picked = list(spread(items, total=total, rows=rows))
    assert len(picked) == min(total, rows) == len({item.id for item in picked})


def test_the_size_that_a_dry_run_expects(tmp_path: Path) -> None:
    texts = ["shift", "open", "long"] * 40
    items = [Report(f"r{i}", text, "in.csv", i + 1) for i, text in enumerate(texts)]
    estimate = dry_run(Stub(), items, total=len(items), rows=len(items))
    label(tmp_path, texts)
    files = ("labels.csv", "predictions.jsonl", "rejects.jsonl")
    real = sum((tmp_path / name).stat().st_size for name in files)
    assert estimate.size == pytest.approx(real, rel=0.02)
    assert (estimate.rows, estimate.rejected) == (120, 80)


def test_times_and_sizes_in_words() -> None:
    assert [duration(s) for s in (0.01, 2.34, 45, 600, 7260, 400000)] == [
        *("0.1 s", "2.3 s", "45 s", "10 min", "2 h 1 min", "4 d 15 h"),
    ]
    assert [size(b) for b in (5, 1500, 2.5e6, 3e9, 4e12)] == [
        *("5 B", "1.5 kB", "2.5 MB", "3.0 GB", "4.0 TB"),
    ]


class Stops(Stub):
    """Fails at its third shard."""

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        if len(self.calls) == 2:
            raise OSError
        return super().label_reports(reports)


def test_progress_after_a_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar begins where the run goes on, and its rate is of what is labeled now."""
    bars: list[tqdm[Any]] = []
    clock = [1000.0]

    class Bar(tqdm):  # type: ignore[type-arg]
        def __init__(self, **options: Any) -> None:
            with open(os.devnull, "w") as nowhere:
                super().__init__(**options | {"disable": False, "file": nowhere, "mininterval": 0})
            self._time = lambda: clock[0]
            self.start_t = self.last_print_t = clock[0]
            bars.append(self)

        def update(self, n: float | None = 1) -> bool:
            clock[0] += 1.0
            self.n += n or 0
            return True

        def close(self) -> None:
            self.last = self.format_dict
            self.disable = True

    texts = [f"text {i}" for i in range(20)]
    with pytest.raises(LabelwrightError):
        label(tmp_path, texts, labeler=Stops())
    monkeypatch.setattr(batch, "progress_bar", Bar)

    def slow(items: Sequence[str]) -> Iterator[Report]:
        for index, text in enumerate(items):
            if index < 4:
                clock[0] += 50  # reading over what is done is no labeling
            yield Report(id=f"r{index}", text=text, source="in.csv", row=index + 1)

    parts = tmp_path / "parts"
    rows, now = batch.label_all(Stub(), slow(texts), parts, 2, 20)
    assert (sum(rows), now) == (20, 16)
    last = bars[0].last  # type: ignore[attr-defined]
    assert (last["initial"], last["n"], last["total"]) == (4, 20, 20)
    assert last["elapsed"] == pytest.approx(8)  # eight shards of one second


CELLS = [
    "=1+1",
    "+1",
    "-1",
    "@A1",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1",
    "＋1",
    "－1",
    "＠A",
    "'=1",
    "''+",
]


@pytest.mark.parametrize("cell", CELLS)
def test_cells_that_a_spreadsheet_would_run(cell: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    labels = dict.fromkeys(HEAD.names, Certainty.NEGATIVE)
    with open(path, "w", newline="", encoding="utf-8") as handle:
        write_labels(handle, HEAD, [(cell, labels)])
    with open(path, newline="", encoding="utf-8") as handle:
        written = list(csv.reader(handle))[1]
    assert written == ["'" + cell, *["0.0"] * len(HEAD.names)]
    assert [name for _, name, _ in read_labels(path, HEAD, id_columns=["id"])] == [cell]


@given(st.text())
def test_an_escaped_cell_comes_back(text: str) -> None:
    assert unescape_id(escape(text)) == text
    assert not escape(text).startswith(tuple(cell[0] for cell in CELLS if cell[0] != "'"))


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_files_of_an_unfinished_run_are_private(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with pytest.raises(LabelwrightError):
            label(tmp_path, [f"text {i}" for i in range(9)], labeler=Stops())
    finally:
        os.umask(before)
    parts = list((tmp_path / "parts").iterdir())
    assert len(parts) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in parts} == {0o600}


def test_gzip_input_is_watched_too(command: Any, table: Path, tmp_path: Path) -> None:
    packed = tmp_path / "in.csv.gz"
    packed.write_bytes(gzip.compress(table.read_bytes()))
    table.unlink()
    packed.rename(table)  # found by its content
    assert command()[0] == 0
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["counts"]["rows"] == 5
    assert len(jsonl(tmp_path / "out" / "rejects.jsonl")) == 3
