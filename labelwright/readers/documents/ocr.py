"""Scans: tesseract reads a picture twice, in reading order and sparsely, and nothing is dropped.

Page segmentation 3 keeps the order of a letter but now and then passes over a row of a table;
11 finds all words without their order. What only 11 found is put between the lines where it
stands, and its numbers are named in the page's notes, as are numbers that the two read otherwise.
The language is never guessed: an Italian letter read as English turns ``III`` into ``Ill``.
A page that lies on its side or upside down is read upright; its boxes are those of the page as it
lies.
"""

from __future__ import annotations

import csv
import io
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from labelwright.errors import ConfigError
from labelwright.readers.documents.faults import UnreadableError
from labelwright.readers.documents.pages import Box, Line, Page, Word, plain

if TYPE_CHECKING:
    from PIL.Image import Image

PROGRAM = "tesseract"
LANGUAGE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\+[A-Za-z][A-Za-z0-9_]*)*")
IN_ORDER, SPARSE = 3, 11
_SECONDS = 300
_SURE = 0.5
"""Confidence below which what only the sparse reading found is taken for specks, numbers apart."""
_DOUBTED = 0.6
"""Confidence below which a number is named; as a mean, below which a page is upside down."""
_WORSE = 0.1
"""By how much a page may be read less surely after it was turned: by chance."""
_FEW = 5
"""Words with which nobody knows whether a page is turned."""
_MOST_NAMED = 20
_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")
_STROKES = re.compile(r"(?=.*I)[Il1|]{3}")
_INSTALL = (
    "install it (Debian: apt-get install tesseract-ocr tesseract-ocr-ita), or give --ocr-command"
)


@dataclass(frozen=True, slots=True)
class Found:
    """A word in a picture: text, box in pixels, confidence, and its line."""

    text: str
    box: Box
    confidence: float
    line: tuple[int, int, int]


def check(language: str) -> str:
    """The version of the program, if it is there and knows the language.

    Raises:
        ConfigError: it is not, or does not.
    """
    if not LANGUAGE.fullmatch(language):
        raise ConfigError(
            "--ocr-language takes tesseract's codes", remedy="give ita, deu+eng or the like"
        )
    version, known = installed()
    if missing := [code for code in language.split("+") if code not in known]:
        raise ConfigError(
            f"tesseract has no data for {', '.join(missing)}",
            remedy=f"it has {', '.join(known)}; Debian: apt-get install tesseract-ocr-{missing[0]}",
        )
    return version


@cache
def installed() -> tuple[str, tuple[str, ...]]:
    """The program's version and the languages that it has data for.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        version = subprocess.run([PROGRAM, "--version"], capture_output=True, check=True)
        listed = subprocess.run([PROGRAM, "--list-langs"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise ConfigError("tesseract is not installed", remedy=_INSTALL) from None
    names = (version.stdout or version.stderr).decode(errors="replace").split()
    codes = listed.stdout.decode(errors="replace").splitlines()[1:]
    return names[1] if len(names) > 1 else "unknown", tuple(c for c in codes if c != "osd")


def recognised(picture: Image, number: int, dpi: int, *, language: str) -> Page:
    """What a picture of a page says.

    Args:
        number: of the page, for reasons and notes.

    Raises:
        UnreadableError: the program failed or took too long.
    """
    grey = picture.convert("L")
    ordered = _read(grey, number, dpi, language, IN_ORDER)
    turn = quarter_turns(ordered)
    if turn:
        upright = grey.rotate(90 * turn, expand=True)
        again = _read(upright, number, dpi, language, IN_ORDER)
        if _sureness(again) > max(_sureness(ordered) - _WORSE, _DOUBTED):
            grey, ordered = upright, again
        else:
            turn = 0
    sparse = _read(grey, number, dpi, language, SPARSE)
    roman: list[str] = []
    if "eng" not in language.split("+"):  # English has the word "Ill"
        ordered, roman = with_roman_figures(ordered)
        sparse, _ = with_roman_figures(sparse)
    lines, notes = together(ordered, sparse)
    if roman:
        notes = (*notes, f"ocr figure III read as: {', '.join(roman[:_MOST_NAMED])}")
    if turn:
        notes = (*notes, f"ocr page lies turned: {360 - 90 * turn} degrees to the left")
        lines = [tuple(_turned_back(word, turn, picture.size) for word in line) for line in lines]
    scale = 72 / dpi
    size = (picture.width * scale, picture.height * scale)
    return Page(number, tuple(_scaled(line, scale) for line in lines), size, True, notes)


def quarter_turns(words: Sequence[Found]) -> int:
    """By how many quarters to the left a page must be turned to stand upright, as far as is known.

    Tesseract reads lines on their side too where they run downwards; lines that run upwards, or
    upside down, become words of other letters that it is not sure of.
    """
    if len(words) < _FEW:
        return 0
    long = [word.box for word in words if len(word.text) > 3]
    aside = sum(b[3] - b[1] > b[2] - b[0] for b in long) > len(long) / 2
    if _sureness(words) >= _DOUBTED:
        return 1 if aside else 0
    return 3 if aside else 2


def _sureness(words: Sequence[Found]) -> float:
    return sum(word.confidence for word in words) / max(len(words), 1)


def _turned_back(word: Found, turn: int, size: tuple[int, int]) -> Found:
    """The word with its box on the page as it lies; ``size`` is that page's in pixels."""
    left, top, right, bottom = word.box
    width, height = size
    box = {
        1: (width - bottom, left, width - top, right),
        2: (width - right, height - bottom, width - left, height - top),
        3: (top, height - right, bottom, height - left),
    }[turn]
    return replace(word, box=box)


