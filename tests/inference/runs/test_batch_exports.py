"""Exports of a finished folder: Parquet, OMOP's NOTE_NLP, FHIR Observations; when they are made."""

from __future__ import annotations

import csv
import json
import os
import resource
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from batch_tools import jsonl
from fhir.resources.R4B.observation import Observation

from inference.exports.export import export
from inference.runs.batch import run
from inference.runs.job import EXPORTS
from labelwright.errors import InputError, OutputError
from labelwright.io.manifest import sha256_file
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction, Reject, Report
from labelwright.version import __version__

KNEE = LabelSet.from_text(
    """
name: knee
version: "1"
task: certainty
instruction: x
labels:
  - name: Tear
    codes: {snomed: "239720000", omop: "4035415", "http://example.org/codes": T1, local: "7"}
  - name: Effusion
  - name: Cyst
"""
)
PATIENTS = {"11": "Patient/p-1", "=2": "mrn 7", "13": None, "14": "p"}
TEXTS = {
    "11": "=Torn meniscus, a tear.\nSmall effusion.",
    "=2": "No tear. Perhaps an effusion.",
    "13": "open",
    "14": "Nothing to say.",
}


class Knees:
    """Answers by words; gives evidence always and probabilities for all but the second report."""

    name = "knees"
    label_set = KNEE

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "stub"}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        return [self.label(report) for report in reports]

    def label(self, report: Report) -> Prediction:
        text = report.text
        labels: dict[str, Certainty | None] = dict.fromkeys(KNEE.names, Certainty.BLANK)
        evidence: dict[str, list[list[int]]] = {}
        for name, word in (("Tear", "tear"), ("Effusion", "effusion")):
            at = text.find(word)
            if at >= 0:
                evidence[name] = [[at, at + len(word)]]
                found = Certainty.POSITIVE
                if "No tear" in text:
                    found = Certainty.NEGATIVE if name == "Tear" else Certainty.UNCERTAIN
                labels[name] = found
        answer = Prediction(
            id=report.id,
            model=self.name,
            task="certainty",
            value=labels,
            evidence=evidence,
            seconds=0.25,
        )
        if text == "open":
            return replace(answer, value=labels | {"Cyst": None}, problems=("missing: Cyst",))
        if report.id == "=2":
            return answer
        chances = {c.value: 0.1 for c in Certainty}
        probs = {name: chances | {str(labels[name]): 0.7} for name in KNEE.names}
        return replace(answer, probs=probs)


def reports() -> Iterator[Report | Reject]:
    for row, (name, text) in enumerate(TEXTS.items(), 1):
        yield Report(name, text, "in.csv", row, patient=PATIENTS[name])
        yield Reject(name, "in.csv", row + 10, "duplicate id; first seen at in.csv:1")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    run(Knees(), reports(), tmp_path, inputs=[], options={"sections": "full"}, shard_rows=3)
    return tmp_path


def add(out: Path, *names: str, text: bool = False) -> list[str]:
    made = export(out, names, label_set=KNEE, reports=reports, text=text)
    return [path.name for path in made]


