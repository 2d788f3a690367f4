"""``labelwright label`` with the rules: flags, files, what it says, what it refuses."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from labelwright.cli import main
from labelwright.label_set import LabelSet

CANARY = "canary-41d7"
REPORTS = (
    ("s1", "Large left effusion.", "Pleural effusion."),
    ("s2", "", "No pneumothorax."),
    ("=s3", "The heart is enlarged.", ""),
    ("s2", f"Twice. {CANARY}", "Twice."),
    ("s5", "  ", ""),
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "reports.csv"
    with open(path, "w", newline="") as handle:
        csv.writer(handle).writerows([("study_id", "findings", "impression"), *REPORTS])
    return path


def label(*files: Path, out: Path, extra: tuple[str, ...] = ()) -> int:
    flags = ["--id-column", "study_id", "--text-columns", "findings,impression"]
    return main(["label", *map(str, files), *flags, "--model", "rules", "--out", str(out), *extra])


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as handle:
        return list(csv.DictReader(handle))


def test_the_contract(table: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert label(table, out=out) == 0
    said = capfd.readouterr()
    assert said.out.startswith(f"5 rows: 3 labeled, 2 rejected (why: {out}/rejects.jsonl); ")
    assert said.out.endswith(f" rows/s -> {out}/labels.csv\n")
    assert said.err == ""
    names = ["labels.csv", "manifest.json", "predictions.jsonl", "rejects.jsonl"]
    assert sorted(path.name for path in out.iterdir()) == names
    labels = rows(out / "labels.csv")
    assert list(labels[0]) == ["study_id", *LabelSet.load("chexpert-14").names]
    assert [row["study_id"] for row in labels] == ["s1", "s2", "'=s3"]
    assert labels[0]["Pleural Effusion"] == "1.0"
    assert labels[1]["Pneumothorax"] == "0.0"
    assert labels[2]["Cardiomegaly"] == "1.0"
    assert labels[2]["Edema"] == ""
    rejects = [json.loads(line) for line in (out / "rejects.jsonl").read_text().splitlines()]
    assert [(reject["id"], reject["row"]) for reject in rejects] == [("s2", 4), ("s5", 5)]
    assert "duplicate id; first seen at" in rejects[0]["reason"]
    for path in out.iterdir():
        assert CANARY not in path.read_text()


def test_the_same_command_again(
    table: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert label(table, out=tmp_path / "out") == 0
    capfd.readouterr()
    assert label(table, out=tmp_path / "out") == 0
    assert capfd.readouterr().out.startswith("already finished: 5 rows: 3 labeled, 2 rejected")


def test_input_that_changed_between_two_runs(
    table: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert label(table, out=tmp_path / "out") == 0
    with open(table, "a") as handle:
        handle.write("s9,Edema.,\n")
    assert label(table, out=tmp_path / "out") == 2
    assert "finished result of another job (differs in inputs)" in capfd.readouterr().err
    assert label(table, out=tmp_path / "out", extra=("--sections", "impression")) == 2
    assert "(differs in inputs, options.sections)" in capfd.readouterr().err


def test_a_renamed_input_is_the_same_input(table: Path, tmp_path: Path) -> None:
    assert label(table, out=tmp_path / "out") == 0
    assert label(table.rename(tmp_path / "renamed.csv"), out=tmp_path / "out") == 0


def test_sections(table: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert label(table, out=out, extra=("--sections", "impression")) == 0
    assert [row["study_id"] for row in rows(out / "labels.csv")] == ["s1", "s2"]
    reasons = [
        json.loads(line)["reason"] for line in (out / "rejects.jsonl").read_text().splitlines()
    ]
    assert "the report has no impression section" in reasons
    assert json.loads((out / "manifest.json").read_text())["options"]["sections"] == "impression"


def test_reports_without_headings_are_read_whole(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "reports.csv"
    path.write_text("id,text\n1,The heart is enlarged.\n2,IMPRESSION: Pulmonary edema.\n")
    flags = ["--model", "rules", "--sections", "both", "--out", str(tmp_path / "out")]
    assert main(["label", str(path), *flags]) == 0
    assert "; 1 without headings read whole; " in capfd.readouterr().out
    labels = rows(tmp_path / "out" / "labels.csv")
    assert [row["Cardiomegaly"] for row in labels] == ["1.0", ""]


def test_reports_that_build_has_cut_are_not_cut_again(tmp_path: Path) -> None:
    """MIMIC-CXR's choice takes the last paragraph of what it is given, also the second time."""
    source = tmp_path / "in.csv"
    text = " IMPRESSION:\n \n 1. Large right effusion.\n \n 2. Heart is large."
    source.write_text(f'id,text\n1,"FINAL REPORT\n{text}"\n', encoding="utf-8")
    data, out = tmp_path / "data", tmp_path / "out"
    flags = ["--label-set", "chexpert-14", "--labels", "rules", "--sections", "mimic"]
    assert main(["build", str(source), *flags, "--split", "test", "--out", str(data)]) == 0
    reports = str(data / "test.reports.jsonl")
    assert (
        main(["label", reports, "--model", "rules", "--sections", "mimic", "--out", str(out)]) == 0
    )
    [row] = rows(out / "labels.csv")
    assert (row["Pleural Effusion"], row["Cardiomegaly"]) == ("1.0", "1.0")
    mixed = ["label", reports, str(source), "--model", "rules", "--sections", "mimic"]
    assert main([*mixed, "--out", str(tmp_path / "mixed")]) == 2


