"""The input formats, and how the format of a file or folder is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from labelwright.errors import ConfigError, InputError
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
    plain = name.removesuffix(".gz").removesuffix(".zst")
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
