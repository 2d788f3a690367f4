"""CPU seconds and memory of the bootstrap of three labelers, by the number of reports.

Random labels of 14 observations, all intervals of the certainty page's scores from one set of
resamples; each size in a process of its own, whose peak before the bootstrap is printed beside it.

    python benchmarks/scoring/bootstrap_size.py --reports 2000 20000 --resamples 10000
    python benchmarks/scoring/bootstrap_size.py --reports 228000 --resamples 10000   # a minute
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path


def measured(reports: int, resamples: int) -> None:
    """Print the figures of one size, as ``label``-sized labels of this process."""
    from resampling_speed import make

    from eval.kinds.certainty.scores import report_counts, statistics
    from eval.stats.resampling import bootstraps

    comparison = make(reports, 3, seed=0)
    score = statistics(comparison)["macro_f1_positive"].of
    tables = {name: report_counts(comparison.gold, c) for name, c in comparison.pred.items()}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    bootstraps(tables, list(combinations(tables, 2)), score, resamples=resamples)
    spent = time.process_time() - began
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{reports:>9,} reports x {resamples:,} resamples: {spent:6.2f} CPU s, "
        f"{after / 1024:,.0f} MiB at the peak, {before / 1024:,.0f} before"
    )


def main() -> None:
    """One line per size."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--reports", type=int, nargs="+", default=[2_000, 20_000])
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        measured(options.reports[0], options.resamples)
        return
    for reports in options.reports:
        words = ["--here", "--reports", str(reports), "--resamples", str(options.resamples)]
        places = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
        path = os.pathsep.join([*places, os.environ.get("PYTHONPATH", "")])
        env = {**os.environ, "PYTHONPATH": path}
        subprocess.run([sys.executable, __file__, *words], check=True, env=env)


if __name__ == "__main__":
    main()
