"""What does one report cost, from nothing: the command as a process of its own.

CPU seconds of whole processes, the least of some runs each after one that leaves the compiled
modules behind, as an installation has them: a bare ``import torch``, the default
labeler's ``label`` of one report (small model read with NumPy, rules beside it), the same with
the small model read by torch, a run that finds its work finished, and ``--help``.

    OMP_NUM_THREADS=1 python benchmarks/start_speed.py
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TORCH = (
    "import inference.light.load as l; l.light = lambda *_, **__: None\n"
    "from labelwright.cli import main\nimport sys\nsys.exit(main(sys.argv[1:]))"
)


def seconds(command: list[str], runs: int, env: dict[str, str], out: Path | None = None) -> float:
    """The least CPU seconds of a process among some runs.

    Args:
        env: of the process.
        out: a folder that is removed before every run.

    Raises:
        SystemExit: it failed.
    """
    found = []
    for _ in range(1 + runs):
        if out is not None:
            shutil.rmtree(out, ignore_errors=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise SystemExit(done.stderr)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found[1:])


def main() -> None:
    """Print CPU seconds, and their ratio to a bare import of torch."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        env = dict(os.environ, PYTHONPYCACHEPREFIX=f"{folder}/compiled")
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        reports = Path(folder) / "one.csv"
        reports.write_text("id,text\n1,Small left pleural effusion. No pneumothorax.\n")
        out = Path(folder) / "out"
        label = ["label", str(reports), "--text-columns", "text", "--out", str(out)]
        program = [sys.executable, "-m", "labelwright.cli"]
        bare = seconds([sys.executable, "-c", "import torch"], options.runs, env)
        print(f"import torch                          {bare:5.2f} CPU s")
        ways = {
            "the model read by torch": ([sys.executable, "-c", TORCH, *label], out),
            "label one report, default": ([*program, *label], out),
            "the same again: already finished": ([*program, *label], None),
            "label --help": ([*program, "label", "--help"], None),
        }
        for name, (command, removed) in ways.items():
            found = seconds(command, options.runs, env, removed)
            print(f"{name:36}  {found:5.2f} CPU s, {found / bare:.2f} x import torch")


if __name__ == "__main__":
    main()
