"""Labeling on a Ray cluster of two nodes, and what is lost when one of them dies.

Both nodes are processes of this machine, one worker each; reports of the grammar are read by the
model that comes along. Printed: seconds of the clock of one process and of the cluster, both
without the start, and the same after one node was killed once a third of the rows was stored; what
comes out must be equal to the byte but for the times of the answers.

    python benchmarks/serving/ray_nodes.py --reports 6000
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from measure import LABELWRIGHT, grammar_table

SHARD = 256


def command(reports: Path, out: Path, *more: str) -> list[str]:
    """The labeling of one run."""
    flags = ["--model", "labelwright-chest", "--text-columns", "text", "--device", "cpu"]
    line = [*LABELWRIGHT, "label", str(reports), "--out", str(out)]
    return [*line, *flags, "--shard-rows", str(SHARD), *more]


def begun(out: Path, running: subprocess.Popen[str], parts: int) -> float:
    """Wait until so many shards are stored; when that was."""
    while sum(1 for _ in (out / "parts").glob("[0-9]*.jsonl")) < parts:
        if running.poll() is not None:
            raise SystemExit(f"it ended early: {(running.communicate()[1] or '')[-2000:]}")
        time.sleep(0.05)
    return time.perf_counter()


def rates(out: Path, running: subprocess.Popen[str], reports: int) -> tuple[float, str]:
    """Rows a second from the first stored shard to the end, and what was said on the way."""
    first = begun(out, running, 1)
    said = running.communicate()[1]
    if running.returncode:
        raise SystemExit(said[-2000:])
    return (reports - SHARD) / (time.perf_counter() - first), said


def labels(out: Path) -> bytes:
    """The table of labels."""
    return (out / "labels.csv").read_bytes()


def main() -> None:
    """Print rates, and compare what came out."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--reports", type=int, default=6_000)
    options = parser.parse_args()
    from ray.cluster_utils import Cluster

    os.environ.update(RAY_USAGE_STATS_ENABLED="0", OMP_NUM_THREADS="1")

    def start(*words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = grammar_table(folder / "reports.csv", options.reports)
        alone = folder / "alone"
        one, _ = rates(alone, start(*command(file, alone, "--workers", "1")), options.reports)
        print(f"one process               {one:7.1f} rows/s", flush=True)
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        try:
            cluster.add_node(num_cpus=1)
            second = cluster.add_node(num_cpus=1)
            flags = ("--ray-actors", "2", "--ray-address", cluster.address)
            both = folder / "both"
            two, _ = rates(both, start(*command(file, both, *flags)), options.reports)
            print(f"two nodes                 {two:7.1f} rows/s, {two / one:.2f} x", flush=True)
            less = folder / "less"
            running = start(*command(file, less, *flags))
            begun(less, running, max(options.reports // SHARD // 3, 1))
            cluster.remove_node(second, allow_graceful=False)
            killed = time.perf_counter()
            said = running.communicate()[1]
            if running.returncode:
                raise SystemExit(said[-2000:])
            print(f"one node killed at a third: done {time.perf_counter() - killed:.1f} s later")
            print("\n".join(line for line in said.splitlines() if line.startswith("labelwright:")))
        finally:
            cluster.shutdown()
        same = labels(alone) == labels(both) == labels(less)
        counts = json.loads((less / "manifest.json").read_text())["counts"]
        print(f"labels equal in all three: {same}; {counts}")


if __name__ == "__main__":
    main()
