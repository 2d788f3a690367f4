"""Archives made to do harm: paths that lead out, links, sizes that are not true, bombs."""

from __future__ import annotations

import gzip
import io
import random
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
from backports import zstd
from reading_tools import failure, read, saved

from labelwright.errors import InputError
from labelwright.records import Report

XML = (
    '<eCitation><uId id="CXR{uid}"/>'
    '<AbstractText Label="FINDINGS">Clear.</AbstractText></eCitation>'
)


def member(name: str, content: bytes = b"", **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def archive(*members: tuple[tarfile.TarInfo, bytes], tar_format: int = tarfile.PAX_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tar_format) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def good(uid: str = "1") -> tuple[tarfile.TarInfo, bytes]:
    content = XML.format(uid=uid).encode()
    return member(f"e/{uid}.xml", content), content


def outcomes(path: Path) -> list[str]:
    items = read(path)
    return [f"report {i.id}" if isinstance(i, Report) else i.reason for i in items]


@pytest.mark.parametrize(
    "tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
)
@pytest.mark.parametrize(
    "name", ["../9.xml", "e/../../9.xml", "/9.xml", "//9.xml", "..", "e/" + "d/" * 60 + "../9.xml"]
)
def test_paths_that_lead_out(tmp_path: Path, tar_format: int, name: str) -> None:
    name = name if name.endswith(".xml") else f"{name}/9.xml"
    content = XML.format(uid="9").encode()
    whole = archive(good(), (member(name, content), content), good("2"), tar_format=tar_format)
    path = saved(tmp_path, "a.tgz", gzip.compress(whole))
    reason = "9.xml: its path leads out of the archive"
    assert outcomes(path) == ["report 1", reason, "report 2"]
    assert sorted(tmp_path.rglob("*")) == [path]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret.xml", "e/1.xml", "e/9.xml"])
def test_links_and_devices(tmp_path: Path, kind: bytes, target: str) -> None:
    """Not even a link to a member of the archive is followed."""
    link = member("e/9.xml", type=kind, linkname=target)
    path = saved(tmp_path, "a.tgz", gzip.compress(archive(good(), (link, b""), good("2"))))
    assert outcomes(path) == ["report 1", "9.xml: a link or device, not a file", "report 2"]


def test_a_member_that_says_it_is_sparse(tmp_path: Path) -> None:
    """GNU's sparse files: 512 bytes that claim to be a terabyte of zeros."""
    info = member("e/9.xml", type=tarfile.GNUTYPE_SPARSE)
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:398] = b"00000000000\0"  # first piece: from 0,
    header[398:410] = b"00000000000\0"  # of no length
    header[483:495] = b"\x80" + (1 << 40).to_bytes(11, "big")  # the true size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    whole = archive(good())[: -tarfile.RECORDSIZE + 2 * tarfile.BLOCKSIZE]
    path = saved(tmp_path, "a.tgz", gzip.compress(whole + bytes(header) + bytes(10_240)))
    assert outcomes(path) == ["report 1", "9.xml: larger than any report"]


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_a_member_of_a_gigabyte_of_nothing(tmp_path: Path, pack: object) -> None:
    """A bomb of 300 MB in some kB is passed over in less than 400 MB of addresses."""
    size = 300 * 1024 * 1024
    header = member("e/9.xml", size=size).tobuf()
    opener = gzip.GzipFile if pack is gzip.compress else zstd.ZstdFile
    path = tmp_path / "bomb.tgz"
    with open(path, "wb") as raw:
        packed = (
            gzip.GzipFile(None, "wb", 6, raw)
            if opener is gzip.GzipFile
            else zstd.ZstdFile(raw, "w")
        )
        with packed:
            packed.write(archive(good())[:1024] + header)
            for _ in range(300):
                packed.write(bytes(1024 * 1024))
            packed.write(archive(good("2")))
    assert path.stat().st_size < 400_000
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from labelwright.readers import ReadOptions, read_reports\n"
        "resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))\n"
        "for item in read_reports([Path(sys.argv[1])], ReadOptions()):\n"
        "    print(item.id, getattr(item, 'reason', ''))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["1 ", "None 9.xml: larger than any report", "2 "]


def test_more_than_a_whole_archive_may_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labelwright.readers.health.openi.LARGEST_ARCHIVE", 100_000)
    whole = archive(good(), (member("e/a.txt", b"x" * 200_000), b"x" * 200_000), good("2"))
    message = failure(saved(tmp_path, "a.tgz", gzip.compress(whole))).what
    assert message == "the archive holds more data than reports can have"


NOT_A_TAR = "not a tar archive, or one that is damaged or cut short"
TOO_MUCH = "the archive holds more data than reports can have"


