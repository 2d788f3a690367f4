"""Is anything lost or doubled when labeling is killed? Counts of kill -9 at random moments.

    python benchmarks/kill_resume.py [--kills 60] [--rows 6000]

The real command labels a table with the rules and writes two exports; it is killed after a
short random time, again and again, until one run comes through; then its folder is compared with
that of an undisturbed run and the next folder is begun. All files must be the same but for
times: bytes of ``labels.csv`` and ``rejects.jsonl``, rows without seconds of the others.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PHRASES = (
    "Mild pulmonary edema.",
    "No pleural effusion.",
    "Possible pneumonia at the right base.",
    "Enlarged heart.",
    "Old fracture of a rib.",
    "The lungs are clear.",
)
TIMES = {"seconds", "nlp_date", "nlp_datetime"}


def main() -> int:
    """Print the counts; 1 if any folder differs."""
    parser = argparse.ArgumentParser(description="Kill labeling at random moments, and resume.")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--rows", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    states: Counter[str] = Counter()
    folders = different = torn = 0
    with tempfile.TemporaryDirectory() as place:
        table = write_table(Path(place) / "reports.csv", arguments.rows, chance)
        usual = seconds_of(command(table, Path(place) / "whole"))
        start = seconds_of(command(table, Path(place) / "whole"))  # all is done already
        moments = (start / 2, start + usual / 10)
        whole = content(Path(place) / "whole")
        while sum(states.values()) < arguments.kills:
            out = Path(place) / f"killed-{folders}"
            left = arguments.kills - sum(states.values())
            for found in lives(table, out, moments, chance, left):
                states[found] += 1
            folders += 1
            different += content(out) != whole
            torn += sum(1 for path in out.rglob("*") if path.name not in {*whole, "manifest.json"})
    print(f"rows                     {arguments.rows:>8,}")
    print(f"an undisturbed run       {usual:>8.1f} s")
    print(f"kill -9                  {sum(states.values()):>8,}")
    for state, count in sorted(states.items()):
        print(f"  {state:<22} {count:>8,}")
    print(f"folders finished         {folders:>8,}")
    print(f"folders that differ      {different:>8,}")
    print(f"files left over          {torn:>8,}")
    return 1 if different or torn else 0


def write_table(path: Path, rows: int, chance: random.Random) -> Path:
    """Reports of three phrases; some are empty, some ids come twice."""
    with open(path, "w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["id", "text"])
        for row in range(rows):
            text = "" if row % 53 == 3 else f"Film {row}. {' '.join(chance.sample(PHRASES, 3))}"
            writer.writerow([row - 1 if row % 97 == 5 else row, text])
    return path


def command(table: Path, out: Path) -> list[str]:
    """The command that is killed."""
    flags = ["--model", "rules", "--shard-rows", "50", "--also", "parquet,omop"]
    return [
        *(sys.executable, "-m", "labelwright.cli", "label", str(table)),
        *(*flags, "--out", str(out)),
    ]


def seconds_of(words: list[str]) -> float:
    """How long a command takes."""
    began = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    return time.perf_counter() - began


def lives(
    table: Path, out: Path, moments: tuple[float, float], chance: random.Random, most: int
) -> Iterator[str]:
    """Run and kill until a run comes through, at most ``most`` times; yield what a kill found.

    Each run gets a tenth more time, so that a busy machine comes to its end as well.
    """
    patience = 1.0
    for life in range(most + 1):
        process = subprocess.Popen(
            command(table, out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            moment = None if life == most else patience * chance.uniform(*moments)
            _, said = process.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            yield state(out)
            patience *= 1.1
            continue
        if process.returncode:
            raise SystemExit(f"a resumed run failed: {said}")
        return


def state(out: Path) -> str:
    """How far a killed run had come."""
    if (out / "manifest.json").exists():
        return "exports or tidying"
    if not (out / "job.json").exists():
        return "before labeling"
    if list(out.glob(".*.tmp")) or (out / "labels.csv").exists():
        return "merging"
    return "labeling"


def content(out: Path) -> dict[str, Any]:
    """The result files, without times."""
    import pyarrow.parquet as pq

    with open(out / "predictions.jsonl", encoding="utf-8") as handle:
        predictions = [timeless(json.loads(line)) for line in handle]
    with open(out / "note_nlp.csv", newline="", encoding="utf-8") as handle:
        notes = [timeless(row) for row in csv.DictReader(handle)]
    return {
        "labels.csv": (out / "labels.csv").read_bytes(),
        "rejects.jsonl": (out / "rejects.jsonl").read_bytes(),
        "predictions.jsonl": predictions,
        "note_nlp.csv": notes,
        "predictions.parquet": pq.read_table(out / "predictions.parquet")
        .drop_columns(["seconds"])
        .to_pylist(),
    }


def timeless(row: dict[str, Any]) -> dict[str, Any]:
    """A row without its times."""
    return {key: value for key, value in row.items() if key not in TIMES}


if __name__ == "__main__":
    sys.exit(main())
