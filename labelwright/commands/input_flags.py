"""The flags with which every command says how reports are read."""

from __future__ import annotations

import argparse
from dataclasses import replace

from labelwright.annotations.edges import EDGES
from labelwright.annotations.offsets import UNITS
from labelwright.annotations.tags import SCHEMES
from labelwright.commands.flags import names, positive
from labelwright.readers.annotated.base import BAD_ANNOTATIONS
from labelwright.readers.annotated.conll import DOCUMENTS
from labelwright.readers.brought import path_of
from labelwright.readers.formats import FORMATS
from labelwright.readers.options import ReadOptions


def add_reading_flags(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """``FILE…`` (``arguments.files``, paths) and the flags of :func:`read_options`.

    Args:
        required: whether there must be at least one file.
    """
    group = parser.add_argument_group("input")
    group.add_argument(
        "files",
        nargs="+" if required else "*",
        type=path_of,
        metavar="FILE",
        help="CSV, TSV, JSONL, text, FHIR, HL7 v2 or OpenAI batch files (each also .gz, .zst), "
        "Parquet, .xlsx, .ods; PDF, DOCX, Markdown, RTF, HTML, scans; .zip of any of these; - for "
        "standard input; a database's URL; folders of text, documents, FHIR or HL7 files, a "
        "MIMIC-CXR tree, NLMCXR_reports.tgz; annotated: BRAT folders, CoNLL, doccano, Label Studio",
    )
    group.add_argument("--id-column", metavar="NAME", help="column of the report's id")
    group.add_argument(
        "--text-columns",
        type=names,
        default=(),
        metavar="A,B",
        help="columns that make the text, such as findings,impression",
    )
    group.add_argument(
        "--patient-column", metavar="NAME", help="column of the patient's id, where there is one"
    )
    group.add_argument(
        "--meta-columns", type=names, default=(), metavar="A,B", help="columns to keep as metadata"
    )
    add_format_flags(group)
    add_table_flags(group)
    add_document_flags(parser)
    add_annotation_flags(parser)


def add_format_flags(group: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """``--encoding`` and ``--input-format``."""
    group.add_argument(
        "--encoding",
        metavar="NAME",
        help="of text files (default: UTF-8; of CSV also Windows-1252 and UTF-16, as found)",
    )
    group.add_argument(
        "--input-format",
        choices=tuple(FORMATS),
        help="where suffix or folder do not tell",
    )


def add_table_flags(group: argparse._ArgumentGroup) -> None:
    """``--delimiter``, ``--sheets``, ``--table`` and ``--query``."""
    group.add_argument(
        "--delimiter",
        type=_delimiter,
        metavar="SIGN",
        help="what parts the columns of CSV: one sign, or tab (default: found)",
    )
    group.add_argument(
        "--sheets",
        type=names,
        default=(),
        metavar="A,B|all",
        help="sheets of a workbook (default: the only one that is not empty)",
    )
    group.add_argument("--table", metavar="NAME", help="of a database: the table with the reports")
    group.add_argument("--query", metavar="SQL", help="of a database: what gives the reports")


def add_document_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that say how documents are read."""
    group = parser.add_argument_group("documents: PDF, scans, DOCX")
    group.add_argument(
        "--ocr-language",
        metavar="CODES",
        help="language of scans for tesseract, such as ita or deu+eng (default: reject scans)",
    )
    group.add_argument(
        "--ocr-command",
        metavar="COMMAND",
        help="another program that reads scans, {file} and {out} standing for the document and a "
        "folder for its Markdown",
    )
    group.add_argument(
        "--most-pages",
        type=positive,
        metavar="N",
        help="reject documents with more pages (default: 200)",
    )
    group.add_argument(
        "--split-at",
        metavar="REGEX",
        help="a file holds several letters, and each begins on a page where this is found; a group "
        "(?P<id>…) holds its id",
    )


def add_annotation_flags(parser: argparse.ArgumentParser, title: str = "annotated input") -> None:
    """The flags that say how annotated input is read.

    Args:
        title: what they are about, as the heading of their help.
    """
    group = parser.add_argument_group(title)
    group.add_argument(
        "--bad-annotations",
        choices=BAD_ANNOTATIONS,
        default="reject",
        help="reject the report, drop the annotation, or repair it where that can be "
        "(default: reject)",
    )
    group.add_argument(
        "--tag-scheme", choices=SCHEMES, help="of CoNLL files (default: what fits all tags)"
    )
    group.add_argument(
        "--tag-column",
        type=_tag_column,
        metavar="N",
        help="of CoNLL files, the token being 1 (default: the last)",
    )
    group.add_argument(
        "--documents",
        choices=DOCUMENTS,
        default="auto",
        help="what is a report in CoNLL files (default: what -DOCSTART- or '# id' begin, "
        "else the file)",
    )
    group.add_argument(
        "--offset-unit",
        choices=UNITS,
        help="what offsets count (default: doccano utf-16; Label Studio what fits, and a region "
        "that fits both ways is bad)",
    )
    group.add_argument(
        "--mention-edges",
        choices=EDGES,
        default="trim",
        help="white space at the edges of mentions: trim it, counted, or keep it (default: trim)",
    )


def read_options(arguments: argparse.Namespace) -> ReadOptions:
    """The options that the flags of :func:`add_reading_flags` give."""
    return replace(
        annotation_options(arguments),
        ocr_language=arguments.ocr_language,
        ocr_command=arguments.ocr_command,
        most_pages=arguments.most_pages,
        split_at=arguments.split_at,
        delimiter=arguments.delimiter,
        sheets=arguments.sheets,
        table=arguments.table,
        query=arguments.query,
        id_column=arguments.id_column,
        text_columns=arguments.text_columns,
        patient_column=arguments.patient_column,
        meta_columns=arguments.meta_columns,
    )


def annotation_options(arguments: argparse.Namespace) -> ReadOptions:
    """Those of :func:`add_annotation_flags`, with ``--encoding`` and ``--input-format``."""
    return ReadOptions(
        encoding=arguments.encoding,
        format=arguments.input_format,
        bad_annotations=arguments.bad_annotations,
        tag_scheme=arguments.tag_scheme,
        tag_column=arguments.tag_column,
        documents=arguments.documents,
        offset_unit=arguments.offset_unit,
        mention_edges=arguments.mention_edges,
    )


def with_column(reading: ReadOptions, column: str | None) -> ReadOptions:
    """Reading that keeps one more column, such as that of images, if it is named."""
    if column is None or column in reading.meta_columns:
        return reading
    return replace(reading, meta_columns=(*reading.meta_columns, column))


def _delimiter(text: str) -> str:
    sign = {"tab": "\t", "\\t": "\t"}.get(text.lower(), text)
    if len(sign) != 1 or sign.isalnum() or sign in "\"'\r\n":
        raise argparse.ArgumentTypeError("must be one sign such as ; or |, or the word tab")
    return sign


def _tag_column(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 2:
        raise argparse.ArgumentTypeError("must be a whole number of at least 2; 1 is the token")
    return int(text)