def table(out: Path) -> list[dict[str, str]]:
    with open(out / "note_nlp.csv", newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_note_nlp_without_text(out: Path) -> None:
    assert add(out, "omop") == ["note_nlp.csv"]
    rows = table(out)
    assert [(r["note_nlp_id"], r["note_id"], r["lexical_variant"]) for r in rows] == [
        ("1", "11", "Tear"),
        ("2", "11", "Effusion"),
        ("3", "'=2", "Tear"),
        ("4", "'=2", "Effusion"),
    ]
    assert [row["term_exists"] for row in rows] == ["Y", "Y", "N", "N"]
    assert [row["offset"] for row in rows] == ["18", "30", "3", "20"]
    assert {row["snippet"] for row in rows} == {""}
    assert rows[0]["note_nlp_concept_id"] == "4035415"
    assert rows[1]["note_nlp_concept_id"] == "0"
    assert rows[0]["term_modifiers"] == (
        "certainty=positive;probability=0.7000;observation=Tear;snomed=239720000;"
        "http://example.org/codes=T1;local=7"
    )
    assert rows[3]["term_modifiers"] == "certainty=uncertain;observation=Effusion"
    finished = json.loads((out / "manifest.json").read_text())["finished"]
    assert rows[0]["nlp_date"] == finished[:10]
    assert rows[0]["nlp_datetime"] == finished[:19].replace("T", " ")
    assert rows[0]["nlp_system"] == f"labelwright {__version__}, model knees"


def test_note_nlp_with_text(out: Path) -> None:
    add(out, "omop", text=True)
    rows = table(out)
    assert [row["lexical_variant"] for row in rows] == ["tear", "effusion", "tear", "effusion"]
    assert rows[0]["snippet"] == "'=Torn meniscus, a tear. Small effusion."
    assert max(len(row["snippet"]) for row in rows) <= 250


def test_offsets_into_a_cut_report_are_left_out(tmp_path: Path) -> None:
    run(Knees(), reports(), tmp_path, inputs=[], options={"sections": "findings"})
    add(tmp_path, "omop")
    assert {row["offset"] for row in table(tmp_path)} == {""}


def test_observations_are_valid_fhir(out: Path) -> None:
    add(out, "fhir")
    resources = jsonl(out / "observations.ndjson")
    for found in resources:
        Observation.model_validate(found)
    assert len({found["id"] for found in resources}) == len(resources) == 4
    assert {found["status"] for found in resources} == {"preliminary"}
    codes = [r["valueCodeableConcept"]["coding"][0]["code"] for r in resources]
    assert codes == ["POS", "POS", "NEG", "IND"]
    assert [r["subject"] for r in resources[1:3]] == [
        {"reference": "Patient/p-1"},
        {"type": "Patient", "identifier": {"value": "mrn 7"}},
    ]
    assert resources[0]["code"] == {
        "coding": [
            {"system": "http://snomed.info/sct", "code": "239720000"},
            {"system": "http://example.org/codes", "code": "T1"},
        ],
        "text": "Tear",
    }
    assert resources[0]["component"][0]["valueQuantity"]["value"] == 0.7
    assert "component" not in resources[2]
    assert resources[2]["derivedFrom"][0]["identifier"] == {"value": "=2"}
    assert "meniscus" not in (out / "observations.ndjson").read_text()


def test_parquet_says_what_predictions_say(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.exports.export.GROUP_ROWS", 3)
    add(out, "parquet")
    assert pq.ParquetFile(out / "predictions.parquet").num_row_groups == 2
    rows = pq.read_table(out / "predictions.parquet").to_pylist()
    for row, said in zip(rows, jsonl(out / "predictions.jsonl"), strict=True):
        evidence = {
            name: [[span["start"], span["end"]] for span in spans]
            for name, spans in row.pop("evidence").items()
            if spans is not None
        }
        assert evidence == said.pop("evidence")
        assert row.pop("probs") == said.pop("probs", None)
        assert row == said
    assert rows[2]["labels"]["Cyst"] is None


def test_an_id_that_is_no_text(tmp_path: Path) -> None:
    """A file name in no encoding reaches us with lone surrogates."""
    name = os.fsdecode(b"s\xff1")
    item = Report(name, "tear", "in.csv", 1)
    run(Knees(), [item], tmp_path, inputs=[], options={})
    export(tmp_path, list(EXPORTS), label_set=KNEE, reports=lambda: [item])
    assert table(tmp_path)[0]["note_id"] == "s\\udcff1"
    assert pq.read_table(tmp_path / "predictions.parquet")["id"].to_pylist() == ["s\\udcff1"]
    [resource] = jsonl(tmp_path / "observations.ndjson")
    assert resource["derivedFrom"][0]["identifier"] == {"value": name}


def test_each_file_is_made_once(out: Path) -> None:
    before = {name: sha256_file(out / name) for name in ("labels.csv", "predictions.jsonl")}
    assert add(out, "omop", "fhir") == ["note_nlp.csv", "observations.ndjson"]
    assert add(out, "omop", "parquet") == ["predictions.parquet"]
    assert add(out, "omop", text=True) == ["note_nlp.csv"]
    assert add(out, "omop", text=True) == []
    (out / "note_nlp.csv").unlink()
    assert add(out) == []
    assert add(out, "omop", text=True) == ["note_nlp.csv"]
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["also"] == {"omop": {"text": True}, "fhir": {}, "parquet": {}}
    assert manifest["outputs"] == {name: sha256_file(out / name) for name in manifest["outputs"]}
    assert set(manifest["outputs"]) >= set(EXPORTS.values())
    assert {name: sha256_file(out / name) for name in before} == before


def test_a_run_knows_the_folder_with_its_exports(out: Path) -> None:
    add(out, *EXPORTS)
    done = run(Knees(), reports(), out, inputs=[], options={"sections": "full"}, shard_rows=3)
    assert done.finished_before
    assert all((out / name).is_file() for name in EXPORTS.values())


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_all_files_are_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        run(Knees(), reports(), tmp_path, inputs=[], options={"sections": "full"})
        add(tmp_path, *EXPORTS, text=True)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes.pop("manifest.json") == 0o644 & ~umask
    assert len(modes) == 6
    assert set(modes.values()) == {0o600}


def test_a_failed_export_leaves_nothing(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[Report | Reject]:
        yield from list(reports())[:3]

    with pytest.raises(InputError, match="do not hold the rows of the result"):
        export(out, ["fhir"], label_set=KNEE, reports=broken)
    assert not list(out.glob(".*"))
    assert not (out / "observations.ndjson").exists()
    assert "also" not in json.loads((out / "manifest.json").read_text())


@pytest.mark.parametrize("name", EXPORTS)
def test_a_full_disk_leaves_the_result_as_it_was(out: Path, name: str) -> None:
    """A limit on file size stands for the full disk."""
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
    try:
        with pytest.raises(OutputError, match=rf"{EXPORTS[name]}: cannot write"):
            add(out, name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert add(out, name) == [EXPORTS[name]]


def test_predictions_that_were_changed_are_not_exported(out: Path) -> None:
    with open(out / "predictions.jsonl", "a") as handle:
        handle.write("{}\n")
    with pytest.raises(OutputError, match=r"predictions\.jsonl is not what the run wrote"):
        add(out, "parquet")


@pytest.mark.parametrize("name", EXPORTS.values())
def test_an_export_of_unknown_origin_is_not_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("precious")
    with pytest.raises(OutputError, match="of another origin"):
        run(Knees(), reports(), tmp_path, inputs=[], options={})
    assert (tmp_path / name).read_text() == "precious"
