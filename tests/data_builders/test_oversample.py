"""Copies of training reports with rare classes: which rule copies what, and where copies stand."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from data_builders.splits.oversample import _evenly, _paper
from labelwright.cli import main


def built(folder: Path, notes: list[dict[str, Any]], *flags: str) -> tuple[Path, dict[str, Any]]:
    """A data folder of notes ``{"id", "text", "entities"}``, with its manifest."""
    source, out = folder / "notes.jsonl", folder / "out"
    source.write_text("".join(json.dumps(note) + "\n" for note in notes))
    base = ["build", str(source), "--label-set", "radiology-id-5", "--out", str(out)]
    assert main([*base, "--overwrite", *flags]) == 0
    return out, json.loads((out / "manifest.json").read_text())


def note(number: int, *kinds: str) -> dict[str, Any]:
    """A note of its own words with one mention of each type."""
    text = " ".join([f"catatan{number}", *(f"{kind.lower()}{number}" for kind in kinds)])
    entities = []
    for kind in kinds:
        words = f"{kind.lower()}{number}"
        at = text.index(words)
        entities.append({"type": kind, "spans": [[at, at + len(words)]], "text": words})
    return {"id": f"n{number}", "text": text, "entities": entities}


# 40 notes: Anatomy in all, Finding in 30, Procedure in 20, Disease in 6 (alone among the rare),
# Measurement in 4, of which 2 also have Disease
NOTES = [
    note(
        i,
        "Anatomy",
        *(["Finding"] if i < 30 else []),
        *(["Procedure"] if i < 20 else []),
        *(["Disease"] if i >= 34 else []),
        *(["Measurement"] if 32 <= i < 36 else []),
    )
    for i in range(40)
]
# reports per class: 40, 30, 20, 6, 4; their average is 20, so a rare class shall reach 16


def ids(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def test_the_repaired_rule_reaches_every_rare_class(tmp_path: Path) -> None:
    out, manifest = built(tmp_path, NOTES, "--split", "none", "--oversample", "rare")
    facts = manifest["oversampling"]
    assert facts["reports_per_class_aimed_at"] == 16
    classes = facts["reports_with_class"]
    assert {name: counts["before"] for name, counts in classes.items()} == {
        "Anatomy": 40,
        "Disease": 6,
        "Finding": 30,
        "Measurement": 4,
        "Procedure": 20,
    }
    assert classes["Measurement"]["after"] >= 16
    assert classes["Disease"]["after"] >= 16
    assert classes["Finding"]["after"] == 30
    written = ids(out / "train.jsonl")
    assert len(written) == 40 + facts["copies"] == len(set(written))
    for kind in (".reports.jsonl", ".entities.jsonl"):
        assert ids(out / f"train{kind}") == written
    # as even as can be: reports with the same classes are copied equally often, but for one
    copies = Counter(name.split("~")[0] for name in written if "~" in name)
    assert set(copies) <= {f"n{i}" for i in range(32, 40)}
    # Measurement lacks 12 and is served first: 3 copies of each of its 4 notes. That gives
    # Disease 6 of the 10 it lacks, so 4 more notes with it are copied once.
    assert facts["copies"] == 16
    assert sorted(copies.values()) == [1, 1, 1, 1, 3, 3, 3, 3]


def test_the_benchmarks_rule_copies_only_reports_with_two_rare_classes(tmp_path: Path) -> None:
    out, manifest = built(tmp_path, NOTES, "--split", "none", "--oversample", "paper")
    copied = {name.split("~")[0] for name in ids(out / "train.jsonl") if "~" in name}
    assert copied == {"n34", "n35"}
    assert manifest["oversampling"]["rule"] == "paper"
    assert manifest["oversampling"]["copies"] == 12  # until Measurement, the rarest, has its 16


def test_the_benchmarks_rule_without_such_reports_copies_nothing(tmp_path: Path) -> None:
    alone = [note(i, "Anatomy", *(["Disease"] if i < 2 else [])) for i in range(20)]
    _, manifest = built(tmp_path, alone, "--split", "none", "--oversample", "paper")
    assert manifest["oversampling"]["copies"] == 0
    _, manifest = built(tmp_path, alone, "--split", "none", "--oversample", "rare")
    # aimed at 80 % of (20 + 2) / 2, which is 8: 6 more than 2
    assert manifest["oversampling"]["copies"] == 6


def test_copies_are_marked_and_stand_in_training_only(tmp_path: Path) -> None:
    out, manifest = built(tmp_path, NOTES, "--split", "0.5,0.25,0.25", "--oversample", "rare")
    records = [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]
    by_id = {record["id"]: record for record in records}
    copies = [record for record in records if "~" in record["id"]]
    assert len(copies) == manifest["oversampling"]["copies"] > 0
    for copy in copies:
        first = by_id[copy["meta"].pop("copy_of")]
        assert {**copy, "id": first["id"]} == first
    for name in ("validation", "test"):
        assert not any("~" in identifier for identifier in ids(out / f"{name}.jsonl"))
    counted = manifest["split"]["reports"]
    assert sum(counted.values()) == 40 == manifest["counts"]["records"]


def test_no_report_is_copied_without_end() -> None:
    copies = _evenly({1: ("a",), 2: ("a", "b")}, {"a": 500, "b": 100}, seed=3)
    assert copies == {1: 9, 2: 9}


def test_the_same_seed_gives_the_same_copies() -> None:
    known = {i: ("a", "b") if i % 2 else ("a", "b", "c", "d", "e") for i in range(30)}
    rare = {"a": 12, "b": 7}
    assert _paper(known, rare, 5) == _paper(known, rare, 5)
    assert _paper(known, rare, 5) != _paper(known, rare, 6)
    assert _evenly(known, rare, 5) == _evenly(known, rare, 5)


def test_certainties_are_classes_too(tmp_path: Path) -> None:
    reports, labels, out = tmp_path / "r.csv", tmp_path / "l.csv", tmp_path / "out"
    reports.write_text("id,text\n" + "".join(f"r{i},CT number {i}\n" for i in range(20)))
    names = "Intracranial Hemorrhage,Acute Infarct,Mass Effect,Skull Fracture,Hydrocephalus"
    cells = ["1,0,,," if i else "1,0,-1,," for i in range(20)]
    labels.write_text(f"id,{names}\n" + "".join(f"r{i},{c}\n" for i, c in enumerate(cells)))
    base = ["build", str(reports), "--label-set", "head-ct-5", "--labels", str(labels)]
    assert main([*base, "--split", "none", "--oversample", "rare", "--out", str(out)]) == 0
    facts = json.loads((out / "manifest.json").read_text())["oversampling"]
    # (20 + 20 + 1) / 3 reports per class, 80 % of which is 10; at most nine copies of one report
    assert facts["reports_with_class"]["Mass Effect uncertain"] == {"before": 1, "after": 10}
    assert len((out / "train.labels.csv").read_text().splitlines()) == 1 + 29


@pytest.mark.parametrize("flags", [("--split", "test", "--oversample", "rare")])
def test_without_training_there_is_nothing_to_copy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...]
) -> None:
    source = tmp_path / "n.jsonl"
    source.write_text(json.dumps(NOTES[0]) + "\n")
    base = ["build", str(source), "--label-set", "radiology-id-5", "--out", str(tmp_path / "o")]
    assert main([*base, *flags]) == 2
    assert "--oversample is for training reports" in capsys.readouterr().err
