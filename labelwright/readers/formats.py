"""The input formats, and how the format of a file or folder is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from labelwright.errors import ConfigError, InputError
from labelwright.readers import brought
from labelwright.readers.annotated.brat import brat_files, count_brat, read_brat
from labelwright.readers.annotated.conll import conll_files, count_conll, read_conll
from labelwright.readers.annotated.json_file import (
    count_doccano,
    count_entities,
    read_doccano,
    read_entities,
)
from labelwright.readers.annotated.label_studio import (
    count_label_studio,
    label_studio_files,
    read_label_studio,
)
from labelwright.readers.detect import format_name
from labelwright.readers.documents.reader import (
    count_documents,
    document_files,
    read_documents,
)
from labelwright.readers.health.fhir import count_fhir, fhir_files, read_fhir
from labelwright.readers.health.hl7 import count_hl7, hl7_files, read_hl7
from labelwright.readers.health.mimic_cxr import count_mimic_cxr, read_mimic_cxr, study_files
from labelwright.readers.health.openi import count_openi, read_openi, xml_files
from labelwright.readers.options import ReadOptions
from labelwright.readers.tables.delimited import (
    COMMA,
    TAB,
    count_csv,
    count_tsv,
    facts_of_table,
    read_csv,
    read_tsv,
)
from labelwright.readers.tables.json_lines import count_jsonl, read_jsonl
from labelwright.readers.tables.openai_batch import count_openai_batch, read_openai_batch
from labelwright.readers.tables.parquet import count_parquet, read_parquet
from labelwright.readers.tables.plain_text import count_text_files, read_text_files, text_files
from labelwright.readers.tables.workbooks import count_workbook, read_workbook
from labelwright.readers.unknown import unknown_file
from labelwright.readers.zip_files import count_parts, parts_of, read_parts
from labelwright.records import Reject, Report


@dataclass(frozen=True)
class Format:
    """One input format: how to read a path, how to count it, which files a folder gives.

    ``takes`` names the options of :data:`READING_FLAGS` that mean something for it; ``facts`` tells
    what was found out about an input, for the manifest.
    """

    read: Callable[[Path, ReadOptions], Iterator[Report | Reject]]
    count: Callable[[Path, ReadOptions], int]
    files: Callable[[Path], Iterator[Path]] | None = None
    takes: tuple[str, ...] = ()
    facts: Callable[[Path, ReadOptions], Mapping[str, Any]] | None = None


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
    "jsonl": Format(read_jsonl, count_jsonl),
    "openai-batch": Format(read_openai_batch, count_openai_batch),
    "office": Format(read_workbook, count_workbook, takes=("sheets",)),
    "parquet": Format(read_parquet, count_parquet),
    "txt": Format(read_text_files, count_text_files, text_files),
    "documents": Format(read_documents, count_documents, document_files, _PAGES),
    "fhir": Format(read_fhir, count_fhir, fhir_files),
    "hl7": Format(read_hl7, count_hl7, hl7_files),
    "mimic-cxr": Format(read_mimic_cxr, count_mimic_cxr, study_files),
    "openi": Format(read_openi, count_openi, xml_files),
    "brat": Format(read_brat, count_brat, brat_files, _PLACES),
    "conll": Format(read_conll, count_conll, conll_files, _CONLL),
    "entities": Format(read_entities, count_entities, takes=_PLACES),
    "doccano": Format(read_doccano, count_doccano, takes=_OFFSETS),
    "label-studio": Format(read_label_studio, count_label_studio, label_studio_files, _OFFSETS),
}


def check_flags(formats: Sequence[Format], options: ReadOptions) -> None:
    """Refuse options that mean nothing for any of the inputs.

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
            raise ConfigError(
                f"{flag} means nothing for this input", remedy=f"leave it out; {known}"
            )


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
    if options.format is not None:
        if options.format not in FORMATS:
            raise ConfigError(
                f"unknown format {options.format!r}", remedy=f"choose from: {', '.join(FORMATS)}"
            )
        return FORMATS[options.format]
    if (name := format_name(path, options)) is not None:
        return FORMATS[name]
    if not path.exists():
        raise InputError("no such file or folder", remedy="check the path", source=path)
    raise unknown_file(path, ", ".join(FORMATS))
