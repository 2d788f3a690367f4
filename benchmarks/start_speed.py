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
import shutil
import sys
import tempfile
from pathlib import Path

from measure import LABELWRIGHT, cost

TORCH = (
    "import inference.light.load as l; l.light = lambda *_, **__: None\n"
    "from labelwright.cli import main\nimport sys\nsys.exit(main(sys.argv[1:]))"
)


def seconds(command: list[str], runs: int, env: dict[str, str], out: Path | None = None) -> float:
    """The least CPU seconds of a process among some runs.

    Args:
        env: of the process, beside this one's.
        out: a folder that is removed before every run.
    """
    found = []
    for _ in range(1 + runs):
        if out is not None:
            shutil.rmtree(out, ignore_errors=True)
        found.append(cost(*command, env=env).cpu)
    return min(found[1:])


def main() -> None:
    """Print CPU seconds, and their ratio to a bare import of torch."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        env = {"PYTHONPYCACHEPREFIX": f"{folder}/compiled"}
        reports = Path(folder) / "one.csv"
        reports.write_text("id,text\n1,Small left pleural effusion. No pneumothorax.\n")
        out = Path(folder) / "out"
        label = ["label", str(reports), "--text-columns", "text", "--out", str(out)]
        bare = seconds([sys.executable, "-c", "import torch"], options.runs, env)
        print(f"import torch                          {bare:5.2f} CPU s")
        ways = {
            "the model read by torch": ([sys.executable, "-c", TORCH, *label], out),
            "label one report, default": ([*LABELWRIGHT, *label], out),
            "the same again: already finished": ([*LABELWRIGHT, *label], None),
            "label --help": ([*LABELWRIGHT, "label", "--help"], None),
        }
        for name, (command, removed) in ways.items():
            found = seconds(command, options.runs, env, removed)
            print(f"{name:36}  {found:5.2f} CPU s, {found / bare:.2f} x import torch")


if __name__ == "__main__":
    main()
