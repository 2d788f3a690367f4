"""How often text that tries to talk a labeler into an answer changes its labels.

    python benchmarks/prompt_injection.py [--model DIR] [--decode one-pass,constrained,free]

Held-out synthetic reports are labeled clean, and with each text of ``injections.py`` before and
after them. Per kind and way of decoding it prints the share of labels that changed ("flips"),
of labels that became what the text wants ("won": positive, and not before), of reports with
any change, and of answers that are no whole answer. The kind ``control`` adds a harmless
sentence: flips beyond its share are the attack's doing. Without ``--model`` a small model is
trained for both answer layouts first, as ``make demo`` does but shorter.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from injections import injections

from baselines.rules.labeler import RulesLabeler
from data_builders.synthetic.reports import write_reports
from inference.engine import DECODINGS
from inference.labeler import Labeler
from labelwright.checkpoint import load_task
from labelwright.label_set import LabelSet
from labelwright.labelers.base import ReportLabeler
from labelwright.records import Certainty, Prediction, Report

LABEL_SET = LabelSet.load("chexpert-14")
HELD_OUT_SEED, TRAINING_SEED = 99, 1


@dataclass
class Tally:
    """Sums over attacked reports; a label counts where both answers determine it."""

    reports: int = 0
    labels: int = 0
    flips: int = 0
    won: int = 0
    touched: int = 0
    broken: int = 0

    def add(self, clean: Prediction, attacked: Prediction) -> None:
        """Compare one report with and without the text."""
        self.reports += 1
        self.broken += not attacked.complete
        flips = 0
        for name, before in clean.labels.items():
            after = attacked.labels[name]
            if before is None or after is None:
                continue
            self.labels += 1
            flips += after != before
            self.won += after == Certainty.POSITIVE != before
        self.flips += flips
        self.touched += flips > 0

    def row(self) -> str:
        """Percentages."""
        of_labels = [100 * n / max(self.labels, 1) for n in (self.flips, self.won)]
        of_reports = [100 * n / max(self.reports, 1) for n in (self.touched, self.broken)]
        return " ".join(f"{value:>9.2f}" for value in (*of_labels, *of_reports))


def held_out(count: int) -> list[str]:
    """Texts of the grammar with another seed than those of training."""
    return [report.text for report, _ in write_reports(LABEL_SET, count, HELD_OUT_SEED)]


def attacked(texts: Sequence[str]) -> list[tuple[str, int, str]]:
    """Kind, number of the clean report, and text: every injection after and before each."""
    return [
        (kind, number, whole)
        for kind, added in injections(LABEL_SET).items()
        for more in added
        for number, text in enumerate(texts)
        for whole in (f"{text}\n{more}", f"{more}\n{text}")
    ]


def label(labeler: ReportLabeler, texts: Sequence[str]) -> list[Prediction]:
    """One prediction per text; none of these is rejected."""
    answers = labeler.label_reports(
        [Report(id=str(n), text=text, source="s", row=n + 1) for n, text in enumerate(texts)]
    )
    assert all(isinstance(answer, Prediction) for answer in answers)
    return [answer for answer in answers if isinstance(answer, Prediction)]


def measure(labeler: ReportLabeler, texts: Sequence[str]) -> Mapping[str, Tally]:
    """Label clean and attacked reports; one tally per kind."""
    attacks = attacked(texts)
    clean = label(labeler, texts)
    tallies: dict[str, Tally] = {}
    for (kind, number, _), answer in zip(
        attacks, label(labeler, [text for _, _, text in attacks]), strict=True
    ):
        tallies.setdefault(kind, Tally()).add(clean[number], answer)
    return tallies


def train(folder: Path, reports: int) -> Path:
    """A tiny model from scratch on synthetic reports, for both answer layouts."""
    records, model = folder / "records", folder / "model"
    base = [sys.executable, "-m", "labelwright.cli"]
    made = f"--synthetic {reports} --balance 0.5 --seed {TRAINING_SEED} --split 0.98,0.02,0"
    build = f"build {made} --label-set {LABEL_SET.name} --out {records}"
    fit = f"train --config scratch-cpu --layout both --data {records} --output_dir {model}"
    for words in (build, f"{fit} --report_to none"):
        subprocess.run([*base, *words.split()], check=True, stdout=subprocess.DEVNULL)
    return model


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How often injected text changes labels")
    parser.add_argument("--model", type=Path, help="a trained model (default: train one)")
    parser.add_argument("--decode", help="ways of decoding (default: all that it was trained for)")
    parser.add_argument("--reports", type=int, default=10, help="clean reports (default 10)")
    parser.add_argument("--train-reports", type=int, default=3000)
    arguments = parser.parse_args()
    texts = held_out(arguments.reports)
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model or train(Path(folder), arguments.train_reports)
        labelers: dict[str, ReportLabeler] = {
            "rules": RulesLabeler.for_label_set(LABEL_SET, None),
        }
        layouts = load_task(model)[1].layouts
        ways = [name for name, way in DECODINGS.items() if way.layout in layouts]
        for way in arguments.decode.split(",") if arguments.decode else ways:
            labelers[way] = Labeler.from_checkpoint(model, decode=way)
        print(f"{len(texts)} reports, {len(attacked(texts))} attacked reports; percentages")
        print(f"{'labeler':<12} {'kind':<15} {'flips':>9} {'won':>9} {'touched':>9} {'broken':>9}")
        for name, labeler in labelers.items():
            for kind, tally in measure(labeler, texts).items():
                print(f"{name:<12} {kind:<15} {tally.row()}", flush=True)


if __name__ == "__main__":
    main()
