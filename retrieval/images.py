"""Images of any usual kind as 8-bit RGB: PNG, JPEG, TIFF and DICOM, or a clear reason why not.

No reason and no warning holds anything of the file's metadata: DICOM headers name patients.

DICOM images are shown as a reader would see them: rescaled, windowed, bright where bone is. The
pixel data's own rules are applied in the standard's order (PS3.3 C.11): modality LUT or rescale,
then VOI LUT or window, then MONOCHROME1 turned over.
"""

from __future__ import annotations

import importlib.util
import logging
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labelwright.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "TIFF")
MOST_PIXELS = 80_000_000
"""Larger than any radiograph; beyond it a small file may unpack into all memory."""
MOST_BYTES = 2**30
DICOM_MARK, DICOM_MARK_AT = b"DICM", 128
DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})
WHITE_IS_ZERO, PHOTOMETRIC = 0, 262
"""TIFF's tag and value for films whose low numbers are bright."""
DEEP = frozenset({"I", "F"})
"""Pillow's modes with more than 8 bits, besides those that begin with ``I;16``."""

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
GRAY = frozenset({"MONOCHROME1", "MONOCHROME2"})
COLOURS = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "PALETTE COLOR"})


def read_image(path: Path) -> Image:
    """The image in mode RGB.

    Colour and 8-bit images keep their values; 16-bit, 32-bit and float ones are spread over
    their real range. Turned as their EXIF entry says; transparent parts are black.

    Raises:
        InputError: it cannot be read; ``what`` is the reason, ``source`` the file's bare name.
        MissingExtraError: Pillow, or for DICOM pydicom, is not installed.
    """
    if importlib.util.find_spec("PIL") is None:
        raise MissingExtraError("pillow", "reading images", "images")
    try:
        if _is_dicom(path):
            return as_rgb(read_dicom(path))
        return _read_plain(path)
    except UnreadableError as error:
        raise InputError(str(error), source=path.name) from None


class UnreadableError(Exception):
    """Why an image cannot be used, without anything from within the file."""


def check_size(width: int, height: int) -> None:
    """Refuse images that would fill the memory, before they are unpacked.

    Raises:
        UnreadableError: it is too large, or has no pixels.
    """
    if width < 1 or height < 1:
        raise UnreadableError("the image has no pixels")
    if width * height > MOST_PIXELS:
        raise UnreadableError(
            f"the image has {width} x {height} pixels, more than {MOST_PIXELS // 10**6} million"
        )


def spread(values: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
    """Numbers of any range as 0 to 255; one value everywhere becomes black.

    Args:
        valid: where the numbers count; elsewhere the result is black.

    Raises:
        UnreadableError: there is no number.
    """
    exact = values.astype(np.float64)
    usable = np.isfinite(exact) if valid is None else np.isfinite(exact) & valid
    if not usable.any():
        raise UnreadableError("the image holds no numbers")
    exact *= 0.5  # the range of the largest float numbers is no float number itself
    low = float(exact.min(where=usable, initial=np.inf))
    high = float(exact.max(where=usable, initial=-np.inf))
    exact[~usable] = low
    exact -= low
    if high > low:
        exact /= high - low
        exact *= 255.0
    return np.rint(exact, out=exact).astype(np.uint8)


def as_rgb(values: NDArray[np.uint8]) -> Image:
    """An array ``[height, width]`` or ``[height, width, 3]`` as an image."""
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(values)).convert("RGB")


def _is_dicom(path: Path) -> bool:
    """Whether a file is DICOM by its mark, or by its suffix where old writers left the mark out.

    Raises:
        UnreadableError: it is missing, empty, too large, or no file.
    """
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise UnreadableError("not a file")
        if facts.st_size == 0:
            raise UnreadableError("the file is empty")
        if facts.st_size > MOST_BYTES:
            raise UnreadableError(f"the file is larger than {MOST_BYTES // 2**20} MiB")
        with path.open("rb") as file:
            start = file.read(DICOM_MARK_AT + len(DICOM_MARK))
    except FileNotFoundError:
        raise UnreadableError("no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise UnreadableError(f"cannot be opened ({type(error).__name__})") from None
    return start[DICOM_MARK_AT:] == DICOM_MARK or path.suffix.lower() in DICOM_SUFFIXES


def _read_plain(path: Path) -> Image:
    from PIL import Image, ImageOps, UnidentifiedImageError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path, formats=FORMATS) as image:
                check_size(*image.size)
                count = int(getattr(image, "n_frames", 1))
                if count > 1:
                    raise UnreadableError(
                        f"the file holds {count} images; save the one that counts alone"
                    )
                image.load()
                turned = ImageOps.exif_transpose(image)
                return _flattened(turned, bright_is_low=_bright_is_low(image))
        except UnreadableError:
            raise
        except UnidentifiedImageError:
            raise UnreadableError("not a PNG, JPEG, TIFF or DICOM image") from None
        except Image.DecompressionBombError:
            raise UnreadableError(
                f"the image has more than {MOST_PIXELS // 10**6} million pixels"
            ) from None
        except Exception as error:  # noqa: BLE001  damaged files raise errors of every kind
            raise UnreadableError(f"damaged or cut short ({type(error).__name__})") from None


def _bright_is_low(image: Image) -> bool:
    """Whether low numbers are bright and Pillow, as for all deep images, has not turned them."""
    tags: Any = getattr(image, "tag_v2", {})
    return tags.get(PHOTOMETRIC) == WHITE_IS_ZERO and _is_deep(image)


def _is_deep(image: Image) -> bool:
    return image.mode in DEEP or image.mode.startswith("I;16")


def _flattened(image: Image, *, bright_is_low: bool) -> Image:
    from PIL import Image

    if _is_deep(image):
        values = spread(np.asarray(image))
        return as_rgb(255 - values if bright_is_low else values)
    if image.has_transparency_data:
        shown = image.convert("RGBA")
        black = Image.new("RGBA", shown.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, shown).convert("RGB")
    return image.convert("RGB")


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
