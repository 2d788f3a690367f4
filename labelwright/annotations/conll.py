"""Writes CoNLL files: ``# id = …``, then a token, a tab and its tag per line.

A report that was read from CoNLL keeps its tokens, other columns and comments; any other text is
cut into sentences and tokens, so that every mention ends where tokens end. White space between
tokens is lost. White space in the name of a type becomes ``_``, since readers part the columns at
it.

Tokens of a text for CoNLL files: words, single marks, and cuts where mentions begin or end.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from labelwright.annotations.tags import DOCSTART, DOCUMENT_ID, Chunk, encode, written
from labelwright.annotations.writing import (
    OVERLAPPING,
    Written,
    count,
    count_plain,
    in_one_piece,
    one_word,
    placed,
)
from labelwright.io.jsonl import atomic_write
from labelwright.records import Entity, Report, Span, in_order
from labelwright.text.sentences import sentence_spans

_PIECE = re.compile(r"\w+|[^\w\s]")


def tokens(text: str, cuts: Iterable[int] = ()) -> list[Span]:
    """Runs of letters and digits with the marks on them, and every other character by itself.

    >>> [text[a:b] for text in ["T2N0 (2.5 cm)"] for a, b in tokens(text, [2])]
    ['T2', 'N0', '(', '2', '.', '5', 'cm', ')']

    Args:
        cuts: offsets that no token runs over.
    """
    found: list[Span] = []
    borders = sorted(set(cuts))
    at = 0
    for start, end in _whole(text):
        while at < len(borders) and borders[at] <= start:
            at += 1
        while at < len(borders) and borders[at] < end:
            found.append((start, borders[at]))
            start = borders[at]
            at += 1
        found.append((start, end))
    return found


def _whole(text: str) -> list[Span]:
    """The pieces, those that begin with a mark on a letter joined to the one before."""
    found: list[Span] = []
    joins = False
    for match in _PIECE.finditer(text):
        start, end = match.span()
        mark = unicodedata.category(text[start])[0] == "M"
        if found and found[-1][1] == start and (mark or (joins and text[start].isalnum())):
            found[-1] = (found[-1][0], end)
            joins = True
        else:
            found.append((start, end))
            joins = False
    return found


NAME = "reports.conll"
LAYOUT, SCHEME = "conll", "conll_scheme"
TAG = "\0"
"""Stands for the tag in the lines that ``Report.meta`` keeps."""
DEFAULT = "bio"
BLANK = "without any token"
JOINED = "joined to a neighbour of the same type, as io cannot divide them"
UNKNOWN = "reports without annotations, which CoNLL cannot tell from reports without mentions"


class ConllWriter:
    """Writes into an open file; see :func:`open_file`.

    Args:
        scheme: one of :data:`labelwright.annotations.tags.SCHEMES`; ``None`` keeps that of a
            report that was read from CoNLL, and is BIO for others.
    """

    def __init__(self, handle: IO[Any], scheme: str | None = None) -> None:
        self._handle = handle
        self._scheme = scheme
        self.written = Written()

    def write(self, report: Report, entities: Sequence[Entity] | None) -> Counter[str]:
        """Write one document. A report of which nothing is known is left out and counted."""
        if entities is None:
            self.written.changed[UNKNOWN] += 1
            return Counter()
        scheme, bare = self._scheme_of(report)
        kept, left = placed(report.text, entities)
        chosen = [
            replace(entity, type=one_word(self.written, entity.type, None))
            for entity in _apart(in_order(in_one_piece(kept, left)), left)
        ]
        layout = report.meta.get(LAYOUT)
        found = None if layout is None else _slots(layout, report.text)
        if layout is None or found is None or not _fit(chosen, found):
            sentences = _sentences(report.text, chosen)
            layout = None
        else:
            sentences = found
        tags: list[str] = []
        out = 0
        for spans, chunks in zip(sentences, _chunks(chosen, sentences), strict=True):
            tags += [written(tag, bare=bare) for tag in encode(len(spans), chunks, scheme)]
            joined = _joined(chunks) if scheme == "io" else 0
            out += len(chunks) - joined
            left[JOINED] += joined
        left[BLANK] += len(chosen) - out - left[JOINED]
        left += Counter()  # forgets what is none
        if layout is None:
            lines = _plain(report.text, sentences, tags)
        else:
            lines = _filled(layout, report.id, tags)
        self._write(report, lines, kept=layout is not None)
        count(self.written, report, out, left)
        count_plain(self.written, chosen)
        return left

    def _scheme_of(self, report: Report) -> tuple[str, bool]:
        kept, _, bare = report.meta.get(SCHEME, "").partition(" ")
        return self._scheme or kept or DEFAULT, bool(bare)

    def _write(self, report: Report, lines: list[str], *, kept: bool) -> None:
        identifier = " ".join(report.id.split())
        if identifier != report.id:
            self.written.changed["ids written otherwise"] += 1
        named = kept and any(DOCUMENT_ID.fullmatch(line) for line in lines)
        head = [] if named else [f"# id = {identifier}"]
        if report.patient is not None:
            head.append(f"# patient = {' '.join(report.patient.split())}")
        first = int(bool(lines) and lines[0].startswith(DOCSTART))
        lines[first:first] = [line for line in head if line not in lines]
        self._handle.write("".join(f"{line}\n" for line in lines))


@contextmanager
def open_file(path: Path, *, scheme: str | None = None) -> Iterator[ConllWriter]:
    """A writer to a file, which is there, whole, when the context ends without an error.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_write(path) as handle:
        yield ConllWriter(handle, scheme)


