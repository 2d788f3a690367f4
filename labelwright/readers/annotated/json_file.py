"""Annotated JSON lines: ``{"id", "text", "entities"}`` of labelwright, and doccano's exports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from labelwright.annotations.writing import LAYOUTS
from labelwright.errors import ConfigError, InputError
from labelwright.readers.annotated.base import PASSED_OVER, Bad, settled
from labelwright.readers.annotated.json_rows import doccano_entities, own_entities
from labelwright.readers.json_stream import Line, numbered_lines
from labelwright.readers.options import ReadOptions
from labelwright.readers.strict_json import has_twice, object_of
from labelwright.readers.tables.columns import Columns, has_id, resolve
from labelwright.readers.tables.json_lines import meta_text, report_of
from labelwright.records import Entity, Reject, Report, in_order
from labelwright.text.sections import Composer

_PEEKED = 100


def read_entities(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
    """Yield one report per line ``{"id", "text", "entities"?, "patient"?, "meta"?}``.

    A line without ``entities`` is a report that says nothing of them. Rejects are those of
    :func:`labelwright.readers.tables.json_lines.read_jsonl`, and :func:`settled` what is bad.

    Raises:
        InputError: as for plain JSON lines.
        ConfigError: several text columns, since offsets count in one text.
    """
    return _read(path, options, own=True)


def read_doccano(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
    """Yield one report per line ``{"id"?, "text", "label"}``; without an id, file and line are it.

    Raises:
        InputError, ConfigError: as :func:`read_entities`.
    """
    return _read(path, options, own=False)


@dataclass(frozen=True, slots=True)
class _Lines:
    """How the lines of one file are read; ``numbered``: ids are made of file and line."""

    columns: Columns
    composer: Composer
    numbered: bool


def _read(path: Path, options: ReadOptions, *, own: bool) -> Iterator[Report | Reject]:
    if len(options.text_columns) > 1:
        raise ConfigError(
            "annotated reports have one text", remedy="give one column with --text-columns"
        )
    relations, number = 0, 0
    rest = numbered_lines(path, options)
    peeked = list(islice(rest, _PEEKED))
    how = _how([line for _, line in peeked], path, options, own=own)
    for number, line in chain(peeked, rest):
        value = object_of(line)
        if isinstance(value, str):
            yield Reject(None, str(path), number, value)
            continue
        if how.numbered:
            value["id"] = f"{path.name.partition('.')[0]}#{number}"
        report = report_of(str(path), number, value, how.columns, how.composer)
        if isinstance(report, Reject):
            yield report
        elif has_twice(value, ("entities", "label", "labels", "meta")):
            yield Reject(report.id, str(path), number, "a key that is read appears twice in it")
        else:
            yield from _annotated(report, value, path.name, options, own=own)
            if not own and isinstance(value.get("relations"), list):
                relations += len(value["relations"])
    if relations:
        reason = f"{PASSED_OVER}; {relations} relation{'s' * (relations > 1)}"
        yield Reject(None, str(path), number, reason)


def _how(lines: list[Line], path: Path, options: ReadOptions, *, own: bool) -> _Lines:
    objects = [value for line in lines if isinstance(value := object_of(line), dict)]
    keys = list(dict.fromkeys(key for value in objects for key in value))
    if not keys:
        raise InputError(
            "no JSON object in the first lines",
            remedy='write one object such as {"id": …, "text": …} per line',
            source=path,
        )
    numbered = not own and options.id_column is None and not has_id(keys)
    columns = resolve([*keys, "id"] if numbered else keys, options, path)
    if len(columns.texts) > 1:
        raise InputError(
            f"the keys {', '.join(columns.texts)} may each hold the text",
            remedy="name it with --text-columns",
            source=path,
        )
    return _Lines(columns, Composer(columns.texts), numbered)


def _annotated(
    report: Report, value: Mapping[str, Any], name: str, options: ReadOptions, *, own: bool
) -> Iterator[Report | Reject]:
    where = f"{name}:{report.row}"
    entities: list[Entity] | None
    bad: list[Bad]
    if own:
        entities, bad = own_entities(report.text, value, where)
        report = replace(report, meta=_meta(value, options) | dict(report.meta))
    else:
        entities, bad = doccano_entities(report.text, value, where, options)
    if entities is not None:
        report = replace(report, entities=tuple(in_order(entities)))
    yield from settled(report, bad, options)


def _meta(value: Mapping[str, Any], options: ReadOptions) -> dict[str, str]:
    meta = value.get("meta")
    if not isinstance(meta, dict):
        return {}
    return {
        meta_text(key): meta_text(found)
        for key, found in meta.items()
        if options.keep_layout or key not in LAYOUTS
    }
