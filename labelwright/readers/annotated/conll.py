"""CoNLL: one token and its tag per line, an empty line after each sentence, one or many documents.

The text is made of the tokens: one space between two of them, one line per sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from labelwright.annotations.tags import SCHEMES, decode
from labelwright.errors import ConfigError
from labelwright.readers import folders
from labelwright.readers.annotated.base import Bad, settled
from labelwright.readers.annotated.conll_lines import Line, Survey, lines_of, survey
from labelwright.readers.inputs import Counted, read_inputs
from labelwright.readers.opening import checked_encoding
from labelwright.readers.options import ReadOptions
from labelwright.readers.tables.columns import report_or_reject
from labelwright.records import Entity, Reject, Report
from labelwright.text.sections import split_sections

OWN_SUFFIXES = (".conll", ".iob", ".iob2", ".iob1", ".bio", ".bioes", ".bilou")
"""What tells the format; in a folder that is said to be CoNLL, ``.tsv`` files are read too."""
SUFFIXES = (*OWN_SUFFIXES, ".tsv")
DOCUMENTS = ("auto", "file", "sentence")
LAYOUT, SCHEME = "conll", "conll_scheme"
"""Keys of ``Report.meta``, where they are asked for: the lines without their tags; the scheme,
with ``bare`` after it where tags have no type."""


def read_conll(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
    """Yield one report per document; ``row`` is its number in the file, or in the folder.

    A document begins at ``-DOCSTART-``, ``# id = …`` or ``# newdoc``; without any of these a
    file is one document. ``options.documents`` makes files or sentences documents instead.

    Raises:
        InputError: a file that was given is damaged or mixes schemes; in a folder it becomes a
            reject.
        ConfigError: flags that do not fit.
    """
    _check(options)

    def read(file: Path) -> Iterator[Counted]:
        name = file.relative_to(path).as_posix() if path.is_dir() else file.name
        return _of_file(file, folders.without_suffix(name, SUFFIXES), options)

    return read_inputs(path, SUFFIXES, read, "token with a tag")


@dataclass(slots=True)
class _Document:
    id: str = ""
    patient: str = ""
    lines: list[Line] = field(default_factory=list)
    rows: int = 0
    border: bool = False

    def add(self, line: Line) -> None:
        self.id = self.id or line.id
        self.patient = self.patient or line.patient
        self.rows += line.kind == "row"
        self.border = self.border or line.kind == "border"
        self.lines.append(line)


def _of_file(file: Path, stem: str, options: ReadOptions) -> Iterator[Counted]:
    found = survey(file, options)
    for row, (name, document) in enumerate(_named(file, stem, found, options), 1):
        for item in _items(document, name, found, str(file), row, options):
            yield Counted(row, item)


def _named(
    file: Path, stem: str, found: Survey, options: ReadOptions
) -> Iterator[tuple[str, _Document]]:
    """The documents and their ids: as the file says, else its name, numbered if it has several."""
    several = options.documents == "auto" and found.borders
    group, number = "", 0
    for document in _documents(file, options):
        number += 1
        if options.documents == "file":
            yield stem, document
        elif options.documents == "auto":
            yield document.id or (f"{stem}#{number}" if several else stem), document
        else:
            if document.id and document.id != group:
                group, number = document.id, 1
            yield f"{group or stem}#{number}", document


def _documents(file: Path, options: ReadOptions) -> Iterator[_Document]:
    """The documents in order; a border right after a border belongs to it, unless both name one."""
    document, first, ended = _Document(), True, False
    for line in lines_of(file, options):
        begins = line.kind == "border" and (document.rows or bool(document.id and line.id))
        if options.documents == "sentence":
            begins = begins or (ended and line.kind != "blank")
        if begins and options.documents != "file":
            yield document
            document, first = _Document(), False
        ended = line.kind == "blank" and document.rows > 0
        document.add(line)
    if document.rows or document.border or first:
        yield document


def _items(
    document: _Document, name: str, found: Survey, source: str, row: int, options: ReadOptions
) -> Iterator[Report | Reject]:
    text, entities, bad = _read(document, found, Path(source).name, options)
    report = report_or_reject(
        source, row, name.strip(), text, split_sections(text), document.patient
    )
    if isinstance(report, Reject):
        yield report
        return
    meta = {}
    if options.keep_layout:
        scheme = f"{found.scheme} bare" if found.bare and entities else found.scheme
        meta = {LAYOUT: "\n".join(line.layout() for line in document.lines), SCHEME: scheme}
    annotated = Report(
        report.id, text, source, row, report.patient, report.sections, meta, tuple(entities)
    )
    yield from settled(annotated, bad, options)


def _read(
    document: _Document, found: Survey, name: str, options: ReadOptions
) -> tuple[str, list[Entity], list[Bad]]:
    """Text, entities, and the tags out of place, of all sentences."""
    sentences: list[str] = []
    placed: list[tuple[str, int, int]] = []
    bad: list[Bad] = []
    begin = 0
    for every in _sentences(document.lines):
        bad += [Bad(f"{name}:{line.number}", line.bad) for line in every if line.bad]
        rows = [line for line in every if line.token]
        starts, ends, at = [], [], begin
        for line in rows:
            starts.append(at)
            ends.append(at + len(line.token))
            at = ends[-1] + 1
        for chunk in decode([line.tag for line in rows], found.scheme):
            if chunk.wrong:
                where = f"{name}:{rows[chunk.start].number}"
                bad.append(Bad(where, f"a mention with a tag out of place in {found.scheme}"))
            if not chunk.wrong or options.bad_annotations == "repair":
                placed.append((chunk.type, starts[chunk.start], ends[chunk.end - 1]))
        if rows:
            sentences.append(" ".join(line.token for line in rows))
        begin = at
    text = "\n".join(sentences)
    return text, [Entity.of(text, kind, (start, end)) for kind, start, end in placed], bad


def _sentences(lines: list[Line]) -> Iterator[list[Line]]:
    rows: list[Line] = []
    for line in lines:
        if line.kind == "row":
            rows.append(line)
        elif line.kind != "comment" and rows:
            yield rows
            rows = []
    if rows:
        yield rows


def _check(options: ReadOptions) -> None:
    options.refuse_columns(
        "CoNLL files have no named columns (--tag-column N says where the tag stands)"
    )
    if options.tag_scheme is not None and options.tag_scheme not in SCHEMES:
        raise ConfigError(
            f"unknown scheme {options.tag_scheme!r}", remedy=f"choose from: {', '.join(SCHEMES)}"
        )
    if options.documents not in DOCUMENTS:
        raise ConfigError(
            f"unknown kind of document {options.documents!r}",
            remedy=f"choose from: {', '.join(DOCUMENTS)}",
        )
    if options.encoding is not None:
        checked_encoding(options.encoding)
