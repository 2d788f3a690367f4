"""Images from files as they occur: deep, inverted, windowed, turned, damaged, hostile."""

from __future__ import annotations

import csv
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_tools import RAMP, gray, reason
from PIL import Image

from retrieval import images
from retrieval.images import read_image, spread

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_eight_bits_stay_as_they_are(tmp_path: Path) -> None:
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    np.testing.assert_array_equal(gray(tmp_path / "a.png"), RAMP)
    Image.fromarray(RAMP).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(gray(tmp_path / "a.tif"), RAMP)


def test_jpeg(tmp_path: Path) -> None:
    flat = np.full((16, 16), 90, dtype=np.uint8)
    Image.fromarray(flat).save(tmp_path / "a.jpg", quality=95)
    np.testing.assert_allclose(gray(tmp_path / "a.jpg"), flat, atol=2)


def test_the_suffix_does_not_matter(tmp_path: Path) -> None:
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpeg")
    np.testing.assert_array_equal(gray(tmp_path / "a.jpeg"), RAMP)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_spread_over_their_real_range(tmp_path: Path, suffix: str) -> None:
    """1000 to 1220 in steps of 20: as 0 to 255 in steps of 255/11."""
    Image.fromarray(RAMP.astype(np.uint16) + 1000).save(tmp_path / f"a.{suffix}")
    expected = np.rint(np.arange(12).reshape(3, 4) * 255 / 11)
    np.testing.assert_array_equal(gray(tmp_path / f"a.{suffix}"), expected)


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_floats_and_long_integers_are_spread_too(tmp_path: Path, kind: type) -> None:
    values = np.array([[-500, 0], [250, 500]], dtype=kind)
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert gray(tmp_path / "a.tif").tolist() == [[0, 128], [191, 255]]


def test_white_is_zero(tmp_path: Path) -> None:
    """TIFF's tag 262: 0 says that low numbers are bright."""
    values = np.array([[0, 100]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "a.tif", tiffinfo={262: 0})
    with Image.open(tmp_path / "a.tif") as stored:
        assert stored.tag_v2[262] == 0
    assert gray(tmp_path / "a.tif").tolist() == [[255, 0]]


def test_transparent_parts_are_black(tmp_path: Path) -> None:
    pixels = np.array([[[200, 100, 50, 255], [200, 100, 50, 0]]], dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.asarray(read_image(tmp_path / "a.png")).tolist() == [[[200, 100, 50], [0, 0, 0]]]


def test_images_are_turned_as_their_exif_says(tmp_path: Path) -> None:
    """Orientation 6: turn clockwise, so the left column becomes the first row, from below."""
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(RAMP).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(gray(tmp_path / "a.png"), np.rot90(RAMP, -1))


@given(
    st.lists(st.floats(width=64), min_size=1, max_size=20).filter(
        lambda values: any(np.isfinite(values))
    )
)
def test_any_numbers_become_0_to_255_in_order(values: list[float]) -> None:
    numbers = np.array([values])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = spread(numbers)[0]
    real = np.isfinite(numbers[0])
    assert (result[~real] == 0).all()
    by_size = result[real][np.argsort(numbers[0][real])].astype(int)
    assert (np.diff(by_size) >= 0).all()
    lowest, highest = numbers[0][real].min(), numbers[0][real].max()
    if highest / 2 > lowest / 2:
        assert (by_size[0], by_size[-1]) == (0, 255)


def test_files_that_are_none(tmp_path: Path) -> None:
    assert reason(tmp_path / "none.png") == "no such file"
    assert reason(tmp_path) == "not a file"
    (tmp_path / "empty.png").touch()
    assert reason(tmp_path / "empty.png") == "the file is empty"
    (tmp_path / "text.png").write_text("Patient Quill has no effusion.")
    assert reason(tmp_path / "text.png") == "not a PNG, JPEG, TIFF or DICOM image"
    assert reason(tmp_path / "a\0b.png") == "cannot be opened (ValueError)"


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_files_cut_short(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert reason(path).startswith(("damaged or cut short", "not a PNG, JPEG, TIFF"))


def test_a_png_with_a_wrong_check_sum(tmp_path: Path) -> None:
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    raw = bytearray((tmp_path / "a.png").read_bytes())
    raw[raw.index(b"IDAT") + 6] ^= 0xFF
    (tmp_path / "a.png").write_bytes(raw)
    assert reason(tmp_path / "a.png").startswith("damaged or cut short")


@pytest.mark.parametrize(("width", "height"), [(10_000, 9_000), (100_000, 100_000)])
def test_bombs_are_refused_before_they_are_unpacked(
    tmp_path: Path, width: int, height: int
) -> None:
    """A PNG header that promises more than Pillow's own two limits, with hardly any data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"\0")), chunk(b"IEND", b""))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    assert "million" in reason(tmp_path / "bomb.png")


def test_large_files_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    monkeypatch.setattr(images, "MOST_BYTES", 40)
    assert reason(tmp_path / "a.png").startswith("the file is larger than")


def test_several_images_in_one_file(tmp_path: Path) -> None:
    page = Image.fromarray(RAMP)
    page.save(tmp_path / "a.tif", save_all=True, append_images=[page, page])
    assert reason(tmp_path / "a.tif").startswith("the file holds 3 images")


def test_the_shipped_films_are_what_the_script_draws(tmp_path: Path) -> None:
    """Pixels, not bytes: how well a PNG is packed depends on the version of zlib."""
    subprocess.run([sys.executable, EXAMPLES / "draw_images.py", tmp_path], check=True)
    assert (tmp_path / "images.csv").read_bytes() == (EXAMPLES / "images.csv").read_bytes()
    with (EXAMPLES / "images.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == len(list((EXAMPLES / "images").iterdir())) == 12
    for row in rows:
        shipped = gray(EXAMPLES / row["image"])
        assert shipped.shape == (96, 96)
        np.testing.assert_array_equal(shipped, gray(tmp_path / row["image"]))
    assert sum(path.stat().st_size for path in (EXAMPLES / "images").iterdir()) < 30_000
