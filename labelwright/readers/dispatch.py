"""Reads all inputs as one stream, checks ids over all of them, and scans inputs beforehand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labelwright.errors import ConfigError
from labelwright.io import manifest
from labelwright.readers import brought
from labelwright.readers.formats import FORMATS, Format, check_flags, format_of
from labelwright.readers.id_registry import IdRegistry
from labelwright.readers.options import ReadOptions
from labelwright.records import Reject, Report

__all__ = ["FORMATS", "Format", "Scan", "format_of", "read_reports", "scan"]


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
    rows = sum(form.rows(path, options) for path, form in zip(paths, formats, strict=True))
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
        for item in form.read(path, options):
            if path in hidden:
                item = replace(item, source=brought.shown(path))
            if isinstance(item, Report) and (first := seen.add(item.id, number, item.row)):
                where = f"{brought.shown(paths[first[0]])}:{first[1]}"
                yield Reject(item.id, item.source, item.row, f"duplicate id; first seen at {where}")
            else:
                yield item


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