def _apart(entities: Sequence[Entity], left: Counter[str]) -> list[Entity]:
    """Of overlapping mentions the one that begins first, of those the longest."""
    found: list[Entity] = []
    for entity in entities:
        if found and entity.start < found[-1].end:
            left[OVERLAPPING] += 1
        else:
            found.append(entity)
    return found


def _sentences(text: str, entities: Sequence[Entity]) -> list[list[Span]]:
    """The tokens of each sentence; sentences that a mention runs over are one."""
    spans = iter(tokens(text, (at for e in entities for at in (e.start, e.end))))
    borders = [end for _, end in sentence_spans(text)]
    inside = _inside(borders, entities)
    found: list[list[Span]] = [[]]
    ends = iter([border for border in borders if border not in inside])
    end = next(ends, len(text))
    for span in spans:
        while span[0] >= end and end < len(text):
            found.append([])
            end = next(ends, len(text))
        found[-1].append(span)
    return [sentence for sentence in found if sentence]


def _inside(borders: Sequence[int], entities: Sequence[Entity]) -> set[int]:
    """The borders that stand inside a mention; both come in order, mentions apart."""
    found, at = set(), 0
    for border in borders:
        while at < len(entities) and entities[at].end <= border:
            at += 1
        if at < len(entities) and entities[at].start < border:
            found.add(border)
    return found


def _slots(layout: str, text: str) -> list[list[Span]] | None:
    """Where the tokens of kept lines stand, by sentence; ``None`` if they do not make the text."""
    found: list[list[Span]] = [[]]
    at = 0
    for line in layout.split("\n"):
        if TAG not in line:
            continue
        token = (line.split("\t") if "\t" in line else line.split(" "))[0].strip(" ")
        if text[at : at + 1] == "\n":
            found.append([])
        at += bool(at)
        if not text.startswith(token, at):
            return None
        found[-1].append((at, at + len(token)))
        at += len(token)
        if at < len(text) and text[at] not in " \n":
            return None
    return found if at == len(text) else None


def _fit(entities: Sequence[Entity], sentences: Sequence[Sequence[Span]]) -> bool:
    """Whether every mention begins and ends with tokens of one sentence."""
    starts = {start: number for number, spans in enumerate(sentences) for start, _ in spans}
    ends = {end: number for number, spans in enumerate(sentences) for _, end in spans}
    return all(starts.get(e.start, -1) == ends.get(e.end, -2) for e in entities)


def _chunks(
    entities: Sequence[Entity], sentences: Sequence[Sequence[Span]]
) -> Iterator[list[Chunk]]:
    """The mentions of each sentence in tokens; those that hold no token are in none."""
    at = 0
    for spans in sentences:
        found: list[Chunk] = []
        token = 0
        while at < len(entities) and spans and entities[at].start < spans[-1][1]:
            entity = entities[at]
            while token < len(spans) and spans[token][1] <= entity.start:
                token += 1
            first = token
            while token < len(spans) and spans[token][0] < entity.end:
                token += 1
            if token > first:
                found.append(Chunk(entity.type, first, token))
            at += 1
        yield found


def _joined(chunks: Iterable[Chunk]) -> int:
    """How many mentions stand right after one of the same type."""
    joined, before = 0, None
    for chunk in chunks:
        if before is not None and before.end == chunk.start and before.type == chunk.type:
            joined += 1
        before = chunk
    return joined


def _plain(text: str, sentences: Sequence[Sequence[Span]], tags: Sequence[str]) -> list[str]:
    rest = iter(tags)
    lines = []
    for spans in sentences:
        lines += [f"{text[start:end]}\t{next(rest)}" for start, end in spans]
        lines.append("")
    return lines


def _filled(layout: str, identifier: str, tags: Sequence[str]) -> list[str]:
    """The kept lines with tags, without those before the tokens that say another id."""
    rest = iter(tags)
    lines = []
    begun = False
    for line in layout.split("\n"):
        if TAG in line:
            begun = True
            lines.append(line.replace(TAG, next(rest)))
        else:
            match = None if begun else DOCUMENT_ID.fullmatch(line)
            if match is None or (match[1] or match[2]) == identifier:
                lines.append(line)
    return lines
