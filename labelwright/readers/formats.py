"""The input formats, how the format of a file is told, and all inputs as one checked stream."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from labelwright.errors import ConfigError, InputError
from labelwright.io import manifest
from labelwright.readers import brought, folders
from labelwright.readers.annotated import brat, conll, label_studio
from labelwright.readers.annotated.json_file import read_doccano, read_entities
from labelwright.readers.archives import count_parts, parts_of, read_parts
from labelwright.readers.detect import ALONE, format_name
from labelwright.readers.documents import reader as documents
from labelwright.readers.health import fhir, hl7
from labelwright.readers.health.mimic_cxr import count_mimic_cxr, read_mimic_cxr, study_files
from labelwright.readers.health.openi import count_openi, read_openi, xml_files
from labelwright.readers.id_registry import IdRegistry
from labelwright.readers.options import ReadOptions
from labelwright.readers.tables import json_lines, plain_text
from labelwright.readers.tables.delimited import (
    COMMA,
    TAB,
    count_csv,
    count_tsv,
    facts_of_table,
    read_csv,
    read_tsv,
)
from labelwright.readers.tables.openai_batch import count_openai_batch, read_openai_batch
from labelwright.readers.tables.parquet import count_parquet, read_parquet
from labelwright.readers.tables.workbooks import count_workbook, read_workbook
from labelwright.readers.unknown import unknown_file, unread
from labelwright.records import Reject, Report


@dataclass(frozen=True)
class Format:
    """One input format.

    Attributes:
        read: yields the reports and rejects of a path.
        count: how many, where that is told faster than by reading all.
        suffixes: of the files that are read below a folder; none where folders are not read.
        below: those files, where their suffix does not tell them.
        takes: the options of :data:`READING_FLAGS` that mean something for it.
        facts: what was found out about an input, for the manifest.
        table: whether each file holds a table of its own, also where folders are read.
    """

    read: Callable[[Path, ReadOptions], Iterator[Report | Reject]]
    count: Callable[[Path, ReadOptions], int] | None = None
    suffixes: tuple[str, ...] = ()
    below: Callable[[Path], Iterator[Path]] | None = None
    takes: tuple[str, ...] = ()
    facts: Callable[[Path, ReadOptions], Mapping[str, Any]] | None = None
    table: bool = False

    def rows(self, path: Path, options: ReadOptions) -> int:
        """How many reports and rejects a path gives."""
        if self.count is not None:
            return self.count(path, options)
        return sum(1 for _ in self.read(path, options))

    @property
    def whole_folders(self) -> bool:
        """Whether several such files are read as the folder that they lie in."""
        return bool(self.suffixes or self.below) and not self.table

    def files(self, path: Path) -> Iterator[Path] | None:
        """The files that are read below a folder, sorted; ``None`` where the path is the file."""
        if not path.is_dir() or not (self.suffixes or self.below):
            return None
        return self.below(path) if self.below else folders.files(path, self.suffixes)


READING_FLAGS = {
    "bad_annotations": "--bad-annotations",
    "tag_scheme": "--tag-scheme",
    "tag_column": "--tag-column",
    "documents": "--documents",
    "offset_unit": "--offset-unit",
    "mention_edges": "--mention-edges",
    "ocr_language": "--ocr-language",
    "ocr_command": "--ocr-command",
    "most_pages": "--most-pages",
    "split_at": "--split-at",
    "delimiter": "--delimiter",
    "sheets": "--sheets",
    "table": "--table",
    "query": "--query",
}
"""Options that only some formats have, and their flags."""
_CONLL = ("bad_annotations", "tag_scheme", "tag_column", "documents")
_OFFSETS = ("bad_annotations", "offset_unit", "mention_edges")
_PLACES = ("bad_annotations", "mention_edges")
_DELIMITED = ("delimiter",)
_PAGES = ("ocr_language", "ocr_command", "most_pages", "split_at")


FORMATS = {
    "csv": Format(
        read_csv, count_csv, takes=_DELIMITED, facts=partial(facts_of_table, usual=COMMA)
    ),
    "tsv": Format(read_tsv, count_tsv, takes=_DELIMITED, facts=partial(facts_of_table, usual=TAB)),
    "jsonl": Format(json_lines.read_jsonl, json_lines.count_jsonl, json_lines.SUFFIXES, table=True),
    "openai-batch": Format(read_openai_batch, count_openai_batch),
    "office": Format(read_workbook, count_workbook, takes=("sheets",)),
    "parquet": Format(read_parquet, count_parquet),
    "txt": Format(plain_text.read_text_files, plain_text.count_text_files, plain_text.SUFFIXES),
    "documents": Format(
        documents.read_documents, documents.count_documents, documents.SUFFIXES, takes=_PAGES
    ),
    "fhir": Format(fhir.read_fhir, suffixes=fhir.SUFFIXES),
    "hl7": Format(hl7.read_hl7, suffixes=hl7.SUFFIXES),
    "mimic-cxr": Format(read_mimic_cxr, count_mimic_cxr, below=study_files),
    "openi": Format(read_openi, count_openi, below=xml_files),
    "brat": Format(brat.read_brat, suffixes=(*brat.TEXT, *brat.NOTES), takes=_PLACES),
    "conll": Format(conll.read_conll, suffixes=conll.SUFFIXES, takes=_CONLL),
    "entities": Format(read_entities, takes=_PLACES),
    "doccano": Format(read_doccano, takes=_OFFSETS),
    "label-studio": Format(
        label_studio.read_label_studio, suffixes=label_studio.SUFFIXES, takes=_OFFSETS
    ),
}


def check_flags(formats: Sequence[Format], options: ReadOptions) -> None:
    """Refuse options that do not apply to any of the inputs.

    Raises:
        ConfigError: there is one.
    """
    for name, flag in READING_FLAGS.items():
        takers = [known for known, form in FORMATS.items() if name in form.takes]
        given = getattr(options, name) != getattr(ReadOptions(), name)
        if given and not any(name in form.takes for form in formats):
            known = (
                f"formats that have it: {', '.join(takers)}" if takers else "it is for databases"
            )
            raise ConfigError(f"{flag} does not apply to this input", remedy=f"remove it; {known}")


def fitting(form: Format, options: ReadOptions) -> ReadOptions:
    """The options without those of :data:`READING_FLAGS` that mean nothing for a format."""
    usual = ReadOptions()
    others = {name: getattr(usual, name) for name in READING_FLAGS if name not in form.takes}
    return replace(options, **others)


def format_of(path: Path, options: ReadOptions) -> Format:
    """The format that ``options`` name, else by what a folder holds or by the file's suffix.

    Raises:
        InputError: it cannot be told, or there is no such path.
        ConfigError: an unknown format was asked for.
    """
    with brought.named(path):
        brought.bring(path, options)
        if options.format is None and brought.holds_objects(path):
            return FORMATS["jsonl"]
    if path.suffix.lower() == ".zip" and path.is_file():
        return _of_zip(path, options)
    form = _of_path(path, options)
    return replace(form, takes=(*form.takes, "table", "query")) if brought.is_table(path) else form


def _of_zip(path: Path, options: ReadOptions) -> Format:
    """The format of what an archive holds."""
    parts = parts_of(path, options, _of_path)
    return Format(
        lambda path, options: read_parts(path, options, parts),
        lambda path, options: count_parts(path, options, parts),
        takes=tuple({name for _, form in parts if isinstance(form, Format) for name in form.takes}),
    )


def _of_path(path: Path, options: ReadOptions) -> Format:
    if options.format is not None and options.format not in FORMATS:
        raise ConfigError(
            f"unknown format {options.format!r}", remedy=f"choose from: {', '.join(FORMATS)}"
        )
    if (name := options.format or format_name(path, options)) is not None:
        form = FORMATS[name]
        return _with_unread(form) if form.suffixes and path.is_dir() else form
    if not path.exists():
        raise InputError("no such file or folder", remedy="check the path", source=path)
    raise unknown_file(path, ", ".join(FORMATS))


def _with_unread(form: Format) -> Format:
    """A format for a folder whose other files, as far as they may be reports, become rejects."""

    def read(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
        row = 0
        for item in form.read(path, options):
            row = item.row
            yield item
        for found, why in unread(path, form.suffixes, ALONE):
            row += 1
            yield Reject(None, str(path), row, f"{why}; {folders.shown(found.name)}")

    def count(path: Path, options: ReadOptions) -> int:
        return form.rows(path, options) + sum(1 for _ in unread(path, form.suffixes, ALONE))

    return replace(form, read=read, count=count)


@dataclass(frozen=True)
class Scan:
    """What a first pass over the inputs found.

    Attributes:
        rows: number of reports and rejects that :func:`read_reports` will yield.
        inputs: path, size in bytes and SHA-256 of each input, for the manifest, and the encoding
            and delimiter that were found where they are not the usual ones. The digest of a
            folder is over the relative names and digests of its report files, sorted.
    """

    rows: int
    inputs: list[dict[str, Any]]


def read_reports(paths: Sequence[Path], options: ReadOptions) -> Iterator[Report | Reject]:
    """Stream all inputs in the order given, in constant memory but for a digest of each id.

    Raises:
        InputError: an input that cannot be read at all; a single bad row is a ``Reject``.
        ConfigError: no input, or an unknown format or encoding.
    """
    formats = _formats(paths, options)
    return _unique(paths, formats, options)


def scan(paths: Sequence[Path], options: ReadOptions) -> Scan:
    """Read all inputs once without keeping anything: errors show now, not hours later.

    Raises:
        InputError, ConfigError: as :func:`read_reports`.
    """
    formats = _formats(paths, options)
    rows = 0
    for path, form in zip(paths, formats, strict=True):
        with brought.named(path):
            rows += form.rows(path, options)
    inputs = [_input(path, form, options) for path, form in zip(paths, formats, strict=True)]
    return Scan(rows, inputs)


def _formats(paths: Sequence[Path], options: ReadOptions) -> list[Format]:
    if not paths:
        raise ConfigError("no input given", remedy="name at least one file or folder")
    formats = [format_of(path, options) for path in paths]
    check_flags(formats, options)
    return formats


def _unique(
    paths: Sequence[Path], formats: Sequence[Format], options: ReadOptions
) -> Iterator[Report | Reject]:
    seen = IdRegistry()
    hidden = {path for path in paths if brought.shown(path) != str(path)}
    for number, (path, form) in enumerate(zip(paths, formats, strict=True)):
        for item in _named(path, form.read(path, options)):
            if path in hidden:
                item = replace(item, source=brought.shown(path))
            if isinstance(item, Report) and (first := seen.add(item.id, number, item.row)):
                where = f"{brought.shown(paths[first[0]])}:{first[1]}"
                yield Reject(item.id, item.source, item.row, f"duplicate id; first seen at {where}")
            else:
                yield item


def _named(path: Path, items: Iterator[Report | Reject]) -> Iterator[Report | Reject]:
    with brought.named(path):
        yield from items


def _input(path: Path, form: Format, options: ReadOptions) -> dict[str, Any]:
    facts = {} if form.facts is None else form.facts(path, options)
    files = form.files(path)
    if files is None:
        return {**manifest.inputs([path])[0], "path": brought.shown(path), **facts}
    digest = hashlib.sha256()
    size = 0
    for file in files:
        size += file.stat().st_size
        name = file.relative_to(path).as_posix()
        digest.update(f"{name}\0{manifest.sha256_file(file)}\n".encode())
    return {"path": str(path), "bytes": size, "sha256": digest.hexdigest(), **facts}
