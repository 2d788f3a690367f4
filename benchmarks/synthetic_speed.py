"""Reports per second that the grammar writes on one core.

Run it from the repository root:

    python benchmarks/synthetic_speed.py --label-set chexpert-14 --count 10000
"""

from __future__ import annotations

import argparse
import time

from data_builders.synthetic.reports import ReportWriter
from labelwright.label_set import LabelSet


def main() -> None:
    """Time clean, noisy and balanced reports, best of three interleaved rounds each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--label-set", default="chexpert-14")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=13)
    arguments = parser.parse_args()
    label_set = LabelSet.load(arguments.label_set)
    writers = {
        "clean": ReportWriter(label_set, noise=0.0),
        "noisy (default)": ReportWriter(label_set),
        "balanced": ReportWriter(label_set, balance=1.0),
    }
    best = dict.fromkeys(writers, float("inf"))
    words = dict.fromkeys(writers, 0)
    for _ in range(3):
        for name, writer in writers.items():
            started = time.process_time()
            reports = writer.stream(arguments.count, arguments.seed)
            words[name] = sum(written.report.text.count(" ") + 1 for written in reports)
            best[name] = min(best[name], time.process_time() - started)
    print(f"{label_set.name}, {arguments.count} reports, CPU time of one core, best of 3")
    for name, seconds in best.items():
        rate = arguments.count / seconds
        print(
            f"{name:16s} {rate:8.0f} reports/s  {words[name] / arguments.count:5.1f} words/report"
        )


if __name__ == "__main__":
    main()
