"""FHIR DiagnosticReports: Bundles, bulk export (NDJSON), single resources, folders of them.

Other resources are counted, and one reject at the end of each file says how many of which type
were passed over. ``Observation`` resources are not read, contained or not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labelwright.errors import ConfigError
from labelwright.readers import json_stream
from labelwright.readers.health import fhir_report
from labelwright.readers.inputs import Counted, read_inputs
from labelwright.readers.json_stream import numbered_lines
from labelwright.readers.opening import faults, open_text
from labelwright.readers.options import ReadOptions
from labelwright.readers.strict_json import object_of
from labelwright.records import Reject, Report

SUFFIXES = (".json", ".ndjson", ".jsonl")
_LINES = (".ndjson", ".jsonl")
NO_RESOURCE = "JSON but no FHIR resource; other records are read as JSON lines (.jsonl)"
_TYPE = re.compile(r"[A-Za-z]{1,64}")


def read_fhir(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
    """Yield one report or reject per DiagnosticReport, and one reject for all other resources.

    ``row`` is the line of NDJSON, the entry of a Bundle, the running number in a folder.

    Raises:
        InputError: a file that was given is damaged, or nothing is in it; in a folder, a
            damaged file becomes a reject.
        ConfigError: flags that do not fit.
    """
    _check(options)
    return read_inputs(path, SUFFIXES, lambda file: _items(file, options), "FHIR resource")


def _items(file: Path, options: ReadOptions) -> Iterator[Counted]:
    passed_over: Counter[str] = Counter()
    row = 0
    for row, value, url in _resources(file, options):
        if isinstance(value, str):
            yield Counted(row, Reject(None, str(file), row, value))
            continue
        kind = value.get("resourceType")
        if kind == "DiagnosticReport":
            yield Counted(row, fhir_report.report_of(value, url, str(file), row, options))
        elif isinstance(kind, str):
            passed_over[kind if _TYPE.fullmatch(kind) else "unknown"] += 1
        else:
            yield Counted(row, Reject(None, str(file), row, NO_RESOURCE))
    if passed_over:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(passed_over.items()))
        reason = f"other resources passed over; {counts}"
        yield Counted(row, Reject(None, str(file), row, reason))


def _resources(file: Path, options: ReadOptions) -> Iterator[tuple[int, dict[str, Any] | str, str]]:
    """``(row, resource or reason, fullUrl)`` of every resource, those in Bundles one by one."""
    if file.name.lower().removesuffix(".gz").removesuffix(".zst").endswith(_LINES):
        for number, line in numbered_lines(file, options):
            value = object_of(line)
            if isinstance(value, str):
                yield number, value, ""
                continue
            for resource, url in _unbundled(value):
                yield number, resource, url
        return
    with faults(file, options.encoding) as position, open_text(file, options.encoding) as handle:
        for part in json_stream.parts(handle, file, "entry", ("resourceType", "Bundle")):
            found = _of_entry(part.value) if part.element else (part.value, "")
            if not part.element and _is_bundle(part.value):
                continue  # its entries have come already
            for resource, url in _unbundled(*found):
                position.row += 1
                yield position.row, resource, url


def _unbundled(value: Any, url: str = "") -> Iterator[tuple[dict[str, Any] | str, str]]:
    """The resource itself, or those in it if it is a Bundle, also one within a Bundle."""
    waiting: list[tuple[Any, str]] = [(value, url)]
    while waiting:
        found, url = waiting.pop()
        if not isinstance(found, dict):
            yield NO_RESOURCE, ""
        elif not _is_bundle(found):
            yield found, url
        elif isinstance(entries := found.get("entry"), list):
            waiting += [_of_entry(entry) for entry in reversed(entries)]


def _is_bundle(value: Any) -> bool:
    return isinstance(value, dict) and value.get("resourceType") == "Bundle"


def _of_entry(entry: Any) -> tuple[Any, str]:
    """Resource and ``fullUrl`` of a Bundle's entry, or of an array's element, which has none."""
    if not isinstance(entry, dict) or "resourceType" in entry:
        return entry, ""
    url = entry.get("fullUrl")
    if "resource" not in entry and ("request" in entry or "response" in entry):
        return {"resourceType": "entryWithoutResource"}, ""
    return entry.get("resource"), url if isinstance(url, str) else ""


def _check(options: ReadOptions) -> None:
    if options.id_column not in (None, *fhir_report.IDS) or options.patient_column is not None:
        raise ConfigError(
            "the id of a DiagnosticReport is its id or identifier, the patient its subject",
            remedy="give --id-column id or identifier, or none, and no --patient-column",
        )
    for flag, asked, known in (
        ("--text-columns", options.text_columns, tuple(fhir_report.PARTS)),
        ("--meta-columns", options.meta_columns, fhir_report.META),
    ):
        if unknown := [name for name in asked if name not in known]:
            raise ConfigError(
                f"a DiagnosticReport has no {', '.join(unknown)} for {flag}",
                remedy=f"choose from: {', '.join(known)}",
            )
