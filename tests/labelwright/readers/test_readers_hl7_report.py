"""HL7 v2: delimiters, escape sequences, character sets, ids and statuses of reports."""

from __future__ import annotations

from pathlib import Path

import pytest
from hl7_examples import message, obr, obx, written
from reading_tools import read, saved, texts

from labelwright.readers import ReadOptions
from labelwright.readers.health.hl7_message import Message
from labelwright.records import Reject, Report


def escaped(text: str, charset: str = "", encoding: str | None = None) -> str:
    header = message(charset=charset)[0]
    codec = encoding or "utf-8"
    read_message = Message([header.encode(codec), obx(text).encode(codec)], encoding)
    return read_message.text(read_message.segments[1], 5)


@pytest.mark.parametrize(
    ("written_text", "meant"),
    [
        # Chapter 2, escape sequences: delimiters, highlighting, hexadecimal data, formatting.
        (r"a \F\ b \S\ c \T\ d \R\ e \E\ f", "a | b ^ c & d ~ e \\ f"),
        (r"\E\F\E\ ", "\\F\\ "),
        (r"\H\TOTAL\N\ 5", "TOTAL 5"),
        (r"\X0D\\X0D0A\\X41\ \XC3BC\ ", "\n\nA ü "),
        (r"one\X000d\two\X000D000A\\X0041\\X00\\X0000\ end", "one\ntwo\nA end"),
        (r"Findings:\.br\Clear.\.sp\Normal.\.sp2\End", "Findings:\nClear.\nNormal.\n\nEnd"),
        (r"\.in+4\\.ti-2\a\.ce\b\.sk 3\c\.fi\\.nf\ ", "a\nb   c "),
        (r"\.sp9999\x", "\n" * 20 + "x"),
        (r"\.sk 9999\x", " " * 20 + "x"),
        ("one~two", "one\ntwo"),
        # What is no sequence stays: a path, a local sequence, a lone sign.
        (r"C:\temp and \Zlocal\ and 5 \ 6", r"C:\temp and \Zlocal\ and 5 \ 6"),
        (r"\F", r"\F"),
        ("a^b&c", "a^b&c"),
        ('""', ""),
    ],
)
def test_escape_sequences(written_text: str, meant: str) -> None:
    assert escaped(written_text) == meant


def test_the_standard_s_own_example() -> None:
    """Chapter 2, formatted text (FT): the example of formatting codes, here in its first lines."""
    text = (
        r"\.in+4\\.ti-4\ 1.    The cardiomediastinal silhouette is now within normal limits.\.br\ "
        r"\.ti-4\ 2.    Lung fields show minimal ground glass appearance.\.br\ "
    )
    assert escaped(text) == (
        " 1.    The cardiomediastinal silhouette is now within normal limits.\n"
        "  2.    Lung fields show minimal ground glass appearance.\n "
    )


def test_hexadecimal_data_that_are_no_text(tmp_path: Path) -> None:
    for bad in (r"\XFF\ ", r"\X123\ "):
        reasons = texts(read(written(tmp_path, *message(obr(), obx(bad)))))
        assert reasons == ["an escape sequence holds bytes that are no text"]


def test_other_delimiters(tmp_path: Path) -> None:
    whole = "\r".join(message(obr("F^1"), obx(r"a \F\ b~c")))
    swapped = whole.translate(str.maketrans("|^~\\&", "#@!/%"))
    (report,) = read(saved(tmp_path, "a.hl7", swapped))
    assert isinstance(report, Report)
    assert (report.id, report.patient, report.text) == ("F", "P7", "a # b\nc")


@pytest.mark.parametrize("marks", ["", "^", "^^~\\&", "^~ &", "^~\\&#$", "abc"])
def test_delimiters_that_cannot_be(tmp_path: Path, marks: str) -> None:
    whole = "\r".join(message()).replace("MSH|^~\\&|", f"MSH|{marks}|")
    assert texts(read(saved(tmp_path, "a.hl7", whole))) == [
        "the MSH segment does not name its delimiters"
    ]
    assert texts(read(saved(tmp_path, "b.hl7", "MSH"))) == [
        "the MSH segment does not name its delimiters"
    ]


@pytest.mark.parametrize(
    ("charset", "codec", "text"),
    [
        ("8859/1", "latin-1", "Erguß"),
        ("8859/15", "iso8859-15", "Erguß €"),
        ("8859/5", "iso8859-5", "Легкие"),
        ("UNICODE UTF-8", "utf-8", "Erguß 肺"),
        ("ASCII", "ascii", "Clear"),
        ("ASCII", "utf-8", "Erguß"),
        ("ASCII~8859/1", "latin-1", "Erguß"),
        ("GB 18030-2000", "gb18030", "肺野清晰"),
        ("BIG-5", "big5", "功能許蓋"),  # second bytes that are \ and |
        ("ISO IR87", "iso2022_jp", "肺野"),
        ("KS X 1001", "euc_kr", "폐"),
    ],
)
def test_character_sets(tmp_path: Path, charset: str, codec: str, text: str) -> None:
    segments = message(obr(), obx(text), charset=charset)
    assert texts(read(written(tmp_path, *segments, encoding=codec))) == [text]


