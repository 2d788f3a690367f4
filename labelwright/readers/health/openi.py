"""Open-i (Indiana University chest X-rays): ``NLMCXR_reports.tgz`` or the folder of its XML files.

The archive is never unpacked to disk. Sections come from the labels of ``AbstractText``; the
human index terms stand in ``meta["mesh"]`` and the automatic ones in ``meta["automatic"]``,
each joined by ``;``, and the pictures' ids in ``meta["images"]``.
"""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from labelwright.errors import ConfigError, InputError
from labelwright.readers.opening import faults, open_binary
from labelwright.readers.options import ReadOptions
from labelwright.readers.tables.columns import report_or_reject
from labelwright.records import Reject, Report
from labelwright.text.sections import Composer

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

LARGEST_MEMBER = 16 * 1024 * 1024
LARGEST_ARCHIVE = 8 * 1024 * 1024 * 1024
LARGEST_HEADER = 4096
LARGEST_HEADERS = 4 * 1024 * 1024
"""Bounds, in bytes after decompression: the real files have 5 KB each, 20 MB together.

Headers are names and times of members; Python's own parsers of long ones need quadratic time
(CVE-2024-6232), so those of more than a kilobyte are few.
"""

_META = ("mesh", "automatic", "images")

_PEEKED = 20
"""XML files that are looked at; one may be damaged."""


def is_openi_folder(folder: Path) -> bool:
    """Whether a folder holds XML files of Open-i, itself or in ``ecgen-radiology``."""
    return any(_begins(path) for path in islice(xml_files(folder), _PEEKED))


def _begins(path: Path) -> bool:
    with open(path, "rb") as file:
        return b"<eCitation" in file.read(4096)


