"""``labelwright index`` from the command line: every verb, every input, every mistake."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from embed_tools import tiny_clip

from labelwright.cli import main
from labelwright.io.jsonl import read_jsonl
from labelwright.label_set import LabelSet
from retrieval.index import Index

ROOT = Path(__file__).parents[2]
CANARY = "kestrel-0417"
REPORTS = ("examples/reports.csv", "--id-column", "id", "--text-columns", "findings,impression")
HASHED = ("--embedder", "hashed:256")


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def index(*words: str | Path) -> int:
    return main(["index", *map(str, words)])


def said(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    assert index(*words) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    assert index(*words) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert CANARY not in error
    assert error.count("\n") == 1
    return error


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the shipped example reports with their labels. Copy it to change it."""
    folder = tmp_path_factory.mktemp("examples") / "index"
    labels = ("--labels", str(ROOT / "examples/labels.csv"), "--label-set", "chexpert-14")
    reports = (str(ROOT / REPORTS[0]), *REPORTS[1:])
    assert index("build", *reports, *labels, *HASHED, "--out", folder) == 0
    return folder


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of 40 reports of the grammar."""
    out = tmp_path_factory.mktemp("records") / "data"
    flags = ["--synthetic", "40", "--seed", "3", "--label-set", "chexpert-14"]
    assert main(["build", *flags, "--split", "0.6,0.2,0.2", "--out", str(out)]) == 0
    return out


def test_report_files_with_labels(examples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = said(capsys, "info", examples, "--verify")
    assert "120 = 120 indexed + 0 rejected + 0 deleted" in told
    assert "hashed:256, 256 dimensions" in told
    assert "patients unknown  0\n" in told
    assert "all as written" in told
    first = Index.open(examples).get("cxr001")
    assert first is not None
    assert first.text.startswith("FINDINGS:\nThe heart is of normal size.")
    assert first.labels is not None
    assert first.labels["Pleural Effusion"] == "negative"
    assert first.labels["No Finding"] == "positive"
    assert first.labels["Edema"] == "blank"


def test_a_data_folder_with_its_splits(
    records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = said(capsys, "build", "--data", records, *HASHED, "--out", tmp_path / "all")
    assert told.startswith("40 rows in = 40 indexed by hashed:256 + 0 rejected -> ")
    opened = Index.open(tmp_path / "all")
    rows = [row for _, row in read_jsonl(records / "test.reports.jsonl")]
    assert opened.splits["test"] == len(rows) > 0
    assert opened.label_set == LabelSet.load(records / "label_set.yaml")
    for row in rows:
        found = opened.get(row["id"])
        assert found is not None
        assert (found.split, found.text, found.patient) == ("test", row["text"], row["patient"])
    told = said(
        capsys, "build", "--data", records, "--splits", "train", *HASHED, "--out", tmp_path / "one"
    )
    assert set(Index.open(tmp_path / "one").splits) == {"train"}
    line = refused(capsys, "build", "--data", records, "--splits", "dev", "--out", tmp_path / "x")
    assert "has no dev.reports.jsonl" in line


def test_variants_of_training_reports_stay_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    labels = ["--labels", "examples/labels.csv", "--label-set", "chexpert-14"]
    more = ["--augment", "1", "--split", "0.5,0.2,0.3", "--out", str(data)]
    assert main(["build", *REPORTS, *labels, *more]) == 0
    variants = (data / "train.jsonl").read_text().count('"variant_of"')
    assert variants > 0
    capsys.readouterr()
    told = said(capsys, "build", "--data", data, *HASHED, "--out", tmp_path / "index")
    assert f"{120 + variants} rows in = 120 indexed by hashed:256 + {variants} rejected" in told
    rejects = (tmp_path / "index" / "rejects.jsonl").read_text()
    assert rejects.count("a variant or copy of a training report") == variants


def test_entities_come_with_their_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    flags = ["--label-set", "disease-1", "--split", "none", "--out", str(data)]
    assert main(["build", "examples/notes.jsonl", *flags]) == 0
    capsys.readouterr()
    said(capsys, "build", "--data", data, *HASHED, "--out", tmp_path / "index")
    rows = [row for _, row in read_jsonl(data / "train.entities.jsonl")]
    opened = Index.open(tmp_path / "index")
    assert opened.rows == len(rows) > 0
    for row in rows:
        found = opened.get(row["id"])
        assert found is not None
        assert found.labels == {"entities": row["entities"]}


def test_search_shows_text_only_when_asked(
    examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("search", examples, "--text", "Large left pleural effusion.", "--k", "2")
    told = said(capsys, *words)
    assert re.fullmatch(r"id +similarity +split\n(cxr\d+ +0\.\d{4} +train\n){2}", told)
    shown = said(capsys, *words, "--show-text")
    first = re.findall(r"cxr\d+", shown)[0]
    found = Index.open(examples).get(first)
    assert found is not None
    assert f"    {found.text.splitlines()[1]}\n" in shown


def test_search_by_id_never_finds_itself_nor_its_patient(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "reports.csv"
    rows = ["a,p1,small effusion", "b,p1,small effusion", "c,p2,Small  EFFUSION", "d,,big heart"]
    table.write_text("id,patient,text\n" + "\n".join(rows) + "\n")
    told = said(capsys, "build", table, *HASHED, "--out", tmp_path / "index")
    assert told.endswith("patient unknown: 1 report\n")
    assert "1 (only their own id is kept from them)" in said(capsys, "info", tmp_path / "index")

    def found(*more: str) -> list[str]:
        lines = said(capsys, "search", tmp_path / "index", *more).splitlines()
        return [line.split()[0] for line in lines[1:]]

    assert found("--id", "a") == ["c", "d"]
    assert found("--text", "small effusion") == ["a", "b", "c", "d"]
    assert found("--text", "small effusion", "--patient", "p1") == ["c", "d"]
    assert found("--text", "small effusion", "--other-texts") == ["d"]
    assert found("--id", "a", "--most-similar", "0.98") == ["d"]
    (tmp_path / "query.txt").write_text("big heart\n")
    assert found("--text-file", str(tmp_path / "query.txt"), "--k", "1") == ["d"]
    told = said(capsys, "search", tmp_path / "index", "--id", "a", "--most-similar", "-1")
    assert told == "no report may be shown for this query\n"


def test_rows_without_labels_or_sections_are_rejects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports, labels = tmp_path / "reports.csv", tmp_path / "labels.csv"
    rows = [
        f"a,FINDINGS: {CANARY} one. IMPRESSION: Clear.",
        f"b,FINDINGS: {CANARY} two.",
        "c,IMPRESSION: Three.",
        "d,",
    ]
    reports.write_text("id,text\n" + "\n".join(rows) + "\n")
    head = ",".join(LabelSet.load("head-ct-5").names)
    labels.write_text(f"id,{head}\na,1,0,,,\nb,,,,,1\nz,,,,,\n")
    flags = ("--labels", labels, "--label-set", "head-ct-5", "--sections", "impression")
    told = said(capsys, "build", reports, *flags, *HASHED, "--out", tmp_path / "index")
    assert told.startswith("4 rows in = 1 indexed by hashed:256 + 3 rejected")
    lines = (tmp_path / "index" / "rejects.jsonl").read_text().splitlines()
    assert {row["id"]: row["reason"] for row in map(json.loads, lines)} == {
        "b": "the report has no impression section",
        "c": "no labels: its id is not in the label table",
        "d": "the report has no text",
    }
    found = Index.open(tmp_path / "index").get("a")
    assert found is not None
    assert found.text.strip() == "Clear."


def test_add_delete_rebuild(
    examples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "index"
    shutil.copytree(examples, folder)
    (tmp_path / "ids.txt").write_text("cxr003\n\ncxr004\n")
    words = ("delete", folder, "--ids", "cxr001,cxr002", "--ids-file", tmp_path / "ids.txt")
    assert said(capsys, *words) == "4 reports deleted, 116 left\n"
    line = refused(capsys, "search", folder, "--id", "cxr001")
    assert "the index holds no report cxr001" in line
    told = said(capsys, "rebuild", folder, "--kind", "hnsw", "--links", "16")
    assert told == f"116 reports, hnsw, written to {folder}\n"
    assert "links 16, ef_construction 100" in said(capsys, "info", folder)
    told = said(capsys, "delete", folder, "--ids", "cxr005")
    assert re.search(r"115 left; ann-\d+.faiss keeps traces of their vectors until", told)
    labels = ("--labels", "examples/labels.csv", "--label-set", "chexpert-14")
    told = said(capsys, "add", folder, *REPORTS, *labels, "--split-name", "later")
    assert told.startswith("120 rows in = 5 indexed by hashed:256 + 115 rejected")
    assert Index.open(folder).splits == {"later": 5, "train": 115}
    assert "cxr001" not in said(capsys, "search", folder, "--id", "cxr002", "--split", "train")


def test_images_give_the_vectors_and_texts_stand_beside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "images.csv"
    shown = (ROOT / "examples/images.csv").read_text().splitlines()
    bad = ["none,p90,,No image.", "gone,p91,images/gone.png,Missing.", "out,p92,../x.png,Outside."]
    bad.append("torn,p93,images/torn.png,Cut short.")
    table.write_text("\n".join([*shown, *bad]) + "\n")
    images = tmp_path / "images"
    images.mkdir()
    for path in (ROOT / "examples/images").glob("*.png"):
        (images / path.name).write_bytes(path.read_bytes())
    (images / "torn.png").write_bytes((images / "film01.png").read_bytes()[:100])
    clip = tiny_clip(tmp_path / "clip")
    where = ("--image-column", "image", "--image-root", tmp_path)
    build = ("build", table, "--embedder", f"clip:{clip}", *where, "--out", tmp_path / "index")
    count = len(shown) - 1
    assert said(capsys, *build).startswith(f"{count + 4} rows in = {count} indexed by clip:")
    lines = (tmp_path / "index" / "rejects.jsonl").read_text().splitlines()
    reasons = {row["id"]: row["reason"] for row in map(json.loads, lines)}
    assert set(reasons) == {"none", "gone", "out", "torn"}
    assert reasons["none"] == "no image is named in image"
    assert reasons["out"] == "the image lies outside of --image-root"
    found = Index.open(tmp_path / "index").get("film01")
    assert found is not None
    assert found.text.startswith("The heart is of normal size.")
    film = images / "film01.png"
    told = said(capsys, "search", tmp_path / "index", "--image", film, "--k", "1")
    assert re.search(r"film01 +1\.0000  train", told)
    line = refused(capsys, "search", tmp_path / "index", "--image", images / "torn.png")
    assert line.startswith(f"labelwright: {images}/torn.png: ")
    line = refused(capsys, "build", table, *HASHED, *where, "--out", tmp_path / "other")
    assert "the embedder hashed:256 reads no images" in line


def test_a_killed_build_goes_on_with_the_same_command(tmp_path: Path) -> None:
    """Killed as soon as its first shard stands; the index is then that of an unbroken build."""
    table = tmp_path / "reports.jsonl"
    rows = [{"id": f"r{n}", "text": f"series {n} of {n % 7}"} for n in range(1000)]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["index", "build", str(table), *HASHED, "--shard-rows", "50", "--out"]
    folder = tmp_path / "index"
    run = [sys.executable, "-m", "labelwright.cli", *words, str(folder)]
    process = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 300
    while not (folder / "00000000.arrow").exists() and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert main([*words, str(folder)]) == 0
    assert main([*words, str(tmp_path / "whole")]) == 0
    one, two = Index.open(folder), Index.open(tmp_path / "whole")
    assert (one.rows, two.rows) == (1000, 1000)
    for row in rows:
        here, there = one.get(row["id"]), two.get(row["id"])
        assert here == there
        assert here is not None
        assert here.text == row["text"]
        np.testing.assert_allclose(one.vector(row["id"]), two.vector(row["id"]), atol=1e-6)


MISTAKES: list[tuple[list[str], str]] = [
    (["build", "--out", "o"], "no reports given; give files of reports, or --data DIR"),
    (["build", "examples/reports.csv", "--data", "d", "--out", "o"], "FILE is for report files"),
    (["build", *REPORTS, "--splits", "train", "--out", "o"], "--splits is for --data"),
    (["build", *REPORTS, "--labels", "examples/labels.csv", "--out", "o"], "belong together"),
    (["build", *REPORTS, "--image-root", ".", "--out", "o"], "belong together"),
    (["build", *REPORTS, "--label-id-columns", "x", "--out", "o"], "is for --labels"),
    (["build", *REPORTS, "--embedder", "word2vec", "--out", "o"], "unknown embedder 'word2vec'"),
    (["build", *REPORTS, *HASHED, "--probes", "3", "--out", "o"], "probes does not apply"),
    (["build", "--data", "examples", "--out", "o"], "the data folder has no"),
    (["build", "examples/none.csv", "--out", "o"], "no such"),
    (["info", "examples"], "not an index folder; make one with labelwright index build"),
    (["info", "examples/none"], "no such index folder"),
    (["search", "examples", "--text", "x"], "not an index folder"),
    (["delete", "INDEX"], "no ids given"),
    (["delete", "INDEX", "--ids", "nobody"], "the index holds no report nobody (1 of 1 ids)"),
    (["delete", "INDEX", "--ids-file", "none.txt"], "none.txt: cannot be read"),
    (["search", "INDEX", "--id", "nobody"], "the index holds no report nobody"),
    (["search", "INDEX", "--text", " "], "the query has no text"),
    (["search", "INDEX", "--text", "x", "--split", "dev"], "no report of the split dev"),
    (["search", "INDEX", "--text-file", "none.txt"], "none.txt: cannot be read"),
    (["search", "INDEX", "--image", "examples/images/film01.png"], "reads no images"),
    (["rebuild", "INDEX", "--kind", "ivfpq"], "ivfpq needs 9,984 reports at least"),
]


@pytest.mark.parametrize(("words", "message"), MISTAKES)
def test_mistakes_are_one_line(
    words: list[str],
    message: str,
    examples: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"o": str(tmp_path / "o"), "INDEX": str(examples)}
    assert message in refused(capsys, *(places.get(word, word) for word in words))


def test_help_answers_at_once() -> None:
    """Nothing heavy is imported; a clock would measure the machine."""
    script = "import sys, labelwright.cli as c\ntry: c.main(['index', 'build', '--help'])\n"
    script += (
        "except SystemExit: pass\nprint({'faiss', 'torch', 'pyarrow', 'numpy'} & {*sys.modules})"
    )
    run = [sys.executable, "-c", script]
    told = subprocess.run(run, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ})
    assert told.stdout.splitlines()[-1] == "set()"
