"""Text files: encodings, folders, links, and files that are no text."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from backports import zstd
from reading_tools import PLAIN, failure, read, saved

from labelwright.errors import ConfigError
from labelwright.readers import ReadOptions, scan
from labelwright.readers.folders import passed_over
from labelwright.records import Reject, Report


def outcome(items: list[Report | Reject]) -> dict[str | None, str]:
    return {i.id: i.text if isinstance(i, Report) else i.reason for i in items}


def test_nested_folder(tmp_path: Path) -> None:
    for name in ("b.txt", "a/2.TXT", "a/1.txt", "a/b/c.text", "z.md", "a/notes.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        saved(tmp_path, name, f"IMPRESSION: {name}.")
    *items, table = read(tmp_path)
    assert isinstance(table, Reject)
    assert (table.row, table.reason) == (
        5,
        "a table is not read with the folder; give it by itself; a/notes.csv",
    )
    assert [(i.id, i.row, i.source) for i in items] == [
        ("a/1", 1, str(tmp_path)),
        ("a/2", 2, str(tmp_path)),
        ("a/b/c", 3, str(tmp_path)),
        ("b", 4, str(tmp_path)),
    ]
    assert isinstance(items[0], Report)
    assert [s.name for s in items[0].sections] == ["impression"]


def test_one_file(tmp_path: Path) -> None:
    (report,) = read(saved(tmp_path, "17.txt", "Clear lungs.\r\nNo effusion.\r"))
    assert isinstance(report, Report)
    assert (report.id, report.text) == ("17", "Clear lungs.\nNo effusion.\n")
    assert outcome(read(saved(tmp_path, "18.txt.gz", gzip.compress(b"Clear.")))) == {"18": "Clear."}
    assert outcome(read(saved(tmp_path, "19.txt.zst", zstd.compress(b"Clear.")))) == {
        "19": "Clear."
    }
    options = ReadOptions(format="txt")
    assert outcome(read(saved(tmp_path, "20.dat", "Clear."), options)) == {"20.dat": "Clear."}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_with_marks_side_by_side(tmp_path: Path, encoding: str) -> None:
    saved(tmp_path, "a.txt", "Erguß".encode(encoding))
    saved(tmp_path, "b.txt", "Größe")
    assert outcome(read(tmp_path)) == {"a": "Erguß", "b": "Größe"}


def test_encoding_by_flag(tmp_path: Path) -> None:
    saved(tmp_path, "a.txt", "Erguß".encode("latin-1"))
    assert outcome(read(tmp_path)) == {"a": "not UTF-8; --encoding names another"}
    assert outcome(read(tmp_path, ReadOptions(encoding="latin-1"))) == {"a": "Erguß"}
    with pytest.raises(ConfigError, match="unknown encoding"):
        scan([tmp_path], ReadOptions(encoding="klingon"))


def test_files_that_are_no_text_become_rejects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labelwright.readers.opening.LONGEST", 1000)
    contents = {
        "binary": bytes(range(256)),
        "controls": b"ab\x01\x02\x03\x04\x05cd",
        "dicom": bytes(128) + b"DICM" + bytes(50),
        "empty": b"",
        "large": b"x" * 1001,
        "mark": b"\xef\xbb\xbf",
        "nul": b"Clear lungs, no effusion.\0",
        "office": b"PK\x03\x04" + bytes(20),
        "pdf": b"%PDF-1.7\n",
        "rtf": b"{\\rtf1 Clear.}",
        "spaces": b" \r\n\t",
        "utf16": "Clear.".encode("utf-16-le"),
    }
    for name, content in contents.items():
        saved(tmp_path, f"{name}.txt", content)
    saved(tmp_path, "bomb.txt.zst", zstd.compress(b"x" * 10_000_000))
    saved(tmp_path, "torn.txt.gz", gzip.compress(b"Clear.")[:-3])
    saved(tmp_path, "whole.txt", "Clear.")
    assert outcome(read(tmp_path)) == {
        "binary": "not UTF-8; --encoding names another",
        "bomb": "larger than 1000 bytes",
        "controls": "no text: too many control characters",
        "dicom": "no plain text but DICOM",
        "empty": "the file is empty",
        "large": "larger than 1000 bytes",
        "mark": "the report has no text",
        "nul": "the report holds NUL bytes",
        "office": "no plain text but a zip archive or Office file",
        "pdf": "no plain text but PDF",
        "rtf": "no plain text but RTF",
        "spaces": "the report has no text",
        "torn": "the packed data are damaged or cut short",
        "utf16": "largely NUL bytes, like UTF-16 without its mark; --encoding names another",
        "whole": "Clear.",
    }


def test_links_pipes_and_odd_names(tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    (folder / "inner").mkdir(parents=True)
    saved(folder, "a.txt", "Clear.")
    saved(folder, ".hidden.txt", "Clear.")
    assert [passed_over(name) for name in ("~$letter.DOCX", "~$1.txt", "~1.docx")] == [
        True,
        False,
        False,
    ]
    (folder / "inner" / "circle").symlink_to(folder)
    (folder / "b.txt").symlink_to(folder / "a.txt")
    (folder / "c.txt").symlink_to(tmp_path / "nowhere.txt")
    (folder / "d.txt").mkdir()
    os.mkfifo(folder / "e.txt")
    (folder / os.fsdecode(b"f\xff.txt")).write_text("Clear.")
    items = read(folder)
    assert [i.id if isinstance(i, Report) else i.reason for i in items] == [
        "a",
        "b",
        "a link that leads nowhere; c.txt",
        "not a regular file; e.txt",
        "the file's name is not UTF-8; a file with an odd name",
        "a link to a folder is not followed; inner/circle",
    ]
    assert scan([folder], PLAIN).inputs[0]["bytes"] == 2 * len("Clear.")


def test_deep_folders(tmp_path: Path) -> None:
    deep = tmp_path / "/".join("d" * 200)
    deep.mkdir(parents=True)
    saved(deep, "a.txt", "Clear.")
    (report,) = read(tmp_path)
    assert report.id == "d/" * 200 + "a"


def test_names_like_studies_do_not_hide_the_others(tmp_path: Path) -> None:
    """Such a folder was taken for a patient's folder of MIMIC-CXR, which reads studies only."""
    saved(tmp_path, "s1.txt", "Clear.")
    saved(tmp_path, "other.txt", "Clear.")
    assert list(outcome(read(tmp_path))) == ["other", "s1"]
    (tmp_path / "other.txt").unlink()
    assert list(outcome(read(tmp_path))) == ["1"]


def test_same_id_twice(tmp_path: Path) -> None:
    saved(tmp_path, "a.txt", "Clear.")
    saved(tmp_path, "a.txt.gz", gzip.compress(b"Clear."))
    assert [i.reason for i in read(tmp_path) if isinstance(i, Reject)] == [
        f"duplicate id; first seen at {tmp_path}:1"
    ]


def test_errors(tmp_path: Path) -> None:
    assert "the folder is empty" in failure(tmp_path).what
    assert "no .txt file" in failure(tmp_path, ReadOptions(format="txt")).what
    assert "no such file" in failure(tmp_path / "a.txt").what
    saved(tmp_path, "a.txt", "Clear.")
    for options in (ReadOptions(id_column="id"), ReadOptions(meta_columns=("a",))):
        with pytest.raises(ConfigError, match="no columns"):
            scan([tmp_path], options)
    saved(tmp_path, "b.hl7", "MSH|^~\\&|")
    message = failure(tmp_path).line()
    assert "files of several formats: txt, hl7; say which to read with --input-format" in message