def together(
    ordered: Sequence[Found], sparse: Sequence[Found]
) -> tuple[list[tuple[Found, ...]], tuple[str, ...]]:
    """The lines of the reading in order, with those between them that only the other found.

    Returns:
        lines from top to bottom within their blocks (an empty one parts paragraphs), and notes
        that name the numbers that one should look at.
    """
    others = [
        word
        for word in sparse
        if not any(_overlap(word.box, known.box) for known in ordered)
        and (word.confidence >= _SURE or _NUMBER.search(word.text))
        and any(map(str.isalnum, word.text))
    ]
    lines: list[tuple[Found, ...]] = []
    for word in ordered:
        if lines and lines[-1] and lines[-1][0].line == word.line:
            lines[-1] = (*lines[-1], word)
        else:
            if lines and lines[-1] and lines[-1][0].line[:2] != word.line[:2]:
                lines.append(())
            lines.append((word,))
    for row in _rows(others):
        middle = _middle(row[0].box)
        after = [at for at, line in enumerate(lines) if line and _middle(line[0].box) < middle]
        lines.insert(after[-1] + 1 if after else 0, tuple(row))
    notes = []
    if outside := _numbers(others):
        notes.append(f"ocr numbers outside the lines: {outside}")
    if differing := _differing(ordered, sparse):
        notes.append(f"ocr numbers read in two ways: {differing}")
    if doubted := _numbers([word for word in ordered if word.confidence < _DOUBTED]):
        notes.append(f"ocr numbers hardly read: {doubted}")
    return lines, tuple(notes)


def _read(picture: Image, number: int, dpi: int, language: str, psm: int) -> list[Found]:
    data = io.BytesIO()
    picture.save(data, "PPM")
    command = [PROGRAM, "stdin", "stdout", "-l", language, "--psm", str(psm), "--dpi", str(dpi)]
    try:
        done = subprocess.run(
            [*command, "tsv"],
            input=data.getvalue(),
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnreadableError(f"page {number}: tesseract took over {_SECONDS} seconds") from None
    if done.returncode:
        raise UnreadableError(f"page {number}: tesseract failed with code {done.returncode}")
    return list(words_of(done.stdout.decode("utf-8", errors="replace")))


def words_of(table: str) -> Iterator[Found]:
    """The words of tesseract's TSV (level 5), confidence as a share."""
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        text = plain(row["text"] or "").strip()
        if row["level"] != "5" or not text:
            continue
        left, top, width, height = (int(row[n]) for n in ("left", "top", "width", "height"))
        yield Found(
            text,
            (left, top, left + width, top + height),
            max(float(row["conf"]), 0.0) / 100,
            (int(row["block_num"]), int(row["par_num"]), int(row["line_num"])),
        )


def with_roman_figures(words: Sequence[Found]) -> tuple[list[Found], list[str]]:
    """``III`` where three strokes were read as other letters, and how they were read.

    Two strokes are left alone: ``Il`` is a word of Italian.
    """
    found, otherwise = [], []
    for word in words:
        core = word.text.strip(".,;:()")
        if _STROKES.fullmatch(core) and core not in ("III", "111"):
            otherwise.append(core)
            word = replace(word, text=word.text.replace(core, "III"))
        found.append(word)
    return found, otherwise


def _rows(words: Sequence[Found]) -> Iterator[list[Found]]:
    """Words in rows of about the same height, from left to right."""
    row: list[Found] = []
    for word in sorted(words, key=lambda word: _middle(word.box)):
        if row and _middle(word.box) > row[-1].box[3]:
            yield sorted(row, key=lambda word: word.box[0])
            row = []
        row.append(word)
    if row:
        yield sorted(row, key=lambda word: word.box[0])


def _numbers(words: Sequence[Found]) -> str:
    found = [number for word in words for number in _NUMBER.findall(word.text)]
    more = ["…"] if len(found) > _MOST_NAMED else []
    return ", ".join([*found[:_MOST_NAMED], *more])


def _differing(ordered: Sequence[Found], sparse: Sequence[Found]) -> str:
    """Words at one place whose numbers differ; one may have been read as two words."""
    pairs = []
    for word in ordered:
        numbers = _NUMBER.findall(word.text)
        same = [other for other in sparse if _overlap(other.box, word.box)]
        theirs = [n for other in same for n in _NUMBER.findall(other.text)]
        if same and not set(numbers) <= set(theirs):
            pairs.append(f"{' '.join(numbers)} / {' '.join(theirs) or 'none'}")
    more = ["…"] if len(pairs) > _MOST_NAMED else []
    return ", ".join([*pairs[:_MOST_NAMED], *more])


def _overlap(one: Box, other: Box) -> bool:
    """Whether half of the smaller box is in the other."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    if wide <= 0 or high <= 0:
        return False
    smaller = min((b[2] - b[0]) * (b[3] - b[1]) for b in (one, other))
    return wide * high >= smaller / 2


def _middle(box: Box) -> float:
    return (box[1] + box[3]) / 2


def _scaled(line: Sequence[Found], scale: float) -> Line:
    return tuple(
        Word(w.text, (*(round(v * scale, 1) for v in w.box),), round(w.confidence, 2))  # type: ignore[arg-type]
        for w in line
    )
