"""Packed files and rows without end: what is torn is named, what is too long is passed over."""

from __future__ import annotations

import gzip
import io
import random
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd
from hypothesis import example, given
from hypothesis import strategies as st
from reading_tools import PEAK, STATUS, failure, read, saved, table, texts

from labelwright.errors import InputError
from labelwright.readers import ReadOptions, read_reports
from labelwright.readers.tables.delimited import pass_over
from labelwright.records import Report

PACK: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "zst": zstd.compress}
KIND = {"gz": "gzip", "zst": "zstd"}
ROWS = b"id,text\n" + b"".join(b"%d,report %d\n" % (n, n * 7919) for n in range(1, 3001))
BOTH = pytest.mark.parametrize("suffix", ["gz", "zst"])


@BOTH
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"id,text\n1,a\n"),
        ("a.tsv", b"id\ttext\n1\ta\n"),
        ("a.tab", b"id\ttext\n1\ta\n"),
        ("a.jsonl", b'{"id": 1, "text": "a"}\n'),
        ("a.ndjson", b'{"id": 1, "text": "a"}\n'),
    ],
)
def test_packed_line_formats(tmp_path: Path, suffix: str, name: str, content: bytes) -> None:
    path = saved(tmp_path, f"{name}.{suffix}", PACK[suffix](content))
    assert texts(read(path)) == ["a"]
    assert texts(read(path.rename(tmp_path / name))) == ["a"]  # told by its first bytes
    plain = saved(tmp_path, f"{name}.{suffix}", content)
    assert texts(read(plain)) == ["a"]  # a suffix that is wrong


@BOTH
def test_members_and_frames_one_after_another(tmp_path: Path, suffix: str) -> None:
    pack = PACK[suffix]
    path = saved(tmp_path, "a.csv", pack(b"id,te") + pack(b"") + pack(b"xt\n1,a\n") + pack(b"2,b"))
    assert texts(read(path)) == ["a", "b"]


def test_skippable_frames(tmp_path: Path) -> None:
    """RFC 8878, 3.1.2: 0x184D2A5?, the size in four bytes, and data that say nothing."""
    skipped = b"\x57\x2a\x4d\x18\x03\0\0\0abc"
    whole = skipped + zstd.compress(b"id,text\n") + skipped + zstd.compress(b"1,a\n") + skipped
    assert texts(read(saved(tmp_path, "a.csv.zst", whole))) == ["a"]


@BOTH
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.9999])
def test_torn_file(tmp_path: Path, suffix: str, kept: float) -> None:
    whole = PACK[suffix](ROWS)
    error = failure(saved(tmp_path, f"a.csv.{suffix}", whole[: int(len(whole) * kept)]))
    assert f"the {KIND[suffix]} data are damaged or cut short after row" in error.what
    assert 0 <= int(error.what.rsplit(" ", 1)[1]) <= 3000


@BOTH
@pytest.mark.parametrize("junk", [b"junk", b"\xff" * 100, b"id,text\n9,z\n"])
def test_junk_after_the_end(tmp_path: Path, suffix: str, junk: bytes) -> None:
    error = failure(saved(tmp_path, "a.csv", PACK[suffix](ROWS) + junk))
    assert "damaged or cut short after row" in error.what


def test_zeros_after_gzip_are_padding_and_after_zstd_damage(tmp_path: Path) -> None:
    assert len(read(saved(tmp_path, "a.csv", gzip.compress(ROWS) + bytes(512)))) == 3000
    assert "zstd" in failure(saved(tmp_path, "a.csv", zstd.compress(ROWS) + bytes(512))).what


@BOTH
def test_every_damaged_byte_is_noticed_or_harmless(tmp_path: Path, suffix: str) -> None:
    """With a checksum, that is, which zstd data need not have."""
    pack = PACK[suffix]
    if suffix == "zst":
        options = {zstd.CompressionParameter.checksum_flag: 1}
        whole = zstd.compress(ROWS, options=options)
    else:
        whole = pack(ROWS)
    want = texts(read(saved(tmp_path, "a.csv", ROWS)))
    chance = random.Random(1)
    for _ in range(40):
        damaged = bytearray(whole)
        damaged[chance.randrange(10, len(damaged))] ^= 1 << chance.randrange(8)
        path = saved(tmp_path, f"a.csv.{suffix}", bytes(damaged))
        try:
            found = texts(read(path))
        except InputError as error:
            found = [error.what]
        assert found == want or "damaged" in found[0]


@BOTH
def test_empty_content(tmp_path: Path, suffix: str) -> None:
    assert "empty" in failure(saved(tmp_path, f"a.csv.{suffix}", PACK[suffix](b""))).what


