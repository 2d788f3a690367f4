"""Labelers of entities that need no model, notes for them, and a label set."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from labelwright.io.jsonl import write_json, write_jsonl
from labelwright.label_set import LabelSet
from labelwright.prompt import messages, prompt_version
from labelwright.records import Certainty, Entity, Prediction, Reject, Report
from labelwright.tasks.entities.answer import render

DISEASES: dict[str, Any] = {
    "name": "diseases",
    "version": "1",
    "task": "entities",
    "instruction": "List every mention of {labels} as it stands in the note, or answer none.",
    "labels": [
        {"name": "Disease", "codes": {"omop": "432250", "umls": "T047"}},
        {"name": "Drug", "description": "a medicine"},
    ],
}


def made(**changes: Any) -> LabelSet:
    """The label set of these tests, changed."""
    return LabelSet.from_text(json.dumps(DISEASES | changes))


PLAIN = made()
SURE = made(certainties={"positive": "present", "negative": "negated"})
WORDS = {"fever": "Disease", "cough": "Disease", "aspirin": "Drug", "=sum": "Drug"}
WORD = re.compile("|".join(WORDS), re.IGNORECASE)


QUIET = ["--disable_tqdm=true", "--report_to=none", "--save_strategy=no", "--logging_steps=20"]
HEART = [
    *["--config=scratch-cpu", "--per_device_train_batch_size=6", "--max_steps=70"],
    *["--learning_rate=1e-2", *QUIET],
]
"""Flags of a training that learns the notes by heart."""


class Finder:
    """Finds four words; how a note begins says what else happens to it."""

    name = "finder"

    def __init__(self, label_set: LabelSet = PLAIN, *, fixed: bool = False) -> None:
        self.label_set = label_set
        self.fixed = fixed
        self.asked = 0

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "finder", "fixed": self.fixed}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        self.asked += len(reports)
        return [self._label(report) for report in reports]

    def _label(self, report: Report) -> Prediction | Reject:
        text = report.text
        if text.startswith("endless"):
            return Reject(report.id, report.source, report.row, "too long: 9 > 8 tokens")
        sure = Certainty.NEGATIVE if self.label_set.words else None
        found = tuple(
            replace(Entity.of(text, WORDS[m[0].lower()], m.span(), certainty=sure), prob=0.75)
            for m in WORD.finditer(text)
        )
        answer = Prediction(
            id=report.id, model=self.name, task="entities", value=found, raw="x", seconds=0.5
        )
        if text.startswith("split"):
            ends = found[0].spans[0], found[-1].spans[0]
            return replace(answer, value=(Entity.of(text, "Disease", *ends, certainty=sure),))
        if text.startswith("made up"):
            invented = Entity("Disease", (), "=plague", sure)
            problems = ("not in the text: Disease", "chatter (3)")
            return replace(answer, value=(*found, invented), problems=problems)
        if text.startswith("silent") and not self.fixed:
            return replace(answer, value=None, problems=("chatter (3)", "unknown type"))
        return answer


def notes(texts: Mapping[str, str]) -> Iterator[Report]:
    """Notes in order."""
    for row, (identifier, text) in enumerate(texts.items(), 1):
        yield Report(identifier, text, "in.csv", row, patient=f"p{row}")


def jsonl(path: Path) -> list[dict[str, Any]]:
    with open(path, encoding="utf-8", newline="\n") as handle:
        return [json.loads(line) for line in handle]


NOTES = {
    "n0": "Fever and cough since Monday. She took aspirin.",
    "n1": "No complaints.",
    "n2": "Aspirin was stopped; the cough went on.",
    "n3": "Third visit for fever. Again fever at night.",
    "n4": "Nothing but a cough.",
    "n5": "He denies fever.",
}
"""Notes to learn by heart."""


def found_in(text: str) -> tuple[Entity, ...]:
    """What a perfect reader finds."""
    return tuple(Entity.of(text, WORDS[m[0].lower()], m.span()) for m in WORD.finditer(text))


def write_data(folder: Path, label_set: LabelSet = PLAIN, texts: Mapping[str, str] = NOTES) -> Path:
    """A data folder in the form of ``labelwright build``."""
    sure = Certainty.NEGATIVE if label_set.words else None
    found = {i: [replace(e, certainty=sure) for e in found_in(t)] for i, t in texts.items()}
    rows = [
        {
            "id": identifier,
            "prompt": messages(label_set, text),
            "completion": [{"role": "assistant", "content": render(label_set, found[identifier])}],
            "meta": {},
        }
        for identifier, text in texts.items()
    ]
    write_jsonl(folder / "train.jsonl", rows)
    (folder / "label_set.yaml").write_text(label_set.text, encoding="utf-8")
    manifest = {
        "label_set": label_set.name,
        "label_set_sha256": label_set.fingerprint,
        "prompt_version": prompt_version(label_set),
        "sections": "full",
        "counts": {"records": len(rows)},
    }
    write_json(folder / "manifest.json", manifest)
    return folder
