"""The MIMIC-CXR tree, Open-i archives and folders, and the registry of ids.

All reports are written for these tests; the layouts follow the published data sets.
"""

import argparse
import gzip
import io
import os
import tarfile
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from labelwright.commands.input_flags import ReadingOptions
from labelwright.errors import ConfigError, InputError
from labelwright.readers import ReadOptions, read_reports, scan
from labelwright.readers.id_registry import IdRegistry
from labelwright.records import Reject, Report
from labelwright.text.sections import choose

PLAIN = ReadOptions()
STUDY = f"{'FINAL REPORT':>45}\n INDICATION:  cough\n \n IMPRESSION: \n \n Normal.\n"


def read(path: Path, options: ReadOptions = PLAIN) -> list[Report | Reject]:
    items = list(read_reports([path], options))
    assert scan([path], options).rows == len(items)
    return items


def outcome(items: list[Report | Reject]) -> list[tuple[str | None, str]]:
    return [(i.id, "" if isinstance(i, Report) else i.reason) for i in items]


def failure(path: Path, options: ReadOptions = PLAIN) -> str:
    with pytest.raises(InputError) as reading:
        list(read_reports([path], options))
    with pytest.raises(InputError) as scanning:
        scan([path], options)
    assert reading.value.line() == scanning.value.line()
    return reading.value.line()


# --- MIMIC-CXR -----------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("p11/p11000001/s59", "p10/p10000032/s50414267", "p10/p10000032/s500"):
        file = tmp_path / "files" / f"{name}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(STUDY)
    (tmp_path / "files" / "index.html").write_text("not a report")
    (tmp_path / "files/p10/p10000032/notes.txt").write_text("not a report")
    return tmp_path


@pytest.mark.parametrize("below", ["", "files"])
def test_mimic_tree(tree: Path, below: str) -> None:
    items = read(tree / below)
    assert [item.id for item in items] == ["500", "50414267", "59"]
    first = items[0]
    assert isinstance(first, Report)
    assert (first.patient, first.source, first.row) == ("10000032", str(tree / below), 1)
    assert choose(first.text, first.sections, "mimic") == "Normal."
    assert choose(first.text, first.sections, "impression") == "Normal."


def test_mimic_part_of_the_tree(tree: Path) -> None:
    assert [item.id for item in read(tree / "files/p11")] == ["59"]
    assert [item.id for item in read(tree / "files/p10/p10000032")] == ["500", "50414267"]


def test_mimic_line_ends_become_the_parser_s(tree: Path) -> None:
    (tree / "files/p11/p11000001/s59.txt").write_bytes(STUDY.replace("\n", "\r\n").encode())
    last = read(tree)[-1]
    assert isinstance(last, Report)
    assert last.text == STUDY


