"""``labelwright build`` on tables: label sources, rejects, and every mistake a user can make."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from inference.decode.by_sentence import sentences
from labelwright.cli import main
from labelwright.label_set import LabelSet
from labelwright.records import Certainty
from labelwright.tasks.certainty.table import read_labels

CHEXPERT = LabelSet.load("chexpert-14")


HEAD = LabelSet.load("head-ct-5")


CANARY = "zanzibar"
"""Stands in every report; must not reach a message or a reject."""


def build(*arguments: str | Path) -> int:
    return main(["build", *map(str, arguments)])


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def manifest(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return loaded


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "manifest.json"}


def csv_input(folder: Path, cells: list[str], *, header: str = "") -> tuple[Path, Path]:
    """Head CT reports and their labels; ``cells`` holds one line of codes per report."""
    reports, labels = folder / "reports.csv", folder / "labels.csv"
    lines = [f"r{i},Head CT number {i} {CANARY}" for i in range(len(cells))]
    reports.write_text("id,text\n" + "\n".join(lines) + "\n")
    names = header or ",".join(HEAD.names)
    labels.write_text(f"id,{names}\n" + "".join(f"r{i},{c}\n" for i, c in enumerate(cells)))
    return reports, labels


def test_another_label_set(tmp_path: Path) -> None:
    reports, labels = csv_input(tmp_path, ["1,0,-1,,nan", "positive,,,,negative", ",,,,"])
    out = tmp_path / "out"
    flags = ("--label-set", "head-ct-5", "--labels", labels, "--split", "none", "--out", out)
    assert build(reports, *flags) == 0
    answers = [row["completion"][0]["content"] for row in rows(out / "train.jsonl")]
    assert answers[0] == (
        "Intracranial Hemorrhage positive, Acute Infarct negative, Mass Effect uncertain, "
        "Skull Fracture blank, Hydrocephalus blank."
    )
    assert (out / "train.labels.csv").read_text().splitlines()[1:] == [
        "r0,1.0,0.0,-1.0,,",
        "r1,1.0,,,,0.0",
        "r2,,,,,",
    ]


def test_labels_that_do_not_fit(tmp_path: Path) -> None:
    """No Finding is only positive or blank, and not positive beside a finding."""
    names = "No Finding,Edema," + ",".join(
        n for n in CHEXPERT.names if n not in {"No Finding", "Edema"}
    )
    cells = [start + "," * 12 for start in ("1,", "0,1", "-1,", "1,1", ",")]
    reports, labels = csv_input(tmp_path, cells, header=names)
    out = tmp_path / "out"
    flags = ("--label-set", "chexpert-14", "--labels", labels, "--split", "none", "--out", out)
    assert build(reports, *flags) == 0
    assert {r["id"]: r["reason"] for r in rows(out / "rejects.jsonl")} == {
        "r2": "labels do not fit the label set; No Finding cannot be uncertain",
        "r3": "contradictory labels; No Finding with Edema",
    }
    assert manifest(out)["counts"]["negatives_read_as_blank"] == 1
    assert [row["id"] for row in rows(out / "train.jsonl")] == ["r0", "r1", "r4"]


def test_labels_without_report_and_reports_without_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports, labels = csv_input(tmp_path, ["1,,,,", "0,,,,", "-1,,,,"])
    labels.write_text(labels.read_text().replace("r1,", "elsewhere,"))
    out = tmp_path / "out"
    flags = ("--label-set", "head-ct-5", "--labels", labels, "--split", "none", "--out", out)
    assert build(reports, *flags) == 0
    assert manifest(out)["labels"]["labels_without_report"] == 1
    assert [r["id"] for r in rows(out / "rejects.jsonl")] == ["r1"]
    shown = capsys.readouterr().out
    assert "3 rows in = 2 records + 1 rejected" in shown
    assert "labels of 1 report not in the input, not used" in shown


def test_an_earlier_build_is_kept_unless_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports, labels = csv_input(tmp_path, ["1,,,,"] * 12)
    out = tmp_path / "out"
    flags = ["--label-set", "head-ct-5", "--labels", str(labels), "--out", str(out)]
    assert build(reports, *flags) == 0
    before = contents(out)
    assert build(reports, *flags, "--split", "none") == 2
    assert "--overwrite" in capsys.readouterr().err
    labels.write_text("id,nothing\n")
    assert build(reports, *flags, "--overwrite") == 2
    assert contents(out) == before
    csv_input(tmp_path, ["1,,,,"] * 12)
    assert build(reports, *flags, "--overwrite", "--split", "none") == 0
    assert not (out / "test.jsonl").exists()
    assert len(rows(out / "train.jsonl")) == 12


GOOD = ("--label-set", "head-ct-5", "--labels", "{labels}", "--out", "{out}")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("{reports}", "--label-set", "head-ct-5", "--out", "{out}"), "--labels is missing; give"),
        (("{reports}", *GOOD[:4]), "--out is missing; give a folder, or --preview 3"),
        (GOOD, "give either files or --synthetic N"),
        (("{reports}", *GOOD, "--synthetic", "5"), "give either files or --synthetic N"),
        (("{reports}", *GOOD, "--balance", "0.5"), "--balance is for --synthetic"),
        ((*GOOD, "--synthetic", "5", "--balance", "2"), "give a number from 0 to 1"),
        (("{reports}", *GOOD, "--split", "0.5,0.5"), "is not a split; give the shares"),
        (("{reports}", *GOOD, "--split", "none", "--split-file", "x"), "exclude each other"),
        (("{reports}", *GOOD, "--split-file", "x.csv"), "x.csv: no such file"),
        (("{reports}", *GOOD, "--test-labels", "x.csv"), "x.csv: no such label table; give a CSV"),
        (("{reports}", *GOOD, "--label-id-columns", "mrn"), "no column mrn; columns found: id, "),
        (("{reports}", *GOOD, "--sections", "impression"), "no report can be used; rejected: no s"),
        (("{reports}", *GOOD[:3], "openi-mesh", *GOOD[4:]), "no table of Open-i codes is shipped"),
        (("nowhere.csv", *GOOD), "nowhere.csv: no such file"),
        (("{reports}", "--label-set", "ct", *GOOD[2:]), "no label set 'ct'; give a YAML file or"),
        (("{reports}", *GOOD), "too few to fill the validation and test split"),
        (("{reports}", *GOOD[:5], "{reports}/out", "--split", "none"), "cannot write"),
    ],
)
def test_mistakes_of_the_user(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], words: str
) -> None:
    reports, labels = csv_input(tmp_path, ["1,,,,"])
    out = tmp_path / "out"
    filled = [flag.format(reports=reports, labels=labels, out=out) for flag in flags]
    assert build(*filled) == 2
    message = capsys.readouterr().err
    assert words in message
    assert message.count("\n") == 1
    assert CANARY not in message
    assert not out.exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("r1,1,,,,", "r1,7,,,,"), "labels.csv:2: column 'Intracranial Hemorrhage' holds a code"),
        (("r1,1,,,,", "r0,0,,,,"), "labels.csv:2: report r0 appears twice with different labels"),
        (("r1,1,,,,", "r1,1,,,"), "labels.csv:2: the row has 5 cells, the header 6"),
        (("Acute Infarct", "Stroke"), "no column Acute Infarct; columns found: id, "),
        (("id,", "mrn,"), "no column looks like the report's id; name it with --label-id-columns"),
    ],
)
def test_mistakes_in_the_label_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], words: str
) -> None:
    reports, labels = csv_input(tmp_path, ["1,,,,"] * 3)
    labels.write_text(labels.read_text().replace(*change, 1))
    flags = ("--label-set", "head-ct-5", "--labels", labels, "--split", "none")
    assert build(reports, *flags, "--out", tmp_path / "out") == 2
    assert words in capsys.readouterr().err


def test_labels_and_splits_by_the_id_that_the_reports_have(tmp_path: Path) -> None:
    """``--id-column`` counts for the other tables, too, where they have no usual name."""
    reports, labels = csv_input(tmp_path, ["1,,,,", ",1,,,"])
    splits = tmp_path / "splits.csv"
    splits.write_text("FallNr,split\nr0,test\nr1,train\n")
    for path in (reports, labels):
        path.write_text(path.read_text().replace("id,", "FallNr,", 1))
    flags = ("--id-column", "FallNr", "--label-set", "head-ct-5", "--labels", labels)
    assert build(reports, *flags, "--split-file", splits, "--out", tmp_path / "out") == 0
    assert [row["id"] for row in rows(tmp_path / "out" / "train.jsonl")] == ["r1"]
    assert (tmp_path / "out" / "test.labels.csv").read_text().splitlines()[1:] == ["r0,1.0,,,,"]


XML = """<eCitation><pmcId id="{n}"/><Abstract>
<AbstractText Label="FINDINGS">Finding {n} {canary}.</AbstractText>
<AbstractText Label="IMPRESSION">Impression {n}.</AbstractText>
</Abstract><MeSH>{codes}</MeSH></eCitation>"""


def test_openi_folder_with_index_codes(tmp_path: Path) -> None:
    folder = tmp_path / "ecgen-radiology"
    folder.mkdir()
    codes = ["normal", "Cardiomegaly/mild;Opacity/lung", "No Indexing", "Scoliosis"]
    for n, listed in enumerate(codes):
        majors = "".join(f"<major>{code}</major>" for code in listed.split(";"))
        (folder / f"{n}.xml").write_text(XML.format(n=n, canary=CANARY, codes=majors))
    out = tmp_path / "out"
    flags = ("--label-set", "chexpert-14", "--labels", "openi-mesh", "--split", "none")
    assert build(folder, *flags, "--sections", "findings", "--out", out) == 0
    found = {
        identifier: [name for name, c in labels.items() if c is Certainty.POSITIVE]
        for _, identifier, labels in read_labels(
            out / "train.labels.csv", CHEXPERT, id_columns=["id"]
        )
    }
    assert found == {"0": ["No Finding"], "1": ["Cardiomegaly", "Lung Opacity"], "3": []}
    assert rows(out / "train.reports.jsonl")[0]["text"] == f"Finding 0 {CANARY}."
    (rejected,) = rows(out / "rejects.jsonl")
    assert rejected["reason"] == "no labels: the report was not indexed"


def test_codes_are_asked_of_reports_that_have_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports, _ = csv_input(tmp_path, ["1,,,,"])
    flags = ("--label-set", "chexpert-14", "--labels", "openi-mesh", "--out", tmp_path / "out")
    assert build(reports, *flags) == 2
    assert "the report has no index codes (1)" in capsys.readouterr().err


def test_rules_label_only_the_chosen_section(tmp_path: Path) -> None:
    path = tmp_path / "reports.csv"
    path.write_text(
        "id,findings,impression\n"
        "a,There is a pleural effusion.,No pneumothorax.\n"
        "b,Lungs are clear.,Cardiomegaly.\n"
    )
    out = tmp_path / "out"
    flags = ("--label-set", "chexpert-14", "--labels", "rules", "--split", "none")
    assert build(path, *flags, "--sections", "impression", "--out", out) == 0
    first, second = [
        labels
        for _, _, labels in read_labels(out / "train.labels.csv", CHEXPERT, id_columns=["id"])
    ]
    assert first["Pneumothorax"] is Certainty.NEGATIVE
    assert first["Pleural Effusion"] is Certainty.BLANK
    assert second["Cardiomegaly"] is Certainty.POSITIVE
    assert rows(out / "train.jsonl")[0]["meta"]["labels_by"] == "rules"


def test_synthetic_reports_come_with_their_labels(tmp_path: Path) -> None:
    flags = ("--label-set", "chexpert-14", "--synthetic", "60", "--split", "none")
    for folder in ("one", "two"):
        assert build(*flags, "--out", tmp_path / folder) == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    known = manifest(tmp_path / "one")
    assert known["counts"]["records"] == 60
    drawn = known["synthetic"]
    assert len(drawn.pop("lexicon_sha256")) == 64
    assert drawn == {"reports": 60, "seed": 13, "balance": 0.0, "noise": 1.0, "brief": 0.0}
    assert rows(tmp_path / "one" / "train.jsonl")[0]["meta"]["labels_by"] == "grammar"


def test_synthetic_reports_as_the_clauses_that_are_asked(tmp_path: Path) -> None:
    """A clause says its part, all of them together what the text says; no text twice too often."""
    flags = (
        "--label-set",
        "chexpert-14",
        "--synthetic",
        "300",
        "--brief",
        "0.8",
        "--split",
        "none",
    )
    assert build(*flags, "--unit", "clause", "--out", tmp_path / "out") == 0
    known = manifest(tmp_path / "out")
    assert known["synthetic"]["unit"] == "clause"
    counts = known["counts"]["clauses"]
    assert counts["texts cut"] > 100
    assert counts["texts of one clause"] > 40
    assert counts["texts of which the rules say something else"] < 60
    found = rows(tmp_path / "out" / "train.jsonl")
    texts = [row["prompt"][1]["content"] for row in found]
    assert max(Counter(texts).values()) <= 3
    cut = [text for row, text in zip(found, texts, strict=True) if "-texts" in row["id"]]
    asked = [sentences(text, clauses=True) for text in cut]
    alone = [len(clauses) == 1 for clauses in asked if isinstance(clauses, dict)]
    assert sum(alone) / len(found) > 0.85


def test_half_characters_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    path.write_text(
        '{"id": "a", "text": "whole"}\n{"id": "b", "text": "half \\ud800"}\n'
        '{"id": "c\\udfff", "text": "whole"}\n'
    )
    labels = tmp_path / "labels.csv"
    labels.write_text(f"id,{','.join(HEAD.names)}\na,1,,,,\nb,1,,,,\n")
    out = tmp_path / "out"
    flags = ("--label-set", "head-ct-5", "--labels", labels, "--split", "none", "--out", out)
    assert build(path, *flags) == 0
    assert [row["id"] for row in rows(out / "train.jsonl")] == ["a"]
    assert len(rows(out / "rejects.jsonl")) == 2


def test_texts_that_say_nothing_are_no_records(tmp_path: Path) -> None:
    """Labeled "nothing found", they would teach that silence is normal."""
    texts = ["nan", "Dictation pending.", "12345", "FINDINGS:", "No haemorrhage.", "No infarct."]
    reports, labels = tmp_path / "reports.csv", tmp_path / "labels.csv"
    lines = [f"r{number},{text}" for number, text in enumerate(texts)]
    reports.write_text("id,text\n" + "\n".join(lines) + "\n")
    codes = "".join(f"r{number},0,0,,,\n" for number in range(len(texts)))
    labels.write_text(f"id,{','.join(HEAD.names)}\n{codes}")
    out = tmp_path / "out"
    flags = ("--label-set", "head-ct-5", "--labels", labels, "--split", "none", "--out", out)
    assert build(reports, *flags) == 0
    assert [row["id"] for row in rows(out / "train.reports.jsonl")] == ["r4", "r5"]
    assert [(row["id"], row["reason"]) for row in rows(out / "rejects.jsonl")] == [
        ("r0", "a placeholder stands in place of the report"),
        ("r1", "a placeholder stands in place of the report"),
        ("r2", "the report holds no words"),
        ("r3", "the report holds nothing but headings"),
    ]
