"""Tables: columns, rejects, quotes, damage; no row is lost in silence."""

from __future__ import annotations

import gzip
import os
import random
from dataclasses import replace
from pathlib import Path

import pandas
import pytest
from reading_tools import PLAIN, cell, failure, read, saved, texts, xlsx

from labelwright.errors import InputError
from labelwright.readers import ReadOptions, read_reports, scan
from labelwright.records import Reject, Report


def test_columns_are_found_by_their_usual_names(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", "Study ID,Findings,IMPRESSION,subject_id\n7,Clear.,Normal.,3\n")
    (report,) = read(path)
    assert isinstance(report, Report)
    assert (report.id, report.patient, report.row) == ("7", "3", 1)
    assert report.text == "FINDINGS:\nClear.\n\nIMPRESSION:\nNormal."
    assert [s.name for s in report.sections] == ["findings", "impression"]
    assert report.source == str(path)


def test_columns_by_flag(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", "id,no,text,body,sex\nx,7,a,b,f\n")
    options = ReadOptions(id_column="no", text_columns=("body",), meta_columns=("sex",))
    (report,) = read(path, options)
    assert isinstance(report, Report)
    assert (report.id, report.text, report.meta) == ("7", "b", {"sex": "f"})


def test_rows_are_numbered_where_no_column_is_an_id(tmp_path: Path) -> None:
    numbered = ReadOptions(id_column="#")
    one = saved(tmp_path, "a.csv", "text,sex\nClear.,f\n\n ,m\nClear.,f\n")
    two = saved(tmp_path, "b.jsonl", '{"note": "Normal."}\n')
    three = tmp_path / "c.parquet"
    pandas.DataFrame({"text": ["Small heart."]}).to_parquet(three)
    four = tmp_path / "d.xlsx"
    cells = [f'<row r="{y}">{cell(f"A{y}", word)}</row>' for y, word in enumerate(("text", "x"), 1)]
    xlsx(four, dict.fromkeys(("May", "June"), "".join(cells)))
    items = [
        *read_reports([one, two, three], numbered),
        *read_reports([four], replace(numbered, sheets=("all",))),
    ]
    assert [(item.id, item.row) for item in items] == [
        ("a.csv#1", 1),
        ("a.csv#2", 2),
        ("a.csv#3", 3),
        ("b.jsonl#1", 1),
        ("c.parquet#1", 1),
        ("d.xlsx#May#1", 1),
        ("d.xlsx#June#1", 1),
    ]
    assert texts(items)[:3] == ["Clear.", "the report has no text", "Clear."]
    named = saved(tmp_path, "e.csv", "#,text\n17,Clear.\n")
    assert [item.id for item in read_reports([named], numbered)] == ["17"]  # a column of that name


@pytest.mark.parametrize(
    ("header", "options", "message"),
    [
        ("id,uid,text", PLAIN, "columns id, uid may each hold the id; name it with --id-column"),
        ("id,text,findings", PLAIN, "columns text, findings may each hold the text"),
        ("id,words", PLAIN, "no column looks like the text; name it with --text-columns"),
        ("number,text", PLAIN, "no column looks like the id; name it with --id-column"),
        (
            "number;letter",
            PLAIN,
            "no column looks like the id, and no column looks like the text; name them with "
            "--id-column and --text-columns, or number the rows with --id-column '#'; columns "
            "found: number, letter",
        ),
        (
            "id,text",
            ReadOptions(id_column="ID"),
            "no column ID; did you mean id? columns found: id,",
        ),
        ("id,text", ReadOptions(id_column="no"), "no column no; columns found: id, text"),
        ("id,text", ReadOptions(text_columns=("a", "b")), "no column a, b"),
        ("id,text", ReadOptions(patient_column="p"), "no column p"),
        ("id,text", ReadOptions(meta_columns=("m",)), "no column m"),
        ("id,text,text", PLAIN, "columns text, text may each hold the text"),
        ("id,text,text", ReadOptions(text_columns=("text",)), "text is there more than once"),
        ("id,text,mrn,subject_id", PLAIN, "may each hold the patient"),
        ("id;text", ReadOptions(delimiter=","), "separated by ';': give --delimiter"),
        ("id\ttext", ReadOptions(delimiter=","), "give --delimiter tab"),
    ],
)
def test_unclear_columns_are_errors(
    tmp_path: Path, header: str, options: ReadOptions, message: str
) -> None:
    path = saved(tmp_path, "a.csv", header + "\n" + "1," * header.count(",") + "x\n")
    assert message in failure(path, options).line()


def test_a_missing_header_does_not_show_the_report(tmp_path: Path) -> None:
    secret = "Canary of a patient with a long report that has no header above it."
    path = saved(tmp_path, "a.csv", f"17,{secret}\n18,{secret}\n")
    assert "Canary" not in failure(path).line()


# --- CSV and TSV ---------------------------------------------------------------------------


def test_csv_quotes_line_ends_and_empty_lines(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", 'id,text\r\n1,"a, ""b""\nc"\r\n\r\n2,5" tube\r\n')
    items = read(path)
    assert texts(items) == ['a, "b"\nc', '5" tube']
    assert [item.row for item in items] == [1, 2]


def test_tsv_and_gzip(tmp_path: Path) -> None:
    assert texts(read(saved(tmp_path, "a.tsv", "id\ttext\n1\ta, b\n"))) == ["a, b"]
    packed = gzip.compress(b"id,text\n1,a\n")
    assert texts(read(saved(tmp_path, "a.csv.gz", packed))) == ["a"]
    assert texts(read(saved(tmp_path, "b.csv", packed))) == ["a"]  # told by its first bytes


def test_rows_that_cannot_be_used_become_rejects(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        "a.csv",
        "id,text\n1,a\n,b\n3, \t \n4\n5,a,b\n6,a\0b\n\0,b\n1,again\n8,fine\n",
    )
    items = read(path)
    assert texts(items) == [
        "a",
        "the id is missing",
        "the report has no text",
        "the row has 1 cell, the header 2",
        "the row has 3 cells, the header 2",
        "the report holds NUL bytes",
        "the id holds NUL bytes",
        f"duplicate id; first seen at {path}:1",
        "fine",
    ]
    assert [item.row for item in items] == list(range(1, 10))
    assert items[2].id == "3"


def test_duplicates_are_found_over_all_files(tmp_path: Path) -> None:
    one = saved(tmp_path, "a.csv", "id,text\n1,a\n2,b\n")
    two = saved(tmp_path, "b.jsonl", '{"id": 2, "text": "c"}\n{"id": 3, "text": "d"}\n')
    items = list(read_reports([one, two], PLAIN))
    assert texts(items) == ["a", "b", f"duplicate id; first seen at {one}:2", "d"]
    assert scan([one, two], PLAIN).rows == 4


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.csv.gz"])
def test_empty_files(tmp_path: Path, name: str) -> None:
    content = gzip.compress(b"") if name.endswith(".gz") else b""
    assert "empty" in failure(saved(tmp_path, name, content)).line()


@pytest.mark.parametrize("content", ["id,text\n", "id,text", "id,text\n\n\n"])
def test_header_only(tmp_path: Path, content: str) -> None:
    assert "no rows" in failure(saved(tmp_path, "a.csv", content)).line()


def test_blank_file(tmp_path: Path) -> None:
    assert "empty" in failure(saved(tmp_path, "a.csv", "\n\n")).line()


def test_ten_megabyte_report_and_long_field(tmp_path: Path) -> None:
    long = "Clear lungs. " * 800_000
    path = saved(tmp_path, "a.csv", f"id,text\n1,{long}\n")
    assert texts(read(path)) == [long]
    assert len(long) > 10_000_000


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('id,text\n1,a\n2,"never closed\n3,c\n4,d\n', 3),
        ('id,text\n1,"a\nb"\n2,"never closed\n3,"c"\n', 4),  # meets the next quote
        ('id,text\n1,"a" b\n', 2),
    ],
)
def test_broken_quotes_name_the_line_where_they_open(
    tmp_path: Path, content: str, line: int
) -> None:
    message = failure(saved(tmp_path, "a.csv", content)).line()
    assert f"in the record that starts at line {line};" in message
    assert "closed" in message


def test_rows_before_a_broken_quote_are_not_lost(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", 'id,text\n1,a\n2,"b\n3,c\n')
    items = read_reports([path], PLAIN)
    assert next(items).id == "1"
    with pytest.raises(InputError, match="starts at line 3"):
        next(items)


def test_truncated_gzip_names_the_last_good_row(tmp_path: Path) -> None:
    rows = "".join(f"{i},report {os.urandom(20).hex()}\n" for i in range(1, 3001))
    whole = gzip.compress(f"id,text\n{rows}".encode())
    path = saved(tmp_path, "a.csv.gz", whole[: len(whole) // 2])
    good: list[int] = []
    with pytest.raises(InputError) as caught:
        good.extend(item.row for item in read_reports([path], PLAIN))
    assert "gzip data are damaged or cut short after row" in caught.value.line()
    last = int(caught.value.what.rsplit(" ", 1)[1])
    assert 1000 < last < 2000
    assert failure(path).what == caught.value.what


def test_damaged_gzip(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(b"id,text\n1,abcabcabcabc\n"))
    whole[12] ^= 0xFF
    assert "gzip" in failure(saved(tmp_path, "a.csv.gz", bytes(whole))).line()


def test_damaged_gzip_that_makes_no_text(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress("id,text\n1,ü\n".encode(), 0, mtime=0))  # level 0: as it is
    whole[whole.index(b"\xc3")] = 0xFF
    assert "gzip" in failure(saved(tmp_path, "a.csv.gz", bytes(whole))).line()


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl"])
def test_random_damage_gives_rejects_or_input_errors(tmp_path: Path, name: str) -> None:
    """Nothing else may come out, and no message may hold text of a report."""
    if name == "a.jsonl":
        whole = b"".join(b'{"id": %d, "text": "CANARY \xc3\xbc"}\n' % n for n in range(30))
    else:
        whole = b"id,text\n" + b"".join(b'%d,"CANARY \xc3\xbc ""a"""\n' % n for n in range(30))
    whole = gzip.compress(whole) if name.endswith(".gz") else whole
    chance = random.Random(3)
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(damaged))
            damaged[at : at + chance.randint(0, 3)] = chance.choice(
                [b"", b'"', b"\0", b"\xff", b"["]
            )
        path = saved(tmp_path, name, bytes(damaged))
        try:
            reasons = [i.reason for i in read(path) if isinstance(i, Reject)]
        except InputError as error:
            reasons = [error.line()]
        assert "CANARY" not in "".join(reasons)


# --- encodings -----------------------------------------------------------------------------