def test_character_sets_that_fail(tmp_path: Path) -> None:
    latin = message(obr(), obx("Erguß"))
    path = written(tmp_path, *latin, *message(obr("F2"), obx("b")), encoding="latin-1")
    assert texts(read(path)) == ["the message is not UTF-8; --encoding names another", "b"]
    assert texts(read(path, ReadOptions(encoding="latin-1"))) == ["Erguß", "b"]
    path = written(tmp_path, *message(charset="KLINGON"))
    assert texts(read(path)) == ["MSH-18 names a character set that is not known here"]
    assert texts(read(path, ReadOptions(encoding="utf-8"))) == ["Clear lungs.\nNormal."]
    marked = saved(tmp_path, "b.hl7", "\ufeff" + "\r".join(message()))
    assert texts(read(marked)) == ["Clear lungs.\nNormal."]


# --- reports -------------------------------------------------------------------------------


def test_several_reports_and_patients(tmp_path: Path) -> None:
    segments = [
        *(obr("F1"), obx("a"), "NTE|1||note", obx("5", "NM"), obx("b", "FT"), obx("c", "ST")),
        *("ORC|RE", obr("F2"), obx("d")),
        *("PID|2||P8", obr("F3"), obx("e")),
    ]
    items = read(written(tmp_path, *message(*segments)))
    assert [(i.id, i.patient, i.text) for i in items if isinstance(i, Report)] == [
        ("F1", "P7", "a\nb\nc"),
        ("F2", "P7", "d"),
        ("F3", "P8", "e"),
    ]


def test_ids(tmp_path: Path) -> None:
    cases = [(obr("F1^RIS", "P1^EHR"), "F1"), (obr("", "P1^EHR"), "P1"), (obr("", '""'), "M1")]
    for segment, identifier in cases:
        (report,) = read(written(tmp_path, *message(segment, obx("a"))))
        assert report.id == identifier
    two = written(tmp_path, *message(obr(""), obx("a"), obr(""), obx("b")))
    assert [i.id for i in read(two)] == ["M1-1", "M1-2"]
    path = written(tmp_path, *message(obr("F1", "P1"), obx("a")))
    for column, identifier in (("OBR-3", "F1"), ("OBR-2", "P1"), ("MSH-10", "M1")):
        (report,) = read(path, ReadOptions(id_column=column, meta_columns=("status",)))
        assert report.id == identifier
    none = written(tmp_path, *message(obr(""), obx("a"), control=""))
    assert texts(read(none)) == ["the id is missing"]


@pytest.mark.parametrize(
    ("segments", "reason"),
    [
        ((obr(status="X"), obx("a")), "the status OBR-25 is X (cancelled)"),
        ((obr(), obx("a"), obx("b", status="W")), "the status OBX-11 is W (posted as wrong)"),
        ((obr(), obx("", status="X")), "the status OBX-11 is X (not obtained)"),
        ((obr(), obx("a", status="D")), "the status OBX-11 is D (deleted)"),
        ((obr(), obx("5", "NM"), obx("JVBERi0", "ED")), "no text in OBX-5 (value types: ED, NM)"),
        ((obr(), obx("secret", "a secret")), "no text in OBX-5 (value types: none)"),
        ((obr(),), "no text in OBX-5 (no OBX segment)"),
        ((obr(), obx(""), obx(" ")), "the report has no text"),
        ((obr(), obx('""')), "the report has no text"),
        ((obr(), obx("a\0")), "the report holds NUL bytes"),
        (("ORC|RE",), "no OBR segment"),
        ((obx("a"),), "text results before the first OBR segment"),
    ],
)
def test_reports_that_cannot_be_used(
    tmp_path: Path, segments: tuple[str, ...], reason: str
) -> None:
    (item,) = read(written(tmp_path, *message(*segments)))
    assert isinstance(item, Reject)
    assert item.reason == reason


def test_withdrawn_numbers_do_not_matter(tmp_path: Path) -> None:
    segments = (obr(status="C"), obx("5", "NM", status="X"), obx("a", status="C"))
    assert texts(read(written(tmp_path, *message(*segments)))) == ["a"]


def test_parts_of_imaging_reports_become_sections(tmp_path: Path) -> None:
    segments = (
        obr(),
        *(obx("Clear.", code="71046&GDT"), obx("No effusion.", code="71046&GDT")),
        obx("Normal.", code="71046&IMP"),
    )
    (report,) = read(written(tmp_path, *message(*segments)))
    assert isinstance(report, Report)
    assert report.text == "FINDINGS:\nClear.\nNo effusion.\n\nIMPRESSION:\nNormal."
    assert [s.name for s in report.sections] == ["findings", "impression"]
