"""What labeling costs beside the labeler: rows per second and peak memory.

    python benchmarks/runner_overhead.py [--rows 1000000]

The labeler is a stub that answers at once, so the figures are those of all else. "runner"
is the batch runner alone (shards, equal texts, parts on disk, merging) over reports made on
the spot, beside a bare loop over the same stub. "command" is the whole of ``labelwright
label`` in a process of its own over a CSV file: scanning and hashing it, reading it twice,
checking ids, the runner, the closing line; with ``--also`` the exports too.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from measure import cost, report_table

from inference.runs.batch import SHARD_ROWS, run
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction, Reject, Report

RATES = (1.4, 300, 1000)


class Stub:
    """Gives every report the same labels."""

    name = "stub"
    label_set = LabelSet.load("chexpert-14")

    def __init__(self) -> None:
        self.labels = dict.fromkeys(self.label_set.names, Certainty.BLANK) | {
            "Edema": Certainty.POSITIVE,
            "Pneumonia": Certainty.UNCERTAIN,
            "Fracture": Certainty.NEGATIVE,
        }

    def describe(self) -> Mapping[str, Any]:
        """Nothing that its answers depend on."""
        return {"kind": "stub"}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """One constant prediction per report."""
        return [
            Prediction(id=r.id, model=self.name, task="certainty", value=self.labels)
            for r in reports
        ]


def texts(rows: int) -> Iterator[str]:
    """Short reports, every tenth equal to an earlier one."""
    for row in range(rows):
        yield f"Mild edema, grade {row % (rows * 9 // 10)}. No fracture. Pneumonia is possible."


def reports(rows: int) -> Iterator[Report]:
    """The same as reports that were read."""
    for row, text in enumerate(texts(rows)):
        yield Report(id=str(row), text=text, source="made", row=row + 1)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Cost of labeling beside the labeler.")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--also", help="exports of the command, such as parquet,omop,fhir")
    parser.add_argument("--command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.command:
        sys.exit(command(arguments.command))
    rows = arguments.rows
    bare = bare_loop(rows)
    with tempfile.TemporaryDirectory() as folder:
        whole = runner(rows, Path(folder), bare)
        extra = [] if arguments.also is None else ["--also", arguments.also]
        spent = whole_command(rows, Path(folder), extra)
    for rate in RATES:
        print(
            f"overhead beside a labeler of {rate:g} reports/s: runner "
            f"{(whole - bare) / rows * rate:.3%}, command {spent / rows * rate:.3%}"
        )


def bare_loop(rows: int) -> float:
    """CPU seconds of the stub and of making the reports."""
    stub, block = Stub(), []
    began = time.process_time()
    for report in reports(rows):
        block.append(report)
        if len(block) == SHARD_ROWS:
            stub.label_reports(block)
            block.clear()
    return time.process_time() - began


def runner(rows: int, folder: Path, bare: float) -> float:
    """CPU seconds of the runner alone."""
    before = peak_mib(resource.RUSAGE_SELF)
    began, spent = time.perf_counter(), time.process_time()
    run(Stub(), reports(rows), folder / "runner", inputs=[], options={}, total=rows)
    wall, whole = time.perf_counter() - began, time.process_time() - spent
    print(f"rows                  {rows:>12,}")
    print(f"runner                {rows / wall:>12,.0f} rows/s")
    print(f"runner                {rows / whole:>12,.0f} rows/CPU-s")
    print(f"bare loop             {rows / bare:>12,.0f} rows/CPU-s")
    print(f"runner's own cost     {(whole - bare) / rows * 1e6:>12.1f} µs/row (CPU)")
    print(f"ratio to bare loop    {whole / bare:>12.1f}")
    peak = peak_mib(resource.RUSAGE_SELF)
    print(f"peak memory           {peak:>12.0f} MiB ({peak - before:.0f} by the runner)")
    return whole


def whole_command(rows: int, folder: Path, extra: Sequence[str]) -> float:
    """CPU seconds of the command from start to end, over a CSV file."""
    table = report_table(folder / "reports.csv", enumerate(texts(rows)))
    flags = ["label", str(table), "--model", "stub", "--out", str(folder / "command"), *extra]
    found = cost(sys.executable, __file__, "--command", *flags, shown=True)
    wall, spent = found.clock, found.cpu
    size = sum(path.stat().st_size for path in (folder / "command").iterdir())
    print(f"command               {rows / wall:>12,.0f} rows/s ({wall:.1f} s in all)")
    print(f"command               {rows / spent:>12,.0f} rows/CPU-s")
    print(f"command's peak memory {peak_mib(resource.RUSAGE_CHILDREN):>12.0f} MiB")
    print(f"in and out            {table.stat().st_size / 1e6:>12.0f} MB, {size / 1e6:.0f} MB")
    return spent


def command(words: Sequence[str]) -> int:
    """``labelwright`` with the stub in the place of the labeler."""
    from labelwright import loading
    from labelwright.cli import main as labelwright
    from labelwright.loading import LoadedLabeler

    loading.load_labeler = lambda _: LoadedLabeler(Stub(), "full", SHARD_ROWS)
    return labelwright(words)


def peak_mib(who: int) -> float:
    """Largest resident memory so far, of this process or of the largest one it started."""
    peak = resource.getrusage(who).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


if __name__ == "__main__":
    main()
