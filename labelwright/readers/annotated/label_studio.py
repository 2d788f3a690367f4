"""Label Studio: tasks with their annotations as exported in JSON, in full or as JSON-MIN.

Of a task's annotations, those that were skipped do not count; of several others, the one that is
marked as ground truth does. Regions of plain text are mentions, one per label of the region;
choices for a region that speak of certainty (``certainty: negative``) are its certainty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labelwright.annotations.certainty_words import of_attribute, strongest
from labelwright.annotations.offsets import Utf16, covers, inside
from labelwright.errors import ConfigError
from labelwright.readers import json_stream
from labelwright.readers.annotated.base import DIFFERS, OUTSIDE, PASSED_OVER, Bad, settled
from labelwright.readers.inputs import Counted, read_inputs
from labelwright.readers.opening import faults, open_text
from labelwright.readers.options import ReadOptions
from labelwright.readers.strict_json import encodable
from labelwright.readers.tables.columns import report_or_reject, usual
from labelwright.readers.tables.json_lines import meta_text, scalar
from labelwright.records import Certainty, Entity, Reject, Report, Span, in_order
from labelwright.text.sections import split_sections

SUFFIXES = (".json",)
_REGIONS = ("labels", "hypertextlabels")
_LISTS = ("annotations", "completions")
SEVERAL = "several annotations; mark one of them as ground truth"
UNTOLD = (
    "characters of two code units stand before it and nothing tells what its offsets count; "
    "give --offset-unit"
)


def read_label_studio(path: Path, options: ReadOptions) -> Iterator[Report | Reject]:
    """Yield one report or reject per task; ``row`` is its number in the file, or in the folder.

    The id is that in the task's data, else the task's own number. A task without annotations is
    a report that says nothing of entities. At the end of each file one reject counts what is
    neither a region of text nor a certainty.

    Raises:
        InputError: a file that was given is no JSON, or nothing is in it; in a folder it becomes
            a reject.
        ConfigError: several text columns, since offsets count in one text.
    """
    if len(options.text_columns) > 1:
        raise ConfigError(
            "annotated reports have one text", remedy="give one key with --text-columns"
        )
    return read_inputs(path, SUFFIXES, lambda file: _items(file, options), "Label Studio task")


def is_task(value: Any) -> bool:
    """Whether a JSON value is a task, in full or as JSON-MIN with a region."""
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("data"), dict):
        return any(isinstance(value.get(key), list) for key in (*_LISTS, "predictions"))
    return bool(_flat_regions(value))


@dataclass(slots=True)
class _Found:
    """What one task says: entities, what is bad, and how much else there is."""

    entities: list[Entity] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)


def _items(file: Path, options: ReadOptions) -> Iterator[Counted]:
    others: Counter[str] = Counter()
    row = 0
    with faults(file, options.encoding), open_text(file, options.encoding) as handle:
        for row, part in enumerate(json_stream.parts(handle, file, "\0", ("", "")), 1):
            for item in _task(part.value, str(file), row, options, others):
                yield Counted(row, item)
    if others:
        counts = ", ".join(f"{n} {kind}" for kind, n in sorted(others.items()))
        reason = f"{PASSED_OVER}; {counts}"
        yield Counted(row, Reject(None, str(file), row, reason))


def _task(
    task: Any, source: str, row: int, options: ReadOptions, others: Counter[str]
) -> Iterator[Report | Reject]:
    data = task.get("data", task) if isinstance(task, dict) else None
    if not isinstance(data, dict):
        yield Reject(None, source, row, "JSON but no task")
        return
    report = _report(task, data, source, row, options)
    if isinstance(report, Reject):
        yield report
        return
    results = _results(task)
    if results is None:
        yield report
    elif isinstance(results, str):
        yield Reject(report.id, source, row, results)
    else:
        found = _read(report.text, results, f"{Path(source).name}:{row}", options)
        others.update(found.others)
        report = replace(report, entities=tuple(in_order(found.entities)))
        yield from settled(report, found.bad, options)


def _report(
    task: Mapping[str, Any], data: Mapping[str, Any], source: str, row: int, options: ReadOptions
) -> Report | Reject:
    id_key = options.id_column or usual(list(data), "id")
    identifier = scalar(data.get(id_key) if id_key else task.get("id"))
    if identifier is None:
        return Reject(None, source, row, "the id is neither text nor a whole number")
    texts = [key for key, value in data.items() if isinstance(value, str) and key != id_key]
    named = options.text_columns[0] if options.text_columns else usual(texts, "text")
    text_key = named or (texts[0] if len(texts) == 1 else None)
    if text_key is None:
        reason = "the key of the text cannot be told; --text-columns names it"
        return Reject(identifier, source, row, reason)
    text = data.get(text_key)
    if not isinstance(text, str):
        return Reject(identifier, source, row, "the text is missing or something else than text")
    patient_key = options.patient_column or usual(list(data), "patient")
    patient = scalar(data.get(patient_key)) if patient_key else None
    if not encodable("".join((identifier, patient or "", text))):
        return Reject(None, source, row, "half a surrogate pair stands in it, no character")
    meta = {key: meta_text(data.get(key)) for key in options.meta_columns}
    sections = split_sections(text)
    return report_or_reject(source, row, identifier.strip(), text, sections, patient, meta)


def _results(task: Mapping[str, Any]) -> list[Any] | str | None:
    """The results that count; ``None`` if nobody annotated the task, or why it cannot be told."""
    given = next((task[key] for key in _LISTS if key in task), None)
    if "data" not in task:
        return _flat_regions(task)
    if given is None:
        return None
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        return "the annotations are no list of objects"
    counting = [one for one in given if not one.get("was_cancelled")]
    if len(counting) > 1:
        counting = [one for one in counting if one.get("ground_truth")]
        if len(counting) != 1:
            return SEVERAL
    if not counting:
        return None
    results = counting[0].get("result")
    return results if isinstance(results, list) else "the result of the annotation is not a list"


def _flat_regions(task: Mapping[str, Any]) -> list[Any] | None:
    """The regions of JSON-MIN in the form of the full export."""
    found = [
        {"type": "labels", "value": region}
        for regions in task.values()
        if isinstance(regions, list)
        for region in regions
        if isinstance(region, dict) and {"start", "end", "labels"} <= region.keys()
    ]
    return found or None


def _read(text: str, results: Sequence[Any], where: str, options: ReadOptions) -> _Found:
    found = _Found()
    certainties: dict[Any, list[Certainty]] = {}
    regions: list[tuple[int, Mapping[str, Any]]] = []
    for number, result in enumerate(results, 1):
        if not isinstance(result, dict):
            found.bad.append(Bad(f"{where}, result {number}", "no object"))
        elif result.get("type") in _REGIONS:
            regions.append((number, result))
        elif said := _certainties(result):
            certainties.setdefault(result.get("id"), []).extend(said)
        else:
            kind = str(result.get("type", "unknown"))
            found.others[kind if kind.isascii() and kind.isalpha() else "unknown"] += 1
    units, other = _units(text, [region for _, region in regions], options)
    for number, region in regions:
        said = certainties.get(region["id"], []) if "id" in region else []
        placed = _entities(text, region, units, strongest(said))
        if isinstance(placed, list) and other is not None and _moves(region, other):
            placed = UNTOLD
        if isinstance(placed, str):
            found.bad.append(Bad(f"{where}, result {number}", placed))
        else:
            found.entities += placed
    return found


def _certainties(result: Mapping[str, Any]) -> list[Certainty]:
    """What the choices for a region say of its certainty."""
    value = result.get("value")
    choices = value.get("choices") if isinstance(value, dict) else None
    if result.get("type") != "choices" or not isinstance(choices, list):
        return []
    name = str(result.get("from_name", ""))
    said = [of_attribute(name, choice) for choice in choices if isinstance(choice, str)]
    return [certainty for certainty in said if certainty is not None]


def _units(
    text: str, regions: Sequence[Mapping[str, Any]], options: ReadOptions
) -> tuple[Utf16 | None, Utf16 | None]:
    """How to read offsets, and the other way of counting where nothing tells which is meant.

    Older versions counted UTF-16 code units, newer ones characters. A region that fits one way
    of counting only, by its words or because the other would cut a character apart or leave the
    text, tells it for all regions of its task.
    """
    units = Utf16(text)
    if not units.differs or options.offset_unit == "characters":
        return None, None
    if options.offset_unit == "utf-16":
        return units, None
    as_points = [_fit(text, region, None) for region in regions]
    as_units = [_fit(text, region, units) for region in regions]
    if as_points == as_units:
        return None, units
    return units if sum(as_units) > sum(as_points) else None, None


def _fit(text: str, region: Mapping[str, Any], units: Utf16 | None) -> int:
    """How well a region fits: 0 not, 1 up to white space or without words, 2 to the character."""
    placed = _entities(text, region, units, None)
    if isinstance(placed, str):
        return 0
    return 2 if placed[0].text == region["value"].get("text") else 1


def _moves(region: Mapping[str, Any], units: Utf16) -> bool:
    """Whether a region without words would stand elsewhere if its offsets counted code units."""
    value = region["value"]
    moved = any(units.point(value[key]) != value[key] for key in ("start", "end"))
    return moved and value.get("text") is None


def _entities(
    text: str, region: Mapping[str, Any], units: Utf16 | None, certainty: Certainty | None
) -> list[Entity] | str:
    value = region.get("value")
    if not isinstance(value, dict):
        return "a region without a value"
    start, end = value.get("start"), value.get("end")
    kinds = value.get("labels", value.get("hypertextlabels"))
    if type(start) is not int or type(end) is not int:
        return "a region of something else than plain text"
    if not isinstance(kinds, list) or not kinds or not all(isinstance(k, str) for k in kinds):
        return "a region without a label"
    spans: tuple[Span, ...] | None = ((start, end),)
    if units is not None:
        spans = units.points([(start, end)])
    if spans is None or not inside(text, spans):
        return OUTSIDE
    words = value.get("text")
    if words is not None and not (isinstance(words, str) and _covers(text, spans, words)):
        return DIFFERS
    return [Entity.of(text, kind, *spans, certainty=certainty) for kind in kinds]


def _covers(text: str, spans: Sequence[Span], words: str) -> bool:
    """Whether a region has these words; a line end may stand in them as a backslash and an n."""
    return covers(text, spans, words) or covers(text, spans, words.replace("\\n", "\n"))
