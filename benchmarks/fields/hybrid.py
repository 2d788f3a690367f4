"""The hybrid way of reading fields beside the direct one: recall lost, typing errors, cost.

A tagger marks spans, the labeler reads only their sentences. Of the values that the gold places in
the text, those are *lost* that stand in no sentence that was read; every other miss or wrong value
is the labeler's. Without arguments the rules read synthetic letters behind a tagger that overlooks
one value in ten; with ``--data``, ``--model`` (a folder, or ``rules``) and ``--tagger`` any data
folder and models.

    python benchmarks/fields/hybrid.py [--data DIR --model DIR --tagger DIR]
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baselines.rules.fields import FieldRules
from data_builders.synthetic.letters.writer import write_letters
from labelwright.label_set import LabelSet
from labelwright.labelers.base import ReportLabeler
from labelwright.labelers.narrowed import Narrowed, kept_sentences
from labelwright.labelers.settings import RULES, LabelerSettings
from labelwright.loading import load_labeler
from labelwright.records import Entity, Prediction, Reject, Report, Span
from labelwright.tasks import kind_of
from labelwright.tasks.fields.values import Fields


class Overlooking:
    """A tagger that marks the known places, but for one in ten."""

    name = "overlooking"

    def __init__(self, label_set: LabelSet, gold: Mapping[str, Fields], seed: int) -> None:
        self.label_set = label_set
        self._gold = gold
        self._draw = random.Random(seed)

    def describe(self) -> Mapping[str, Any]:
        """Its name."""
        return {"model": self.name}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """Nine in ten of the known places."""
        return [
            Prediction(
                id=report.id,
                model=self.name,
                task="entities",
                value=tuple(
                    Entity.of(report.text, name, *item.spans)
                    for name, one in self._gold[report.id].items()
                    for item in one.items
                    if item.spans and self._draw.random() >= 0.1
                ),
            )
            for report in reports
        ]


@dataclass
class Counts:
    """Values of the gold that have a place, and what became of them; values said; seconds."""

    gold: int = 0
    right: int = 0
    lost: int = 0
    said: int = 0
    seconds: float = 0.0
    read: int = 0

    def line(self, name: str) -> str:
        """For the terminal."""
        f1 = 2 * self.right / max(self.gold + self.said, 1)
        wrong = self.gold - self.right - self.lost
        return (
            f"{name:8} F1 {f1:.3f}  right {self.right} of {self.gold}, lost before typing "
            f"{self.lost}, typed wrong or missed {wrong}; {self.read:,} characters read, "
            f"{self.seconds:.2f} CPU s"
        )


def count(
    labeler: ReportLabeler,
    reports: Sequence[Report],
    gold: Mapping[str, Fields],
    kept: Mapping[str, Sequence[Span]],
) -> Counts:
    """Label, and compare values with a place."""
    counts = Counts()
    began = time.process_time()
    results = labeler.label_reports(reports)
    counts.seconds = time.process_time() - began
    for report, result in zip(reports, results, strict=True):
        value: Fields = result.value or {} if isinstance(result, Prediction) else {}
        spans = kept[report.id]
        counts.read += sum(end - start for start, end in spans)
        for name, one in gold[report.id].items():
            said = list(value[name].values) if name in value else []
            counts.said += len(said)
            for item in one.items:
                if not item.spans or item.value is None:
                    continue
                counts.gold += 1
                if item.value in said:
                    said.remove(item.value)
                    counts.right += 1
                elif not any(a <= item.spans[0][0] < b for a, b in spans):
                    counts.lost += 1
    return counts


def main() -> None:
    """Measure both ways on the same documents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--tagger", type=Path)
    chosen = parser.parse_args()
    labeler: ReportLabeler
    tagger: ReportLabeler
    if chosen.data is None:
        label_set = LabelSet.load("cardiac-discharge-74")
        letters = list(write_letters(label_set, 60, 9))
        reports = [one.report for one in letters]
        gold = {one.report.id: one.fields for one in letters}
        labeler, tagger = FieldRules.for_label_set(label_set), Overlooking(label_set, gold, 1)
    else:
        label_set = LabelSet.load(chosen.data / "label_set.yaml")
        lines = (chosen.data / "test.reports.jsonl").read_text(encoding="utf-8").splitlines()
        rows = map(json.loads, lines)
        reports = [Report(r["id"], r["text"], "test", n) for n, r in enumerate(rows, 1)]
        found = kind_of(label_set).values(chosen.data / "test.fields.jsonl", label_set)
        gold = {report.id: found[report.id] for report in reports}
        named = label_set if chosen.model == RULES else None
        labeler = load_labeler(LabelerSettings(model=chosen.model, label_set=named)).labeler
        tagger = load_labeler(LabelerSettings(model=str(chosen.tagger))).labeler
    whole = {report.id: [(0, len(report.text))] for report in reports}
    print(count(labeler, reports, gold, whole).line("direct"))
    again = tagger.label_reports(reports)
    kept = {}
    for report, result in zip(reports, again, strict=True):
        entities = (result.entities or ()) if isinstance(result, Prediction) else ()
        spans = [span for entity in entities for span in entity.spans]
        kept[report.id] = kept_sentences(report.text, spans) or whole[report.id]
    if isinstance(tagger, Overlooking):
        tagger = Overlooking(label_set, gold, 1)
    print(count(Narrowed(labeler, tagger), reports, gold, kept).line("hybrid"))


if __name__ == "__main__":
    main()
