"""What people have at hand: semicolons, Windows' code page, workbooks, zip, pipes, databases."""

from __future__ import annotations

import io
import json
import sqlite3
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from reading_tools import cell, failure, ods, read, saved, texts, xlsx

from labelwright.cli import main
from labelwright.errors import ConfigError, InputError
from labelwright.io import delimited
from labelwright.io.dialect import detected_delimiter, detected_encoding
from labelwright.readers import ReadOptions, archives, read_reports, scan
from labelwright.readers.archives import unpacked
from labelwright.readers.brought import path_of, shown
from labelwright.records import Reject, Report

# --- delimiters and encodings --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "usual", "found"),
    [
        ("id;text;dose\n1;a, b;2,64\n2;c;3,1\n", ",", ";"),
        ("dose,mg;id;text\n2,64;1;a\n", ",", ";"),  # a comma parts every row, but less
        ("id,text\n1,a; b; c\n2,d; e\n", ",", ","),
        ('id;text\n1;"a;b\nc"\n', ",", ";"),
        ("id\ttext\n1\ta, b\n", ",", "\t"),
        ("id|text\n1|a; b\n", ",", "|"),
        ("id,text\n1,a\n", "\t", ","),
        ("text\nEffusion; edema\n", ",", ","),  # one column: nothing speaks for another
        ('"a;b","c;d"\n1,2\n', ",", ","),
    ],
)
def test_delimiters(rows: str, usual: str, found: str) -> None:
    assert detected_delimiter(rows, usual, whole=True) == found


def test_a_torn_last_row_does_not_count() -> None:
    assert detected_delimiter("a;b;c\n1;2;3\n4;5", ",", whole=False) == ";"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ("Più età: perché".encode("cp1252"), "cp1252"),
        ("“5–7 mg” a 37° – 12 €".encode("cp1252"), "cp1252"),
        ("Più età: perché".encode(), None),
        ("Perché è così".encode("cp850"), None),  # would be "Perch‚ Š cos\x8d"
        ("Größe ü".encode() + b" Ergu\xdf", None),  # UTF-8 with a damaged byte
        ("Größe".encode()[:3], None),  # cut within a character
        ("id;text\n1;è".encode("utf-16-le"), "utf-16-le"),
        ("id;text\n1;è".encode("utf-16-be"), "utf-16-be"),
        (b"plain", None),
    ],
)
def test_encodings(data: bytes, found: str | None) -> None:
    assert detected_encoding(lambda: iter([data])) == found


