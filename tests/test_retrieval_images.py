"""Images from files as they occur: deep, inverted, windowed, turned, damaged, hostile."""

from __future__ import annotations

import csv
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from labelwright.errors import InputError, MissingExtraError
from retrieval import images
from retrieval.images import read_image, spread

EXAMPLES = Path(__file__).parents[1] / "examples"
PATIENT = "Canary^Quill"
RAMP = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
"""0 to 220 in steps of 20, three rows of four."""


def gray(path: Path) -> NDArray[np.uint8]:
    """One channel of an image as read; all three must be equal."""
    read = read_image(path)
    assert read.mode == "RGB"
    array = np.asarray(read)
    assert (array == array[..., :1]).all()
    return array[..., 0]


def dicom(path: Path, pixels: NDArray[Any], **changes: Any) -> Path:
    """A radiograph as a device stores it, by pydicom; a change to ``None`` deletes an element."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = changes.pop("syntax", ExplicitVRLittleEndian)
    data.SOPClassUID = DigitalXRayImageStorageForPresentation
    data.SOPInstanceUID = "1.2.3"
    data.PatientName, data.PatientID = PATIENT, PATIENT
    data.Rows, data.Columns = pixels.shape[:2]
    data.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    if pixels.ndim == 3:
        data.PlanarConfiguration = 0
    data.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = pixels.dtype.itemsize * 8
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    data.PixelData = pixels.tobytes()
    for name, value in changes.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return path


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


def reason(path: Path) -> str:
    """Why a file is refused; the reason names no folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError) as caught:
            read_image(path)
    assert caught.value.source == path.name
    assert str(path.parent) not in str(caught.value)
    return caught.value.what


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


def test_dicom_is_spread_over_its_real_range(tmp_path: Path) -> None:
    pixels = RAMP.astype(np.uint16) * 10 + 300
    expected = np.rint(np.arange(12).reshape(3, 4) * 255 / 11)
    np.testing.assert_array_equal(gray(dicom(tmp_path / "a.dcm", pixels)), expected)
    (tmp_path / "a.dcm").rename(tmp_path / "IM0001")
    np.testing.assert_array_equal(gray(tmp_path / "IM0001"), expected)


def test_monochrome1_is_turned_over(tmp_path: Path) -> None:
    pixels = np.array([[0, 100, 400]], dtype=np.uint16)
    path = dicom(tmp_path / "a.dcm", pixels, PhotometricInterpretation="MONOCHROME1")
    assert gray(path).tolist() == [[255, 191, 0]]


def test_the_window_is_applied_after_the_rescaling(tmp_path: Path) -> None:
    """Stored 0, 1000, 1050, 1100, 4000 are -1000, 0, 50, 100, 3000; the window has its
    middle at 50 - 0.5 and is 100 - 1 wide (PS3.3 C.11.2.1.2), so 50 is (0.5 / 99 + 0.5) * 255."""
    pixels = np.array([[0, 1000, 1050, 1100, 4000]], dtype=np.uint16)
    path = dicom(
        tmp_path / "a.dcm",
        pixels,
        RescaleSlope=1,
        RescaleIntercept=-1000,
        WindowCenter=50,
        WindowWidth=100,
    )
    assert gray(path).tolist() == [[0, 0, 129, 255, 255]]


def test_a_window_without_width_is_left_out(tmp_path: Path) -> None:
    pixels = np.array([[0, 100, 400]], dtype=np.uint16)
    path = dicom(tmp_path / "a.dcm", pixels, WindowCenter=50, WindowWidth=0)
    assert gray(path).tolist() == [[0, 64, 255]]


def test_a_voi_table_is_applied(tmp_path: Path) -> None:
    from pydicom.dataset import Dataset

    table = Dataset()
    table.LUTDescriptor = [4, 0, 16]
    table.add_new("LUTData", "US", [0, 500, 100, 1000])
    pixels = np.array([[0, 1, 2, 3]], dtype=np.uint16)
    path = dicom(tmp_path / "a.dcm", pixels, VOILUTSequence=[table])
    assert gray(path).tolist() == [[0, 128, 26, 255]]


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_does_not_count(tmp_path: Path, kind: str) -> None:
    pixels = np.array([[-2000, -100, 0, 100]], dtype=np.int16)
    path = dicom(
        tmp_path / "a.dcm", pixels, PixelPaddingValue=-2000, PhotometricInterpretation=kind
    )
    shown = [0, 0, 128, 255] if kind == "MONOCHROME2" else [0, 255, 127, 0]
    assert gray(path).tolist() == [shown]


def test_dicom_in_colour(tmp_path: Path) -> None:
    pixels = np.array([[[10, 20, 30], [0, 0, 250]]], dtype=np.uint8)
    read = read_image(dicom(tmp_path / "a.dcm", pixels))
    np.testing.assert_array_equal(np.asarray(read), pixels)


