"""Are the right sentences found, and what does it cost beside labels alone?

    python benchmarks/evidence_quality.py [--model MODEL]

Without ``--model`` a small one is trained first, on synthetic reports (a minute or two). New
synthetic reports then know which clauses speak of each observation; a sentence that was found is
right if it holds such a clause. Cost is CPU time, labels alone and every way in turns, median over
the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from data_builders.synthetic.reports import ReportWriter, SyntheticReport
from inference.decode.evidence import Evidence, Spans, Weights
from inference.decode.evidence_views import VIEWS, Read
from inference.labeler import Labeler
from labelwright.records import Certainty
from labelwright.text.sentences import sentence_spans

OTHER_SEED = 991
"""Of reports that no training has seen whose seed is another."""


class Recording(Evidence):
    """Evidence that keeps the weights it chose from, by text."""

    kept: list[tuple[Read, Weights]]

    def select(self, report: Read, weights: Weights) -> Spans:
        """As the evidence that it stands for."""
        self.kept.append((report, weights))
        return super().select(report, weights)


def share(right: Sequence[bool]) -> float:
    """Of right ones; NaN of none."""
    return float(np.mean(right)) if right else float("nan")


@dataclass
class Score:
    """Counts over labels and their sentences.

    Attributes:
        told: whether each label that has evidence is right; ``untold``: that has none.
    """

    labels: int = 0
    without: int = 0
    top: int = 0
    by_chance: float = 0.0
    found: int = 0
    right: int = 0
    true: int = 0
    told: list[bool] = field(default_factory=list)
    untold: list[bool] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def line(self, name: str, alone: float, tokens: float) -> str:
        """One row of the table."""
        return (
            f"{name:10} {self.top / self.labels:7.3f} {self.right / max(self.found, 1):10.3f} "
            f"{self.right / self.true:7.3f} {self.without / self.labels:11.3f} "
            f"{share(self.told):11.3f} {share(self.untold):8.3f} "
            f"{tokens:7.2f} x {statistics.median(self.times) / alone:7.2f} x"
        )


def true_sentences(written: SyntheticReport) -> dict[str, list[bool]]:
    """Per observation which sentences hold three characters or more of a clause about it."""
    spans = sentence_spans(written.report.text)
    return {
        name: [
            any(min(end, b) - max(start, a) >= min(3, b - a) for a, b in clauses)
            for start, end in spans
        ]
        for name, clauses in written.evidence.items()
    }


def count(
    score: Score, written: Sequence[SyntheticReport], labeler: Any, reading: Recording
) -> None:
    """Label the reports and add up how the evidence of right labels compares with the truth."""
    reading.kept = []
    predictions = labeler.label_reports([item.report for item in written])
    kept = {read.prompt.tokens: (read.sentences, weights) for read, weights in reading.kept}
    prompts = labeler._reader.writer.write([item.report.text for item in written])
    for item, prediction, prompt in zip(written, predictions, prompts, strict=True):
        sentences, weights = kept[prompt.tokens]
        for name in weights:
            has = name in (prediction.evidence or {})
            right = prediction.labels[name] is item.labels[name]
            (score.told if has else score.untold).append(right)
        for name, true in true_sentences(item).items():
            label = prediction.labels[name]
            if label is Certainty.BLANK or label is not item.labels[name] or not any(true):
                continue
            if name not in weights:
                continue
            chosen = {tuple(span) for span in (prediction.evidence or {}).get(name, [])}
            hits = [(sentence.start, sentence.end) in chosen for sentence in sentences]
            score.labels += 1
            score.without += not chosen
            score.top += true[int(weights[name].argmax())]
            score.by_chance += sum(true) / len(true)
            score.found += sum(hits)
            score.right += sum(h and t for h, t in zip(hits, true, strict=True))
            score.true += sum(true)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="trained on synthetic reports; else one is trained")
    parser.add_argument("--train", type=int, default=3000, help="reports to train on")
    parser.add_argument("--decode", default="one-pass", help="one-pass or constrained")
    parser.add_argument("--reports", type=int, default=400)
    parser.add_argument(
        "--balance", type=float, default=0.0, help="as in labelwright build (default: 0)"
    )
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        given.model = given.model or trained(Path(folder), given.train)
        compare(given)


def trained(folder: Path, reports: int) -> str:
    """The folder of a small model, trained on so many synthetic reports."""
    program = [sys.executable, "-m", "labelwright.cli"]
    options = ["--balance", "0.5", "--seed", "1", "--label-set", "chexpert-14"]
    build = ["build", "--synthetic", str(reports), *options, "--split", "0.97,0.03,0"]
    build += ["--out", str(folder / "data")]
    subprocess.run([*program, *build], check=True, stdout=subprocess.DEVNULL)
    train = ["train", "--config", "scratch-cpu", "--data", str(folder / "data")]
    quiet = ["--disable_tqdm", "true", "--output_dir", str(folder / "model")]
    subprocess.run([*program, *train, *quiet], check=True, stdout=subprocess.DEVNULL)
    return str(folder / "model")


def compare(given: argparse.Namespace) -> None:
    """Label and find evidence in all ways, and print what was found and what it cost."""
    alone = Labeler.from_checkpoint(given.model, decode=given.decode)
    writer = ReportWriter(alone.label_set, balance=given.balance)
    written = [writer.write(OTHER_SEED, index) for index in range(given.reports)]
    reports = [item.report for item in written]
    ways = {
        way: Labeler.from_checkpoint(given.model, decode=given.decode, evidence=way)
        for way in VIEWS
    }
    scores = {way: Score() for way in VIEWS}
    times = []
    for _ in range(given.rounds):
        times.append(timed(alone, reports))
        for way, labeler in ways.items():
            scores[way].times.append(timed(labeler, reports))
    for way, labeler in ways.items():
        decoder: Any = labeler._decoder
        place = "evidence" if hasattr(decoder, "evidence") else "_evidence"
        old = getattr(decoder, place)
        reading = Recording(decoder.reader, way, branches=old.branches)
        setattr(decoder, place, reading)
        count(scores[way], written, labeler, reading)
    if not all(score.labels for score in scores.values()):
        sys.exit("the model labels too little right for its evidence to be judged")
    base = statistics.median(times)
    first = next(iter(scores.values()))
    sentences = np.mean([len(sentence_spans(report.text)) for report in reports])
    print(
        f"{given.reports} reports, {sentences:.1f} sentences each; {first.labels} right labels "
        f"with evidence; a sentence by chance is right in {first.by_chance / first.labels:.3f}"
    )
    print(f"labels alone: {1000 * base / given.reports:.2f} ms CPU per report, {given.decode}")
    print(
        f"{'way':10} {'top 1':>7} {'precision':>10} {'recall':>7} {'none found':>11} "
        f"{'right with':>11} {'without':>8} {'tokens':>9} {'CPU time':>9}"
    )
    plain = computed(alone, reports)
    for way, score in scores.items():
        print(score.line(way, base, computed(ways[way], reports) / plain))


def computed(labeler: Any, reports: Sequence[Any]) -> int:
    """Tokens that the model computes for the reports."""
    engine = labeler._decoder.reader.engine
    run, count = engine.run, 0

    def counting(memory: Any, segments: Sequence[Any], *, keep: bool) -> Any:
        nonlocal count
        count += sum(len(segment.tokens) for segment in segments)
        return run(memory, segments, keep=keep)

    engine.run = counting
    labeler.label_reports(reports)
    engine.run = run
    return count


def timed(labeler: Labeler, reports: Sequence[Any]) -> float:
    """CPU seconds of labeling the reports."""
    began = time.process_time()
    labeler.label_reports(reports)
    return time.process_time() - began


if __name__ == "__main__":
    main()