def test_a_table_of_a_spreadsheet_is_read_and_the_manifest_says_how(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = "sep=;\nid;text;dose\n1;Small effusion, più;2,64\n2;Clear;3,1\n"
    path = saved(tmp_path, "a.csv", content.encode("cp1252"))
    assert texts(read(path)) == ["Small effusion, più", "Clear"]
    (known,) = scan([path], ReadOptions()).inputs
    assert (known["delimiter"], known["encoding"]) == (";", "cp1252")
    forced = ReadOptions(delimiter="|", id_column="id;text;dose")
    assert "no column" in failure(path, forced).what
    plain = saved(tmp_path, "b.csv", "id,text\n1,a\n")
    (known,) = scan([plain], ReadOptions()).inputs
    assert set(known) == {"path", "bytes", "sha256"}
    with pytest.raises(SystemExit):
        main(["label", str(path), "--delimiter", "ab", "--out", str(tmp_path / "o")])
    assert "must be one sign" in capsys.readouterr().err


def test_tables_of_labels_may_have_semicolons_too(tmp_path: Path) -> None:
    path = saved(tmp_path, "gold.csv", "id;età;dose\n1;più;2,5\n".encode("cp1252"))
    assert delimited.columns(path) == ["id", "età", "dose"]
    assert list(delimited.rows(path)) == [(1, {"id": "1", "età": "più", "dose": "2,5"})]


# --- workbooks -----------------------------------------------------------------------------------

HEADER = f'<row r="1">{cell("A1", "id")}{cell("B1", "text")}{cell("C1", "day")}</row>'


def test_a_workbook_keeps_ids_dates_long_cells_and_saved_formulas(tmp_path: Path) -> None:
    long = "Clear lungs." * 20_000
    path = xlsx(
        tmp_path / "a.xlsx",
        {
            "Empty": "",
            "Reports": HEADER
            + f'<row r="2"><c r="A2"><v>12345</v></c>{cell("B2", long)}<c r="C2" s="1">'
            + f'<v>43237</v></c></row><row r="4">{cell("A4", "007")}<c r="B4" t="str"><f>A1</f>'
            + '<v>Effusion.</v></c></row><row r="5"><c r="A5"><v>3</v></c></row>',
        },
    )
    options = ReadOptions(meta_columns=("day",))
    first, second, third = read(path, options)
    assert isinstance(first, Report)
    assert (first.id, first.text, first.meta["day"]) == ("12345", long, "2018-05-17")
    assert (second.id, texts([second])) == ("007", ["Effusion."])
    assert texts([third]) == ["the report has no text"]  # row 3 is empty, and so no row


def row_of(name: str) -> str:
    return f'<row r="2">{cell("A2", name)}{cell("B2", f"Text {name}")}</row>'


def test_sheets_by_name(tmp_path: Path) -> None:
    sheets = {name: HEADER + row_of(name) for name in ("2023", "2024")}
    path = xlsx(tmp_path / "a.xlsx", sheets)
    assert "--sheets" in failure(path).remedy
    assert texts(read(path, ReadOptions(sheets=("2024",)))) == ["Text 2024"]
    both = read(path, ReadOptions(sheets=("all",)))
    assert texts(both) == ["Text 2023", "Text 2024"]
    assert both[1].source == f"{path}#2024"
    assert "no sheet x" in failure(path, ReadOptions(sheets=("x",))).what


def test_hostile_and_broken_workbooks(tmp_path: Path) -> None:
    far = HEADER + f'<row r="1048576">{cell("XFD1048576", "x")}</row>'
    path = xlsx(tmp_path / "far.xlsx", {"S": far})
    assert "reaches over 1048576 rows and 16384 columns" in failure(path).what
    assert "damaged" in failure(saved(tmp_path, "a.xlsx", b"PK\x03\x04nothing")).what
    assert "no workbook" in failure(saved(tmp_path, "a.ods", b"nothing")).what
    assert "is empty" in failure(xlsx(tmp_path / "e.xlsx", {"S": ""})).what
    assert "no rows" in failure(xlsx(tmp_path / "h.xlsx", {"S": HEADER})).what
    assert failure(saved(tmp_path, "z.xlsx", b"")).what == "the file is empty"


def test_hidden_sheets_alone_are_named(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a.xlsx", {"Old": HEADER + row_of("1"), "Empty": ""})
    hidden = tmp_path / "b.xlsx"
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(hidden, "w") as copy:
        for name in whole.namelist():
            part = whole.read(name).replace(b'name="Old"', b'name="Old" state="hidden"')
            copy.writestr(name, part)
    error = failure(hidden)
    assert (error.what, error.remedy) == (
        "only hidden sheets hold something",
        "choose with --sheets; found: Old",
    )
    assert texts(read(hidden, ReadOptions(sheets=("Old",)))) == ["Text 1"]


def test_an_open_document_spreadsheet(tmp_path: Path) -> None:
    rows = [
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="string"><text:p>{c}</text:p></table:table-cell>'
            for c in row
        )
        + "</table:table-row>"
        for row in (("id", "text"), ("1", "Effusion."))
    ]
    ods(tmp_path / "a.ods", rows)
    assert texts(read(tmp_path / "a.ods")) == ["Effusion."]


# --- zip -----------------------------------------------------------------------------------------


def zipped(path: Path, members: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_zip_of_tables_and_of_texts(tmp_path: Path) -> None:
    members = {"a.csv": "id;text\n1;a\n2;\n", "deep/b.jsonl": '{"id": 3, "text": "c"}\n'}
    path = zipped(
        tmp_path / "a.zip", {**members, "__MACOSX/a.csv": "x", ".DS_Store": "x", "~$a.xlsx": "x"}
    )
    items = read(path)
    assert texts(items) == ["a", "the report has no text; a.csv:2", "c"]
    assert [(item.source, item.row) for item in items] == [(str(path), n) for n in (1, 2, 3)]
    notes = zipped(tmp_path / "b.zip", {"notes/w/1.txt": "eins", "notes/2.txt": "zwei"})
    assert [item.id for item in read(notes)] == ["2", "w/1"]


@pytest.mark.parametrize(
    ("member", "text", "what"),
    [
        ("d/a.csv", "foo;bar\n1;2\n", "no column looks like the id"),
        ("d/a.jsonl", "[1]\n", "no JSON object in the first lines"),
        ("d/a.xlsx", "x", "no workbook but text"),
        ("d/a.xyz", "x", "the suffix does not tell the format"),
    ],
)
def test_errors_name_the_member_of_a_zip(tmp_path: Path, member: str, text: str, what: str) -> None:
    path = zipped(tmp_path / "a.zip", {member: text})
    error = failure(path)
    assert error.source == f"{path}/{member}"
    assert str(error).startswith(f"{path}/{member}: {what}")


def test_what_lies_beside_reports_and_is_not_read_is_rejected(tmp_path: Path) -> None:
    """Of a folder with letters in several formats none is lost in silence."""
    members = {"1.txt": "Clear.", "2.doc": "x", "w/3.csv": "id;text\n", "Thumbs.db": "x"}
    _, *rejects = read(zipped(tmp_path / "a.zip", members))
    assert [(item.row, item.reason) for item in rejects if isinstance(item, Reject)] == [
        (
            2,
            "a document of old Word is not read; save it as .docx or .pdf, or run: soffice "
            "--headless --convert-to docx FILE; 2.doc",
        ),
        (3, "a table is not read with the folder; give it by itself; w/3.csv"),
    ]


def test_files_of_other_formats_are_rejected_where_one_is_asked_for(tmp_path: Path) -> None:
    names = ("1.txt", "1.pdf", "2.pdf", "w/3.docx", "4.json", "5.hl7", "6.eml", "7.png", "8.xml")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        saved(tmp_path, name, "Clear.")
    found = read(tmp_path, ReadOptions(format="txt"))
    assert texts(found) == [
        "Clear.",
        "not read with the others; --input-format documents reads it; 2.pdf",
        "not read with the others; --input-format fhir reads it; 4.json",
        "not read with the others; --input-format hl7 reads it; 5.hl7",
        "an e-mail is not read; save its text as .txt; 6.eml",
        "not read with the others; --input-format documents reads it; w/3.docx",
    ]
    assert [item.row for item in found] == [1, 2, 3, 4, 5, 6]
    for name in ("documents", "jsonl", "fhir", "hl7", "brat"):
        items = texts(read(tmp_path, ReadOptions(format=name)))
        assert any("not read with the others" in text for text in items), name


def test_a_folder_with_settings_in_xml_is_none_of_open_i(tmp_path: Path) -> None:
    saved(tmp_path, "1.txt", "Clear.")
    saved(tmp_path, "settings.xml", "<settings/>")
    assert texts(read(tmp_path)) == ["Clear."]


def test_hostile_zips_stay_in_their_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = zipfile.ZipInfo("link.csv")
    link.external_attr = 0o120777 << 16
    path = zipped(tmp_path / "a.zip", {"../out.csv": "id,text\n", "in.csv": "id,text\n1,a\n"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("b.zip", "PK")
    assert texts(read(path)) == [
        "a",
        "its path leads out of the archive; out.csv",
        "a link or device, not a file; link.csv",
        "an archive in an archive; unpack it; b.zip",
    ]
    folder = unpacked(path).folder
    assert [p.name for p in folder.rglob("*")] == ["in.csv"]
    assert folder.parent.stat().st_mode & 0o077 == 0
    monkeypatch.setattr(archives, "_FREE", 1 << 20)
    monkeypatch.setattr(archives, "MOST_RATIO", 100)
    bomb = zipped(tmp_path / "bomb.zip", {"a.csv": b"id,text\n1," + b"a" * (3 << 20)})
    assert "unpacks to far more than reports pack to" in failure(bomb).what
    assert "damaged" in failure(saved(tmp_path, "c.zip", b"PK\x03\x04x")).what
    assert "holds no file" in failure(zipped(tmp_path / "d.zip", {})).what


# --- pipes and databases -------------------------------------------------------------------------


def test_from_a_pipe_to_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "id;text\n1;Small left pleural effusion.\n2;\n"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(rows.encode())))
    assert main(["label", "-", "--model", "rules", "--out", "-"]) == 0
    said = capsys.readouterr()
    header, *labels = said.out.splitlines()
    assert header.startswith("id,Enlarged Cardiomediastinum")
    assert [line.split(",")[0] for line in labels] == ["1"]
    reject, last = said.err.splitlines()[-2:]
    assert json.loads(reject) == {
        "id": "2", "source": "-", "row": 2, "reason": "the report has no text"
    }  # fmt: skip
    assert last.startswith("2 rows: 1 labeled, 1 rejected")
    objects = '{"id": 1, "text": "Edema."}\n'
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(objects.encode())))
    assert main(["label", "-", "--model", "rules", "--out", "-"]) == 0


