"""The flags with which every command says how reports are read."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labelwright.annotations.edges import EDGES
from labelwright.annotations.offsets import UNITS
from labelwright.annotations.tags import SCHEMES
from labelwright.errors import ConfigError
from labelwright.options import Options, flag, names, positive
from labelwright.readers.annotated.base import BAD_ANNOTATIONS
from labelwright.readers.annotated.conll import DOCUMENTS
from labelwright.readers.brought import path_of
from labelwright.readers.formats import FORMATS
from labelwright.readers.options import ReadOptions

INPUT, ANNOTATED = "input", "annotated input"
PAGES = "documents: PDF, scans, DOCX"


def _delimiter(text: str) -> str:
    sign = {"tab": "\t", "\\t": "\t"}.get(text.lower(), text)
    if len(sign) != 1 or sign.isalnum() or sign in "\"'\r\n":
        raise argparse.ArgumentTypeError("must be one sign such as ; or |, or the word tab")
    return sign


def _tag_column(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 2:
        raise argparse.ArgumentTypeError("must be a whole number of at least 2; 1 is the token")
    return int(text)


def refuse_inside(files: Sequence[str | Path], out: Path) -> None:
    """Refuse an output folder inside a folder that is read: its files would be read, too.

    Raises:
        ConfigError: there is such a folder.
    """
    for folder in (Path(each) for each in files):
        if folder.is_dir() and out.resolve().is_relative_to(folder.resolve()):
            raise ConfigError(
                f"--out {out} lies in {folder}, whose files are read",
                remedy="choose a folder beside it",
            )


def files_flag(nargs: str = "+") -> Any:
    """``FILE…``, as many as ``nargs`` says."""
    return flag(
        "CSV, TSV, JSONL, text, FHIR, HL7 v2 or OpenAI batch files (each also .gz, .zst), "
        "Parquet, .xlsx, .ods; PDF, DOCX, Markdown, RTF, HTML, scans; .zip of any of these; - for "
        "standard input; a database's URL; folders of text, documents, FHIR or HL7 files, a "
        "MIMIC-CXR tree, NLMCXR_reports.tgz; annotated: BRAT folders, CoNLL, doccano, Label Studio",
        group=INPUT,
        place=True,
        nargs=nargs,
        type=path_of,
        metavar="FILE",
    )


@dataclass(frozen=True, kw_only=True)
class AnnotationOptions(Options, group=ANNOTATED):
    """How annotated input is read; its fields are those of :class:`ReadOptions`."""

    encoding: str | None = flag(
        "character encoding of text files (default: UTF-8; of CSV also Windows-1252 and "
        "UTF-16, found out)",
        group=INPUT,
        metavar="NAME",
    )
    input_format: str | None = flag(
        "the format, where file suffix or folder do not show it",
        group=INPUT,
        choices=tuple(FORMATS),
    )
    bad_annotations: str = flag(
        "reject the report, drop the annotation, or repair it where possible (default: reject)",
        default="reject",
        choices=BAD_ANNOTATIONS,
    )
    tag_scheme: str | None = flag("of CoNLL files (default: what fits all tags)", choices=SCHEMES)
    tag_column: int | None = flag(
        "of CoNLL files, the token being 1 (default: the last)", type=_tag_column, metavar="N"
    )
    documents: str = flag(
        "what is a report in CoNLL files (default: what -DOCSTART- or '# id' begin, else the file)",
        default="auto",
        choices=DOCUMENTS,
    )
    offset_unit: str | None = flag(
        "what offsets count (default: doccano utf-16; Label Studio what fits, and a region "
        "that fits both ways counts as bad)",
        choices=UNITS,
    )
    mention_edges: str = flag(
        "white space at the edges of mentions: trim it (and count how often), or keep it "
        "(default: trim)",
        default="trim",
        choices=EDGES,
    )

    @property
    def reading(self) -> ReadOptions:
        """What readers take."""
        return _reading(self, AnnotationOptions)


@dataclass(frozen=True, kw_only=True)
class ReadingOptions(AnnotationOptions, group=INPUT):
    """Files of reports, and how any of them is read."""

    files: tuple[Path, ...] = files_flag()
    id_column: str | None = flag(
        "column of the report's id; '#' numbers the rows of a table that has none", metavar="NAME"
    )
    text_columns: tuple[str, ...] = flag(
        "columns that make the text, such as findings,impression",
        default=(),
        type=names,
        metavar="A,B",
    )
    patient_column: str | None = flag(
        "column of the patient's id, where there is one", metavar="NAME"
    )
    meta_columns: tuple[str, ...] = flag(
        "columns to keep as metadata", default=(), type=names, metavar="A,B"
    )
    delimiter: str | None = flag(
        "what separates the columns of CSV: one character, or tab (default: found out)",
        type=_delimiter,
        metavar="SIGN",
    )
    sheets: tuple[str, ...] = flag(
        "sheets of a workbook (default: the only one that is not empty)",
        default=(),
        type=names,
        metavar="A,B|all",
    )
    table: str | None = flag("of a database: the table with the reports", metavar="NAME")
    query: str | None = flag("of a database: the query that returns the reports", metavar="SQL")
    ocr_language: str | None = flag(
        "language of scans for tesseract, such as ita or deu+eng (default: reject scans)",
        group=PAGES,
        metavar="CODES",
    )
    ocr_command: str | None = flag(
        "another program that reads scans, {file} and {out} standing for the document and a "
        "folder for its Markdown",
        group=PAGES,
        metavar="COMMAND",
    )
    most_pages: int | None = flag(
        "reject documents with more pages (default: 200)", group=PAGES, type=positive, metavar="N"
    )
    split_at: str | None = flag(
        "a file holds several letters, and each begins on a page where this is found; a group "
        "(?P<id>…) holds its id",
        group=PAGES,
        metavar="REGEX",
    )

    @property
    def reading(self) -> ReadOptions:
        """What readers take."""
        return _reading(self, ReadingOptions)


@dataclass(frozen=True, kw_only=True)
class OptionalReadingOptions(ReadingOptions):
    """The same, where there may be no files."""

    files: tuple[Path, ...] = files_flag("*")


def _reading(options: AnnotationOptions, of: type[AnnotationOptions]) -> ReadOptions:
    given = {name: getattr(options, name) for name in of.names() if name != "files"}
    return ReadOptions(format=given.pop("input_format"), **given)


def with_column(reading: ReadOptions, column: str | None) -> ReadOptions:
    """Reading that keeps one more column, such as that of images, if it is named."""
    if column is None or column in reading.meta_columns:
        return reading
    return replace(reading, meta_columns=(*reading.meta_columns, column))
