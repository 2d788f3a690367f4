"""PDF: the text layer page by page with pypdfium2, ruled tables where pdfplumber finds them.

A page without a text layer that reads goes to :mod:`~labelwright.readers.documents.ocr`. Nothing in
a PDF is run; one that holds scripts or a dynamic form is refused, since what it shows is not in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.errors import MissingExtraError
from labelwright.readers.documents.faults import UnreadableError, size_of
from labelwright.readers.documents.pages import Box, Line, Page, Word, plain

if TYPE_CHECKING:
    from PIL.Image import Image

Recognise = Callable[["Image", int, int], Page]
"""What reads a picture of a page: picture, page number, dots per inch."""

_LEAST_DPI, _MOST_DPI = 200, 300
_FEW = 40
"""A page with fewer characters than this over a picture is a scan with a stamp on it."""
_LARGE = 0.6
"""Share of the page from which on a picture is the page."""
_ODD = re.compile("[\ufffd\ue000-\uf8ff\x00-\x08\x0e-\x1f]")
_MOST_ODD = 0.1
_ENDS = frozenset("\r\n")
_HYPHENS = frozenset("\x02\ufffe")
_LINES_OF_A_TABLE = 4


class PictureError(UnreadableError):
    """A page that somebody must recognise."""


def pages_of(path: Path, most_pages: int, recognise: Recognise | None) -> Iterator[Page]:
    """The pages of a PDF.

    Args:
        most_pages: a file with more is refused.
        recognise: reads pages that are pictures; without it they are refused.

    Raises:
        UnreadableError: locked, damaged, empty, too long, with scripts, or a page cannot be read.
        MissingExtraError: the extra ``documents`` is not installed.
    """
    with _opened(path) as (document, tables):
        if (count := len(document)) > most_pages:
            raise UnreadableError(
                f"{count} pages, more than {most_pages}; --most-pages N takes longer documents"
            )
        for index in range(count):
            yield _page(document, index, tables, recognise)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, _Tables]]:
    try:
        import pypdfium2
        import pypdfium2.raw as raw
    except ImportError:
        raise MissingExtraError("pypdfium2", "reading PDF", "documents") from None
    size_of(path)
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower() and b"/Encrypt" in path.read_bytes():
            raise UnreadableError("locked with a password; save a copy without one") from None
        raise UnreadableError("damaged, or no PDF") from None
    tables = _Tables(path)
    try:
        if len(document) == 0:
            raise UnreadableError("the PDF has no page")
        form = document.get_formtype()
        if form in (raw.FORMTYPE_XFA_FULL, raw.FORMTYPE_XFA_FOREGROUND):
            raise UnreadableError("a dynamic form (XFA); print it to a plain PDF")
        if raw.FPDFDoc_GetJavaScriptActionCount(document.raw) > 0:
            raise UnreadableError("the PDF holds scripts; print it to a plain PDF")
        if form != raw.FORMTYPE_NONE:
            document.init_forms()
        yield document, tables
    finally:
        tables.close()
        document.close()


def _page(document: Any, index: int, tables: _Tables, recognise: Recognise | None) -> Page:
    import pypdfium2
    import pypdfium2.raw as raw

    try:
        page = document[index]
        if document.formenv is not None:  # what was filled in becomes part of the page
            page.flatten()
            page.close()
            page = document[index]
        chars = _chars(page)
        size = page.get_size()
        pictures = list(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=4))
        drawn = sum(1 for _ in page.get_objects(filter=[raw.FPDF_PAGEOBJ_PATH], max_depth=4))
        covered = max((_share(picture, size) for picture in pictures), default=0.0)
        reads = _reads(chars, covered)
        if reads:
            grids = tables.on(index) if drawn >= _LINES_OF_A_TABLE else []
            notes = () if covered < _LARGE else ("text layer over a picture: not checked",)
            return Page(index + 1, _lines(chars, grids), size, notes=notes)
        if not pictures and not chars and not drawn:
            return Page(index + 1, (), size, notes=("empty page: nothing on it",))
        if recognise is None:
            raise PictureError(
                f"page {index + 1} is a picture without text; --ocr-language reads it"
            )
        dpi = _dpi(pictures, size)
        picture = page.render(scale=dpi / 72).to_pil()
    except pypdfium2.PdfiumError:
        raise UnreadableError(f"page {index + 1} is damaged") from None
    found = recognise(picture, index + 1, dpi)
    return Page(index + 1, found.lines, size, scanned=True, notes=found.notes)


@dataclass(frozen=True, slots=True)
class _Char:
    text: str
    box: Box | None


def _chars(page: Any) -> list[_Char]:
    """Characters in reading order with their boxes; those that PDFium adds have none."""
    import pypdfium2.raw as raw

    textpage = page.get_textpage()
    left, _, _, top = page.get_bbox()
    found = []
    for at in range(textpage.count_chars()):
        text = chr(raw.FPDFText_GetUnicode(textpage.raw, at))
        box = None
        if not text.isspace():
            x0, y0, x1, y1 = textpage.get_charbox(at, loose=True)
            box = (x0 - left, top - y1, x1 - left, top - y0)
        found.append(_Char(text, box))
    textpage.close()
    return found


def _reads(chars: Sequence[_Char], covered: float) -> bool:
    """Whether the text layer is the page's text."""
    seen = [char.text for char in chars if not char.text.isspace()]
    if len(seen) < (_FEW if covered >= _LARGE else 1):
        return False
    odd = sum(1 for char in seen if _ODD.match(char) and char not in _HYPHENS)
    return odd <= _MOST_ODD * len(seen)


