"""A labeler that needs no model, reports for it, and what a run of it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from inference.runs.batch import Summary, run
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction, Reject, Report

HEAD = LabelSet.load("head-ct-5")
CANARY = "canary-7f3a"
FILES = ["labels.csv", "manifest.json", "predictions.jsonl", "rejects.jsonl"]


class Stub:
    """The first letter of a report says what happens to it."""

    name = "stub"
    label_set = HEAD

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.details: dict[str, Any] = {"kind": "stub", "runtime": {"batch_size": 1}}
        self.broken = False

    def describe(self) -> Mapping[str, Any]:
        return self.details

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        self.calls.append([report.id for report in reports])
        if self.broken:
            raise ValueError(f"cannot read {reports[0].text!r}")
        return [self.label(report) for report in reports]

    def label(self, report: Report) -> Prediction | Reject:
        if report.text.startswith("long"):
            return Reject(report.id, report.source, report.row, "too long: 9 > 8 tokens")
        labels = dict.fromkeys(HEAD.names, Certainty.BLANK)
        answer = Prediction(
            id=report.id, model=self.name, task="certainty", value=labels, raw="x", seconds=0.5
        )
        if report.text.startswith("open"):
            problems = ("missing: Mass Effect", "cut off")
            return replace(answer, value={**labels, "Mass Effect": None}, problems=problems)
        if report.text.startswith("chat"):
            return replace(answer, value=labels | {"Hydrocephalus": Certainty.NEGATIVE})
        return replace(answer, value=labels | {"Mass Effect": Certainty.POSITIVE})


def rows(texts: Sequence[str]) -> Iterator[Report | Reject]:
    """Reports of these texts, with their ids r0, r1, …; an empty one is the reader's reject."""
    for index, text in enumerate(texts):
        if text:
            yield Report(id=f"r{index}", text=text, source="in.csv", row=index + 1)
        else:
            yield Reject(f"r{index}", "in.csv", index + 1, "the report is empty")


TEXTS = [f"shift {CANARY} a", "open b", "", "long c", "chat d", "open b", "shift e", "chat d", "z"]


def label(out: Path, texts: Sequence[str] = TEXTS, **changes: Any) -> Summary:
    settings: dict[str, Any] = {
        "labeler": Stub(),
        "inputs": [{"path": "in.csv", "bytes": 1, "sha256": "aa"}],
        "options": {"sections": "full"},
        "shard_rows": 2,
        "total": len(texts),
    } | changes
    labeler = settings.pop("labeler")
    return run(labeler, rows(texts), out, **settings)


def jsonl(path: Path) -> list[dict[str, Any]]:
    with open(path, encoding="utf-8", newline="\n") as handle:
        return [json.loads(line) for line in handle]


def content(out: Path) -> dict[str, bytes]:
    """The three result files; times stand in the manifest only, the stub's are fixed."""
    return {name: (out / name).read_bytes() for name in FILES if name != "manifest.json"}


def timeless(out: Path) -> dict[str, Any]:
    """The result files without the labeler's seconds: a text known by then takes none."""
    predictions = jsonl(out / "predictions.jsonl")
    for row in predictions:
        row.pop("seconds", None)
    return {**content(out), "predictions.jsonl": predictions}