ROW = '{"id": 1, "text": "Edema."}'


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"", "nothing comes; pipe reports into it"),
        (b'id,text\n1,"a\n', "a quoted field is not closed as CSV asks"),
        (b"PK\x03\x04 and more", "no text, but a workbook, document or archive; say which"),
        (b"id,words\n1,a\n", "no column looks like the text"),
    ],
)
def test_errors_name_the_standard_input_not_where_it_was_kept(
    given: bytes, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(given)))
    assert main(["label", "-", "--model", "rules", "--out", "-"]) == 2
    assert f"labelwright: the standard input: {said}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ['[{"id": 1, "text": "Edema."}]', '{"r": [{"id": 1, "text": "Edema."}]}']
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_lists_of_objects_on_the_standard_input(
    mark: bytes, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(mark + text.encode())))
    assert main(["label", "-", "--model", "rules", "--out", "-"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("1,")


def database(folder: Path) -> str:
    path = folder / "reports.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table reports (id integer, text text, day date, dose real)")
        rows = [(1, "Effusion.", "2018-05-17", 2.0), (2, None, None, None)]
        connection.executemany("insert into reports values (?, ?, ?, ?)", rows)
    return f"sqlite:///{path}"


def test_a_table_or_a_query_of_a_database(tmp_path: Path) -> None:
    url = database(tmp_path)
    path = path_of(url)
    options = ReadOptions(table="reports", meta_columns=("day", "dose"))
    first, second = read_reports([path], options)
    assert isinstance(first, Report)
    assert (first.id, first.source, dict(first.meta)) == (
        "1", url, {"day": "2018-05-17", "dose": "2"}
    )  # fmt: skip
    assert texts([second]) == ["the report has no text"]
    assert scan([path], options).inputs[0]["path"] == url
    asked = ReadOptions(query="select id as study_id, text as report from reports where id = 1")
    assert texts(list(read_reports([path_of(url)], asked))) == ["Effusion."]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (ReadOptions(), "either a table or a query"),
        (ReadOptions(table="a", query="select 1"), "either a table or a query"),
        (ReadOptions(query="delete from reports"), "may only read"),
        (ReadOptions(query="with a as (select 1) delete from reports"), "the database refuses"),
        (ReadOptions(table="none"), "no table none"),
        (ReadOptions(query="select nothing"), "the database refuses"),
    ],
)
def test_databases_are_only_read(tmp_path: Path, options: ReadOptions, what: str) -> None:
    url = database(tmp_path)
    with pytest.raises((ConfigError, InputError), match=what):
        list(read_reports([path_of(url)], options))
    with sqlite3.connect(tmp_path / "reports.db") as connection:
        assert connection.execute("select count(*) from reports").fetchone() == (2,)


def test_passwords_of_urls_are_masked(tmp_path: Path) -> None:
    path = path_of("postgresql://someone:secret@host/db")
    assert shown(path) == "postgresql://someone:***@host/db"
    with pytest.raises(InputError) as raised:
        list(read_reports([path_of(f"sqlite:///{tmp_path}/no.db")], ReadOptions(table="a")))
    assert "no such file" in raised.value.what


# --- what no reader takes ------------------------------------------------------------------------


def test_unknown_files_and_folders_say_what_they_are(tmp_path: Path) -> None:
    error = failure(saved(tmp_path, "letter.doc", b"x"))
    assert "old Word" in error.what
    assert "docx" in error.remedy
    assert "pickle, which would run code" in failure(saved(tmp_path, "a.pkl", b"x")).what
    assert "--input-format" in failure(saved(tmp_path, "a.qqq", b"x")).remedy
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("a.csv", "b.csv", "c.doc"):
        saved(folder, name, "x")
    assert "2 .csv files, 1 .doc file" in failure(folder).what
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "the folder is empty" in failure(empty).what
