"""Label tables as users have them: without header, twice the same column, pipes, odd ids."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_tables import write_labels

from labelwright.cli import main
from labelwright.errors import InputError
from labelwright.io.delimited import unescape_id
from labelwright.label_set import LabelSet
from labelwright.records import Certainty
from labelwright.tasks.certainty.table import PackedLabels, decode, read_labels

CANARY = "canary-7b02"
TEXT = f"The heart is enlarged, {CANARY}. No pneumothorax."
NAMES = LabelSet.load("chexpert-14").names


def table(rows: list[list[str]]) -> str:
    handle = io.StringIO()
    csv.writer(handle, lineterminator="\n").writerows(rows)
    return handle.getvalue()


GOOD = table([["id", *NAMES], ["r1", *["1"] * 13, ""], ["r2", *["0"] * 13, ""]])

Run = Callable[[Path], list[tuple[int, str]]]


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Give a file where a label table is expected: to build, as gold and as predictions."""
    reports = tmp_path / "reports.csv"
    reports.write_text(table([["id", "text"], ["r1", TEXT], ["r2", f"Clear. {CANARY}"]]))
    good = tmp_path / "good.csv"
    good.write_text(GOOD)

    def each(path: Path) -> list[tuple[int, str]]:
        out = ["--out", str(tmp_path / "out")]
        build = ["build", str(reports), "--label-set", "chexpert-14", *out]
        score = ["--resamples", "10", "--permutations", "10", *out]
        commands = (
            [*build, "--labels", str(path)],
            [*build, "--labels", "rules", "--split-file", str(path)],
            ["eval", "--gold", str(path), "--pred", f"a={good}", *score],
            ["eval", "--gold", str(good), "--pred", f"a={path}", *score],
        )
        answers = []
        for command in commands:
            code = main(command)
            answers.append((code, capfd.readouterr().err))
        return answers

    return each


HEADLESS = table([["r1", TEXT], ["r2", f"Clear lungs. {CANARY}"]])
JSONL = json.dumps({"id": "r1", "text": TEXT}) + "\n"
MANY = ",".join(f"{CANARY} is column number {n}" for n in range(5_000)) + "\n"


@pytest.mark.parametrize("content", [HEADLESS, JSONL, MANY], ids=["headless", "jsonl", "many"])
def test_a_report_file_in_place_of_a_label_table_is_not_shown(
    run: Run, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "given.csv"
    path.write_text(content)
    for code, error in run(path):
        assert code == 2
        assert "columns found: " in error
        assert CANARY not in error
        assert len(error) < 1_000


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (GOOD.replace("Edema", "Fracture").encode(), "column Fracture is there more than once"),
        (b"id,\xc3\xa4,Edema\n\xff,1,1\n", "not UTF-8 text; save it as CSV or TSV in UTF-8"),
        (b"PAR1\x00\xff", "not UTF-8 text"),
        (gzip.compress(GOOD.encode())[:-30], "the gzip data are damaged or cut short; copy"),
        (b'"id,Edema\n', "a quoted field is not closed as CSV asks; close the quotes"),
    ],
    ids=["twice", "damaged", "parquet", "cut", "quotes"],
)
def test_tables_that_cannot_be_read(run: Run, tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "given.csv"
    path.write_bytes(content)
    for code, error in run(path):
        assert code == 2
        assert words in error


def test_a_pipe_is_refused_since_it_can_be_read_only_once(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "pipe.csv"
    os.mkfifo(path)
    for code, error in run(path):
        assert code == 2
        assert "not a regular file (a folder or a pipe); give a file" in error


@pytest.mark.parametrize("name", ["labels.csv", "labels.csv.gz"])
@pytest.mark.parametrize("packed", [True, False])
def test_gzip_is_told_by_content_and_names_are_trimmed(
    tmp_path: Path, name: str, packed: bool, chexpert: LabelSet
) -> None:
    content = ("\n" + GOOD.replace(",", " ,")).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if packed else content)
    found = list(read_labels(path, chexpert, id_columns=["id"]))
    assert [identifier for _, identifier, _ in found] == ["r1", "r2"]
    assert found[0][2]["Edema"] is Certainty.POSITIVE


ids = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
spelled = ids.map(str.strip).filter(bool)


@given(st.lists(st.one_of(spelled, st.text("'=+-@\r\n,\"x", min_size=1)), max_size=5))
def test_any_id_comes_back_from_labels_csv(names: list[str]) -> None:
    names = [name.strip() for name in names if name.strip()]
    chexpert = LabelSet.load("chexpert-14")
    blank = dict.fromkeys(chexpert.names, Certainty.BLANK)
    handle = io.StringIO(newline="")
    write_labels(handle, chexpert, [(name, blank) for name in names])
    rows = list(csv.reader(io.StringIO(handle.getvalue(), newline=""), strict=True))[1:]
    assert [unescape_id(row[0]) for row in rows] == names
    assert not any(row[0].startswith(("=", "+", "-", "@")) for row in rows)


@pytest.mark.parametrize("id_at", [0, 15])
def test_rows_read_once_are_those_that_csv_reads(tmp_path: Path, id_at: int) -> None:
    """Before the first quote rows are parted at the delimiter alone: as Python's csv does.

    A table whose ids stand behind the labels is read the other way.
    """
    cells = [["1.0", "", "-1.0", " 0 "][n % 4] for n in range(14)]
    rows = [[f"p{n % 3}", f"s{n}", *cells[n % 5 :], *cells[: n % 5]] for n in range(9)]
    rows[5][1] = 'a,"b"'
    rows[6][1] = " c\n"
    header = ["subject_id", "study_id", *NAMES]
    whole = [row[2:] + row[:2] if id_at else row for row in (header, *rows)]
    path = tmp_path / "labels.csv"
    lines = table(whole).replace("\n", "\r\n\r\n", 3).removesuffix("\n")
    path.write_text(lines, newline="")
    chexpert = LabelSet.load("chexpert-14")
    read = list(read_labels(path, chexpert, id_columns=["subject_id", "study_id"]))
    by_csv = [row for row in csv.reader(io.StringIO(lines)) if row][1:]
    first, second = (14, 15) if id_at else (0, 1)
    assert [row for row, _, _ in read] == list(range(1, 10))
    assert [name for _, name, _ in read] == [f"{r[first]}/{r[second].strip()}" for r in by_csv]
    assert [decode(r[2:][4] if not id_at else r[4]) for r in by_csv] == [
        labels[NAMES[4]] for _, _, labels in read
    ]
    packed = PackedLabels(path, chexpert, ["subject_id", "study_id"])
    assert dict(packed) == {name: labels for _, name, labels in read}
    read[0][2].clear()  # one row's labels are nobody else's
    assert len(read[5][2]) == len(NAMES)
    path.write_text(lines.replace("p0,s3,", "p0,s3,,") if not id_at else lines + ",")
    with pytest.raises(InputError, match="the row has 17 cells, the header 16"):
        list(read_labels(path, chexpert, id_columns=["study_id"]))
