"""One process and several over the same reports: CPU seconds and seconds of the clock of each.

Reports of the grammar, read by the model that comes along; each way is the whole command in a
process of its own. On idle cores the ratio of the clock says what processes gain; on a busy machine
only the CPU seconds say what they cost.

    python benchmarks/machine/workers.py --reports 6000 --workers 2
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from measure import LABELWRIGHT, Cost, cost, grammar_table


def labeled(reports: Path, out: Path, workers: int) -> Cost:
    """What one command takes, its processes with it."""
    flags = ["--model", "labelwright-chest", "--text-columns", "text", "--workers", str(workers)]
    return cost(*LABELWRIGHT, "label", str(reports), "--out", str(out), *flags)


def main() -> None:
    """Print both, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--reports", type=int, default=6_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = grammar_table(Path(folder) / "reports.csv", options.reports)
        one = labeled(file, Path(folder) / "one", 1)
        several = labeled(file, Path(folder) / "several", options.workers)
    print(f"{options.reports:,} reports")
    rate = options.reports / one.cpu
    print(f"one process  {one.cpu:7.1f} CPU s, {one.clock:7.1f} s, {rate:.0f} a CPU second")
    print(f"{options.workers} processes  {several.cpu:7.1f} CPU s, {several.clock:7.1f} s")
    print(
        f"several take {several.cpu / one.cpu:.2f} x the CPU, "
        f"and are {one.clock / several.clock:.2f} x as quick"
    )


if __name__ == "__main__":
    main()
