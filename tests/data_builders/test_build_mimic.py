"""``labelwright build`` on a MIMIC-CXR tree: splits, label tables, leaks, records."""

from __future__ import annotations

import csv
import gzip
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from labelwright.cli import main
from labelwright.label_set import LabelSet
from labelwright.records import Certainty
from labelwright.tasks.certainty.answer import parse
from labelwright.tasks.certainty.table import CODES, read_labels

CHEXPERT = LabelSet.load("chexpert-14")


CANARY = "zanzibar"
"""Stands in every report; must not reach a message or a reject."""


def report(findings: str, impression: str) -> str:
    return (
        "                                 FINAL REPORT\n"
        f" INDICATION:  Cough, {CANARY}.\n \n FINDINGS:  {findings} {CANARY}\n \n"
        f" IMPRESSION:  {impression} {CANARY}\n"
    )


def study(patient: int, number: int) -> str:
    return f"p{patient // 1000000}/p{patient}/s{number}.txt"


STUDIES = [(10000000 + n // 2, 50000000 + n) for n in range(40)]
"""Forty studies of twenty patients."""


@pytest.fixture
def mimic(tmp_path: Path) -> Path:
    """A MIMIC-CXR tree with its label tables, whose columns stand in different orders."""
    words = [f"finding{letter}" for letter in "abcdefghijkl"]
    for n, (patient, number) in enumerate(STUDIES):
        path = tmp_path / "files" / study(patient, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        said = " ".join(f"{word}{n}" for word in words)
        path.write_text(report(f"Effusion {said}.", f"Impression {n}."))
    weak = sorted(CHEXPERT.names)
    rows = [[p, s, *(weak_cell(name, i) for name in weak)] for i, (p, s) in enumerate(STUDIES)]
    table(tmp_path / "mimic-cxr-2.0.0-chexpert.csv.gz", ["subject_id", "study_id", *weak], rows)
    human = sorted(CHEXPERT.names, reverse=True)
    header = [{"Lung Opacity": "Airspace Opacity"}.get(name, name) for name in human]
    rows = [[s, *("1.0" if n == "Edema" else "" for n in human)] for _, s in STUDIES[36:39]]
    table(tmp_path / "mimic-cxr-2.1.0-test-set-labeled.csv", ["study_id", *header], rows)
    rows = [
        [f"{s}-{image}", s, p, ["train", "validate", "test"][(i >= 30) + (i >= 36)]]
        for i, (p, s) in enumerate(STUDIES)
        for image in (1, 2)
    ]
    header = ["dicom_id", "study_id", "subject_id", "split"]
    table(tmp_path / "mimic-cxr-2.0.0-split.csv.gz", header, rows)
    return tmp_path


def weak_cell(name: str, index: int) -> str:
    codes = {"Pleural Effusion": ["1.0", "0.0", "-1.0", ""], "Fracture": ["", "", "0.0", "1.0"]}
    return codes.get(name, [""] * 4)[index % 4]


def table(path: Path, header: list[Any], rows: list[list[Any]]) -> None:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", newline="") as handle:
        csv.writer(handle).writerows([header, *rows])


def build(*arguments: str | Path) -> int:
    return main(["build", *map(str, arguments)])


def from_mimic(root: Path, *more: str | Path) -> int:
    return build(
        root / "files",
        *("--label-set", "chexpert-14", "--labels", root / "mimic-cxr-2.0.0-chexpert.csv.gz"),
        *more,
    )


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def manifest(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return loaded


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "manifest.json"}


def test_mimic_with_published_split_and_human_test_labels(mimic: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    human = mimic / "mimic-cxr-2.1.0-test-set-labeled.csv"
    split = mimic / "mimic-cxr-2.0.0-split.csv.gz"
    assert from_mimic(mimic, "--test-labels", human, "--split-file", split, "--out", out) == 0
    counts = {name: len(rows(out / f"{name}.jsonl")) for name in ("train", "validation", "test")}
    assert counts == {"train": 30, "validation": 6, "test": 3}
    known = manifest(out)
    assert known["counts"]["in"] == 40 == known["counts"]["records"] + known["counts"]["rejected"]
    assert known["counts"]["rejected_by_reason"] == {
        "no labels: its id is not in the label table (test split)": 1
    }
    (rejected,) = rows(out / "rejects.jsonl")
    assert rejected["id"] == "50000039"
    found = read_labels(out / "train.labels.csv", CHEXPERT, id_columns=["id"])
    decoded = {identifier: labels for _, identifier, labels in found}
    by_code = {code: certainty for certainty, code in CODES.items()}
    for index in range(30):
        labels = decoded[str(STUDIES[index][1])]
        assert labels == {name: by_code[weak_cell(name, index)] for name in CHEXPERT.names}
    for record in rows(out / "test.jsonl"):
        answer = parse(CHEXPERT, record["completion"][0]["content"])
        assert [n for n, c in answer.value.items() if c is not Certainty.BLANK] == ["Edema"]
        assert record["meta"]["labels_by"] == human.name
        assert record["meta"]["patient"] in {"10000018", "10000019"}


def test_records_texts_labels_and_classes_agree(mimic: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert from_mimic(mimic, "--out", out) == 0
    classes = {
        (row["split"], row["observation"]): row
        for row in csv.DictReader((out / "classes.csv").read_text().splitlines())
    }
    for split in ("train", "validation", "test"):
        records = rows(out / f"{split}.jsonl")
        texts = rows(out / f"{split}.reports.jsonl")
        table_rows = list(read_labels(out / f"{split}.labels.csv", CHEXPERT, id_columns=["id"]))
        for record, text, (_, identifier, labels) in zip(records, texts, table_rows, strict=True):
            assert record["id"] == text["id"] == identifier
            assert [turn["role"] for turn in record["prompt"]] == ["system", "user"]
            assert record["prompt"][1]["content"] == text["text"]
            answer = parse(CHEXPERT, record["completion"][0]["content"])
            assert (answer.value, answer.problems, answer.notes) == (labels, (), ())
        effusions = [labels["Pleural Effusion"] for _, _, labels in table_rows]
        for certainty in Certainty:
            counted = int(classes[split, "Pleural Effusion"][certainty.value])
            assert counted == effusions.count(certainty)
    assert (out / "label_set.yaml").read_text() == CHEXPERT.text
    known = manifest(out)
    assert known["label_set_sha256"] == CHEXPERT.fingerprint
    assert known["prompt"] == rows(out / "train.jsonl")[0]["prompt"][0]["content"]
    assert known["split"]["leakage"]["action"] == "none needed"
    assert all(i["sha256"] for i in (*known["inputs"], known["labels"]))


def test_same_seed_same_bytes_other_seed_other_split(mimic: Path, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder, seed in zip(folders, ("7", "7", "8"), strict=True):
        assert from_mimic(mimic, "--out", folder, "--seed", seed) == 0
    one, two, three = map(contents, folders)
    assert one == two
    assert one["test.jsonl"] != three["test.jsonl"]
    patients = [
        {row["patient"] for row in rows(folders[0] / f"{split}.reports.jsonl")}
        for split in ("train", "validation", "test")
    ]
    assert sum(map(len, patients)) == len(set().union(*patients)) == 20


def test_alpaca(mimic: Path, tmp_path: Path) -> None:
    for layout in ("trl", "alpaca"):
        assert from_mimic(mimic, "--out", tmp_path / layout, "--format", layout) == 0
    chats = rows(tmp_path / "trl" / "train.jsonl")
    for chat, flat in zip(chats, rows(tmp_path / "alpaca" / "train.jsonl"), strict=True):
        assert list(flat) == ["id", "instruction", "input", "output", "meta"]
        assert [flat["instruction"], flat["input"]] == [t["content"] for t in chat["prompt"]]
        assert flat["output"] == chat["completion"][0]["content"]


def test_preview_shows_records_and_writes_nothing(
    mimic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert from_mimic(mimic, "--preview", "3", "--out", tmp_path / "out") == 0
    shown = capsys.readouterr().out
    assert shown.count("--- system") == shown.count("--- user") == shown.count("--- assistant") == 3
    assert "PE positive" in shown
    assert sorted(tmp_path.rglob("*")) == before


def test_files_with_text_are_private(mimic: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert from_mimic(mimic, "--out", out) == 0
    private = [p for p in out.iterdir() if CANARY in p.read_text()]
    assert {p.suffix for p in private} == {".jsonl"}
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in private)
    assert not [p for p in out.iterdir() if p.name.startswith(".")]


def test_sections(mimic: Path, tmp_path: Path) -> None:
    lacking = mimic / "files" / study(*STUDIES[5])
    lacking.write_text(f" FINDINGS:  Only findings here {CANARY}.\n")
    for choice in ("impression", "mimic"):
        out = tmp_path / choice
        assert from_mimic(mimic, "--out", out, "--sections", choice, "--split", "none") == 0
        first = rows(out / "train.reports.jsonl")[0]
        assert first["text"] == f"Impression 0. {CANARY}"
    (rejected,) = rows(tmp_path / "impression" / "rejects.jsonl")
    assert rejected["id"] == str(STUDIES[5][1])
    assert rejected["reason"] == "no section for --sections impression"
    assert CANARY not in json.dumps(rejected)


def test_one_split_only(mimic: Path, tmp_path: Path) -> None:
    assert from_mimic(mimic, "--out", tmp_path / "all", "--split", "test") == 0
    assert manifest(tmp_path / "all")["split"]["reports"] == {"test": 40}
    assert not (tmp_path / "all" / "train.jsonl").exists()


def test_leaking_split_file(
    mimic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    split = tmp_path / "split.tsv"
    lines = [f"{s}\t{'test' if i % 2 else 'train'}\n" for i, (_, s) in enumerate(STUDIES)]
    split.write_text("study_id\tsplit\n" + "".join(lines[:20]))
    out = tmp_path / "out"
    assert from_mimic(mimic, "--split-file", split, "--out", out) == 2
    message = capsys.readouterr().err
    assert "10 reports share their patient and 0 their text" in message
    assert "--leakage drop" in message
    assert not out.exists()
    other = mimic / "files" / study(*STUDIES[1])
    (mimic / "files" / study(*STUDIES[2])).write_text(other.read_text().upper())
    lines[0] = f"{STUDIES[0][1]}\ttest\n"
    split.write_text("study_id\tsplit\n" + "".join([*lines[:3], *lines[4:20:2]]))
    assert from_mimic(mimic, "--split-file", split, "--out", out, "--leakage", "drop") == 0
    reasons = manifest(out)["counts"]["rejected_by_reason"]
    assert reasons == {"not in the split table": 29, "same text as a report of test": 1}
    assert manifest(out)["split"]["leakage"]["reports_whose_text_is_in_a_later_split"] == 1
    kept = tmp_path / "kept"
    flags = ("--split-file", split, "--out", kept, "--leakage")
    assert from_mimic(mimic, *flags, "keep-texts") == 0
    assert sum(manifest(kept)["split"]["reports"].values()) == 11
    assert manifest(kept)["split"]["leakage"]["action"] == "keep-texts"


def test_near_duplicates_are_counted_or_dropped(mimic: Path, tmp_path: Path) -> None:
    split = mimic / "mimic-cxr-2.0.0-split.csv.gz"
    text = (mimic / "files" / study(*STUDIES[36])).read_text()
    words = " ".join(f"word{n}" for n in range(40))
    (mimic / "files" / study(*STUDIES[36])).write_text(text + words)
    (mimic / "files" / study(*STUDIES[0])).write_text(text + words + " end")
    for choice, records in (("keep", 40), ("drop", 39)):
        out = tmp_path / choice
        more = ("--split-file", split, "--out", out, "--near-duplicates", choice)
        assert from_mimic(mimic, *more) == 0
        known = manifest(out)
        assert known["split"]["near_duplicates"]["reports"] == {"train like test": 1}
        assert known["counts"]["records"] == records
    (rejected,) = rows(tmp_path / "drop" / "rejects.jsonl")
    assert rejected["id"] == str(STUDIES[0][1])
    assert rejected["reason"] == "near duplicate of a report of test"


def test_duplicates_dropped(mimic: Path, tmp_path: Path) -> None:
    for index in (3, 4, 37):
        text = (mimic / "files" / study(*STUDIES[0])).read_text()
        (mimic / "files" / study(*STUDIES[index])).write_text(text)
    out = tmp_path / "ratio"
    assert from_mimic(mimic, "--out", out, "--duplicates", "drop") == 0
    assert {r["id"] for r in rows(out / "rejects.jsonl")} == {
        str(STUDIES[i][1]) for i in (3, 4, 37)
    }
    out = tmp_path / "table"  # the copy of the latest split stays
    split = mimic / "mimic-cxr-2.0.0-split.csv.gz"
    assert from_mimic(mimic, "--out", out, "--duplicates", "drop", "--split-file", split) == 0
    assert {r["id"] for r in rows(out / "rejects.jsonl")} == {str(STUDIES[i][1]) for i in (0, 3, 4)}


def test_test_labels_that_cover_no_test_report(
    mimic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "human.csv"
    table(empty, ["study_id", *CHEXPERT.names], [[1, *[""] * 14]])
    assert from_mimic(mimic, "--test-labels", empty, "--out", tmp_path / "out") == 2
    assert "no report of the test split is left" in capsys.readouterr().err