def test_dicom_with_a_palette(tmp_path: Path) -> None:
    """Two colours of 16 bits: red and blue."""
    path = dicom(
        tmp_path / "a.dcm",
        np.array([[0, 1]], dtype=np.uint8),
        PhotometricInterpretation="PALETTE COLOR",
        RedPaletteColorLookupTableDescriptor=[2, 0, 16],
        GreenPaletteColorLookupTableDescriptor=[2, 0, 16],
        BluePaletteColorLookupTableDescriptor=[2, 0, 16],
        RedPaletteColorLookupTableData=struct.pack("<HH", 65535, 0),
        GreenPaletteColorLookupTableData=struct.pack("<HH", 0, 0),
        BluePaletteColorLookupTableData=struct.pack("<HH", 0, 65535),
    )
    assert np.asarray(read_image(path)).tolist() == [[[255, 0, 0], [0, 0, 255]]]


def test_compressed_dicom(tmp_path: Path) -> None:
    import pydicom
    from pydicom.uid import RLELossless

    noise = np.random.default_rng(0).integers(0, 4096, (40, 30), dtype=np.uint16)
    plain = dicom(tmp_path / "a.dcm", noise)
    data = pydicom.dcmread(plain)
    data.compress(RLELossless)
    data.save_as(tmp_path / "b.dcm")
    np.testing.assert_array_equal(gray(plain), gray(tmp_path / "b.dcm"))


def test_dicom_of_old_writers_without_a_mark(tmp_path: Path) -> None:
    import pydicom

    pixels = np.array([[0, 100, 400]], dtype=np.uint16)
    data = pydicom.dcmread(dicom(tmp_path / "a.dcm", pixels))
    bare = pydicom.Dataset(data)
    bare.save_as(tmp_path / "b.dcm", implicit_vr=True, little_endian=True)
    assert (tmp_path / "b.dcm").read_bytes()[128:132] != b"DICM"
    assert gray(tmp_path / "b.dcm").tolist() == [[0, 64, 255]]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"NumberOfFrames": 7}, "the DICOM file holds 7 frames; save the one that counts alone"),
        ({"Rows": 60_000, "Columns": 60_000}, "the image has 60000 x 60000 pixels, more than 80"),
        ({"Rows": 0}, "the image has no pixels"),
        ({"PixelData": None}, "the DICOM file holds no image"),
        ({"PixelData": b"\0\0"}, "the pixels of the DICOM image cannot be unpacked"),
        ({"Columns": None}, "not a whole DICOM image"),
        ({"PhotometricInterpretation": "CMYK"}, "has colours of a kind that is not read"),
        ({"PhotometricInterpretation": "RGB"}, "has colours of a kind that is not read"),
    ],
)
def test_dicom_that_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    path = dicom(tmp_path / "a.dcm", RAMP.astype(np.uint16), **changes)
    found = reason(path)
    assert said in found
    assert "Canary" not in found


def test_dicom_compressed_in_a_way_without_decoder(tmp_path: Path) -> None:
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEG2000MC

    path = dicom(
        tmp_path / "a.dcm",
        RAMP,
        syntax=JPEG2000MC,
        PixelData=encapsulate([b"\xff\x4f\xff\x51"]),
    )
    assert "no decoder is installed" in reason(path)


def test_dicom_that_is_deflated_as_a_whole(tmp_path: Path) -> None:
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    path = dicom(tmp_path / "a.dcm", RAMP, syntax=DeflatedExplicitVRLittleEndian)
    assert "deflated as a whole" in reason(path)


def test_dicom_cut_short_or_not_dicom_at_all(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 4096, (40, 30), dtype=np.uint16)
    path = dicom(tmp_path / "a.dcm", noise)
    whole = path.read_bytes()
    for size in (200, len(whole) // 2, len(whole) - 10):
        path.write_bytes(whole[:size])
        found = reason(path)
        assert "DICOM" in found
        assert "Canary" not in found
    path.write_bytes(b"Patient Quill has no effusion." * 30)
    assert "Quill" not in reason(path)


def test_headers_with_faults_are_not_cited(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """pydicom warns of a date that is none, and cites it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = dicom(tmp_path / "a.dcm", RAMP, PatientBirthDate=PATIENT, PixelSpacing=["1", "1"])
    caplog.clear()
    capfd.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gray(path)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


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


def test_packages_that_are_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = dicom(tmp_path / "a.dcm", RAMP)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pydicom", None)
        with pytest.raises(MissingExtraError, match=r"pydicom.*\[images\]"):
            read_image(path)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"pillow.*\[images\]"):
        read_image(path)
