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
from labelwright.io.delimited import unescape_id
from labelwright.label_set import LabelSet
from labelwright.records import Certainty
from labelwright.tasks.certainty.table import read_labels

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
