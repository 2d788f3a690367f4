"""Files of documents as reports: one file, or a folder of them, nested as it may be.

The id is the file's path below the folder without its suffix; where ``--split-at`` cuts a file,
``#`` and the letter's own id or its first page follow.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path

from labelwright.errors import ConfigError, InputError
from labelwright.readers import folders
from labelwright.readers.documents import ocr, pdf, scans, word
from labelwright.readers.documents.faults import UnreadableError, size_of
from labelwright.readers.documents.pages import Page, Text, lines_of, text_of_pages
from labelwright.readers.documents.split import Letter, letters, split_at
from labelwright.readers.folders import Found
from labelwright.readers.health.html_text import html_to_text
from labelwright.readers.health.rtf_text import rtf_to_text
from labelwright.readers.one_text import NoTextError, bytes_of, text_of
from labelwright.readers.opening import checked_encoding, faults, open_binary
from labelwright.readers.options import ReadOptions
from labelwright.readers.tables.columns import report_or_reject
from labelwright.records import Reject, Report
from labelwright.text.expressions import SlowExpressionError
from labelwright.text.sections import split_sections

_MARKDOWN = (".md", ".markdown")
_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
_DOCX = (".docx", ".docm")
_PDF = (".pdf",)
SUFFIXES = (*_PDF, *_DOCX, *_MARKDOWN, ".rtf", ".html", ".htm", *_PICTURES)
MOST_PAGES = 200
WORDS = "words"
"""Key of ``Report.meta`` for the words' places, with ``ReadOptions.keep_layout``."""
_KEPT = 64


