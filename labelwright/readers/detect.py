"""Which format an input has: by its suffix, by what a folder holds, by the keys of JSON lines."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from labelwright.errors import InputError
from labelwright.readers import folders, json_stream
from labelwright.readers.annotated import conll
from labelwright.readers.annotated.brat import is_brat_folder
from labelwright.readers.annotated.conll_lines import looks_tagged
from labelwright.readers.annotated.json_rows import MENTIONS, is_doccano, is_own
from labelwright.readers.annotated.label_studio import is_task
from labelwright.readers.documents import reader as documents
from labelwright.readers.health import fhir, hl7
from labelwright.readers.health.mimic_cxr import is_mimic_tree
from labelwright.readers.health.openi import is_openi_folder
from labelwright.readers.json_stream import numbered_lines
from labelwright.readers.opening import faults, open_text
from labelwright.readers.options import ReadOptions
from labelwright.readers.strict_json import object_of
from labelwright.readers.tables import plain_text, workbooks
from labelwright.readers.tables.openai_batch import is_request
from labelwright.readers.unknown import unknown_folder

_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "txt",
    ".text": "txt",
    ".json": "fhir",
    ".hl7": "hl7",
    ".ann": "brat",
    **dict.fromkeys(conll.OWN_SUFFIXES, "conll"),
    **dict.fromkeys(documents.SUFFIXES, "documents"),
    **dict.fromkeys(workbooks.SUFFIXES, "office"),
    ".tgz": "openi",
    ".tar": "openi",
}
FOLDERS = {
    "txt": plain_text.SUFFIXES,
    "fhir": fhir.SUFFIXES,
    "hl7": hl7.SUFFIXES,
    "conll": conll.OWN_SUFFIXES,
    "documents": documents.SUFFIXES,
}
_BESIDE = (".md", ".markdown", ".html", ".htm", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
"""Endings of documents that also stand beside reports of other formats, as read-me files do."""
ALONE = {
    suffix: name
    for name, suffixes in FOLDERS.items()
    for suffix in suffixes
    if suffix not in _BESIDE
}
"""The formats of the files that hold reports wherever they lie, by suffix."""
_FHIR = {"resourceType", "resource", "request", "response"}
"""Keys of a resource, or of a Bundle's entry."""
_PEEKED = 100
"""JSON lines that are looked at; the first object decides, or the first one with entities."""


def format_name(path: Path, options: ReadOptions) -> str | None:
    """The name of the format, or ``None`` if the suffix does not tell.

    Raises:
        InputError: a folder that holds no reports or those of several formats.
    """
    if path.is_dir():
        with faults(path):
            return _of_folder(path, options)
    plain = path.name.lower().removesuffix(".gz").removesuffix(".zst")
    for suffix, name in _SUFFIXES.items():
        if plain.endswith(suffix):
            if name == "tsv" and _is_tagged(path, options):
                return "conll"
            if name == "fhir":
                return _of_json(path, options)
            return _of_lines(path, options) if name == "jsonl" else name
    return None


def _of_folder(path: Path, options: ReadOptions) -> str:
    if is_mimic_tree(path):
        return "mimic-cxr"
    if is_openi_folder(path):
        return "openi"
    if is_brat_folder(path):
        return "brat"
    found: dict[str, None] = {}
    beside = False
    for entry in folders.walk(path, tuple(s for all_of in FOLDERS.values() for s in all_of)):
        for name, suffixes in FOLDERS.items():
            if folders.without_suffix(entry.name, suffixes) != _unpacked(entry.name):
                if folders.without_suffix(entry.name, _BESIDE) != _unpacked(entry.name):
                    beside = True
                else:
                    found[name] = None
        if len(found) > 1:
            raise InputError(
                f"the folder holds files of several formats: {', '.join(found)}",
                remedy="say which to read with --input-format",
                source=path,
            )
    if beside and not found:
        return "documents"
    if not found:
        raise unknown_folder(path)
    (name,) = found
    if name == "fhir" and (first := next(folders.files(path, fhir.SUFFIXES), None)):
        return "jsonl" if format_name(first, options) == "jsonl" else name
    return name


def _unpacked(name: str) -> str:
    return folders.without_suffix(name, ())


def _is_tagged(path: Path, options: ReadOptions) -> bool:
    try:
        return looks_tagged(path, options)
    except InputError:
        return False  # the reader will say it


def _of_json(path: Path, options: ReadOptions) -> str:
    plain = False
    with (
        suppress(InputError),  # the reader will say it
        faults(path, options.encoding),
        open_text(path, options.encoding) as handle,
    ):
        found = json_stream.parts(handle, path, "entry", ("resourceType", "Bundle"))
        for part in islice(found, _PEEKED):
            if isinstance(part.value, dict):
                if not _FHIR.isdisjoint(part.value):
                    return "fhir"
                if is_task(part.value):
                    return "label-studio"
                plain = plain or bool(part.value)
    return _of_lines(path, options) if plain else "fhir"


def _of_lines(path: Path, options: ReadOptions) -> str:
    objects: list[dict[str, Any]] = []
    with suppress(InputError):  # the reader will say it
        for _, line in islice(numbered_lines(path, options), _PEEKED):
            value = object_of(line)
            if isinstance(value, dict):
                if not objects and isinstance(value.get("resourceType"), str):
                    return "fhir"
                if not objects and is_request(value):
                    return "openai-batch"
                objects.append(value)
                if is_own(value):
                    return "entities"
                if is_doccano(value):
                    return "doccano"
    # Lists without elements could be either's; our own key is the rarer one in plain tables.
    return "entities" if any(value.get(MENTIONS) == [] for value in objects) else "jsonl"
