"""One process and several over the same reports: CPU seconds and seconds of the clock of each.

Reports of the grammar, read by the model that comes along; each way is the whole command in a
process of its own. On idle cores the ratio of the clock says what processes gain; on a busy machine
only the CPU seconds say what they cost.

    python benchmarks/machine/workers.py --reports 6000 --workers 2
"""

from __future__ import annotations

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from data_builders.synthetic.reports import ReportWriter
from labelwright.label_set import LabelSet


def seconds(reports: Path, out: Path, workers: int) -> tuple[float, float]:
    """CPU seconds, those of its processes with it, and seconds of the clock of one command.

    Raises:
        SystemExit: it failed.
    """
    command = [sys.executable, "-m", "labelwright.cli", "label", str(reports), "--out", str(out)]
    command += ["--model", "labelwright-chest", "--text-columns", "text"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [*command, "--workers", str(workers)], capture_output=True, text=True, check=False
    )
    clock = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stderr)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, clock


def main() -> None:
    """Print both, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--reports", type=int, default=6_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    label_set = LabelSet.load("chexpert-14")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "reports.csv"
        with file.open("w", newline="", encoding="utf-8") as handle:
            table = csv.writer(handle)
            table.writerow(["id", "text"])
            written = ReportWriter(label_set).stream(options.reports, 13)
            table.writerows((one.report.id, one.report.text) for one in written)
        cpu, clock = seconds(file, Path(folder) / "one", 1)
        cpus, clocks = seconds(file, Path(folder) / "several", options.workers)
    print(f"{options.reports:,} reports")
    print(
        f"one process  {cpu:7.1f} CPU s, {clock:7.1f} s, {options.reports / cpu:.0f} a CPU second"
    )
    print(f"{options.workers} processes  {cpus:7.1f} CPU s, {clocks:7.1f} s")
    print(f"several take {cpus / cpu:.2f} x the CPU, and are {clock / clocks:.2f} x as quick")


if __name__ == "__main__":
    main()