def read_documents(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
    """Yield one report or reject per document, or per letter with ``--split-at``.

    A document beside which a Markdown file of the same name stands is read from that file; a
    picture that a Markdown file beside it shows is no document of its own.

    Raises:
        InputError: a file or folder that cannot be opened, or a folder without documents.
        ConfigError: flags that only tables have, or a program or language that is not there.
        MissingExtraError: there are PDF files or pictures, and ``documents`` is not installed.
    """
    _check(path, options)
    row = 0
    with faults(path):
        for found, note in _documents(path):
            for letter in _letters(found, options):
                row += 1
                yield _item(found, letter, str(path), row, options, note)
    if row == 0:
        raise _none(path)


def count_documents(path: Path, options: ReadOptions) -> int:
    """The number of documents; with ``--split-at`` they are read, and kept for reading."""
    _check(path, options)
    with faults(path):
        found = [found for found, _ in _documents(path)]
        if not found:
            raise _none(path)
        if options.split_at is None:
            return len(found)
        return sum(1 for each in found for _ in _letters(each, options))


def _check(path: Path, options: ReadOptions) -> None:
    options.refuse_columns("documents have no columns")
    if options.encoding is not None:
        checked_encoding(options.encoding)
    if options.ocr_language is not None and options.ocr_command is not None:
        raise ConfigError("--ocr-language and --ocr-command exclude each other", remedy="give one")
    if options.ocr_language is not None:
        ocr.check(options.ocr_language)
    if options.ocr_command is not None:
        scans.check_command(options.ocr_command)
    if options.split_at is not None:
        split_at(options.split_at)
    if find_spec("pypdfium2") is None or find_spec("pdfplumber") is None:
        with faults(path):
            count = sum(1 for found, _ in _documents(path) if _has(found.name, _PDF + _PICTURES))
        if count:
            raise InputError(
                f"{count} PDF file{'s' * (count > 1)} or pictures, and what reads them is missing",
                remedy="install it with: pip install -e '.[documents]'",
                source=path,
            )


def _documents(path: Path) -> Iterator[tuple[Found, tuple[str, ...]]]:
    """The documents, each with what stands for it beside it."""
    if not path.is_dir():
        open_binary(path).close()  # raises what is wrong with the only file
        yield Found(path, path.name), ()
        return
    shown = lru_cache(maxsize=_KEPT)(_shown_pictures)
    for found in folders.walk(path, SUFFIXES):
        if found.problem is not None:
            yield found, ()
        elif _has(found.name, _MARKDOWN):
            others = [found.path.with_suffix(s) for s in SUFFIXES if s not in _MARKDOWN]
            names = ", ".join(folders.shown(o.name) for o in others if o.is_file())
            yield found, (f"document read from the Markdown beside it: {names}",) * bool(names)
        elif not any(found.path.with_suffix(suffix).is_file() for suffix in _MARKDOWN) and not (
            _has(found.name, _PICTURES) and found.path.name in shown(found.path.parent)
        ):
            yield found, ()


def _shown_pictures(folder: Path) -> frozenset[str]:
    """Names of the pictures in a folder that its Markdown files show."""
    pictures = [p.name for p in folder.iterdir() if _has(p.name, _PICTURES)]
    texts = [p.read_bytes() for p in folder.iterdir() if _has(p.name, _MARKDOWN) and p.is_file()]
    return frozenset(name for name in pictures if any(name.encode() in text for text in texts))


def _letters(found: Found, options: ReadOptions) -> tuple[Letter, ...]:
    if found.problem is not None:
        return (Letter("", (), f"{found.problem}; {folders.shown(found.name)}"),)
    stat = found.path.stat()
    key = (found.path, stat.st_size, stat.st_mtime_ns)
    try:
        return _kept(*key, options) if options.split_at else _read(found.path, options)
    except UnreadableError as error:
        return (Letter("", (), str(error)),)
    except NoTextError as error:
        return (Letter("", (), str(error)),)
    except SlowExpressionError as error:
        return (Letter("", (), f"--split-at: {error.what}"),)


@lru_cache(maxsize=_KEPT)
def _kept(path: Path, _size: int, _time: int, options: ReadOptions) -> tuple[Letter, ...]:
    """Counting has read the file already; recognising a scan twice would take twice as long."""
    return _read(path, options)


def _read(path: Path, options: ReadOptions) -> tuple[Letter, ...]:
    pages = tuple(_pages(path, options))
    if options.split_at is None:
        return (Letter("", pages),)
    return tuple(letters(pages, split_at(options.split_at)))


def _pages(path: Path, options: ReadOptions) -> Iterator[Page]:
    """The pages of a document.

    Raises:
        UnreadableError, NoTextError: it cannot be used.
    """
    name = path.name
    most = options.most_pages or MOST_PAGES
    recognise: pdf.Recognise | None = None
    if options.ocr_language is not None:
        recognise = partial(ocr.recognised, language=options.ocr_language)
    if name.lower().endswith(folders.PACKINGS[1:]):
        raise UnreadableError("a packed document; unpack it")
    if _has(name, _PDF):
        yield from _pdf_pages(path, most, recognise, options.ocr_command)
    elif _has(name, _PICTURES):
        if options.ocr_command is not None:
            yield from scans.pages_of_command(path, options.ocr_command)
        elif recognise is None:
            raise UnreadableError("a picture; --ocr-language reads it")
        else:
            yield from scans.pages_of_picture(path, most, recognise)
    elif _has(name, _DOCX):
        yield from word.pages_of(path)
    else:
        size_of(path)
        yield Page(1, lines_of(_converted(path)(path, options)))


def _pdf_pages(
    path: Path, most: int, recognise: pdf.Recognise | None, command: str | None
) -> Iterator[Page]:
    if command is None:
        yield from pdf.pages_of(path, most, recognise)
        return
    try:
        yield from list(pdf.pages_of(path, most, None))
    except pdf.PictureError:
        yield from scans.pages_of_command(path, command)


def _converted(path: Path) -> Callable[[Path, ReadOptions], str]:
    if _has(path.name, (".rtf",)):
        return lambda p, _: rtf_to_text(bytes_of(p))
    if _has(path.name, (".html", ".htm")):
        return lambda p, o: html_to_text(text_of(bytes_of(p), o.encoding))
    return lambda p, o: text_of(bytes_of(p), o.encoding)


def _item(
    found: Found,
    letter: Letter,
    source: str,
    row: int,
    options: ReadOptions,
    notes: tuple[str, ...],
) -> Report | Reject:
    name = folders.without_suffix(found.name, SUFFIXES)
    identifier = f"{name}#{letter.id}" if letter.id else name
    if letter.reason is not None:
        return Reject(None if found.problem else identifier, source, row, letter.reason)
    made = text_of_pages(letter.pages)
    item = report_or_reject(
        source,
        row,
        identifier,
        made.text,
        split_sections(made.text),
        None,
        _meta(letter.pages, made, options),
    )
    return item if isinstance(item, Reject) else replace(item, notes=(*notes, *made.notes))


def _meta(pages: tuple[Page, ...], made: Text, options: ReadOptions) -> dict[str, str]:
    meta = {"pages": json.dumps([list(page) for page in made.pages])}
    if made.repeated:
        meta["repeated"] = json.dumps([list(span) for span in made.repeated])
    if made.hyphens:
        meta["hyphens"] = str(made.hyphens)
    if scanned := [page.number for page in pages if page.scanned]:
        meta["scanned"] = json.dumps(scanned)
        sure = [w.confidence for w in made.words if w.confidence is not None]
        if sure:
            meta["ocr_confidence"] = f"{sum(sure) / len(sure):.3f}"
    if options.keep_layout:
        meta[WORDS] = json.dumps(
            [[w.page, w.start, w.end, w.box, w.confidence] for w in made.words]
        )
    return meta


def _has(name: str, suffixes: tuple[str, ...]) -> bool:
    lowered = name.lower()
    return any(lowered.endswith(tuple(s + p for s in suffixes)) for p in folders.PACKINGS)


def _none(path: Path) -> InputError:
    return InputError(
        "no document below this folder", remedy=f"it takes {', '.join(SUFFIXES)}", source=path
    )
