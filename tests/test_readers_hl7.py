"""HL7 v2: framing, batches, delimiters, escape sequences, character sets and statuses."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading_tools import failure, read, saved, texts

from labelwright.errors import ConfigError
from labelwright.readers import ReadOptions, scan
from labelwright.readers.hl7_message import Message
from labelwright.records import Reject, Report

MSH = "MSH|^~\\&|RIS|HOSP|EHR|HOSP|20240501110000||ORU^R01^ORU_R01|{control}|P|2.5.1"
PID = "PID|1||P7^^^HOSP^MR||DOE^JANE"
OBR = (
    "OBR|1|{placer}|{filler}|71046^XR Chest 2V^CPT|||20240501100000"
    + "|" * 15
    + "20240501105500|||{status}"
)


def obr(filler: str = "F1", placer: str = "", status: str = "F") -> str:
    return OBR.format(filler=filler, placer=placer, status=status)


def obx(text: str, kind: str = "TX", code: str = "36643-5", status: str = "F") -> str:
    return f"OBX|1|{kind}|{code}^XR Chest^LN||{text}||||||{status}"


def message(*segments: str, control: str = "M1", charset: str = "") -> list[str]:
    """The segments of an ORU^R01 with a patient; a plain report unless others are given."""
    header = MSH.format(control=control) + ("|" * 6 + charset if charset else "")
    return [header, PID, *(segments or (obr(), obx("Clear lungs."), obx("Normal.")))]


def written(folder: Path, *segments: str, end: str = "\r", encoding: str = "utf-8") -> Path:
    return saved(folder, "a.hl7", "".join(s + end for s in segments).encode(encoding))


def test_one_message(tmp_path: Path) -> None:
    (report,) = read(written(tmp_path, *message()))
    assert isinstance(report, Report)
    assert (report.id, report.patient, report.row) == ("F1", "P7", 1)
    assert report.text == "Clear lungs.\nNormal."
    assert report.meta == {
        "status": "F",
        "code": "XR Chest 2V",
        "time": "20240501105500",
        "message": "M1",
    }


# --- framing -------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r", "\n\n"])
@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("block", [1 << 18, 7])
def test_line_ends_and_framing(
    tmp_path: Path, end: str, framed: bool, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labelwright.readers.hl7._BLOCK", block)
    whole = ""
    for number in range(3):
        one = "".join(
            s + end for s in message(obr(f"F{number}"), obx("Clear."), control=f"{number}")
        )
        whole += f"\x0b{one}\x1c\r" if framed else one
    assert [i.id for i in read(saved(tmp_path, "a.hl7", whole))] == ["F0", "F1", "F2"]
    path = saved(tmp_path, "a.hl7.gz", gzip.compress(whole.rstrip("\r\n").encode()))
    assert [i.id for i in read(path)] == ["F0", "F1", "F2"]


def test_frames_that_are_torn(tmp_path: Path) -> None:
    one = "".join(s + "\r" for s in message())
    two = "".join(s + "\r" for s in message(obr("F2"), obx("Clear.")))
    cut = "the message is cut short (its frame is not closed)"
    assert texts(read(saved(tmp_path, "a.hl7", f"\x0b{one}\x1c\r\x0b{two}")))[1:] == [cut]
    assert texts(read(saved(tmp_path, "a.hl7", f"\x0b{one}\x0b{two}\x1c\r"))) == [cut, "Clear."]


def test_batches(tmp_path: Path) -> None:
    head = ["FHS|^~\\&|RIS", "BHS|^~\\&|RIS"]
    two = [*message(obr("F1"), obx("a")), *message(obr("F2"), obx("b"))]
    whole = written(tmp_path, *head, *two, "BTS|2", "FTS|1")
    assert texts(read(whole)) == ["a", "b"]
    short = written(tmp_path, *head, *two, "BTS|3|", "FTS|1")
    assert texts(read(short))[2:] == ["the batch says 3 messages, 2 were found"]
    torn = written(tmp_path, *head, *two)
    assert texts(read(torn))[2:] == ["the batch is cut short (no BTS segment)"]


def test_stray_lines(tmp_path: Path) -> None:
    broken = message(obr(), obx("Clear lungs."), "and a secret line: TIP|1")
    path = written(tmp_path, "secret", "TIP: secret", *broken, *message(obr("F2"), obx("b")))
    assert texts(read(path)) == [
        "data before the MSH segment",
        "a line that is no segment (a line end inside a field?)",
        "b",
    ]


def test_other_messages_are_counted(tmp_path: Path) -> None:
    admission = MSH.format(control="M2").replace("ORU^R01^ORU_R01", "ADT^A01")
    odd = MSH.format(control="M3").replace("ORU^R01^ORU_R01", "a secret")
    path = written(tmp_path, *message(), admission, PID, odd, admission, PID)
    items = read(path)
    assert texts(items)[1:] == ["other messages passed over; 2 ADT^A01, 1 of unknown type"]
    assert [i.row for i in items] == [1, 2]


def test_folder(tmp_path: Path) -> None:
    folder = tmp_path / "feed"
    (folder / "b").mkdir(parents=True)
    saved(folder, "a.hl7", "\r".join(message()))
    saved(folder, "b/c.HL7", "\r".join(message(obr("F2"), obx("b"), obr("F3"))))
    saved(folder, "d.hl7", b"")
    saved(folder, "e.hl7", "\r".join(message()).encode("utf-16"))
    saved(folder, "f.hl7.gz", gzip.compress("\r".join(message(obr("F4"), obx("c"))).encode())[:-5])
    items = read(folder)
    assert [i.row for i in items] == list(range(1, len(items) + 1))
    assert [i.id if isinstance(i, Report) else i.reason for i in items][:5] == [
        "F1",
        "F2",
        "no text in OBX-5 (no OBX segment); b/c.HL7:2",
        "the file cannot be read on; e.hl7 after row 0: the file is UTF-16, in which HL7 segments "
        "cannot be told",
        "the file cannot be read on; f.hl7.gz after row 0: the gzip data are damaged or cut short "
        "after row 0",
    ]


def test_errors(tmp_path: Path) -> None:
    for content in (b"", b"\r\n\r\n", b"\x0b\x1c\r"):
        assert "no HL7 message in it" in failure(saved(tmp_path, "a.hl7", content)).what
    wide = saved(tmp_path, "a.hl7", "\r".join(message()).encode("utf-16"))
    assert "UTF-16" in failure(wide).what
    path = written(tmp_path, *message())
    for wrong in (
        ReadOptions(id_column="PID-3"),
        ReadOptions(text_columns=("OBX-5",)),
        ReadOptions(patient_column="PID-2"),
        ReadOptions(meta_columns=("age",)),
        ReadOptions(encoding="klingon"),
    ):
        with pytest.raises(ConfigError):
            scan([path], wrong)


def test_long_messages_and_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labelwright.readers.opening.LONGEST", 500)
    monkeypatch.setattr("labelwright.readers.hl7._BLOCK", 100)
    many = message(obr("F1"), *[obx("x" * 50)] * 20)
    wide = message(obr("F2"), obx("x" * 5000))
    path = written(tmp_path, *many, *wide, *message(obr("F3"), obx("b")))
    long = "the message is longer than 500 bytes"
    assert texts(read(path)) == [long, long, "b"]


# --- text ----------------------------------------------------------------------------------


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


LINES = st.sampled_from(
    [
        "MSH",
        "PID|",
        "OBR|1||F|",
        "OBX|1|TX|a||",
        "BTS|1",
        "BHS|",
        "\x0b",
        "\x1c",
        "\r",
        "\n",
        "~\\F\\",
    ]
)


@settings(max_examples=200, deadline=None)
@given(
    pieces=st.lists(LINES | st.binary(max_size=9).map(lambda b: b.decode("latin-1")), max_size=12)
)
def test_damage_of_any_kind(tmp_path_factory: pytest.TempPathFactory, pieces: list[str]) -> None:
    """One good message in front: it is always found, and nothing but rejects follows."""
    folder = tmp_path_factory.getbasetemp()
    good = "".join(s + "\r" for s in message(obr("GOOD"), obx("a"))) + "\x1c\r"
    whole = (good + "".join(pieces)).encode("latin-1")
    items = read(saved(folder, "fuzz.hl7", whole))
    assert items[0].id == "GOOD"
    assert all(isinstance(item, Report | Reject) for item in items)
