"""What the batch runner costs beside the labeler: rows per second and peak memory.

    python benchmarks/runner_overhead.py [--rows 200000]

The labeler is a stub that answers at once, so the figures are the runner's own: cutting
into shards, finding equal texts, writing parts to disk, merging them. A bare loop over the
same stub and the same reports stands beside it.
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

from inference.batch import SHARD_ROWS, run
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction, Reject, Report


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
        return [Prediction(id=r.id, labels=self.labels, model=self.name) for r in reports]


def reports(rows: int) -> Iterator[Report]:
    """Short reports, every tenth equal to an earlier one."""
    for row in range(rows):
        text = f"Mild edema, grade {row % (rows * 9 // 10)}. No fracture. Pneumonia is possible."
        yield Report(id=str(row), text=text, source="made", row=row + 1)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Cost of the batch runner beside the labeler.")
    parser.add_argument("--rows", type=int, default=200_000)
    rows = parser.parse_args().rows
    stub = Stub()
    began = time.process_time()
    block: list[Report] = []
    for report in reports(rows):
        block.append(report)
        if len(block) == SHARD_ROWS:
            stub.label_reports(block)
            block.clear()
    bare = time.process_time() - began
    before = peak_mib()
    with tempfile.TemporaryDirectory() as folder:
        began, spent = time.perf_counter(), time.process_time()
        run(stub, reports(rows), Path(folder) / "out", inputs=[], options={}, total=rows)
        wall, whole = time.perf_counter() - began, time.process_time() - spent
    print(f"rows                  {rows:>12,}")
    print(f"runner                {rows / wall:>12,.0f} rows/s")
    print(f"runner                {rows / whole:>12,.0f} rows/CPU-s")
    print(f"bare loop             {rows / bare:>12,.0f} rows/CPU-s")
    print(f"runner's own cost     {(whole - bare) / rows * 1e6:>12.1f} µs/row (CPU)")
    print(f"ratio to bare loop    {whole / bare:>12.1f}")
    print(
        f"peak memory           {peak_mib():>12.0f} MiB ({peak_mib() - before:.0f} by the runner)"
    )
    for rate in (1.4, 1000):
        share = (whole - bare) / rows / (1 / rate)
        print(f"overhead beside a labeler of {rate:g} reports/s: {share:.3%}")


def peak_mib() -> float:
    """Largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


if __name__ == "__main__":
    main()
