"""The table of ratios in ``docs/performance.md``: short benchmarks, a column per machine.

Each row is one number of one run, printed by a benchmark of its own. The numbers of this machine
replace those of the column that bears its name; columns of other machines stay. What does not end
in its time, or needs what is not there, keeps its old number and is named.

    python benchmarks/machine/table.py [--name NAME] [--missing]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
NUMBERS = ROOT / "docs" / "performance.json"
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- ratios: make bench -->", "<!-- end of ratios -->"
MINUTES = 20
"""The whole takes no longer."""


@dataclass(frozen=True)
class Row:
    """One number: what it is, the benchmark that prints it, and the pattern that finds it."""

    what: str
    command: str
    found: str

    def value(self, printed: str) -> str | None:
        """The number in what the benchmark printed."""
        match = re.search(self.found, printed)
        return None if match is None else match[1].replace(",", "")


START = "start_speed.py --runs 2"
READERS = "readers_speed.py --reports 4000"
DECODING = "decoding_speed.py --shapes tiny --reports 24 --free-reports 9 --rounds 1"
RUNNER = "runner_overhead.py --rows 50000"
WORKERS = "machine/workers.py --reports 2000"
PAGES = "serving/evidence_page.py --reports 228000"
ROWS = (
    Row("`label` of one report / `import torch`, CPU", START, r"one report.*?([\d.]+) x import"),
    Row("the same again / `import torch`, CPU", START, r"already finished.*?([\d.]+) x import"),
    Row("`label --help` / `import torch`, CPU", START, r"--help.*?([\d.]+) x import"),
    Row("one pass / free generation, `tiny`, reports", DECODING, r"one-pass / free\s+([\d.]+) x"),
    Row("constrained / free generation, `tiny`", DECODING, r"constrained / free\s+([\d.]+) x"),
    Row("one pass / bare prefill, `tiny`, time", DECODING, r"bare prefill\s*([\d.]+) x its"),
    Row("two processes / one, the model that comes along, clock", WORKERS, r"are ([\d.]+) x as"),
    Row("two processes / one, CPU", WORKERS, r"take ([\d.]+) x the CPU"),
    Row("reports a CPU second, the model that comes along", WORKERS, r"s, (\d+) a CPU second"),
    Row("phrases of rules: trie / loop, sentences", "rules_speed.py --reports 500", r"([\d.]+) x"),
    Row("Parquet / CSV, rows read", READERS, r"a\.parquet.*?([\d.]+) x CSV"),
    Row("JSON lines / CSV, rows read", READERS, r"a\.jsonl.*?([\d.]+) x CSV"),
    Row("runner / bare loop, CPU", RUNNER, r"ratio to bare loop\s+([\d.]+)"),
    Row(
        "near duplicates: prefix filter / buckets, CPU",
        "scoring/near_duplicates.py --most 8000",
        r"(?s).*ratio ([\d.]+)",
    ),
    Row(
        "permutation test: plain Python / ours",
        "scoring/resampling_speed.py --reports 2000 --permutations 1000",
        r"ratio:\s+([\d,]+)",
    ),
    Row("spans: nervaluate / ours", "scoring/span_scoring.py --notes 2000", r"\(([\d.]+) times"),
    Row("first report of 228,000 on a page, seconds", PAGES, r"first report ([\d.]+) s"),
)


def printed(command: str, limit: float) -> str | None:
    """What a benchmark prints; ``None`` where it fails or does not end in time."""
    program, *flags = command.split()
    try:
        done = subprocess.run(
            [sys.executable, str(ROOT / "benchmarks" / program), *flags],
            capture_output=True,
            text=True,
            check=False,
            timeout=limit,
            cwd=ROOT,
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None


def machine() -> str:
    """Its processor and cores, as far as the system tells."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists() and (model := re.search(r"model name\s*:\s*(.*)", cpuinfo.read_text())):
        name = model[1].strip()
    return f"{name}, {os.cpu_count()} cores"


def table(columns: Mapping[str, Mapping[str, str]], rows: Sequence[Row] = ROWS) -> str:
    """The columns as Markdown."""
    lines = [
        f"| | {' | '.join(columns)} | `python benchmarks/…` |",
        f"|---|{'---|' * len(columns)}---|",
    ]
    for row in rows:
        numbers = " | ".join(column.get(row.what, "") for column in columns.values())
        lines.append(f"| {row.what} | {numbers} | `{row.command}` |")
    return "\n".join(lines)


def included(page: str, made: str) -> str:
    """The page with the table between its marks.

    Raises:
        SystemExit: the marks are not there.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} lacks {BEGIN} and {END}")
    return f"{before}{begin}\n{made}\n{end}{after}"


def main() -> None:
    """Run what there is time for; write numbers and page."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--name", default=machine(), help="of this machine's column")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--missing", action="store_true", help="only what has no number yet")
    options = parser.parse_args()
    ends = time.monotonic() + 60 * options.minutes
    columns = json.loads(NUMBERS.read_text(encoding="utf-8")) if NUMBERS.exists() else {}
    column = columns.setdefault(options.name, {})
    said: dict[str, str | None] = {}
    for row in ROWS:
        if options.missing and row.what in column:
            continue
        if row.command not in said:
            left = ends - time.monotonic()
            said[row.command] = printed(row.command, left) if left > 0 else None
        value = row.value(said[row.command] or "")
        sys.stdout.write(f"{row.what:58} {value or 'no number'}\n")
        sys.stdout.flush()
        if value is not None:
            column[row.what] = value
    NUMBERS.write_text(json.dumps(columns, indent=1) + "\n", encoding="utf-8")
    made = included(PAGE.read_text(encoding="utf-8"), table(columns))
    PAGE.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
