"""Images of any usual kind as 8-bit RGB: PNG, JPEG, TIFF and DICOM, or a clear reason why not.

No reason and no warning holds anything of the file's metadata: DICOM headers name patients.
"""

from __future__ import annotations

import importlib.util
import stat
import warnings
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
            from retrieval.images_dicom import read_dicom

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
