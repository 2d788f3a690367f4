"""What a file is that no reader takes, and how it becomes one that is taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from labelwright.errors import InputError
from labelwright.readers import folders
from labelwright.readers.folders import Found
from labelwright.text.amounts import amount

_WORD = "save it as .docx or .pdf, or run: soffice --headless --convert-to docx FILE"
_SHEET = "save it as .xlsx or CSV"
_TABLE = "save it as CSV or Parquet"
_KNOWN = {
    ".doc": ("a document of old Word", _WORD),
    ".odt": ("a document of LibreOffice", _WORD),
    ".pages": ("a document of Pages", _WORD),
    ".wpd": ("a document of WordPerfect", _WORD),
    ".xlsb": ("a binary workbook of Excel", _SHEET),
    ".numbers": ("a workbook of Numbers", _SHEET),
    ".gsheet": ("a link to Google Sheets", "download the sheet as .xlsx or CSV"),
    ".gdoc": ("a link to Google Docs", "download the document as .docx"),
    ".mdb": ("a database of Access", "export the table as CSV"),
    ".accdb": ("a database of Access", "export the table as CSV"),
    ".db": ("a database", "give its URL: sqlite:///FILE with --table NAME"),
    ".sqlite": ("a database of SQLite", "give its URL: sqlite:///FILE with --table NAME"),
    ".sqlite3": ("a database of SQLite", "give its URL: sqlite:///FILE with --table NAME"),
    ".sav": ("a file of SPSS", _TABLE),
    ".sas7bdat": ("a file of SAS", _TABLE),
    ".dta": ("a file of Stata", _TABLE),
    ".rds": ("a file of R", _TABLE),
    ".rdata": ("a file of R", _TABLE),
    ".feather": ("an Arrow file", "save it as Parquet"),
    ".arrow": ("an Arrow file", "save it as Parquet"),
    ".pkl": ("a pickle, which would run code", "save it as CSV or Parquet"),
    ".pickle": ("a pickle, which would run code", "save it as CSV or Parquet"),
    ".eml": ("an e-mail", "save its text as .txt"),
    ".msg": ("an e-mail of Outlook", "save its text as .txt"),
    ".dcm": ("a DICOM file", "export the report as text"),
    ".xml": ("an XML file", "give Open-i's folder, or convert it to JSON lines"),
    ".bmp": ("a picture", "save it as .png or .pdf"),
    ".gif": ("a picture", "save it as .png or .pdf"),
    ".heic": ("a picture", "save it as .png or .pdf"),
    ".webp": ("a picture", "save it as .png or .pdf"),
    ".pptx": ("slides", "save them as .pdf"),
    ".ppt": ("slides", "save them as .pdf"),
    ".epub": ("a book", "save it as .pdf or text"),
    ".rar": ("a RAR archive", "unpack it and give the folder"),
    ".7z": ("a 7-Zip archive", "unpack it and give the folder"),
    ".xz": ("xz data", "unpack it, or compress it with gzip or zstd"),
    ".bz2": ("bzip2 data", "unpack it, or compress it with gzip or zstd"),
}
_TABLES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".parquet", ".pq", ".xlsx", ".xls", ".ods")
_ALONE = "is not read with the folder; give it by itself"
_NO_REPORTS = {".db", ".dcm", ".xml"}
"""Lie beside reports and hold none: thumbnails, pictures, settings."""
_SHOWN = 6


def unknown_file(path: Path, formats: str) -> InputError:
    """The error for a file whose suffix tells no format.

    Args:
        formats: the formats that there are.
    """
    suffix = path.suffix.lower()
    if suffix in _KNOWN:
        what, remedy = _KNOWN[suffix]
        return InputError(f"{what} is not read", remedy=remedy, source=path)
    return InputError(
        "the suffix does not tell the format",
        remedy=f"give --input-format, one of: {formats}",
        source=path,
    )


def unread(
    folder: Path, read: tuple[str, ...], alone: Mapping[str, str]
) -> Iterator[tuple[Found, str]]:
    """What lies in a folder of reports and may hold some, though it is not read; and why.

    A file of another format of reports beside one that is read and has the same name is taken for
    the same report.

    Args:
        read: the suffixes of what is.
        alone: formats of reports by suffix.
    """
    others = {suffix: name for suffix, name in alone.items() if suffix not in read}
    known = {suffix: f"{what} is not read; {remedy}" for suffix, (what, remedy) in _KNOWN.items()}
    known |= dict.fromkeys(_TABLES, f"a table {_ALONE}") | {".zip": f"an archive {_ALONE}"}
    known |= {
        s: f"not read with the others; --input-format {f} reads it" for s, f in others.items()
    }
    wanted = tuple(suffix for suffix in known if suffix not in {*_NO_REPORTS, *read})
    for found in folders.walk(folder, wanted):
        name = folders.without_suffix(found.name, ()).lower()  # no packing
        ending = next((s for s in wanted if name.endswith(s)), None)
        if ending is None:
            continue
        plain = found.path.with_name(folders.without_suffix(found.path.name, (ending,)))
        if ending in others and any(plain.with_name(plain.name + s).is_file() for s in read):
            continue
        yield found, known[ending]


def unknown_folder(path: Path) -> InputError:
    """The error for a folder without reports that a folder is read for: it says what there is."""
    found = Counter(
        Path(entry.name).suffix.lower() or "no suffix"
        for entry in folders.walk(path, ("",))
        if entry.problem is None
    )
    if not found:
        return InputError("the folder is empty", remedy="check the path", source=path)
    named = [(suffix if _plain(suffix) else "other", n) for suffix, n in found.most_common(_SHOWN)]
    told = ", ".join(amount(n, f"{suffix} file") for suffix, n in named)
    usual = next((_KNOWN[s][1] for s, _ in named if s in _KNOWN), "give the files themselves")
    return InputError(
        f"the folder holds {told}, none of which is read from a folder",
        remedy=usual,
        source=path,
    )


def _plain(suffix: str) -> bool:
    return len(suffix) <= 12 and suffix.isprintable() and suffix.isascii()