def test_rules_of_ones_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "set.yaml"
    own.write_text(
        'name: knee\nversion: "1"\ntask: certainty\ninstruction: x\nlabels:\n  - name: Tear\n'
    )
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "label_set: knee\nscope: scope-en.yaml\nobservations:\n  Tear:\n    mentions: [tear]\n"
    )
    table = tmp_path / "in.csv"
    table.write_text("id,text\n1,Meniscal tear.\n2,No tear.\n")
    flags = ["label", str(table), "--model", "rules", "--label-set", str(own)]
    assert main([*flags, "--out", str(tmp_path / "none")]) == 2
    assert "--rules FILE" in capfd.readouterr().err
    assert main([*flags, "--rules", str(rules), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "labels.csv").read_text() == "id,Tear\n1,1.0\n2,0.0\n"


def test_limit_and_several_files(table: Path, tmp_path: Path) -> None:
    second = tmp_path / "more.csv.gz"
    second.write_bytes(gzip.compress(b"study_id,findings,impression\nx1,Edema.,\nx2,Edema.,\n"))
    assert label(table, second, out=tmp_path / "all") == 0
    assert len(rows(tmp_path / "all" / "labels.csv")) == 5
    assert label(table, second, out=tmp_path / "some", extra=("--limit", "3")) == 0
    assert len(rows(tmp_path / "some" / "labels.csv")) == 3
    assert label(table, out=tmp_path / "more", extra=("--limit", "300")) == 0


def test_another_label_set(tmp_path: Path) -> None:
    path = tmp_path / "ct.csv"
    path.write_text("id,text\n1,Acute subdural hematoma. No midline shift.\n")
    flags = ["--model", "rules", "--label-set", "head-ct-5", "--out", str(tmp_path / "out")]
    assert main(["label", str(path), *flags]) == 0
    [row] = rows(tmp_path / "out" / "labels.csv")
    assert list(row) == ["id", *LabelSet.load("head-ct-5").names]
    assert (row["Intracranial Hemorrhage"], row["Mass Effect"]) == ("1.0", "0.0")


def test_a_mimic_tree_is_labeled_by_study(tmp_path: Path) -> None:
    folder = tmp_path / "files" / "p10" / "p10000001"
    folder.mkdir(parents=True)
    (folder / "s50000001.txt").write_text("FINAL REPORT\n IMPRESSION:\n  Pulmonary edema.\n")
    out = tmp_path / "out"
    assert main(["label", str(tmp_path / "files"), "--model", "rules", "--out", str(out)]) == 0
    [row] = rows(out / "labels.csv")
    assert (row["study_id"], row["Edema"]) == ("50000001", "1.0")


def test_a_report_of_two_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "reports.csv"
    long = "Seen by the day team and by the night team. " * 46_000
    path.write_text(f"id,text\n1,{long}\n2,Pulmonary edema.\n")
    out = tmp_path / "out"
    assert main(["label", str(path), "--model", "rules", "--out", str(out)]) == 0
    assert [row["Edema"] for row in rows(out / "labels.csv")] == ["1.0"]
    reject = json.loads((out / "rejects.jsonl").read_text())
    assert (reject["id"], reject["row"]) == ("1", 1)
    assert reject["reason"] == "more than 100,000 characters"


def test_the_rules_need_no_heavy_package(table: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from labelwright.cli import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        "heavy = {'torch', 'transformers', 'numpy', 'pandas', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    flags = ["--model", "rules", "--text-columns", "findings,impression"]
    done = subprocess.run(
        [sys.executable, "-c", code, "label", str(table), "--out", str(tmp_path / "o"), *flags],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


WRONG = [
    (
        ("--batch-size", "4", "--dtype", "float32"),
        "--batch-size, --dtype do not apply to the rules",
    ),
    (("--label-set", "nowhere.yaml"), "no label set 'nowhere.yaml'"),
    (("--id-column", "accession"), "no column accession"),
    (("--model", "./no/such/folder"), "no such model folder"),
]


@pytest.mark.parametrize(("flags", "words"), WRONG)
def test_wrong_flags(
    table: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    flags: tuple[str, ...],
    words: str,
) -> None:
    assert label(table, out=tmp_path / "out", extra=flags) == 2
    err = capfd.readouterr().err
    assert words in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("flags", [("--limit", "0"), ("--batch-size", "x"), ("--lable-set", "a")])
def test_flags_that_do_not_parse(table: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as end:
        label(table, out=tmp_path / "out", extra=flags)
    assert end.value.code == 2


@pytest.mark.parametrize("content", ["", "study_id,findings,impression\n"])
def test_inputs_without_reports(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: str
) -> None:
    path = tmp_path / "empty.csv"
    path.write_text(content)
    assert label(path, out=tmp_path / "out") == 2
    assert str(path) in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


def test_to_standard_output_without_names_of_files(
    table: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The table alone; what is said beside it names no file that is gone when the run ends."""
    assert label(table, out=Path("-")) == 0
    said = capfd.readouterr()
    assert [line.split(",")[0] for line in said.out.splitlines()] == [
        "study_id",
        "s1",
        "s2",
        "'=s3",
    ]
    *rejects, last = said.err.splitlines()
    assert all(json.loads(line)["reason"] for line in rejects)
    assert len(rejects) == 2
    assert last.startswith("5 rows: 3 labeled, 2 rejected (why: above); ")
    assert last.endswith(" rows/s")
    assert label(table, out=Path("-"), extra=("--dry-run", "1")) == 0
    assert capfd.readouterr().out.startswith("dry run: 1 of 5 rows: ")
    for flags in (("--also", "parquet"), ("--retry-rejects",)):
        assert label(table, out=Path("-"), extra=flags) == 2
        assert f"{flags[0]} needs a folder" in capfd.readouterr().err


def test_one_row_is_a_row(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "one.csv"
    path.write_text("study_id,findings,impression\na,Small left effusion.,\n")
    for said in ("1 row: 1 labeled, 0 rejected", "already finished: 1 row: 1 labeled"):
        assert label(path, out=tmp_path / "out") == 0
        assert capfd.readouterr().out.startswith(said)
