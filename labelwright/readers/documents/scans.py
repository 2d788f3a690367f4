"""Pictures of pages (PNG, JPEG, TIFF), and external programs that read scans."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from labelwright.errors import ConfigError, MissingExtraError
from labelwright.readers.documents.faults import UnreadableError, size_of
from labelwright.readers.documents.pages import Page, lines_of
from labelwright.readers.documents.pdf import Recognise
from labelwright.readers.one_text import NoTextError, text_of

_PAGE_INCHES = 8.27
_LEAST_DPI, _MOST_DPI = 100, 600
_SECONDS = 1800
FILE, FOLDER = "{file}", "{out}"


def pages_of_picture(path: Path, most_pages: int, recognise: Recognise) -> Iterator[Page]:
    """The pages of a picture file; a TIFF may hold several.

    Raises:
        UnreadableError: damaged, far too large, or with more pages than ``most_pages``.
        MissingExtraError: Pillow is not installed.
    """
    try:
        from PIL import Image, ImageOps, ImageSequence
    except ImportError:
        raise MissingExtraError("pillow", "reading pictures", "documents") from None
    size_of(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                count = int(getattr(picture, "n_frames", 1))
                if count > most_pages:
                    raise UnreadableError(
                        f"{count} pages, more than {most_pages}; "
                        "--most-pages N takes longer documents"
                    )
                for number, frame in enumerate(ImageSequence.Iterator(picture), 1):
                    upright = ImageOps.exif_transpose(frame)
                    told = float(frame.info.get("dpi", (0, 0))[0] or 0)
                    dpi = round(told if told >= _LEAST_DPI else upright.width / _PAGE_INCHES)
                    yield recognise(upright, number, min(max(dpi, _LEAST_DPI), _MOST_DPI))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnreadableError("the picture has more pixels than a page has") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise UnreadableError("the picture is damaged, or none") from error


def check_command(command: str) -> list[str]:
    """The words of an external program's command line.

    Raises:
        ConfigError: it names no file to read.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    if not any(FILE in word for word in words):
        raise ConfigError(
            "--ocr-command must say where the document's path goes",
            remedy="such as --ocr-command 'marker_single {file} --output_dir {out}'",
        )
    return words


def pages_of_command(path: Path, command: str) -> Iterator[Page]:
    """What an external program makes of a document, as one page.

    ``{file}`` is the document, ``{out}`` an empty folder; the program leaves Markdown or text
    there, or writes it to its standard output. No shell is between.

    Raises:
        UnreadableError: the program failed, took too long, or wrote nothing.
        ConfigError: there is no such program.
    """
    words = check_command(command)
    with tempfile.TemporaryDirectory(prefix="labelwright-ocr-") as folder:
        told = [w.replace(FILE, str(path.resolve())).replace(FOLDER, folder) for w in words]
        try:
            done = subprocess.run(
                told, capture_output=True, stdin=subprocess.DEVNULL, timeout=_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise UnreadableError(f"--ocr-command took over {_SECONDS} seconds") from None
        except OSError:
            raise ConfigError(
                "the program of --ocr-command cannot be started",
                remedy="give its full path, and try it by hand",
            ) from None
        if done.returncode:
            raise UnreadableError(f"--ocr-command failed with code {done.returncode}")
        written = sorted(p for s in ("*.md", "*.txt") for p in Path(folder).rglob(s))
        data = [file.read_bytes() for file in written] or [done.stdout]
    try:
        text = "\n\n".join(text_of(part, None) for part in data)
    except NoTextError as error:
        raise UnreadableError(f"--ocr-command wrote no text: {error}") from None
    yield Page(1, lines_of(text), scanned=True)
