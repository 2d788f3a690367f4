"""Reading images in tests, and DICOM files as devices store them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from labelwright.errors import InputError
from retrieval.images import read_image

PATIENT = "Canary^Quill"
"""Stands in the header of every DICOM file, and must stand nowhere else."""
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


def reason(path: Path) -> str:
    """Why a file is refused; the reason names no folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError) as caught:
            read_image(path)
    assert caught.value.source == path.name
    assert str(path.parent) not in str(caught.value)
    return caught.value.what