def with_size(info: tarfile.TarInfo, size: int) -> bytes:
    """The member's header with a size in GNU's binary form, which may be negative."""
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = (b"\xff" if size < 0 else b"\x80") + size.to_bytes(11, "big", signed=True)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_SPARSE, b"Z"])
@pytest.mark.parametrize("size", [-512, -1024, -1536, -5000, -(1 << 62), 1 << 62])
def test_sizes_that_cannot_be(tmp_path: Path, size: int, kind: bytes) -> None:
    """A negative size leads back to a header that was read: the archive would never end."""
    whole = archive(good())[:1024] + with_size(member("e/9.xml", type=kind), size)
    path = saved(tmp_path, "a.tgz", gzip.compress(whole + bytes(10_240)))
    assert failure(path).what in (NOT_A_TAR, TOO_MUCH)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_headers_of_headers(tmp_path: Path, kind: bytes) -> None:
    """Each asks for the next one, deeper than Python recurses."""
    content = b"20 path=e/1.xml\n" + bytes(496)
    header = member("x", content[:17], type=kind).tobuf(tarfile.GNU_FORMAT)
    path = saved(tmp_path, "a.tgz", gzip.compress((header + content) * 5000 + archive(good())))
    assert failure(path).what in (NOT_A_TAR, TOO_MUCH)


def test_headers_that_take_quadratic_time(tmp_path: Path) -> None:
    """Digits without end; Python's search for ``hdrcharset`` starts anew at each of them."""
    digits = b"1" * 4096
    one = member("x", digits, type=tarfile.XHDTYPE).tobuf(tarfile.GNU_FORMAT) + digits
    one += archive(good())[:1024]
    path = saved(tmp_path, "a.tgz", gzip.compress(one * 20))
    started = time.process_time()
    assert failure(path).what in (NOT_A_TAR, TOO_MUCH)
    assert time.process_time() - started < 10
    large = member("x", b"1" * 8192, type=tarfile.XHDTYPE).tobuf(tarfile.GNU_FORMAT)
    path = saved(tmp_path, "b.tgz", gzip.compress(large + b"1" * 8192))
    assert failure(path).what == TOO_MUCH


@pytest.mark.parametrize(
    "line", [b"GNU.sparse.map=a,b", b"size=-1024", b"size=x", b"path=\xff\xfe.xml", b"mtime=inf"]
)
def test_headers_with_odd_values(tmp_path: Path, line: bytes) -> None:
    record = b"%d %s\n" % (len(line) + 4, line)
    record += bytes(-len(record) % 512)
    head = member("x", record.rstrip(b"\0"), type=tarfile.XHDTYPE).tobuf(tarfile.GNU_FORMAT)
    path = saved(tmp_path, "a.tgz", gzip.compress(head + record + archive(good())))
    try:
        found = outcomes(path)
    except InputError as error:
        found = [error.what]
    assert found in ([NOT_A_TAR], ["report 1"], ["a member: not well-formed XML"])


def test_a_tar_within_a_tar_is_not_opened(tmp_path: Path) -> None:
    inner = archive(good("9"))
    whole = archive(good(), (member("e/inner.tar", inner), inner))
    assert outcomes(saved(tmp_path, "a.tgz", gzip.compress(whole))) == ["report 1"]


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tgz", "a.tar.zst"])
def test_packings(tmp_path: Path, name: str) -> None:
    whole = archive(good(), good("2"))
    pack = {"a.tar": bytes, "a.tar.zst": zstd.compress}.get(name, gzip.compress)
    assert outcomes(saved(tmp_path, name, pack(whole))) == ["report 1", "report 2"]
    torn = pack(whole)[:-30] if name != "a.tar" else whole[:1800]
    message = failure(saved(tmp_path, name, torn)).what
    assert "damaged or cut short" in message


def test_random_damage(tmp_path: Path) -> None:
    whole = archive(*(good(str(n)) for n in range(5)))
    chance = random.Random(5)
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            damaged[chance.randrange(5120)] = chance.randrange(256)
        path = saved(tmp_path, "a.tar", bytes(damaged))
        try:
            found = outcomes(path)
        except InputError as error:
            found = [error.what]
        assert found


def test_zip_archives_are_told_by_their_name_alone(tmp_path: Path) -> None:
    """And what leads out of one is not read."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("../files/p10/p10000001/s1.txt", bytes(1 << 20))
    path = saved(tmp_path, "mimic-cxr-reports.zip", stream.getvalue())
    error = failure(path)
    assert "holds no file that can be read (its path leads out of the archive)" in error.what
    assert "unpack it and give the folder" in error.remedy
    for name in ("a.csv", "a.jsonl", "a.json"):
        assert "the file is zip data" in failure(saved(tmp_path, name, stream.getvalue())).what
    assert failure(saved(tmp_path, "a.tgz", stream.getvalue())).what == NOT_A_TAR
