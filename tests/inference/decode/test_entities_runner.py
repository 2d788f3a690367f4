"""Runs that find entities: tables, counts, repeats, resuming, retries, dry runs and exports."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from entity_tools import PLAIN, SURE, Finder, jsonl, notes

from inference.exports.export import check_also, export
from inference.runs.batch import Summary, run
from inference.runs.dry_run import dry_run
from inference.runs.job import FURTHER
from inference.runs.merge import id_clash
from inference.runs.retry import retry
from labelwright.errors import ConfigError
from labelwright.io.manifest import sha256_file, sha256_folder
from labelwright.label_set import LabelSet
from labelwright.readers import read_reports
from labelwright.readers.options import ReadOptions
from labelwright.records import Prediction, Reject, Report

TEXTS = {
    "a": "Fever and\ncough; aspirin.",
    "=b": "made up: no fever",
    "c": "silent",
    "d": "Nothing here.",
    "e": "endless",
    "f": "split fever then a cough",
    "g": "Fever and\ncough; aspirin.",
    "h\r1": "Took =SUM twice.",
}
FILES = ["entities.csv", "manifest.json", "predictions.jsonl", "rejects.jsonl"]


def label(out: Path, labeler: Any = None, texts: dict[str, str] = TEXTS, **more: Any) -> Summary:
    settings: dict[str, Any] = {
        "inputs": [{"path": "in.csv", "bytes": 1, "sha256": "aa"}],
        "options": {"sections": "full"},
        "shard_rows": 3,
        "total": len(texts),
    }
    return run(labeler or Finder(), notes(texts), out, **(settings | more))


def content(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in FILES if name != "manifest.json"}


def test_every_mention_is_a_row_and_every_note_is_labeled_or_rejected(tmp_path: Path) -> None:
    summary = label(tmp_path)
    assert (summary.rows, summary.labeled, summary.rejected, summary.undetermined) == (8, 6, 2, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    assert all(stat.S_IMODE((tmp_path / n).stat().st_mode) == 0o600 for n in content(tmp_path))
    with open(tmp_path / "entities.csv", newline="") as handle:
        table = list(csv.reader(handle))
    a = [
        ["a", "Disease", "", "0", "5", "0 5", "Fever", "0.75"],
        ["a", "Disease", "", "10", "15", "10 15", "cough", "0.75"],
        ["a", "Drug", "", "17", "24", "17 24", "aspirin", "0.75"],
    ]
    assert table == [
        ["id", "type", "certainty", "start", "end", "spans", "text", "prob"],
        *a,
        ["'=b", "Disease", "", "12", "17", "12 17", "fever", "0.75"],
        ["'=b", "Disease", "", "", "", "", "'=plague", ""],
        ["f", "Disease", "", "6", "24", "6 11;19 24", "fever cough", ""],
        *[["g", *row[1:]] for row in a],
        ["h\r1", "Drug", "", "5", "9", "5 9", "'=SUM", "0.75"],
    ]
    assert jsonl(tmp_path / "rejects.jsonl") == [
        {
            "id": "c",
            "source": "in.csv",
            "row": 3,
            "reason": "no readable answer (chatter, unknown type)",
        },
        {"id": "e", "source": "in.csv", "row": 5, "reason": "too long: 9 > 8 tokens"},
    ]
    rows = jsonl(tmp_path / "predictions.jsonl")
    assert [row["id"] for row in rows] == ["a", "=b", "c", "d", "f", "g", "h\r1"]
    assert [Prediction.from_json(row, PLAIN).complete for row in rows].count(False) == 1
    assert rows[3]["entities"] == []


def test_the_manifest_counts_mentions_and_those_that_are_not_in_the_text(tmp_path: Path) -> None:
    label(tmp_path, id_column="note")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["counts"] == {"rows": 8, "labeled": 6, "rejected": 2, "undetermined": 1}
    assert manifest["entities"] == {
        "Disease": {"mentions": 7, "not_in_the_text": 1},
        "Drug": {"mentions": 3, "not_in_the_text": 0},
    }
    assert manifest["problems"] == {"chatter": 2, "not in the text": 1, "unknown type": 1}
    names = ["entities.csv", "predictions.jsonl", "rejects.jsonl"]
    assert manifest["outputs"] == {name: sha256_file(tmp_path / name) for name in names}
    assert "plague" not in (tmp_path / "manifest.json").read_text()
    assert (tmp_path / "entities.csv").read_text().startswith("note,type,")


def test_certainties_stand_in_their_column(tmp_path: Path) -> None:
    label(tmp_path, Finder(SURE))
    with open(tmp_path / "entities.csv", newline="") as handle:
        assert {row["certainty"] for row in csv.DictReader(handle)} == {"negative"}


def test_equal_notes_are_asked_once(tmp_path: Path) -> None:
    finder = Finder()
    label(tmp_path, finder)
    assert finder.asked == len(set(TEXTS.values()))
    by_id = {row["id"]: row for row in jsonl(tmp_path / "predictions.jsonl")}
    assert by_id["g"]["entities"] == by_id["a"]["entities"]
    assert (by_id["a"]["seconds"], by_id["g"]["seconds"]) == (0.5, 0.0)


class Stopping(Finder):
    """It is stopped when it sees a certain note."""

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        if any(report.id == "d" for report in reports):
            raise KeyboardInterrupt
        return super().label_reports(reports)


def test_a_stopped_run_goes_on_and_ends_as_one_that_was_not(tmp_path: Path) -> None:
    label(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        label(tmp_path / "parts", Stopping())
    assert not (tmp_path / "parts" / "manifest.json").exists()
    # A torn table of the killed run goes away.
    torn = tmp_path / "parts" / ".entities.csv.1.tmp"
    torn.write_text("half")
    finder = Finder()
    summary = label(tmp_path / "parts", finder)
    assert summary.labeled_now == 5
    assert not torn.exists()

    def timeless(out: Path) -> list[dict[str, Any]]:
        return [row | {"seconds": 0} for row in jsonl(out / "predictions.jsonl")]

    for name in ("entities.csv", "rejects.jsonl"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
    assert timeless(tmp_path / "whole") == timeless(tmp_path / "parts")
    again = label(tmp_path / "parts")
    assert again.finished_before


def test_rejects_are_tried_again_and_the_rest_stays(tmp_path: Path) -> None:
    label(tmp_path)
    before = content(tmp_path)
    settings: dict[str, Any] = {
        "inputs": [{"path": "in.csv", "bytes": 1, "sha256": "aa"}],
        "options": {"sections": "full"},
        "shard_rows": 2,
    }
    done = retry(Finder(fixed=True), lambda: notes(TEXTS), tmp_path, **settings)
    assert (done.tried, done.labeled_now, done.labeled, done.rejected) == (2, 1, 7, 1)
    after = content(tmp_path)
    assert after["entities.csv"] == before["entities.csv"]  # the note that is read now has none
    old, new = jsonl_of(before), jsonl_of(after)
    assert [row for row in new if row["id"] != "c"] == [row for row in old if row["id"] != "c"]
    assert [row["entities"] for row in new if row["id"] == "c"] == [[]]
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["counts"]["undetermined"] == 0
    assert manifest["entities"]["Disease"] == {"mentions": 7, "not_in_the_text": 1}


def jsonl_of(files: dict[str, bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files["predictions.jsonl"].decode().splitlines()]


def test_a_dry_run_counts_and_writes_nothing(tmp_path: Path) -> None:
    estimate = dry_run(Finder(), notes(TEXTS), total=len(TEXTS), rows=8)
    assert (estimate.rows, estimate.rejected) == (8, 2)
    label(tmp_path, shard_rows=100)
    names = ("entities.csv", "predictions.jsonl", "rejects.jsonl")
    assert estimate.size == sum((tmp_path / name).stat().st_size for name in names)


def test_a_folder_with_a_foreign_table_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "entities.csv").write_text("mine")
    with pytest.raises(Exception, match=r"entities\.csv of another origin"):
        label(tmp_path)
    assert (tmp_path / "entities.csv").read_text() == "mine"


def test_id_columns_that_the_table_has_already() -> None:
    assert id_clash(PLAIN, "text")
    assert not id_clash(PLAIN, "Disease")
    assert id_clash(LabelSet.load("head-ct-5"), "Hydrocephalus")


# Exports


def also(out: Path, *names: str, text: bool = False, label_set: LabelSet = PLAIN) -> list[Path]:
    return export(out, names, label_set=label_set, reports=lambda: notes(TEXTS), text=text)


def test_parquet_holds_every_prediction_with_its_mentions(tmp_path: Path) -> None:
    label(tmp_path)
    (path,) = also(tmp_path, "parquet")
    rows = pq.read_table(path).to_pylist()
    assert [row["id"] for row in rows] == [r["id"] for r in jsonl(tmp_path / "predictions.jsonl")]
    assert rows[0]["entities"][1] == {
        "type": "Disease",
        "spans": [{"start": 10, "end": 15}],
        "text": "cough",
        "certainty": None,
        "prob": 0.75,
    }
    assert rows[1]["entities"][1]["spans"] == []
    assert (rows[2]["entities"], rows[3]["entities"]) == (None, [])


def test_omop_has_a_row_per_mention_that_stands_in_the_text(tmp_path: Path) -> None:
    label(tmp_path)
    (path,) = also(tmp_path, "omop")
    with open(path, newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 9
    first = rows[0]
    assert (first["note_id"], first["offset"], first["term_exists"]) == ("a", "0", "Y")
    assert (first["snippet"], first["lexical_variant"]) == ("", "Disease")
    assert first["note_nlp_concept_id"] == "432250"
    assert first["term_modifiers"] == "probability=0.7500;type=Disease;umls=T047"
    (path,) = also(tmp_path, "omop", text=True)
    with open(path, newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert rows[1]["lexical_variant"] == "cough"
    assert rows[1]["snippet"] == "Fever and cough; aspirin."
    assert rows[4]["lexical_variant"] == "fever cough"


def test_omop_says_of_a_negated_mention_that_it_is_not_there(tmp_path: Path) -> None:
    label(tmp_path, Finder(SURE))
    (path,) = also(tmp_path, "omop", label_set=SURE)
    with open(path, newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert {row["term_exists"] for row in rows} == {"N"}
    assert rows[0]["term_modifiers"].startswith("certainty=negative;")


def test_brat_has_every_labeled_text_with_its_mentions(tmp_path: Path) -> None:
    label(tmp_path, Finder(SURE))
    (path,) = also(tmp_path, "brat", label_set=SURE)
    files = {p.name for p in path.iterdir()}
    assert {"a.txt", "a.ann", "=b.ann", "c.txt", "d.ann"} <= files
    assert "c.ann" not in files  # its answer was not readable
    assert "e.txt" not in files  # rejected before it was asked
    assert (path / "a.txt").read_text() == TEXTS["a"]
    assert (path / "a.ann").read_text().splitlines()[:2] == [
        "T1\tDisease 0 5\tFever",
        "T2\tDisease 10 15\tcough",
    ]
    assert (path / "f.ann").read_text().splitlines()[0] == "T1\tDisease 6 11;19 24\tfever cough"
    assert (path / "d.ann").read_text() == ""
    read = {r.id: r for r in read_reports([path], ReadOptions()) if isinstance(r, Report)}
    again = {r["id"]: r["entities"] for r in jsonl(tmp_path / "predictions.jsonl")}
    assert [e.spans for e in read["a"].entities or ()] == [
        tuple(map(tuple, e["spans"])) for e in again["a"]
    ]
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["outputs"]["brat"] == sha256_folder(path)
    assert also(tmp_path, "brat", label_set=SURE) == []


def test_brat_of_ids_and_texts_that_are_no_text(tmp_path: Path) -> None:
    texts = {"\udcff1": "A \ud800 fever", "2": "\udfff\udfff=sum"}
    label(tmp_path, texts=texts)
    (path,) = export(tmp_path, ["brat"], label_set=PLAIN, reports=lambda: notes(texts))
    assert sorted(p.name for p in path.glob("*.ann")) == ["2.ann", "\\udcff1.ann"]
    assert (path / "2.txt").read_text() == "??=sum"
    assert (path / "\\udcff1.ann").read_text() == "T1\tDisease 4 9\tfever\n"


def test_a_brat_folder_is_made_anew_after_a_retry(tmp_path: Path) -> None:
    label(tmp_path)
    also(tmp_path, "brat")
    torn = tmp_path / ".brat.99.tmp"
    torn.mkdir()
    (torn / "x.txt").write_text("half")
    settings: dict[str, Any] = {
        "inputs": [{"path": "in.csv", "bytes": 1, "sha256": "aa"}],
        "options": {"sections": "full"},
        "shard_rows": 2,
    }
    retry(Finder(fixed=True), lambda: notes(TEXTS), tmp_path, **settings)
    assert not (tmp_path / "brat").exists()
    assert not torn.exists()
    assert [path.name for path in also(tmp_path)] == ["brat"]
    assert (tmp_path / "brat" / "c.ann").read_text() == ""


def test_what_is_not_for_entities_is_refused() -> None:
    with pytest.raises(ConfigError, match="--also fhir is not for label sets of task 'entities'"):
        check_also(["parquet", "fhir"], PLAIN)
    with pytest.raises(ConfigError, match="--also brat is not for label sets of task 'certainty'"):
        check_also(list(FURTHER), LabelSet.load("head-ct-5"))
    check_also(["parquet", "omop", "brat"], PLAIN)