def _share(picture: Any, size: tuple[float, float]) -> float:
    x0, y0, x1, y1 = picture.get_bounds()
    whole = size[0] * size[1]
    return abs((x1 - x0) * (y1 - y0)) / whole if whole else 0.0


def _dpi(pictures: Sequence[Any], size: tuple[float, float]) -> int:
    """The resolution of the largest picture, within what recognition is good at."""
    wide = max((picture.get_px_size()[0] for picture in pictures), default=0)
    return round(min(max(wide * 72 / size[0], _LEAST_DPI), _MOST_DPI)) if size[0] else _LEAST_DPI


def _words(chars: Sequence[_Char]) -> Iterator[Word | None]:
    """Words, and ``None`` at every end of a line."""
    text, boxes = "", list[Box]()
    for char in (*chars, _Char("\n", None)):
        divided = char.text in _HYPHENS  # PDFium's sign for a word that goes on in the next line
        if divided or not (char.text.isspace() or char.text == "\0"):
            text += "-" if divided else char.text
            if char.box is not None:
                boxes.append(char.box)
            if not divided:
                continue
        if text:
            yield Word(plain(text), _around(boxes))
            text, boxes = "", []
        if divided or char.text in _ENDS:
            yield None


def _lines(chars: Sequence[_Char], grids: Sequence[Grid]) -> tuple[Line, ...]:
    """Lines in reading order; the words in a grid come where its first one came, as a table."""
    lines: list[Line] = []
    cells: list[dict[tuple[int, int], list[Word]]] = [{} for _ in grids]
    places: dict[int, int] = {}
    line: list[Word] = []
    for word in _words(chars):
        if word is None:
            if line:
                lines.append(tuple(line))
            line = []
        elif (at := _cell(word, grids)) is not None:
            grid, row, column = at
            if grid not in places:
                if line:
                    lines.append(tuple(line))
                    line = []
                places[grid] = len(lines)
                lines.append(())
            cells[grid].setdefault((row, column), []).append(word)
        else:
            line.append(word)
    for grid, place in sorted(places.items(), key=lambda item: -item[1]):
        lines[place : place + 1] = [(), *markdown(grids[grid], cells[grid]), ()]
    return tuple(lines)


Grid = tuple[tuple[Box | None, ...], ...]
"""The cells of a ruled table, row by row."""


def markdown(grid: Grid, cells: dict[tuple[int, int], list[Word]]) -> Iterator[Line]:
    """A table as lines of Markdown; a bar in a cell is written ``\\|``."""
    for row, boxes in enumerate(grid):
        line = [Word("|")]
        for column in range(len(boxes)):
            for word in cells.get((row, column), ()):
                line.append(Word(word.text.replace("|", "\\|"), word.box, word.confidence))
            line.append(Word("|"))
        yield tuple(line)
        if row == 0:
            yield (Word("|" + "---|" * len(boxes)),)


def _cell(word: Word, grids: Sequence[Grid]) -> tuple[int, int, int] | None:
    if word.box is None:
        return None
    x, y = (word.box[0] + word.box[2]) / 2, (word.box[1] + word.box[3]) / 2
    for number, grid in enumerate(grids):
        for row, boxes in enumerate(grid):
            for column, box in enumerate(boxes):
                if box and box[0] <= x <= box[2] and box[1] <= y <= box[3]:
                    return number, row, column
    return None


def _around(boxes: Sequence[Box]) -> Box | None:
    if not boxes:
        return None
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


class _Tables:
    """Where a PDF has ruled tables; the file is opened again only if a page has lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._document: Any = None

    def on(self, index: int) -> list[Grid]:
        """The tables of a page with two rows and two columns at least."""
        try:
            import pdfplumber
            from pdfminer.pdfexceptions import PDFException
            from pdfplumber.utils.exceptions import PdfminerException
        except ImportError:
            raise MissingExtraError("pdfplumber", "reading PDF", "documents") from None
        try:
            if self._document is None:
                self._document = pdfplumber.open(self._path)
            page = self._document.pages[index]
            if page.rotation:
                return []
            left, top = page.bbox[:2]
            grids = [
                tuple(
                    tuple(c and (c[0] - left, c[1] - top, c[2] - left, c[3] - top) for c in r.cells)
                    for r in table.rows
                )
                for table in page.find_tables()
            ]
            page.close()
        except (PDFException, PdfminerException, ValueError, TypeError, KeyError, IndexError):
            return []  # the text itself is PDFium's; without lines it stays in reading order
        return [g for g in grids if len(g) > 1 and max(map(len, g)) > 1]

    def close(self) -> None:
        """Close the file."""
        if self._document is not None:
            self._document.close()
