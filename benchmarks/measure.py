"""What benchmarks share: CPU seconds of a call, a CSV of made reports, what a process cost."""

from __future__ import annotations

import csv
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

LABELWRIGHT = (sys.executable, "-m", "labelwright.cli")


def seconds(run: Callable[[], object]) -> float:
    """CPU seconds of one call, the better of two: other work on the machine counts little."""
    best = float("inf")
    for _ in range(2):
        started = time.process_time()
        run()
        best = min(best, time.process_time() - started)
    return best


@dataclass(frozen=True)
class Cost:
    """CPU seconds of a command and all that it started, seconds of the clock, what it said."""

    cpu: float
    clock: float
    said: str


def report_table(path: Path, rows: Iterable[tuple[object, str]]) -> Path:
    """Write ids and texts as a CSV."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle)
        table.writerow(["id", "text"])
        table.writerows(rows)
    return path


def grammar_table(path: Path, reports: int) -> Path:
    """Write reports of the grammar as a CSV, the same at every call."""
    from data_builders.synthetic.reports import ReportWriter
    from labelwright.label_set import LabelSet

    written = ReportWriter(LabelSet.load("chexpert-14")).stream(reports, 13)
    return report_table(path, ((one.report.id, one.report.text) for one in written))


def cost(
    *command: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    shown: bool = False,
) -> Cost:
    """Run a command to its end; beside other work only its CPU seconds say much.

    Args:
        shown: whether it says on standard error what it does.

    Raises:
        SystemExit: it failed.
    """
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command,
        stdout=sys.stderr if shown else subprocess.PIPE,
        stderr=None if shown else subprocess.PIPE,
        text=True,
        check=False,
        env=None if env is None else {**os.environ, **env},
        cwd=cwd,
    )
    clock, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:6])} …\n{(done.stderr or '')[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, clock, done.stdout or "")