def test_mimic_files_that_cannot_be_used_become_rejects(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tree / "files/p11/p11000001"
    (folder / "s60.txt").write_bytes(b"Ergu\xdf")
    (folder / "s61.txt").write_bytes(b"a\0b")
    (folder / "s62.txt").write_bytes(b" \n")
    (folder / "s63.txt").write_bytes(b"")
    (folder / "s64.txt").write_text("x" * 1001)
    monkeypatch.setattr("labelwright.readers.health.mimic_cxr.LONGEST", 1000)
    assert outcome(read(tree))[3:] == [
        ("60", "s60.txt is not UTF-8; --encoding names another"),
        ("61", "the report holds NUL bytes"),
        ("62", "the report has no text"),
        ("63", "the report has no text"),
        ("64", "s64.txt is larger than 1000 bytes"),
    ]
    assert outcome(read(tree, ReadOptions(encoding="latin-1")))[3] == ("60", "")


def test_mimic_pipes_and_broken_links_become_rejects(tree: Path) -> None:
    folder = tree / "files/p11/p11000001"
    os.mkfifo(folder / "s60.txt")
    (folder / "s61.txt").symlink_to(folder / "nowhere")
    assert outcome(read(tree))[3:] == [
        ("60", "s60.txt is not a regular file"),
        ("61", "s61.txt is not a regular file"),
    ]


def test_mimic_digest_follows_the_content(tree: Path) -> None:
    before = scan([tree], PLAIN).inputs
    assert before == scan([tree], PLAIN).inputs
    (tree / "files/p11/p11000001/s59.txt").write_text(STUDY.replace("Normal", "Clear."))
    after = scan([tree], PLAIN).inputs
    assert before[0]["sha256"] != after[0]["sha256"]
    assert after[0]["bytes"] == 3 * len(STUDY)


def test_mimic_has_no_columns_and_needs_reports(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no columns"):
        scan([tree], ReadOptions(text_columns=("findings",)))
    (tmp_path / "empty" / "p10").mkdir(parents=True)
    assert "no report like p10" in failure(tmp_path / "empty")


# --- Open-i --------------------------------------------------------------------------------


def citation(uid: str, *, findings: str = "Clear.", impression: str = "Normal.") -> str:
    return f"""<?xml version="1.0" encoding="utf-8"?>
<eCitation>
  <uId id="CXR{uid}"/>
  <pmcId id="{uid}"/>
  <MedlineCitation><Article><Abstract>
    <AbstractText Label="INDICATION">cough</AbstractText>
    <AbstractText Label="FINDINGS">{escape(findings)}</AbstractText>
    <AbstractText Label="IMPRESSION">{escape(impression)}</AbstractText>
  </Abstract></Article></MedlineCitation>
  <MeSH><major>Opacity/lung/base</major><major>normal</major><automatic>opacity</automatic></MeSH>
  <parentImage id="CXR{uid}_1"/><parentImage id="CXR{uid}_2"/>
</eCitation>
"""


BOMB = """<?xml version="1.0"?>
<!DOCTYPE a [<!ENTITY x "aaaaaaaaaa"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;&x;&x;">]>
<eCitation><uId id="CXR9"/><AbstractText Label="FINDINGS">&y;&y;&y;</AbstractText></eCitation>"""


def archive(path: Path, members: dict[str, str | bytes | tarfile.TarInfo]) -> Path:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as tar:
        folder = tarfile.TarInfo("ecgen-radiology")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", ["NLMCXR_reports.tgz", "reports.tar.gz", "reports.tar"])
def test_openi_archive(tmp_path: Path, name: str) -> None:
    path = archive(
        tmp_path / name, {"e/12.xml": citation("12", findings="a < b"), "e/readme.txt": "hello"}
    )
    (report,) = read(path)
    assert isinstance(report, Report)
    assert (report.id, report.patient, report.row) == ("12", None, 1)
    assert report.text == "INDICATION:\ncough\n\nFINDINGS:\na < b\n\nIMPRESSION:\nNormal."
    assert choose(report.text, report.sections, "both") == "a < b\nNormal."
    assert report.meta == {
        "mesh": "Opacity/lung/base;normal",
        "automatic": "opacity",
        "images": "CXR12_1;CXR12_2",
    }


@pytest.mark.parametrize("inner", ["", "ecgen-radiology"])
def test_openi_folder(tmp_path: Path, inner: str) -> None:
    folder = tmp_path / "openi" / inner
    folder.mkdir(parents=True)
    for uid in ("2", "1"):
        (folder / f"{uid}.xml").write_text(citation(uid))
    assert outcome(read(tmp_path / "openi")) == [("1", ""), ("2", "")]


def test_openi_sections_and_metadata_by_flag(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tgz", {"1.xml": citation("1")})
    (report,) = read(path, ReadOptions(text_columns=("impression",), meta_columns=("mesh",)))
    assert isinstance(report, Report)
    assert (report.text, list(report.meta)) == ("Normal.", ["mesh"])
    assert choose(report.text, report.sections, "impression") == "Normal."
    for options in (ReadOptions(patient_column="x"), ReadOptions(meta_columns=("age",))):
        with pytest.raises(ConfigError):
            scan([path], options)


def test_openi_files_that_cannot_be_used_become_rejects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tarfile.TarInfo("e/link.xml")
    link.type = tarfile.SYMTYPE
    link.linkname = "/etc/passwd"
    device = tarfile.TarInfo("e/zero.xml")
    device.type = tarfile.CHRTYPE
    monkeypatch.setattr("labelwright.readers.health.openi.LARGEST_MEMBER", 100_000)
    deep = "<a>" * 30_000
    path = archive(
        tmp_path / "a.tgz",
        {
            "e/1.xml": citation("1"),
            "e/2.xml": BOMB,
            "e/3.xml": "<eCitation>",
            "e/4.xml": citation("4", findings=" ", impression="").replace("cough", ""),
            "../../5.xml": citation("5"),
            "/6.xml": citation("6"),
            "e/link.xml": link,
            "e/zero.xml": device,
            "e/7.xml": b"x" * 100_001,
            "e/8.xml": deep,
            "e/9.xml": b"",
            "e/10.xml": citation("10").replace("utf-8", "klingon"),
            "e/11.xml": citation("1"),
            "e/12.xml": citation("12").replace('id="CXR12"', "").replace('id="12"', ""),
            "e/a long name with spaces.xml": "<",
            "e/13.xml": citation("13"),
        },
    )
    before = sorted(tmp_path.rglob("*"))
    assert outcome(read(path)) == [
        ("1", ""),
        (None, "2.xml: refused: the XML declares entities or a document type"),
        (None, "3.xml: not well-formed XML"),
        ("4", "the report has no text"),
        (None, "5.xml: its path leads out of the archive"),
        (None, "6.xml: its path leads out of the archive"),
        (None, "link.xml: a link or device, not a file"),
        (None, "zero.xml: a link or device, not a file"),
        (None, "7.xml: larger than any report"),
        (None, "8.xml: not well-formed XML"),
        (None, "9.xml: not well-formed XML"),
        (None, "10.xml: not well-formed XML"),
        ("1", f"duplicate id; first seen at {path}:1"),
        (None, "the id is missing"),
        (None, "a member: not well-formed XML"),
        ("13", ""),
    ]
    assert sorted(tmp_path.rglob("*")) == before  # nothing was unpacked


def test_openi_archive_that_claims_too_much(tmp_path: Path) -> None:
    """A long-name header of many gigabytes must not be read into memory."""
    header = tarfile.TarInfo("././@LongLink")
    header.type = tarfile.GNUTYPE_LONGNAME
    header.size = 8**11 - 1  # the largest that the header can say
    path = tmp_path / "a.tgz"
    path.write_bytes(gzip.compress(header.tobuf() + b"a" * 10_240))
    assert "more data than reports can have" in failure(path)


def test_openi_member_of_many_gigabytes(tmp_path: Path) -> None:
    header = tarfile.TarInfo("e/1.xml")
    header.size = 1 << 40
    path = tmp_path / "a.tgz"
    path.write_bytes(gzip.compress(header.tobuf() + b"a" * 10_240))
    assert "more data than reports can have" in failure(path)


@pytest.mark.parametrize("name", ["a.tgz", "a.tar"])
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
def test_openi_truncated_archive(tmp_path: Path, name: str, kept: float) -> None:
    members: dict[str, str | bytes | tarfile.TarInfo] = {
        f"e/{i}.xml": citation(str(i), findings=f"{i * 7919} " * 20) for i in range(40)
    }
    path = archive(tmp_path / name, members)
    whole = path.read_bytes().rstrip(b"\0")  # the padding of a plain archive may be lost
    path.write_bytes(whole[: int(len(whole) * kept)])
    assert "cut short" in failure(path)


def test_openi_that_is_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.tgz"
    path.write_bytes(b"id,text\n" * 100)
    assert "not a tar archive" in failure(path)
    assert "no XML reports" in failure(archive(tmp_path / "b.tgz", {"a.txt": "x"}))


# --- ids and flags -------------------------------------------------------------------------


def test_registry_finds_every_repetition() -> None:
    registry = IdRegistry()
    count = 20_000  # grows several times
    assert not any(registry.add(str(n), n % 3, n + 1) for n in range(count))
    assert len(registry) == count
    assert all(registry.add(str(n), 9, 1) == (n % 3, n + 1) for n in range(0, count, 7))
    assert registry.add("ä\ud800", 0, 1) is None
    assert len(registry) == count + 1


def test_flags() -> None:
    parser = argparse.ArgumentParser()
    ReadingOptions.add_flags(parser)
    arguments = parser.parse_args(
        ["a.csv", "b.csv", "--id-column", "no", "--text-columns", "a, b\\,c", "--encoding", "ascii"]
    )
    assert arguments.files == [Path("a.csv"), Path("b.csv")]
    told = ReadingOptions.from_flags
    assert told(arguments).reading == ReadOptions("no", ("a", "b,c"), encoding="ascii")
    assert told(parser.parse_args(["a.csv"])).reading == PLAIN


@pytest.mark.parametrize("text", ["a,,b", ",", ""])
def test_flags_refuse_empty_names(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    ReadingOptions.add_flags(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["a.csv", "--text-columns", text])
    assert "empty name" in capsys.readouterr().err
