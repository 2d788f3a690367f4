"""DICOM images as a reader would see them: rescaled, windowed, bright where bone is.

The pixel data's own rules are applied in the standard's order (PS3.3 C.11): modality LUT or
rescale, then VOI LUT or window, then MONOCHROME1 turned over.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labelwright.errors import MissingExtraError
from retrieval.images import DICOM_MARK, DICOM_MARK_AT, UnreadableError, check_size, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
GRAY = frozenset({"MONOCHROME1", "MONOCHROME2"})
COLOURS = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "PALETTE COLOR"})


def read_dicom(path: Path) -> NDArray[np.uint8]:
    """The image as ``[height, width]`` or ``[height, width, 3]``.

    Raises:
        MissingExtraError: pydicom is not installed.
        UnreadableError: the file has no image, several, or one that cannot be unpacked.
    """
    if importlib.util.find_spec("pydicom") is None:
        raise MissingExtraError("pydicom", "reading DICOM images", "images")
    with _discreet():
        data = _dataset(path)
        kind = str(data.PhotometricInterpretation)
        try:
            values, valid = _values(data, kind)
        except UnreadableError:
            raise
        except Exception as error:  # noqa: BLE001  damaged files raise errors of every kind
            raise UnreadableError(
                f"the pixels of the DICOM image cannot be unpacked ({type(error).__name__})"
            ) from None
        shown = spread(values, valid) if kind in GRAY or values.dtype != np.uint8 else values
        if kind == "MONOCHROME1":
            shown = 255 - shown
            if valid is not None:
                shown[~valid] = 0
        return shown


def _dataset(path: Path) -> Any:
    """The header, if it describes one image of a size and kind that can be read."""
    import pydicom

    try:
        _refuse_deflated(path)
        data = pydicom.dcmread(path, force=True)
        if not any(name in data for name in PIXELS):
            raise UnreadableError("the DICOM file holds no image")
        frames = int(data.get("NumberOfFrames", 1) or 1)
        width, height = int(data.Columns), int(data.Rows)
        kind = str(data.PhotometricInterpretation)
        syntax = _syntax(data)
    except UnreadableError:
        raise
    except Exception as error:  # noqa: BLE001  damaged files raise errors of every kind
        raise UnreadableError(f"not a whole DICOM image ({type(error).__name__})") from None
    if frames > 1:
        raise UnreadableError(
            f"the DICOM file holds {frames} frames; save the one that counts alone"
        )
    check_size(width, height)
    if kind not in GRAY | COLOURS:
        raise UnreadableError("the DICOM image has colours of a kind that is not read")
    if syntax.is_encapsulated:
        _check_decoder(syntax)
    return data


def _syntax(data: Any) -> Any:
    """How the pixels are stored; where nothing says so (files without a mark), the default."""
    from pydicom.uid import ImplicitVRLittleEndian

    if "TransferSyntaxUID" not in data.file_meta:
        data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return data.file_meta.TransferSyntaxUID


def _refuse_deflated(path: Path) -> None:
    """Refuse a file that is zipped as a whole: it is rare, and can unpack a thousandfold."""
    from pydicom.filereader import read_file_meta_info
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    with path.open("rb") as file:
        file.seek(DICOM_MARK_AT)
        marked = file.read(len(DICOM_MARK)) == DICOM_MARK
    if marked:
        syntax = read_file_meta_info(path).get("TransferSyntaxUID")
        if syntax == DeflatedExplicitVRLittleEndian:
            raise UnreadableError("the DICOM file is deflated as a whole, which is not read")


def _check_decoder(syntax: Any) -> None:
    from pydicom.pixels.decoders.base import get_decoder

    try:
        ready = get_decoder(syntax).is_available
    except NotImplementedError:
        ready = False
    if not ready:
        raise UnreadableError(
            "the DICOM image is compressed in a way for which no decoder is installed "
            "(pip install 'pylibjpeg[all]')"
        )


def _values(data: Any, kind: str) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """The numbers to be shown, and which of them are part of the image."""
    from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
    from pydicom.pixels.utils import pixel_array

    stored = pixel_array(data)
    if stored.ndim != (2 if kind in GRAY or kind == "PALETTE COLOR" else 3):
        raise UnreadableError("the DICOM image has colours of a kind that is not read")
    if kind == "PALETTE COLOR":
        return apply_color_lut(stored, data), None
    if kind not in GRAY:
        return stored, None
    padding = data.get("PixelPaddingValue")
    valid = None if padding is None else stored != padding
    if valid is not None and not valid.any():
        valid = None
    rescaled = apply_modality_lut(stored, data)
    try:
        return apply_voi_lut(rescaled, data), valid
    except (ValueError, TypeError):  # a window of no width, or with no centre
        return rescaled, valid


@contextmanager
def _discreet() -> Iterator[None]:
    """Keep pydicom's warnings to itself: they cite values of the header."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
