"""Reports a CPU second of the whole ``label`` command where reports repeat each other's sentences.

Reports of the grammar in which most sentences are ones that stood in a report before, the more
likely the more often they did (Simon's process, doi:10.1093/biomet/42.3-4.425): with one new
sentence in four there is about one new clause a report, as in some 200,000 reports of a hospital by
the growth measured on Open-i (2.4 distinct clauses a report at 3,000, falling as n to the -0.18).
One process, the default labeler.

    python benchmarks/machine/throughput.py --reports 8000
    python benchmarks/machine/throughput.py --reports 8000 --beside CHECKOUT

``--beside`` labels with another checkout of this project as well, in turns, and compares what both
wrote: labels exactly, probabilities by their largest difference.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from measure import LABELWRIGHT, cost, report_table

from data_builders.synthetic.reports import ReportWriter
from labelwright.label_set import LabelSet
from labelwright.labelers.nothing import told
from labelwright.text.sentences import sentence_spans

HERE = Path(__file__).parents[2]
FRESH = 200
"""Reports at the beginning whose sentences are all new."""
MIMIC = 228_000


def repeating(reports: int, share: float, seed: int = 13) -> Iterator[tuple[str, str]]:
    """Ids and texts.

    Args:
        share: of the sentences that are new.
    """
    chance, said = random.Random(seed), list[str]()
    written = ReportWriter(LabelSet.load("chexpert-14")).stream(reports, seed)
    for number, one in enumerate(written):
        text, parts, at = one.report.text, list[str](), 0
        for begin, stop in told(text):
            for first, last in sentence_spans(text[begin:stop]):
                own = text[begin + first : begin + last]
                if number >= FRESH and chance.random() >= share:
                    own = chance.choice(said)
                said.append(own)
                parts += [text[at : begin + first], own]
                at = begin + last
        yield f"s{number:07}", "".join([*parts, text[at:]])


def labeled(checkout: Path, reports: Path, out: Path) -> float:
    """CPU seconds of one command, run from a checkout."""
    shutil.rmtree(out, ignore_errors=True)
    flags = ["--out", str(out), "--text-columns", "text", "--workers", "1"]
    command = [*LABELWRIGHT, "label", str(reports), *flags]
    return cost(*command, env={"PYTHONPATH": str(checkout)}, cwd=checkout).cpu


def difference(one: Path, other: Path) -> tuple[int, float]:
    """Rows that differ beside probabilities and times, and the largest difference of those."""
    rows, most = 0, 0.0
    names = [folder / "predictions.jsonl" for folder in (one, other)]
    with names[0].open(encoding="utf-8") as left, names[1].open(encoding="utf-8") as right:
        for pair in zip(left, right, strict=True):
            mine, theirs = map(json.loads, pair)
            for name, given in mine.pop("probs").items():
                also = theirs["probs"][name]
                most = max(most, *(abs(given[option] - also[option]) for option in given))
            del theirs["probs"], mine["seconds"], theirs["seconds"]
            rows += mine != theirs
    return rows, most


def main() -> None:
    """Print the rate, and that of another checkout beside it."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--reports", type=int, default=8_000)
    parser.add_argument("--new", type=float, default=0.25, help="share of new sentences")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT")
    options = parser.parse_args()
    ways = [HERE, *([options.beside.resolve()] if options.beside else [])]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = report_table(folder / "reports.csv", repeating(options.reports, options.new))
        spent = [
            labeled(way, file, folder / str(number))
            for _ in range(options.rounds)
            for number, way in enumerate(ways)
        ]
        best = [min(spent[number :: len(ways)]) for number in range(len(ways))]
        for way, cpu in zip(("this", "the other"), best, strict=False):
            rate = options.reports / cpu
            print(
                f"{way}: {cpu:.1f} CPU s, {rate:.0f} reports a CPU second, "
                f"{MIMIC / rate / 60:.1f} CPU minutes for {MIMIC:,}",
                flush=True,
            )
        if options.beside:
            rows, most = difference(folder / "0", folder / "1")
            print(f"this takes {best[1] / best[0]:.2f} times less CPU than the other")
            print(f"{rows:,} rows differ but for probabilities, these by at most {most:.6f}")


if __name__ == "__main__":
    main()
