"""A model trained on normalised notes: raw notes in, mentions at their own offsets out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from entity_tools import PLAIN

from labelwright.checkpoint import load_task
from labelwright.cli import main
from labelwright.errors import CheckpointError
from labelwright.label_set import LabelSet
from labelwright.labelers.base import key_of
from labelwright.labelers.normalising import Normalising, normalising
from labelwright.records import Entity, Prediction, Reject, Report
from labelwright.text.normalise import table_from_text

TABLE = """
name: short-forms
version: "1.0"
lower_case: true
drop: [punctuation]
abbreviations: {ca: carcinoma, pna: pneumonia, htn: hypertension}
"""
DISEASE = LabelSet.load("disease-1")


class Words:
    """Finds given words in a text as it stands: a labeler that knows no short forms."""

    name = "words"
    label_set = DISEASE

    def __init__(self, *words: str) -> None:
        self._words = words

    def describe(self) -> Mapping[str, Any]:
        return {"words": list(self._words)}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        return [self._label(report) for report in reports]

    def _label(self, report: Report) -> Prediction | Reject:
        if not report.text:
            return Reject(report.id, report.source, report.row, "empty")
        spans = [
            (at, at + len(word)) for word in self._words if (at := report.text.find(word)) >= 0
        ]
        found = [replace(Entity.of(report.text, "Disease", span), prob=0.5) for span in spans]
        evidence = {"Disease": [[start, end] for start, end in spans]}
        invented = Entity("Disease", (), "gout")
        return Prediction(
            id=report.id,
            model=self.name,
            task="entities",
            value=(*found, invented),
            evidence=evidence,
        )


def test_entities_and_evidence_come_back_to_the_text_as_it_was() -> None:
    labeler = Normalising(Words("carcinoma", "hypertension"), table_from_text(TABLE))
    text = "CA. of the lung; known HTN"
    reports = [Report("a", text, "s", 1), Report("b", "", "s", 2)]
    first, second = labeler.label_reports(reports)
    assert isinstance(first, Prediction)
    assert first.entities == (
        Entity("Disease", ((0, 2),), "CA", prob=0.5),
        Entity("Disease", ((23, 26),), "HTN", prob=0.5),
        Entity("Disease", (), "gout"),
    )
    assert first.evidence == {"Disease": [[0, 2], [23, 26]]}
    assert isinstance(second, Reject)
    assert labeler.describe()["normalised_by"]["name"] == "short-forms"
    assert labeler.describe()["words"] == ["carcinoma", "hypertension"]
    assert (labeler.name, labeler.label_set) == ("words", DISEASE)


def test_texts_that_only_normalise_to_the_same_are_not_answered_as_one() -> None:
    labeler = Normalising(Words("carcinoma"), table_from_text(TABLE))
    one, other = Report("a", "ca", "s", 1), Report("b", "carcinoma", "s", 2)
    assert key_of(labeler, one) != key_of(labeler, other)
    assert key_of(labeler, one) == key_of(labeler, replace(one, id="c"))


NOTES = [
    ("PNA on the left.", [("PNA", 0)]),
    ("Known HTN; no fever!", [("HTN", 6)]),
    ("Biopsy: ca.", [("ca", 8)]),
    ("Feels well.", []),
    ("HTN, and PNA.", [("HTN", 0), ("PNA", 9)]),
    ("Nothing found...", []),
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with notes, and a small model that learned them by heart, normalised."""
    folder = tmp_path_factory.mktemp("normalised")
    rows = []
    for number, (text, marks) in enumerate(NOTES):
        entities = [
            {"type": "Disease", "spans": [[at, at + len(word)]], "text": word} for word, at in marks
        ]
        rows.append({"id": f"n{number}", "text": text, "entities": entities})
    (folder / "notes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "table.yaml").write_text(TABLE)
    (folder / "set.yaml").write_text(PLAIN.text)
    asked = ["--label-set", str(folder / "set.yaml"), "--split", "none"]
    build = ["build", str(folder / "notes.jsonl"), *asked]
    data = ["--normalise", str(folder / "table.yaml"), "--out", str(folder / "data")]
    assert main([*build, *data]) == 0
    flags = [
        *["--config=scratch-cpu", "--per_device_train_batch_size=6", "--max_steps=70"],
        *["--learning_rate=1e-2", "--disable_tqdm=true", "--report_to=none"],
        *["--save_strategy=no", "--logging_steps=20"],
    ]
    where = ["--data", str(folder / "data"), "--output_dir", str(folder / "model")]
    assert main(["train", *where, *flags]) == 0
    return folder


def test_a_trained_model_labels_raw_notes(trained: Path) -> None:
    model = trained / "model"
    assert (model / "normalise.yaml").read_text() == TABLE
    run = trained / "run"
    assert (
        main(["label", str(trained / "notes.jsonl"), "--model", str(model), "--out", str(run)]) == 0
    )
    found = {}
    for line in (run / "predictions.jsonl").read_text().splitlines():
        row = json.loads(line)
        found[row["id"]] = [(e["text"], e["spans"][0][0]) for e in row["entities"]]
    assert found == {f"n{number}": marks for number, (_, marks) in enumerate(NOTES)}
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["labeler"]["normalised_by"]["name"] == "short-forms"


def test_a_model_without_its_table_is_refused(trained: Path, tmp_path: Path) -> None:
    model = trained / "model"
    assert load_task(model)[1].normalise_sha256 == table_from_text(TABLE).fingerprint
    table = model / "normalise.yaml"
    kept = table.read_text()
    try:
        table.write_text(kept.replace("pneumonia", "gout"))
        with pytest.raises(CheckpointError, match="normalised is missing or was changed"):
            load_task(model)
        table.unlink()
        with pytest.raises(CheckpointError, match="normalised is missing or was changed"):
            load_task(model)
    finally:
        table.write_text(kept)
    load_task(model)
    # a folder without a table is labeled as it is
    labeler = Words("x")
    assert normalising(labeler, tmp_path) is labeler