@BOTH
def test_wrong_encoding_is_named_through_the_packing(tmp_path: Path, suffix: str) -> None:
    content = b"id,text\n1,\xc3\xa4\n2,Ergu\xdf\n"
    error = failure(saved(tmp_path, f"a.csv.{suffix}", PACK[suffix](content)))
    assert f"byte {content.index(0xDF)} (line 3) is not valid UTF-8" in error.what


def test_window_larger_than_the_bound(tmp_path: Path) -> None:
    """A frame that asks for a window of 2 GiB (RFC 8878, 3.1.1.1.2) is not given it."""
    exponent = 31 - 10
    frame = b"\x28\xb5\x2f\xfd" + bytes([0x00, exponent << 3]) + b"\x01\0\0"
    error = failure(saved(tmp_path, "a.csv.zst", frame))
    assert "need a window of more than 128 MiB" in error.what


@pytest.mark.parametrize(
    ("start", "kind"),
    [(b"PK\x03\x04", "zip"), (b"\xfd7zXZ\0", "xz"), (b"7z\xbc\xaf'\x1c", "7-Zip")],
)
def test_other_packings_are_named(tmp_path: Path, start: bytes, kind: str) -> None:
    error = failure(saved(tmp_path, "a.csv", start + b"\0" * 20))
    assert error.line().endswith(
        f"the file is {kind} data; unpack it, or compress it with gzip or zstd"
    )


# --- rows that are too long ----------------------------------------------------------------


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labelwright.readers.opening.LONGEST", 100)
    monkeypatch.setattr("labelwright.readers.opening.LONGEST_SKIP", 5000)