def read_openi(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
    """Yield one report or reject per XML file, in the archive's order, or sorted in a folder.

    ``--text-columns`` may name the sections that make the text; all of them by default.

    Raises:
        InputError: the archive is damaged or far too large, or holds no XML.
        ConfigError: an id or patient column was asked for; the format has its own id.
    """
    _refuse_columns(options)
    row = 0
    with faults(path):
        for name, content in _documents(path):
            row += 1
            yield _report(name, content, str(path), row, options)
    if row == 0:
        raise _no_reports(path)


def count_openi(path: Path, options: ReadOptions) -> int:
    """The number of XML files, and of members that are refused."""
    _refuse_columns(options)
    with faults(path):
        count = sum(1 for _ in _documents(path))
    if count == 0:
        raise _no_reports(path)
    return count


def _documents(path: Path) -> Iterator[tuple[str, bytes | str]]:
    """``(file name, content)``; the content is a reason in text where the file is refused."""
    if path.is_dir():
        for file in xml_files(path):
            large = file.stat().st_size > LARGEST_MEMBER
            yield file.name, "larger than any report" if large else file.read_bytes()
        return
    try:
        with open_binary(path) as raw:
            yield from _members(raw, path)
    except (tarfile.TarError, ValueError, OverflowError, RecursionError):
        raise InputError(
            "not a tar archive, or one that is damaged or cut short",
            remedy="download NLMCXR_reports.tgz again",
            source=path,
        ) from None


def _members(raw: BinaryIO, path: Path) -> Iterator[tuple[str, bytes | str]]:
    bounded = _Bounded(raw, path)
    with tarfile.open(fileobj=cast(IO[bytes], bounded), mode="r:") as archive:
        for member in archive:
            if archive.offset <= member.offset:  # it would be read again for ever: CVE-2025-8194
                raise tarfile.ReadError("a member of negative size")
            bounded.in_member = True
            if (content := _content(archive, member)) is not None:
                yield member.name.rsplit("/", 1)[-1], content
            bounded.in_member = False
            archive.members.clear()  # type: ignore[attr-defined]  # tarfile keeps them all
        raw.seek(archive.offset)
        end = raw.read(tarfile.BLOCKSIZE)
        if end != tarfile.NUL * tarfile.BLOCKSIZE:  # tarfile itself passes over this
            raise tarfile.ReadError("no end mark")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | str | None:
    if member.isdir() or (member.isfile() and not member.name.endswith(".xml")):
        return None
    if not member.isfile():
        return "a link or device, not a file"
    if member.name.startswith("/") or ".." in member.name.split("/"):
        return "its path leads out of the archive"
    if member.size > LARGEST_MEMBER:
        return "larger than any report"
    stream = archive.extractfile(member)
    return "empty" if stream is None else stream.read()


class _Bounded:
    """The decompressed archive, refusing to read more than any real one has."""

    def __init__(self, raw: BinaryIO, path: Path) -> None:
        self._raw = raw
        self._path = path
        self._headers = 0
        self.in_member = False

    def read(self, size: int = -1) -> bytes:
        largest = LARGEST_MEMBER if self.in_member else LARGEST_HEADER
        if size < 0 or size > largest + tarfile.BLOCKSIZE:
            raise self._refusal()
        if size > 2 * tarfile.BLOCKSIZE and not self.in_member:
            self._headers += size
            if self._headers > LARGEST_HEADERS:
                raise self._refusal()
        return self._raw.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if offset > LARGEST_ARCHIVE:
            raise self._refusal()
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def _refusal(self) -> InputError:
        return InputError(
            "the archive holds more data than reports can have",
            remedy="give the original NLMCXR_reports.tgz",
            source=self._path,
        )


def _report(
    name: str, content: bytes | str, source: str, row: int, options: ReadOptions
) -> Report | Reject:
    shown = name if re.fullmatch(r"[\w.-]{1,60}", name) else "a member"
    if isinstance(content, str):
        return Reject(None, source, row, f"{shown}: {content}")
    root = _parsed(content)
    if isinstance(root, str):
        return Reject(None, source, row, f"{shown}: {root}")
    parts: dict[str, str] = {}
    for part in root.iter("AbstractText"):
        label = (part.get("Label") or "text").lower()
        text = "".join(part.itertext())
        parts[label] = f"{parts[label]}\n{text}" if label in parts else text
    if options.text_columns:
        parts = {label: parts.get(label.lower(), "") for label in options.text_columns}
    text, sections = Composer(tuple(parts)).join(tuple(parts.values()))
    meta = _meta(root, options)
    return report_or_reject(source, row, _identifier(root), text, sections, None, meta)


def _parsed(content: bytes) -> Element | str:
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root: Element = fromstring(content, forbid_dtd=True)
    except DefusedXmlException:
        return "refused: the XML declares entities or a document type"
    except (ParseError, ValueError, LookupError):
        return "not well-formed XML"
    return root


def _identifier(root: Element) -> str:
    for tag in ("pmcId", "IUXRId", "uId"):
        element = root.find(tag)
        value = "" if element is None else (element.get("id") or "").strip()
        if value:
            return value.removeprefix("CXR")
    return ""


def _meta(root: Element, options: ReadOptions) -> dict[str, str]:
    found = {
        "mesh": ";".join(_texts(root, "MeSH/major")),
        "automatic": ";".join(_texts(root, "MeSH/automatic")),
        "images": ";".join(image.get("id") or "" for image in root.findall("parentImage")),
    }
    return {key: found[key] for key in options.meta_columns or _META}


def _texts(root: Element, path: str) -> Iterator[str]:
    return ((element.text or "").strip() for element in root.findall(path))


def xml_files(folder: Path) -> Iterator[Path]:
    """The XML files of a folder, sorted by name."""
    inner = folder / "ecgen-radiology"
    root = inner if inner.is_dir() else folder
    with os.scandir(root) as entries:
        names = sorted(entry.name for entry in entries if entry.name.endswith(".xml"))
    return (root / name for name in names if (root / name).is_file())


def _refuse_columns(options: ReadOptions) -> None:
    if options.id_column not in (None, "uid", "id") or options.patient_column is not None:
        raise ConfigError(
            "Open-i reports have their own id and no patients",
            remedy="remove --id-column and --patient-column",
        )
    if unknown := [name for name in options.meta_columns if name not in _META]:
        raise ConfigError(
            f"Open-i reports have no metadata {', '.join(unknown)}",
            remedy=f"choose from: {', '.join(_META)}",
        )


def _no_reports(path: Path) -> InputError:
    return InputError(
        "no XML reports in it", remedy="give NLMCXR_reports.tgz or its folder", source=path
    )
