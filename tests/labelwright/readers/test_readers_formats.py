"""Encodings, JSON lines and Parquet: what is read, rejected or refused."""

from __future__ import annotations

import csv
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from reading_tools import PLAIN, failure, read, saved, table, texts

from labelwright.errors import ConfigError
from labelwright.readers import ReadOptions, read_reports, scan
from labelwright.records import Report

GERMAN = "id,text\n1,Erguß links\n2,Größe normal\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_with_a_mark_are_recognised(tmp_path: Path, encoding: str) -> None:
    path = saved(tmp_path, "a.csv", GERMAN.encode(encoding))
    assert texts(read(path)) == ["Erguß links", "Größe normal"]


@pytest.mark.parametrize("encoding", ["latin-1", "windows-1252", "utf-16-le", "utf-16-be", "utf-8"])
def test_encodings_by_flag(tmp_path: Path, encoding: str) -> None:
    path = saved(tmp_path, "a.csv", GERMAN.encode(encoding))
    assert texts(read(path, ReadOptions(encoding=encoding))) == ["Erguß links", "Größe normal"]


def test_mark_and_flag_together(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", ("\ufeff" + GERMAN).encode("utf-16-le"))
    assert len(read(path, ReadOptions(encoding="utf-16-le"))) == 2
    path = saved(tmp_path, "a.csv", GERMAN.encode("utf-8-sig"))
    assert len(read(path, ReadOptions(encoding="UTF8"))) == 2


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
@pytest.mark.parametrize("before", [0, 70_000])
def test_latin_1_names_byte_line_and_remedy(tmp_path: Path, name: str, before: int) -> None:
    content = b"id,text\n0," + b"a" * before + b"\n1,x\n2,\xc3\xbc\n3,Ergu\xdf\n"
    path = saved(tmp_path, name, gzip.compress(content) if name.endswith("gz") else content)
    message = failure(path).line()
    assert f"byte {content.index(0xDF)} (line 5) is not valid UTF-8" in message
    assert "--encoding latin-1" in message


def test_character_cut_at_the_end_of_the_file(tmp_path: Path) -> None:
    content = "id,text\n1,ü".encode()[:-1]
    assert f"byte {len(content) - 1} (line 2)" in failure(saved(tmp_path, "a.csv", content)).line()


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_mark(tmp_path: Path, encoding: str) -> None:
    path = saved(tmp_path, "a.csv", GERMAN.encode(encoding))
    assert texts(read(path)) == ["Erguß links", "Größe normal"]
    rows = '{"id": 1, "text": "a"}\n{"id": 2, "text": "b"}\n'
    lines = saved(tmp_path, "a.jsonl", rows.encode(encoding))
    assert f"give --encoding {encoding}" in failure(lines).line()


def test_wrong_or_unknown_encoding(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", GERMAN)
    assert "is not valid ASCII" in failure(path, ReadOptions(encoding="ascii")).line()
    for name in ("klingon", "hex", "zip"):
        with pytest.raises(ConfigError, match="unknown encoding"):
            scan([path], ReadOptions(encoding=name))


# --- JSON lines ----------------------------------------------------------------------------


def test_jsonl_lines_that_cannot_be_used_become_rejects(tmp_path: Path) -> None:
    lines = [
        '{"id": 1, "text": "a", "patient": 5}',
        "",
        '{"id": 2, "text": ',
        "[1]",
        "[" * 100_000,
        '{"id": "6", "text": 7}',
        '{"id": 7.5, "text": "b"}',
        '{"id": null, "text": "b"}',
        '{"id": 9, "text": null}',
        '{"id": 10}',
        '{"id": 11, "text": "\\ud800"}',
        '{"id": 12, "text": "a\\u0000b"}',
        '{"id": 13, "text": "ü\\ud83d\\ude00"}',
        '{"id": true, "text": "b"}',
    ]
    items = read(saved(tmp_path, "a.jsonl", "\n".join(lines)))
    assert [(item.row, text) for item, text in zip(items, texts(items), strict=True)] == [
        (1, "a"),
        (3, "the line is not valid JSON"),
        (4, "the line is JSON but no object"),
        (5, "the line is not valid JSON"),
        (6, "a text column holds something else than text"),
        (7, "the id is neither text nor a whole number"),
        (8, "the id is missing"),
        (9, "the report has no text"),
        (10, "the report has no text"),
        (11, "half a surrogate pair stands in it, no character"),
        (12, "the report holds NUL bytes"),
        (13, "ü😀"),
        (14, "the id is neither text nor a whole number"),
    ]
    assert isinstance(items[0], Report)
    assert items[0].patient == "5"


def test_jsonl_keys_may_be_left_out_of_some_lines(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        "a.ndjson",
        '{"id": 1, "findings": "a"}\n{"id": 2, "impression": "b", "age": [1]}\n',
    )
    options = ReadOptions(text_columns=("findings", "impression"), meta_columns=("age",))
    items = read(path, options)
    assert texts(items) == ["FINDINGS:\na", "IMPRESSION:\nb"]
    assert [item.meta["age"] for item in items if isinstance(item, Report)] == ["", "[1]"]


def test_jsonl_errors(tmp_path: Path) -> None:
    assert "no JSON object" in failure(saved(tmp_path, "a.jsonl", "1\n2\n")).line()
    assert "no rows" in failure(saved(tmp_path, "a.jsonl", "\n\n")).line()
    path = saved(tmp_path, "a.jsonl", '{"id": 1, "text": "a"}\n')
    assert "no column b" in failure(path, ReadOptions(text_columns=("b",))).line()


def test_jsonl_gzip_and_utf_16(tmp_path: Path) -> None:
    content = '{"id": 1, "text": "ü"}\n'
    assert texts(read(saved(tmp_path, "a.jsonl.gz", gzip.compress(content.encode())))) == ["ü"]
    assert texts(read(saved(tmp_path, "b.jsonl", content.encode("utf-16")))) == ["ü"]


# --- Parquet -------------------------------------------------------------------------------


def test_parquet(tmp_path: Path) -> None:
    columns = {
        "study_id": [1, None, 3, 4],
        "findings": ["a", "b", None, "c\0"],
        "impression": ["d", "e", None, ""],
        "age": [61.5, 2.0, None, 1.0],
    }
    path = table(tmp_path, "a.parquet", columns)
    items = read(path, ReadOptions(meta_columns=("age",)))
    assert texts(items) == [
        "FINDINGS:\na\n\nIMPRESSION:\nd",
        "the id is missing",
        "the report has no text",
        "the report holds NUL bytes",
    ]
    assert isinstance(items[0], Report)
    assert (items[0].id, items[0].meta) == ("1", {"age": "61.5"})


def test_parquet_string_types(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    columns = {
        "id": pa.array(["1", "2"]).cast(pa.large_string()),
        "text": pa.array(["a", "b"]).dictionary_encode(),
    }
    assert texts(read(table(tmp_path, "a.parquet", columns))) == ["a", "b"]
    names = pa.array(["1", None]).cast(pa.string_view())
    columns = {"id": names, "text": pa.array(["a", "b" * 20]).cast(pa.string_view())}
    items = read(table(tmp_path, "b.parquet", columns))
    assert texts(items) == ["a", "the id is missing"]


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view"])
def test_parquet_bytes_that_are_no_utf_8(tmp_path: Path, kind: str) -> None:
    pa = pytest.importorskip("pyarrow")
    raw = pa.array([b"fine", b"Ergu\xdf"])
    text = pa.Array.from_buffers(pa.string(), 2, raw.buffers())
    if kind != "string":
        views = pa.array([b"fine", b"Ergu\xdf"]).cast(kind.replace("string", "binary"))
        text = pa.Array.from_buffers(pa.type_for_alias(kind), 2, views.buffers())
    items = read(table(tmp_path, "a.parquet", {"id": ["1", "2"], "text": text}))
    assert texts(items) == ["fine", "the row holds bytes that are not UTF-8"]


def test_an_id_of_parquet_is_a_whole_number(tmp_path: Path) -> None:
    columns = {"id": [7.0, 7.5, None], "text": ["a", "b", "c"]}
    found = read(table(tmp_path, "a.parquet", columns))
    assert (found[0].id, [item.id for item in found[1:]]) == ("7", [None, None])
    assert texts(found) == ["a", "the id is neither text nor a whole number", "the id is missing"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": ["1"], "text": [b"a"]}, "the column text has the type binary; store it as string"),
        ({"id": ["1"], "text": [["a"]]}, "the column text has the type list"),
        ({"id": [True], "text": ["a"]}, "the column id has the type bool; store it as string or"),
        ({"id": ["1"], "words": ["a"]}, "no column looks like the text"),
    ],
)
def test_parquet_types_that_cannot_be_used(
    tmp_path: Path, columns: dict[str, Any], message: str
) -> None:
    assert message in failure(table(tmp_path, "a.parquet", columns)).line()


def test_parquet_damaged_or_empty(tmp_path: Path) -> None:
    path = table(tmp_path, "a.parquet", {"id": ["1"], "text": ["a"]})
    whole = path.read_bytes()
    for content in (b"", b"PAR1", whole[: len(whole) // 2], b"x" * 200):
        assert "damaged" in failure(saved(tmp_path, "b.parquet", content)).line()
    pa = pytest.importorskip("pyarrow")
    none = {"id": pa.array([], pa.string()), "text": pa.array([], pa.string())}
    assert "no rows" in failure(table(tmp_path, "c.parquet", none)).line()


# --- which reader --------------------------------------------------------------------------


def test_format_by_flag(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.dat", "id\ttext\n1\ta\n")
    assert texts(read(path, ReadOptions(format="tsv"))) == ["a"]
    assert "give --input-format" in failure(path).line()
    with pytest.raises(ConfigError, match="unknown format"):
        scan([path], ReadOptions(format="xlsx"))


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    assert "no such file" in failure(tmp_path / "missing.csv").line()
    assert "no such file" in failure(tmp_path / "missing").line()
    assert "the folder is empty" in failure(tmp_path).line()
    assert "not a regular file" in failure(tmp_path, ReadOptions(format="csv")).line()
    os.mkfifo(tmp_path / "pipe.csv")
    assert "not a regular file" in failure(tmp_path / "pipe.csv").line()
    with pytest.raises(ConfigError, match="no input"):
        read_reports([], PLAIN)


def test_scan_gives_digests(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", "id,text\n1,a\n")
    (entry,) = scan([path], PLAIN).inputs
    # printf 'id,text\n1,a\n' | sha256sum
    assert entry == {
        "path": str(path),
        "bytes": 12,
        "sha256": "2fc4972c4bf48874cde532827b939bc0329cf9664480b3b0f0707ef638b8ebf0",
    }


def test_reading_does_not_depend_on_the_process_wide_field_limit(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", "id,text\n1," + "a" * 200_000 + "\n")
    csv.field_size_limit(131_072)
    assert len(texts(read(path))[0]) == 200_000


def test_reports_written_by_build_can_be_read_back(tmp_path: Path) -> None:
    row = {"id": "7", "text": "Clear.", "patient": None, "meta": {"a": "b"}}
    path = saved(tmp_path, "test.reports.jsonl", json.dumps(row) + "\n")
    (report,) = read(path)
    assert isinstance(report, Report)
    assert (report.id, report.text, report.patient) == ("7", "Clear.", None)