LONG = "the row is longer than 100 characters"


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_long_lines_of_json(tmp_path: Path, suffix: str, end: str) -> None:
    rows = ['{"id": 1, "text": "a"}', '{"id": 2, "text": "' + "x" * 500 + '"}', "y" * 99, "z" * 150]
    content = "\n".join(rows[:2]) + "\r\n" + '{"id": 3, "text": "b"}\n' + end.join(rows[2:]) + end
    data = content.encode()
    packed = PACK[suffix[1:]](data) if suffix else data
    found = texts(read(saved(tmp_path, f"a.jsonl{suffix}", packed)))
    bad = "the line is not valid JSON"
    assert found == ["a", LONG, "b", *([bad, LONG] if end else [LONG])]


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    "row",
    [
        "2," + "x" * 300,
        '2,"' + "x" * 300 + '"',
        '2,"' + "x\n" * 300 + '"',
        '2,"' + 'x""y,\n' * 80 + '"',
        '"' + "2" * 200 + '",a',
        "2," + "a," * 200,
        '2,"short\n","' + "x" * 300 + '"',
        '2,"' + "x" * 95 + '\n"',
        "2," + 'x"' * 200,
        '2,"' + '""' * 150 + '"',
        '2,"' + '""' * 150 + '\n"',
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_long_rows_of_tables(tmp_path: Path, row: str, end: str) -> None:
    lines = ["id,text", "1,a", row, "3,c", '4,"d\nd"']
    items = read(saved(tmp_path, "a.csv", end.join(lines) + end))
    assert texts(items) == ["a", LONG, "c", "d\nd"]
    assert [item.row for item in items] == [1, 2, 3, 4]


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("content", ["x" * 300, "x" * 300 + "\n", "1,a\n" + "x" * 300])
def test_long_last_row(tmp_path: Path, content: str) -> None:
    assert texts(read(saved(tmp_path, "a.csv", f"id,text\n{content}")))[-1] == LONG


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("content", ['2,"' + "a\n" * 600, '2,"' + "a" * 300 + '"b\n3,c\n'])
def test_long_rows_with_broken_quotes(tmp_path: Path, content: str) -> None:
    message = failure(saved(tmp_path, "a.csv", "id,text\n1,a\n" + content)).what
    assert message.endswith("not closed as CSV asks, in the record that starts at line 3")


@pytest.mark.usefixtures("short")
def test_broken_quotes_after_a_long_row_name_their_line(tmp_path: Path) -> None:
    content = 'id,text\n1,"' + "x\n" * 100 + '"\n2,"b\n'
    message = failure(saved(tmp_path, "a.csv", content)).what
    assert message.endswith("in the record that starts at line 103")


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_rows_without_end_are_refused(tmp_path: Path, name: str) -> None:
    start = "id,text\n" if name == "a.csv" else '{"id": 1, "text": "a"}\n'
    error = failure(saved(tmp_path, name, start + "x" * 2_000_000))
    assert "the row at line 2 is longer than 5000 characters" in error.what
    error = failure(saved(tmp_path, "b.csv", "x" * 300))
    assert "the header is longer than 100 characters" in error.what


@given(
    cells=st.lists(st.text(alphabet='ab,"\n\r', max_size=12), min_size=1, max_size=4),
    after=st.lists(st.sampled_from(["1,b", '"c\nd",e', ""]), max_size=3),
    cut=st.integers(1, 200),
)
@example(cells=["\r\n"], after=[], cut=2)
def test_passing_over_ends_where_the_csv_module_ends(
    cells: list[str], after: list[str], cut: int
) -> None:
    import csv

    written = io.StringIO(newline="")
    csv.writer(written, quoting=csv.QUOTE_MINIMAL).writerow(cells)
    whole = written.getvalue() + "\n".join(after)
    handle = io.StringIO(whole, newline="")
    rows = csv.reader(io.StringIO(whole, newline=""), strict=True)
    next(rows)
    first = handle.readline(cut)
    assert pass_over(handle, first, False, ",", 10**6) == rows.line_num
    rest = handle.read()
    if not rest.startswith("\n"):  # the cut fell between \r and \n
        assert list(csv.reader(io.StringIO(rest, newline=""))) == list(rows)


BOMB_MEMORY = 1 << 30
READ_BOMB = """
import resource, sys
from pathlib import Path
from labelwright.readers import ReadOptions, scan
resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
print(scan([Path(sys.argv[1])], ReadOptions()).rows)
"""


@pytest.mark.parametrize("name", ["a.csv.zst", "a.jsonl.gz"])
def test_a_bomb_does_not_fill_the_memory(tmp_path: Path, name: str) -> None:
    """400 MB in one row, 40 kB on disk for zstd, is read in less than 1 GiB of addresses."""
    start = b"id,text\n1,a\n" if "csv" in name else b'{"id": 1, "text": "a"}\n'
    stream = io.BytesIO()
    opener = (
        zstd.ZstdFile(stream, "w") if name.endswith("zst") else gzip.GzipFile(None, "w", 1, stream)
    )
    with opener as packed:
        packed.write(start)
        for _ in range(400):
            packed.write(b"x" * 1_000_000)
    path = saved(tmp_path, name, stream.getvalue())
    assert path.stat().st_size < 4_000_000
    done = subprocess.run(
        [sys.executable, "-c", READ_BOMB.format(limit=BOMB_MEMORY), str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("2\n", "")
    assert resource.getrlimit(resource.RLIMIT_AS)[0] != BOMB_MEMORY


# --- Parquet -------------------------------------------------------------------------------


def test_parquet_cells_that_are_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labelwright.readers.opening.LONGEST", 100)
    path = table(tmp_path, "a.parquet", {"id": ["1", "2", "3"], "text": ["a", "x" * 101, "b"]})
    assert texts(read(path)) == ["a", LONG, "b"]


@pytest.mark.parametrize("at_once", [1, 1000, 1 << 30])
def test_parquet_batches_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("labelwright.readers.tables.parquet._AT_ONCE", at_once)
    rows = {"id": [str(n) for n in range(300)], "text": [f"report {n % 7}" for n in range(300)]}
    assert texts(read(table(tmp_path, "a.parquet", rows))) == rows["text"]


@pytest.mark.skipif(not STATUS.exists(), reason="asks /proc for memory")
def test_a_parquet_bomb_does_not_fill_the_memory(tmp_path: Path) -> None:
    """One text of 8 MB that 2,000 rows refer to: 16 GB from some hundred kB."""
    import pyarrow as pa

    shared = pa.DictionaryArray.from_arrays(pa.array([0] * 2000, pa.int32()), ["x " * 4_000_000])
    path = table(tmp_path, "a.parquet", {"id": [str(n) for n in range(2000)], "text": shared})
    assert path.stat().st_size < 1_000_000
    code = (
        f"{PEAK}\nimport sys; from itertools import islice; from pathlib import Path\n"
        "from labelwright.readers import ReadOptions, read_reports\n"
        "items = read_reports([Path(sys.argv[1])], ReadOptions())\n"
        "print(sum(len(item.text) for item in islice(items, 5)))\n"
        "print(peak())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    length, peak = map(int, done.stdout.split())
    assert length == 5 * 8_000_000
    assert peak < 500 * 1024  # KiB


def test_parquet_of_one_row_group_is_read_piece_by_piece(tmp_path: Path) -> None:
    import pyarrow as pa

    written = [f"{n} {'clear lungs ' * 150}".strip() for n in range(12_000)]
    columns = {"id": [str(n) for n in range(len(written))], "text": written}
    path = table(tmp_path, "a.parquet", columns)
    before = pa.total_allocated_bytes()
    most = 0
    for report, text in zip(read_reports([path], ReadOptions()), written, strict=True):
        assert isinstance(report, Report)
        assert report.text == text
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < sum(map(len, written)) / 2
