"""DICOM images as a reader would see them, and headers that are never cited."""

from __future__ import annotations

import struct
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_tools import PATIENT, RAMP, dicom, gray, reason

from labelwright.errors import MissingExtraError
from retrieval.images import read_image


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


def test_packages_that_are_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = dicom(tmp_path / "a.dcm", RAMP)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pydicom", None)
        with pytest.raises(MissingExtraError, match=r"pydicom.*\[images\]"):
            read_image(path)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"pillow.*\[images\]"):
        read_image(path)
