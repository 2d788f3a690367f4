"""HL7 v2: framing, batches, delimiters, escape sequences, character sets and statuses."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hl7_examples import MSH, PID, message, obr, obx, written
from hypothesis import given, settings
from hypothesis import strategies as st
from reading_tools import failure, read, saved, texts

from labelwright.errors import ConfigError
from labelwright.readers import ReadOptions, scan
from labelwright.records import Reject, Report


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
    monkeypatch.setattr("labelwright.readers.health.hl7._BLOCK", block)
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
        "a line that is not a segment (a line end inside a field?)",
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
    monkeypatch.setattr("labelwright.readers.health.hl7._BLOCK", 100)
    many = message(obr("F1"), *[obx("x" * 50)] * 20)
    wide = message(obr("F2"), obx("x" * 5000))
    path = written(tmp_path, *many, *wide, *message(obr("F3"), obx("b")))
    long = "the message is longer than 500 bytes"
    assert texts(read(path)) == [long, long, "b"]


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
