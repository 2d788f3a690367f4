from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from baselines.rules.labeler import RulesLabeler
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction, Reject, Report
from retrieval.embedders import embedder_for
from retrieval.index_build import Plan, build_index
from retrieval.index_shards import Entry

REPORTS = {
    "a": "Small left pleural effusion. Heart size is normal.",
    "b": "Small left pleural effusion. Heart is large.",
    "c": "No pneumothorax. The lungs are clear.",
    "d": "Right rib fracture. No effusion.",
    "e": "Small left pleural effusion is seen again. Heart size is normal.",
}
PATIENTS = {"a": "p1", "b": "p1", "c": None, "d": "p2", "e": "p3"}


def report(identifier: str, text: str, patient: str | None = None) -> Report:
    return Report(identifier, text, "q", 1, patient)


def make_index(out: Path, chexpert: LabelSet) -> Path:
    """Five reports of three patients and one unknown, with the rules' labels; e is for testing."""
    rules = RulesLabeler.for_label_set(chexpert)
    reports = [
        Report(name, text, "s", row, PATIENTS[name])
        for row, (name, text) in enumerate(REPORTS.items(), start=1)
    ]
    labels = {r.id: r.labels for r in rules.label_reports(reports) if isinstance(r, Prediction)}
    entries = [
        Entry(report, "test" if report.id == "e" else "train", {**labels[report.id]})
        for report in reports
    ]
    build_index(out, lambda: iter(entries), embedder_for("hashed"), Plan({}, label_set=chexpert))
    return out


class Recorder:
    """Answers all blank and keeps what it was asked; texts beyond ``limit`` are too long."""

    def __init__(self, label_set: LabelSet, limit: int = 10_000) -> None:
        self.label_set = label_set
        self.name = "recorder"
        self.limit = limit
        self.asked: list[str] = []

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "recorder"}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        return self.label_led(reports, [""] * len(reports))

    def label_led(
        self, reports: Sequence[Report], leads: Sequence[str]
    ) -> list[Prediction | Reject]:
        wholes = [lead + r.text for r, lead in zip(reports, leads, strict=True)]
        self.asked += wholes
        blank = dict.fromkeys(self.label_set.names, Certainty.BLANK)
        return [
            Reject(r.id, r.source, r.row, "too long for the model: 9")
            if len(whole) > self.limit
            else Prediction(id=r.id, model=self.name, task="certainty", value=blank)
            for r, whole in zip(reports, wholes, strict=True)
        ]
