"""``labelwright convert``: what is written, what is counted, what is refused; sizes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from clock_tools import growth
from reading_tools import PEAK, saved

from labelwright.annotations.formats import WRITERS
from labelwright.cli import main
from labelwright.readers import ReadOptions, read_reports
from labelwright.records import Entity, Reject, Report

TEXT = "No small cell lung cancer. Nodule nodule."
ANN = (
    "T1\tDisease 3 25\tsmall cell lung cancer\nT2\tOrgan 14 18\tlung\n"
    "T3\tDisease 3 8;19 25\tsmall cancer\nA1\tNegation T1\nR1\tIn Arg1:T1 Arg2:T2\n"
)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A BRAT folder: one good note, one bad one, one without annotations."""
    folder = tmp_path / "notes"
    folder.mkdir()
    saved(folder, "good.txt", TEXT)
    saved(folder, "good.ann", ANN)
    saved(folder, "bad.txt", TEXT)
    saved(folder, "bad.ann", "T1\tOrgan 0 5\tlungs\n")
    saved(folder, "unknown.txt", TEXT)
    return folder


def manifest(out: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((out / "manifest.json").read_text())
    return value


def rejects(out: Path) -> list[tuple[str | None, str]]:
    rows = [json.loads(line) for line in (out / "rejects.jsonl").read_text().splitlines()]
    return [(row["id"], row["reason"]) for row in rows]


BAD = (
    "bad",
    "1 annotation that cannot be used; first at bad.ann:1: the text is not what the offsets cover",
)


def test_to_conll(notes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert (
        main(["convert", str(notes), "--to", "conll", "--scheme", "bilou", "--out", str(out)]) == 0
    )
    assert (out / "reports.conll").read_text() == (
        "# id = good\nNo\tO\nsmall\tB-Disease\ncell\tI-Disease\nlung\tI-Disease\n"
        "cancer\tL-Disease\n.\tO\n\nNodule\tO\nnodule\tO\n.\tO\n\n"
    )
    left = {"discontinuous": 1, "overlapping another": 1}
    assert manifest(out)["counts"] == {
        "reports": 2,
        "reports_written": 1,
        "entities": 3,
        "entities_written": 1,
        "entities_left_out": left,
        "written_otherwise": {
            "certainties left out": 1,
            "reports without annotations, which CoNLL cannot tell from reports without mentions": 1,
        },
        "rejects": 2,
    }
    lost = "2 entities left out; discontinuous (1), overlapping another (1)"
    assert rejects(out) == [BAD, ("good", lost)]
    assert (out / "reports.conll").stat().st_mode & 0o777 == 0o600
    said = capsys.readouterr().out
    assert f"1 of 2 reports, 1 of 3 entities -> {out / 'reports.conll'}" in said
    assert "entities left out: discontinuous (1), overlapping another (1)" in said
    assert f"2 rejects: {out / 'rejects.jsonl'}" in said


@pytest.mark.parametrize("to", WRITERS)
def test_counts_agree_with_what_is_read_again(notes: Path, tmp_path: Path, to: str) -> None:
    out = tmp_path / "out"
    assert main(["convert", str(notes), "--from", "brat", "--to", to, "--out", str(out)]) == 0
    items = list(read_reports([out / WRITERS[to].name], ReadOptions()))
    reports = [item for item in items if isinstance(item, Report)]
    counts = manifest(out)["counts"]
    assert len(reports) == counts["reports_written"]
    assert sum(len(r.entities or ()) for r in reports) == counts["entities_written"]
    lost = sum(counts["entities_left_out"].values())
    assert counts["entities"] == counts["entities_written"] + lost == 3
    others = 1 if to == "brat" else 0  # its relation is kept, and counted when it is read
    assert len([i for i in items if isinstance(i, Reject)]) == others


def test_dropped_annotations_are_counted(notes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["convert", str(notes), "--bad-annotations", "drop", "--to", "brat", "--out", str(out)]
    assert main(words) == 0
    assert (out / "notes/bad.ann").read_text() == ""
    assert (out / "notes/good.ann").read_text() == ANN
    assert not (out / "notes/unknown.ann").exists()
    assert [name for name, _ in rejects(out)] == [None]
    assert manifest(out)["options"]["bad_annotations"] == "drop"
    assert "Disease\nOrgan\n" in (out / "notes/annotation.conf").read_text()


def test_labeling_interface(notes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["convert", str(notes), "--to", "label-studio", "--out", str(out)]) == 0
    interface = (out / "reports.interface.xml").read_text()
    assert '<Label value="Disease"/>\n    <Label value="Organ"/>' in interface


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "brat", "--scheme", "bio", "--out", "o"], "--scheme is for --to conll"),
        (["--to", "brat", "--out", "notes/o"], "--out lies in an input folder"),
        (["--to", "brat", "--out", "notes"], "--out lies in an input folder"),
        (["--to", "brat", "--out", "full"], "the folder is not empty"),
        (["--to", "brat", "--out", "full/file"], "cannot write"),
        (["--to", "conll", "--tag-scheme", "bio", "--out", "o"], "--tag-scheme does not apply"),
    ],
)
def test_what_is_refused(
    notes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    saved(tmp_path, "full/file", "x")
    before = sorted(tmp_path.rglob("*"))
    assert main(["convert", "notes", *words]) == 2
    assert said in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("to", ["brat", "conll"])
def test_a_type_of_several_words_is_one_word_where_columns_part(tmp_path: Path, to: str) -> None:
    """Each mention's line has the number of columns that other readers part it into."""
    entities = [{"type": "Lung\u00a0 mass", "spans": [[3, 13]]}]
    row = json.dumps({"id": "a", "text": TEXT, "entities": entities})
    path, out = saved(tmp_path, "a.jsonl", row), tmp_path / "out"
    assert main(["convert", str(path), "--to", to, "--out", str(out)]) == 0
    files = [out / "reports.conll"] if to == "conll" else [out / "notes/a.ann"]
    lines = [line for line in files[0].read_text().splitlines() if "Lung" in line]
    assert lines
    if to == "conll":
        assert [line.split()[1] for line in lines] == ["B-Lung_mass", "I-Lung_mass"]
    else:
        assert [line.split()[1] for line in lines] == ["Lung_mass"]
    assert manifest(out)["types_renamed"] == {"Lung_mass": "Lung\u00a0 mass"}
    assert manifest(out)["counts"]["written_otherwise"] == {"types written otherwise": 1}


def test_white_space_at_edges_is_trimmed_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entities = [{"type": "X", "spans": [[2, 9]]}, {"type": "X", "spans": [[3, 8]]}]
    row = json.dumps({"id": "a", "text": TEXT, "entities": entities})
    path = saved(tmp_path, "a.jsonl", row)
    for edges, offsets, count in (("trim", [[3, 8], [3, 8]], 1), ("keep", [[2, 9], [3, 8]], None)):
        words = ["convert", str(path), "--to", "doccano", "--mention-edges", edges]
        assert main([*words, "--out", str(tmp_path / edges)]) == 0
        written = json.loads((tmp_path / edges / "reports.jsonl").read_text())
        assert [label[:2] for label in written["label"]] == offsets
        said = "white space trimmed at the edges of mentions"
        assert manifest(tmp_path / edges)["counts"]["written_otherwise"].get(said) == count
        assert (f"written otherwise: {said} (1)" in capsys.readouterr().out) == bool(count)
    assert manifest(tmp_path / "keep")["options"]["mention_edges"] == "keep"


def test_types_that_would_become_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entities = [{"type": kind, "spans": [[0, 2]]} for kind in ("Lung mass", "Lung_mass")]
    row = json.dumps({"id": "a", "text": TEXT, "entities": entities})
    path, out = saved(tmp_path, "a.jsonl", row), tmp_path / "out"
    assert main(["convert", str(path), "--to", "brat", "--out", str(out)]) == 2
    assert "'Lung mass' and 'Lung_mass' would both be written" in capsys.readouterr().err
    assert not [p for p in out.rglob("*") if p.is_file()]


def test_a_killed_conversion_leaves_nothing_that_counts(notes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = (
        "import os, sys\nfrom labelwright.annotations import brat\n"
        "brat.BratWriter.finish = lambda self: os._exit(9)\n"
        "from labelwright.cli import main\nmain(sys.argv[1:])\n"
    )
    words = ["convert", str(notes), "--to", "brat", "--out", str(out)]
    done = subprocess.run([sys.executable, "-c", code, *words], check=False)
    assert done.returncode == 9
    assert not (out / "notes").exists()
    assert not (out / "manifest.json").exists()
    assert main(words) == 0
    assert {p.name for p in out.iterdir()} == {"notes", "rejects.jsonl", "manifest.json"}


# --- sizes -------------------------------------------------------------------------------------


def large_note(folder: Path, lines: int) -> list[int]:
    """A line has a mention; the emoji makes sure that no offset is found by luck. Their starts."""
    folder.mkdir()
    at = [1 + 51 * number for number in range(lines)]
    text = "😀" + "No metastasis of the lung, liver or bones is seen.\n" * lines
    ann = "".join(f"T{n}\tX {a + 3} {a + 13}\tmetastasis\n" for n, a in enumerate(at))
    saved(folder, "n.txt", text)
    saved(folder, "n.ann", ann)
    return at


def test_time_grows_with_the_note_and_not_with_its_square(tmp_path: Path) -> None:
    """Up to one megabyte, 20,000 mentions."""
    large_note(tmp_path / "small", 5_000)
    at = large_note(tmp_path / "large", 20_000)

    def read(name: str) -> Report:
        (report,) = read_reports([tmp_path / name], ReadOptions())
        assert isinstance(report, Report)
        return report

    def write(report: Report) -> None:
        assert report.entities is not None
        with WRITERS["conll"].open(tmp_path / f"{len(report.entities)}.conll") as writer:
            assert not writer.write(report, report.entities)
        assert writer.written.entities == len(report.entities)

    large = read("large")
    assert large.entities is not None
    assert len(large.entities) == 20_000
    assert large.entities[-1] == Entity("X", ((at[-1] + 3, at[-1] + 13),), "metastasis")
    assert growth(read, "small", "large") < 9
    assert growth(write, read("small"), large) < 9


def test_many_notes_in_little_memory(tmp_path: Path) -> None:
    """Three times as many notes take no more memory: less than 8 MiB, their texts being 16."""
    code = f"""
import json, sys
from pathlib import Path
from labelwright.readers import ReadOptions, read_reports
{PEAK}
for size in (200, 600):
    path = Path(sys.argv[1]) / f"{{size}}.jsonl"
    with open(path, "w") as handle:
        for number in range(size):
            row = dict(id=number, text="lung " + "x" * 40_000)
            row["entities"] = [dict(type="Organ", spans=[[0, 4]])]
            handle.write(json.dumps(row) + "\\n")
    assert sum(1 for item in read_reports([path], ReadOptions()) if item.entities) == size
    print(peak())
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    few, many = map(int, done.stdout.split())
    assert many - few < 8 * 1024
