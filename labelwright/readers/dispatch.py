"""Picks the reader of each input, checks ids over all of them, and scans inputs beforehand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelwright import manifest
from labelwright.errors import ConfigError, InputError
from labelwright.readers.id_registry import IdRegistry
from labelwright.readers.json_lines import count_jsonl, read_jsonl
from labelwright.readers.mimic_cxr import (
    count_mimic_cxr,
    is_mimic_tree,
    read_mimic_cxr,
    study_files,
)
from labelwright.readers.openi import count_openi, is_openi_folder, read_openi, xml_files
from labelwright.readers.opening import faults
from labelwright.readers.options import ReadOptions
from labelwright.readers.parquet import count_parquet, read_parquet
from labelwright.readers.tables import count_csv, count_tsv, read_csv, read_tsv
from labelwright.records import Reject, Report


@dataclass(frozen=True)
class Format:
    """One input format: how to read a path, how to count it, which files a folder gives."""

    read: Callable[[Path, ReadOptions], Iterator[Report | Reject]]
    count: Callable[[Path, ReadOptions], int]
    files: Callable[[Path], Iterator[Path]] | None = None


FORMATS = {
    "csv": Format(read_csv, count_csv),
    "tsv": Format(read_tsv, count_tsv),
    "jsonl": Format(read_jsonl, count_jsonl),
    "parquet": Format(read_parquet, count_parquet),
    "mimic-cxr": Format(read_mimic_cxr, count_mimic_cxr, study_files),
    "openi": Format(read_openi, count_openi, xml_files),
}
_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".tgz": "openi",
    ".tar": "openi",
}


@dataclass(frozen=True)
class Scan:
    """What a first pass over the inputs found.

    Attributes:
        rows: number of reports and rejects that :func:`read_reports` will yield.
        inputs: path, size in bytes and SHA-256 of each input, for the manifest. The digest of
            a folder is over the relative names and digests of its report files, sorted.
    """

    rows: int
    inputs: list[dict[str, Any]]


def read_reports(paths: Sequence[Path], options: ReadOptions) -> Iterator[Report | Reject]:
    """Stream all inputs in the order given, in constant memory but for a digest of each id.

    Raises:
        InputError: an input that cannot be read at all; a single bad row is a ``Reject``.
        ConfigError: no input, or an unknown format or encoding.
    """
    formats = [format_of(path, options) for path in _checked(paths)]
    return _unique(paths, formats, options)


def scan(paths: Sequence[Path], options: ReadOptions) -> Scan:
    """Read all inputs once without keeping anything: errors show now, not hours later.

    Raises:
        InputError, ConfigError: as :func:`read_reports`.
    """
    formats = [format_of(path, options) for path in _checked(paths)]
    rows = sum(form.count(path, options) for path, form in zip(paths, formats, strict=True))
    inputs = [_input(path, form) for path, form in zip(paths, formats, strict=True)]
    return Scan(rows, inputs)


def format_of(path: Path, options: ReadOptions) -> Format:
    """The format that ``options`` name, else by what a folder holds or by the file's suffix.

    Raises:
        InputError: it cannot be told, or there is no such path.
        ConfigError: an unknown format was asked for.
    """
    if options.format is not None:
        if options.format not in FORMATS:
            raise ConfigError(
                f"unknown format {options.format!r}", remedy=f"choose from: {', '.join(FORMATS)}"
            )
        return FORMATS[options.format]
    if path.is_dir():
        return FORMATS[_folder_format(path)]
    name = path.name.lower()
    for ending in (".gz", ""):
        plain = name.removesuffix(ending) if ending else name
        for suffix, form in _SUFFIXES.items():
            if plain.endswith(suffix):
                return FORMATS[form]
    if not path.exists():
        raise InputError("no such file or folder", remedy="check the path", source=path)
    raise InputError(
        "the suffix does not tell the format",
        remedy=f"give --input-format, one of: {', '.join(FORMATS)}",
        source=path,
    )


def _folder_format(path: Path) -> str:
    with faults(path):
        if is_mimic_tree(path):
            return "mimic-cxr"
        if is_openi_folder(path):
            return "openi"
    raise InputError(
        "the folder holds neither a MIMIC-CXR tree nor Open-i XML files",
        remedy="give the files themselves, or check the folder",
        source=path,
    )


def _checked(paths: Sequence[Path]) -> Sequence[Path]:
    if not paths:
        raise ConfigError("no input given", remedy="name at least one file or folder")
    return paths


def _unique(
    paths: Sequence[Path], formats: Sequence[Format], options: ReadOptions
) -> Iterator[Report | Reject]:
    seen = IdRegistry()
    for number, (path, form) in enumerate(zip(paths, formats, strict=True)):
        for item in form.read(path, options):
            if isinstance(item, Report) and (first := seen.add(item.id, number, item.row)):
                where = f"{paths[first[0]]}:{first[1]}"
                yield Reject(item.id, item.source, item.row, f"duplicate id; first seen at {where}")
            else:
                yield item


def _input(path: Path, form: Format) -> dict[str, Any]:
    if not path.is_dir() or form.files is None:
        return manifest.inputs([path])[0]
    digest = hashlib.sha256()
    size = 0
    for file in form.files(path):
        size += file.stat().st_size
        name = file.relative_to(path).as_posix()
        digest.update(f"{name}\0{manifest.sha256_file(file)}\n".encode())
    return {"path": str(path), "bytes": size, "sha256": digest.hexdigest()}
